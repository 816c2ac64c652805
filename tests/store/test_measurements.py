from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.store import (
    Correction,
    Result,
    add_corrections,
    add_file,
    add_formulas,
    add_measurements,
    campaign_measurements,
    check_store,
    create_store,
    file_by_hash,
    history_measurements,
    last_event,
    mark_recorded,
    open_store,
    read_layout,
    round_measurements,
    use_definition,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
outcomes = (
    st.tuples(finite, st.sampled_from(["ok", "excluded"]))
    | st.tuples(st.none() | finite, st.sampled_from(["below_range", "above_range"]))
    | st.tuples(st.none(), st.just("missing"))
)


def facts(measurements):
    return [(m.formula, m.response, m.value, m.status) for m in measurements]


def first(writing):
    use_definition(writing, "", [("glucose", "mM")], [("titre", "g/L"), ("density", "")])
    add_formulas(writing, ["glucose"], [[1.0]])


reasons = st.none() | st.text(st.characters(codec="utf-8"))


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["titre", "density"]), outcomes, reasons)))
def test_what_was_measured_comes_out_as_it_went_in(rows):
    results = [Result(response, *outcome, reason, formula=1) for response, outcome, reason in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "campaign.db"
        with create_store(path, first) as store, store.writing("record") as writing:
            add_measurements(writing, results)
        with open_store(path) as store:
            found = campaign_measurements(store)
            assert [(m.response, (m.value, m.status), m.reason) for m in found] == rows
            assert check_store(store) == []


@pytest.mark.parametrize(
    ("value", "status"),
    [(math.nan, "ok"), (math.inf, "above_range"), (np.float32("nan"), "missing"), ("0.5", "ok"),
     (None, "ok"), (None, "excluded"), (0.0, "missing")],
)  # fmt: skip
def test_what_is_no_measurement_is_refused_and_nothing_stored(store, value, status):
    with (
        pytest.raises(ValueError, match=r"must be a finite number|cannot have the value"),
        store.writing("record") as writing,
    ):
        add_measurements(
            writing, [Result("titre", 1.0, formula=1), Result("titre", value, status, formula=1)]
        )
    assert campaign_measurements(store) == []
    assert last_event(store) == 1


def test_numpy_scalars_are_stored_as_numbers(store):
    with store.writing("record") as writing:
        add_measurements(writing, [Result("titre", np.float32(0.5), formula=np.int64(1))])
    assert facts(campaign_measurements(store)) == [(1, "titre", 0.5, "ok")]


def test_the_wells_of_a_round_know_their_formulas(store, steps):
    number = steps.propose(store)
    steps.record(store, number)
    found = round_measurements(store, number)
    wells = {well.well: well for well in read_layout(store, number)}
    assert [(m.plate, m.well, m.formula, m.value) for m in found] == [
        (1, "B2", wells["B2"].formula, 1.0),
        (1, "A1", wells["A1"].formula, 2.0),
        (1, "A2", wells["A2"].formula, 3.0),
    ]
    adopted = [m for m in campaign_measurements(store) if m.well is None]
    assert [(m.round, m.plate, m.well_id, m.value) for m in adopted] == [(None, None, None, 9.0)]


def test_a_result_cannot_land_on_another_formula_than_its_wells(store, steps):
    steps.propose(store)
    well = read_layout(store, 1)[0]
    with (
        pytest.raises(Exception, match="the well holds another formula"),
        store.writing("record") as writing,
    ):
        add_measurements(writing, [Result("titre", 1.0, formula=1, well=well.id)])


def test_a_blank_is_kept_with_its_round_only(store, steps):
    steps.propose(store)
    empty = read_layout(store, 1)[-1]
    with store.writing("record") as writing:
        add_measurements(writing, [Result("density", 0.04, well=empty.id)])
    assert facts(round_measurements(store, 1)) == [(None, "density", 0.04, "ok")]
    assert campaign_measurements(store) == []


def test_a_well_has_one_result_a_response(store, steps):
    number = steps.propose(store)
    steps.record(store, number)
    before = campaign_measurements(store)
    wells = [well.id for well in read_layout(store, number)]
    with pytest.raises(RefusedError) as caught, store.writing("record") as writing:
        add_measurements(writing, [Result("titre", 5.0, well=well) for well in wells])
    assert str(caught.value) == (
        "there are results already for B2 of plate 1 in round 1 (titre), "
        "A1 of plate 1 in round 1 (titre), A2 of plate 1 in round 1 (titre); "
        "nothing was changed; a changed result is recorded as a correction"
    )
    assert campaign_measurements(store) == before


def test_a_round_may_be_recorded_in_several_files(store, steps):
    number = steps.propose(store)
    steps.record(store, number)
    with store.writing("record") as writing:
        file = add_file(writing, "f" * 64, "density.csv", "results")
        mark_recorded(writing, number)
        well = read_layout(store, number)[0]
        add_measurements(writing, [Result("density", 0.3, well=well.id)], file=file)
    assert [m.response for m in round_measurements(store, number)] == ["titre"] * 3 + ["density"]


def test_the_same_file_twice_is_recognised_and_nothing_doubled(store, steps):
    steps.history(store)
    before = history_measurements(store)
    with pytest.raises(RefusedError) as caught:
        steps.history(store)
    assert str(caught.value) == (
        '"CHO-S.csv" was recorded before, as "CHO-S.csv" (event 2); nothing was changed'
    )
    assert history_measurements(store) == before
    digest = b"CHO-S".hex().zfill(64)
    assert file_by_hash(store, digest)[1:5] == (digest, "CHO-S.csv", "history", 2)
    assert file_by_hash(store, "0" * 64) is None


def test_a_correction_supersedes_and_the_past_stays_what_it_was(store, steps):
    ids = steps.history(store)
    known = last_event(store)
    past = history_measurements(store)
    with store.writing("correct") as writing:
        first, second = add_corrections(
            writing,
            [Correction(past[0].id, 0.7), Correction(past[1].id, 0.5, "excluded", "bubble")],
        )
    assert facts(history_measurements(store)) == [
        (ids[0], "titre", 0.7, "ok"),
        (ids[1], "titre", 0.5, "excluded"),
    ]
    assert history_measurements(store, up_to=known) == past
    with store.writing("correct") as writing:
        add_corrections(writing, [Correction(first, None, "missing", "wrong tube")])
    assert [m.value for m in history_measurements(store)] == [0.5, None]
    assert history_measurements(store)[0].id == second
    assert history_measurements(store, up_to=known) == past
    assert len(store.rows("SELECT * FROM measurement")) == 5


def test_a_measurement_is_corrected_once(store, steps):
    steps.history(store)
    with store.writing("correct") as writing:
        add_corrections(writing, [Correction(1, 0.7)])
    with pytest.raises(RefusedError) as caught, store.writing("correct") as writing:
        add_corrections(writing, [Correction(1, 0.8)])
    assert str(caught.value) == "measurement 1 was corrected already; correct its correction"
    with pytest.raises(RefusedError) as caught, store.writing("correct") as writing:
        add_corrections(writing, [Correction(77, 0.8)])
    assert str(caught.value) == "there is no measurement 77 to correct"


def test_history_and_campaign_are_kept_apart(store, steps):
    history = steps.history(store, "CHO-S") + steps.history(store, "HEK")
    steps.record(store, steps.propose(store))
    assert [m.formula for m in history_measurements(store)] == history
    assert [m.formula for m in history_measurements(store, source="HEK")] == history[2:]
    assert set(history).isdisjoint(m.formula for m in campaign_measurements(store))
    with pytest.raises(KeyError, match="NS0"):
        history_measurements(store, source="NS0")
