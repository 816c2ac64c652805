"""What waits for a value, and how much there is: blanks, corrections, several plates, late news."""

from __future__ import annotations

import pytest

from labloop.store import (
    Correction,
    Proposal,
    Result,
    Well,
    add_corrections,
    add_formulas,
    add_measurements,
    add_round,
    last_event,
    mark_recorded,
    pending_formulas,
    pending_wells,
    read_counts,
    read_layout,
    use_definition,
)

BOTH = ("titre", "density")


@pytest.fixture
def proposed(store, steps):
    """A round of two formulas on two plates, with an empty well on each: name → id of the well."""
    known = last_event(store)
    with store.writing("propose") as writing:
        one, two = add_formulas(writing, steps.components, [[1.0, "soy"], [2.0, "soy"]])
        number = add_round(
            writing,
            seed=1,
            settings={},
            definition=1,
            known_event=known,
            model=None,
            proposals=[Proposal(one, "mixing"), Proposal(two, "mixing")],
            predictions=[],
            wells=[
                well
                for plate in (1, 2)
                for well in (
                    Well(plate, "A1", "formula", one, plate),
                    Well(plate, "A2", "formula", two, plate),
                    Well(plate, "A3", "empty"),
                )
            ],
            dispenses=[],
        )
    return {f"{w.plate}{w.well}": w for w in read_layout(store, number)}


def record(store, *results):
    with store.writing("record", round=1) as writing:
        if store.rows("SELECT state FROM current_round") == [("proposed",)]:
            mark_recorded(writing, 1)
        return add_measurements(writing, [Result(*r[:3], **r[3]) for r in results])


def at(well, response="titre", value=1.0, status="ok"):
    return response, None if status == "missing" else value, status, {"well": well.id}


def correct(store, number, value, status="ok"):
    with store.writing("correct") as writing:
        return add_corrections(writing, [Correction(number, value, status)])[0]


def filled(wells):
    return [well for well in wells.values() if well.role != "empty"]


def test_a_round_that_is_not_recorded_waits_as_a_whole_and_not_by_its_wells(store, proposed):
    assert pending_wells(store) == {}
    assert len(pending_formulas(store)) == 2


def test_wells_of_every_plate_wait_for_every_response(store, proposed):
    record(store, at(proposed["1A1"]))
    assert pending_wells(store) == {1: (4, {"titre": 3, "density": 4})}
    record(store, *(at(w) for w in filled(proposed)[1:]))
    assert pending_wells(store) == {1: (4, {"density": 4})}
    record(store, *(at(w, "density") for w in filled(proposed)))
    assert pending_wells(store) == {}


def test_blanks_are_not_taken_for_what_waits(store, proposed):
    empty = [w for w in proposed.values() if w.role == "empty"]
    record(store, *(at(w, r) for w in (*empty, proposed["1A1"]) for r in BOTH))
    assert pending_wells(store) == {1: (4, {"titre": 3, "density": 3})}
    assert read_counts(store).own_measurements == 2, "blanks are of no formula"
    blank = store.rows("SELECT id FROM measurement WHERE formula IS NULL ORDER BY id")[0][0]
    correct(store, blank, None, "missing")
    assert pending_wells(store) == {1: (4, {"titre": 3, "density": 3})}
    assert read_counts(store).own_measurements == 2


@pytest.mark.parametrize("status", ["below_range", "above_range", "excluded"])
def test_what_is_out_of_range_or_excluded_is_not_waited_for(store, proposed, status):
    ids = record(store, *(at(w, r) for w in filled(proposed) for r in BOTH))
    correct(store, ids[0], 1.0, status)
    assert pending_wells(store) == {}


def test_a_well_waits_again_where_a_correction_says_that_nothing_is_there(store, proposed):
    ids = record(store, *(at(w, r) for w in filled(proposed) for r in BOTH))
    first = correct(store, ids[0], None, "missing")
    assert pending_wells(store) == {1: (4, {"titre": 1})}
    correct(store, first, 3.0)
    assert pending_wells(store) == {}
    assert read_counts(store).own_measurements == len(ids), "a correction is no second measurement"


def test_a_well_recorded_as_missing_waits_until_its_value_comes(store, proposed):
    ids = record(
        store,
        *(at(w, "titre", status="missing") for w in filled(proposed)),
        *(at(w, "density") for w in filled(proposed)),
    )
    assert pending_wells(store) == {1: (4, {"titre": 4})}
    correct(store, ids[1], 2.0)
    assert pending_wells(store) == {1: (4, {"titre": 3})}


def test_a_result_of_a_formula_without_a_well_is_enough_for_all_its_wells(store, proposed):
    one = proposed["1A1"].formula
    record(
        store,
        *(at(w, "density") for w in filled(proposed)),
        ("titre", 1.0, "ok", {"formula": one}),
    )
    assert pending_wells(store) == {1: (4, {"titre": 2})}


def test_a_response_that_joined_the_campaign_later_is_not_waited_for(store, steps, proposed):
    record(store, *(at(w, r) for w in filled(proposed) for r in BOTH))
    with store.writing("record") as writing:
        use_definition(writing, "later", steps.units, [*steps.responses, ("pH", "")])
    assert pending_wells(store) == {}
    record(store, at(proposed["1A1"], "pH"))
    assert pending_wells(store) == {}


def test_counts_are_of_last_words_by_source(store, steps, proposed):
    steps.history(store)
    steps.history(store, "HEK")
    record(store, *(at(w) for w in filled(proposed)))
    (first,) = store.rows("SELECT min(id) FROM measurement WHERE well IS NULL")[0]
    correct(store, correct(store, first, 5.0), 5.0, "excluded")
    counts = read_counts(store)
    assert counts.sources == {"CHO-S": (2, 2), "HEK": (2, 2)}
    assert (counts.own_formulas, counts.own_measurements) == (3, 4)
    assert counts.rounds == {"recorded": 1}
    assert counts.last_round == 1


def test_a_later_response_does_not_hide_what_is_still_waited_for(store, steps, proposed):
    with store.writing("record") as writing:
        use_definition(writing, "later", steps.units, [*steps.responses, ("pH", "")])
    record(store, *(at(w, r) for w in filled(proposed) for r in ("density", "pH")))
    assert pending_wells(store) == {1: (4, {"titre": 4})}
