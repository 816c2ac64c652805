"""What a round has already: equal values are known, others are refused or corrected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.campaign.recorded import entries_values
from labloop.errors import RefusedError, RejectedError
from labloop.store import round_measurements

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def told(campaign, number=1):
    return {
        (m.well, m.response): (m.value, m.status, m.reason)
        for m in round_measurements(campaign.store, number)
    }


def test_a_copy_with_other_line_ends_is_known_and_stores_nothing_twice(proposed, lab, tmp_path):
    path, copy = tmp_path / "results.csv", tmp_path / "copy.csv"
    lab.results(proposed, 1).to_csv(path, index=False)
    copy.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    proposed.record(path)
    before = round_measurements(proposed.store, 1)
    taken = proposed.record(copy, round=1)
    assert (taken.measurements, taken.known) == (0, 28)
    assert taken.known_of == tuple(lab.results(proposed, 1)["well"])
    assert round_measurements(proposed.store, 1) == before


def test_a_correction_supersedes_what_differs_and_nothing_else(recorded, lab):
    before = told(recorded)
    results = lab.results(recorded, 1).astype(object)
    first, second, third = results["well"][:3]
    results.loc[:2, "titre"] = [9.5, "NA", "<0.5"]
    results.loc[3, "titre"] = ""
    with pytest.raises(RejectedError) as error:
        recorded.record(results, round=1)
    assert error.value.problems == (
        f'frame, index 0, column "titre": {first} has {before[first, "titre"][0]:.10g}, the file '
        "says 9.5",
        f'frame, index 2, column "titre": {third} has {before[third, "titre"][0]:.10g}, the file '
        "says <0.5",
    )
    assert told(recorded) == before
    taken = recorded.record(results, round=1, correct=True, reason="Verdünnung ×2")
    assert (taken.measurements, taken.corrected, taken.known) == (3, 3, 24)
    assert told(recorded) == before | {
        (first, "titre"): (9.5, "ok", "Verdünnung ×2"),
        (second, "titre"): (None, "missing", "Verdünnung ×2"),
        (third, "titre"): (0.5, "below_range", "Verdünnung ×2"),
    }


def test_a_file_takes_back_what_wrongly_corrected_it(proposed, lab):
    right = lab.results(proposed, 1)
    proposed.record(right)
    before = told(proposed)
    proposed.record(right.assign(titre=9.5), round=1, correct=True)
    with pytest.raises(RefusedError, match="was recorded before"):
        proposed.record(right, round=1)
    taken = proposed.record(right, round=1, correct=True)
    assert taken.corrected == len(right)
    assert told(proposed) == before
    assert lab.log(proposed)[-1].detail["files"] == lab.log(proposed)[-3].detail["files"]
    with pytest.raises(RefusedError, match="was recorded before"):
        proposed.record(right, round=1, correct=True)


def test_results_of_formulas_are_corrected_without_wells(proposed, lab):
    formulas = proposed.round(1).formulas.index.tolist()
    results = pd.DataFrame({"formula": formulas, "titre": np.arange(1.0, len(formulas) + 1)})
    proposed.record(results)
    changed = results.assign(titre=results["titre"].replace(2.0, 2.5)).iloc[::-1]
    with pytest.raises(RejectedError) as error:
        proposed.record(changed, round=1)
    assert error.value.problems == (
        f'frame, index 1, column "titre": formula {formulas[1]} has 2, the file says 2.5',
    )
    taken = proposed.record(changed, round=1, correct=True)
    assert (taken.measurements, taken.corrected, taken.known) == (1, 1, len(formulas) - 1)
    assert proposed.best(9)["titre_mean"].max() == len(formulas)


def test_a_response_recorded_by_well_is_not_recorded_by_formula_too(recorded, lab):
    formula = int(recorded.round(1).formulas.index[0])
    other = pd.DataFrame({"formula": [formula], "titre": [0.25]})
    with pytest.raises(RejectedError) as error:
        recorded.record(other, round=1, correct=True)
    assert error.value.problems == (
        f'frame, index 0, column "titre": titre of formula {formula} was recorded by well; '
        "correct it by well",
    )


def test_an_excluded_well_stays_excluded_when_its_value_is_corrected(recorded, lab):
    results = lab.results(recorded, 1)
    well = results["well"][0]
    recorded.exclude([well], "bubble", round=1, response="titre")
    one = results.head(1)[["well", "titre"]]
    assert recorded.record(one.assign(plate=1), round=1).known == 1
    entry = recorded.record(one.assign(titre=7.5), round=1, correct=True, reason="typo").entries[0]
    assert (entry.value, entry.status, entry.reason) == (7.5, "excluded", "bubble")
    recorded.exclude([well], round=1, undo=True)
    assert told(recorded)[well, "titre"] == (7.5, "ok", "typo")


def test_a_reason_needs_a_correction_and_can_be_seen(recorded, lab):
    results = lab.results(recorded, 1)
    for reason, text in {
        "bad\x1b[2J": "The reason must be one line of text that can be seen; its character 4 is "
        "U+001B.",
        "a\nb": "The reason must be one line of text that can be seen; its character 2 is U+000A.",
        " ": "The reason must not be empty.",
        "x" * 501: "The reason has 501 characters, more than 500; shorten it.",
    }.items():
        with pytest.raises(RefusedError) as error:
            recorded.record(results, round=1, correct=True, reason=reason)
        assert str(error.value) == text
    with pytest.raises(RefusedError) as error:
        recorded.record(results, round=1, reason="why")
    assert str(error.value) == (
        "A reason is of a correction; give --correct with it, or leave --reason out."
    )


def test_the_rest_of_an_earlier_round_is_not_taken_for_the_next_rounds(proposed, lab):
    results = lab.results(proposed, 1)
    proposed.record(results[["well", "titre"]])
    proposed.propose(seed=2)
    late = results[["well", "viability"]]
    with pytest.raises(RefusedError) as error:
        proposed.record(late)
    assert str(error.value) == (
        "Round 2 waits for results, and round 1 has no viability yet; say which with --round."
    )
    assert proposed.record(late, round=1).measurements == 14
    assert proposed.round(2).state == "proposed"


def rehearsed(campaign, results, call):
    """Return what a rehearsal shows, or None and why it is refused."""
    try:
        return campaign.record(results, dry_run=True, **call), None
    except (RejectedError, RefusedError) as error:
        return None, error


CELLS = st.sampled_from(["", "NA", "<0.5", "<LOD", "OVRFLW", ">4.0", "1.5", "2.5"])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(CELLS, min_size=28, max_size=28), correct=st.booleans())
def test_a_rehearsal_shows_what_is_stored(proposed, lab, cells, correct):
    results = lab.results(proposed, 1).astype(object)
    results["titre"], results["viability"] = cells[:14], cells[14:]
    call = {"round": 1, "correct": correct, "reason": "anew" if correct else None}
    shown, refusal = rehearsed(proposed, results, call)
    if shown is None:
        with pytest.raises(type(refusal)) as again:
            proposed.record(results, **call)
        assert str(again.value) == str(refusal)
        return
    assert proposed.record(results, **call) == shown
    event = lab.log(proposed)[-1].sequence
    stored = [m for m in round_measurements(proposed.store, 1) if m.event == event]
    assert sorted((m.well, m.response, m.value, m.status, m.reason) for m in stored) == sorted(
        (e["well"], e["response"], e["value"], e["status"], e["reason"])
        for e in entries_values(shown.entries)
    )


@pytest.fixture
def both_ways(proposed, lab, tmp_path):
    """Return files of the same results, by formula and by well, of a round that waits."""
    by_well = lab.results(proposed, 1)
    layout = proposed.round(1).layout.set_index("well")
    by_formula = by_well.assign(formula=layout.loc[by_well["well"], "formula"].to_numpy())
    files = tmp_path / "formulas.csv", tmp_path / "wells.csv"
    by_formula.drop(columns=["plate", "well"]).to_csv(files[0], index=False)
    by_well.to_csv(files[1], index=False)
    return files


@pytest.mark.parametrize("first", [0, 1])
def test_what_was_excluded_is_recorded_the_other_way_and_not_taken_back(both_ways, proposed, first):
    wrong, right = both_ways[first], both_ways[1 - first]
    proposed.record(wrong, round=1)
    if first == 0:  # equal values are known from formulas; others are refused
        changed = pd.read_csv(right).assign(titre=0.25)
        with pytest.raises(RejectedError, match="was recorded by formula; correct it by formula"):
            proposed.record(changed, round=1, correct=True)
    proposed.exclude(file=wrong.name, reason="samples mixed up")
    assert proposed.record(right, round=1).measurements == 28
    before = proposed.best(9)
    by = "well" if first == 0 else "formula"
    with pytest.raises(RefusedError) as error:
        proposed.exclude(file=wrong.name, undo=True)
    assert str(error.value).endswith(
        f'was recorded by {by} since, so both would count; exclude "{right.name}" with '
        "`labloop exclude --file` first, or leave this excluded."
    )
    pd.testing.assert_frame_equal(proposed.best(9), before)
    proposed.exclude(file=right.name, reason="the first were right")
    assert len(proposed.exclude(file=wrong.name, undo=True).entries) == 28


def test_an_excluded_well_is_not_counted_because_a_file_by_formula_has_it(both_ways, proposed):
    by_formula, by_well = both_ways
    proposed.record(by_well, round=1)
    well = pd.read_csv(by_well)["well"][0]
    proposed.exclude([well], "bubble", round=1)
    taken = proposed.record(by_formula, round=1)
    assert (taken.measurements, taken.known) == (0, 28)
