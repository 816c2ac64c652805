"""Bad input is refused in words that say what, where and what to do, and changes nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop.errors import RefusedError, RejectedError
from labloop.store import Correction, add_corrections, campaign_measurements, round_measurements

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

NUMBER = "write a number, or leave it blank, NA, <LOD or OVRFLW where there is none"


@pytest.fixture
def refused(lab):
    """Check that a call is refused with this text, and leaves no event."""

    def check(campaign, call, text, kind=RejectedError):
        before = lab.log(campaign)
        with pytest.raises(kind) as error:
            call()
        assert str(error.value) == text
        assert error.value.exit_code == (3 if kind is RejectedError else 1)
        assert lab.log(campaign) == before
        assert not campaign.store.connection.in_transaction

    return check


def one(problem, source="results.csv"):
    return f"{source} was rejected (1 problem); nothing was changed:\n  - {problem}"


def cell(frame, row, column, value):
    changed = frame.astype(object)
    changed.loc[row, column] = value
    return changed


@pytest.fixture
def write(tmp_path):
    def to_file(frame, name="results.csv"):
        path = tmp_path / name
        frame.to_csv(path, index=False)
        return path

    return to_file


# -- rounds -----------------------------------------------------------------------------------


def test_an_unknown_column(proposed, lab, write, refused):
    path = write(lab.results(proposed, 1).rename(columns={"titre": "titer"}))
    text = one(
        'results.csv, column "titer": no component or response has that name; did you mean '
        '"titre"? the campaign has glucose, glutamine, iron, zinc, titre, viability; name it with '
        '--columns "titer=…", for all files under [aliases] in campaign.toml, or leave it out with '
        '--ignore "titer"'
    )
    refused(proposed, lambda: proposed.record(path), text)
    taken = proposed.record(path, columns={"titer": "titre"})
    assert taken.measurements == 28


def test_a_missing_response(proposed, lab, write, refused):
    path = write(lab.results(proposed, 1)[["plate", "well"]])
    text = one(
        'results.csv: no column for any response ("titre", "viability"); add one, or say which '
        'column it is with --columns "FILE NAME=titre"'
    )
    refused(proposed, lambda: proposed.record(path), text)


def test_text_in_a_number_cell(proposed, lab, write, refused):
    path = write(cell(lab.results(proposed, 1), 3, "titre", "high"))
    text = one(f'results.csv, row 5, column "titre": "high" is not a number; {NUMBER}')
    refused(proposed, lambda: proposed.record(path), text)


def test_every_bad_cell_is_listed(proposed, lab, write, refused):
    results = cell(lab.results(proposed, 1), 0, "titre", "high")
    path = write(cell(results, 1, "viability", "1_000"))
    text = (
        "results.csv was rejected (2 problems); nothing was changed:\n"
        f'  - results.csv, row 2, column "titre": "high" is not a number; {NUMBER}\n'
        f'  - results.csv, row 3, column "viability": "1_000" is not a number; {NUMBER}'
    )
    refused(proposed, lambda: proposed.record(path), text)


def test_a_well_that_comes_twice(proposed, lab, write, refused):
    results = lab.results(proposed, 1)
    path = write(pd.concat([results, results.iloc[[2]]]))
    well = results["well"][2]
    text = one(
        f'results.csv, row 16, column "well": well {well} is already in row 4; keep one of the two'
    )
    refused(proposed, lambda: proposed.record(path), text)


@pytest.mark.parametrize("well", ["A1", "A01", "Z9"])
def test_a_well_that_holds_no_formula(proposed, lab, write, refused, well):
    path = write(cell(lab.results(proposed, 1), 2, "well", well))
    text = one(
        f'results.csv, row 4, column "well": well {well.replace("0", "")} holds no formula on '
        "plate 1; is this the file of the right round? If so, remove the row"
    )
    refused(proposed, lambda: proposed.record(path), text)


def test_a_plate_of_another_round(proposed, lab, write, refused):
    path = write(cell(lab.results(proposed, 1), 2, "plate", 2))
    text = one(
        'results.csv, row 4, column "well": plate "2" is not in this round, which has 1; '
        "is this the file of another round?"
    )
    refused(proposed, lambda: proposed.record(path), text)


def test_a_formula_of_another_round(proposed, write, refused):
    path = write(pd.DataFrame({"formula": [999], "titre": [1.0]}))
    text = one(
        'results.csv, row 2, column "formula": formula "999" is not in this round; '
        "is this the right file?"
    )
    refused(proposed, lambda: proposed.record(path), text)


def test_results_that_nothing_places(proposed, lab, write, refused):
    path = write(lab.results(proposed, 1)[["titre"]])
    text = one(
        'results.csv: nothing says which formula a row is; add a column "well" or "formula", or '
        "the columns of the components"
    )
    refused(proposed, lambda: proposed.record(path), text)
    refused(proposed, lambda: proposed.record(path, round=1), text)


def test_compositions_are_not_the_results_of_a_round(proposed, lab, write, refused):
    path = write(lab.history(3))
    text = one(
        'results.csv: no column "well" or "formula" says which results are those of round 1; add '
        "one, or leave --round out to record formulas of the lab's own"
    )
    refused(proposed, lambda: proposed.record(path, round=1), text)


def test_wells_of_the_labs_own_plate_are_not_taken_for_the_rounds(proposed, lab, write, refused):
    shown = proposed.round(1)
    wells = shown.layout[shown.layout["role"] == "formula"].head(1)
    mine = lab.history(1, seed=8).round(3)
    mine.insert(0, "well", wells["well"].to_list())
    path = write(mine)
    formula = wells["formula"].iloc[0]
    text = one(
        f'results.csv, row 2, column "glucose": formula {formula} of round 1 has '
        f"{shown.formulas.loc[formula, 'glucose']:g}, but the file says {mine['glucose'][0]:g}; "
        "is this the file of another round? If these are formulas of the lab's own, leave out the "
        "column of wells or formulas with --ignore"
    )
    refused(proposed, lambda: proposed.record(path), text)
    taken = proposed.record(path, ignore=["well"])
    assert (taken.round, taken.formulas, taken.ignored) == (None, 1, ("well",))


def test_a_rounds_results_may_repeat_its_compositions(proposed, lab, write):
    shown = proposed.round(1)
    made = pd.concat([shown.formulas[lab.names], shown.controls]).rename_axis("formula")
    results = made.reset_index()
    results[lab.responses] = lab.measure(made)
    taken = proposed.record(write(results))
    assert (taken.round, taken.measurements, taken.ignored) == (1, 14, tuple(lab.names))


def test_a_file_that_is_not_there(proposed, tmp_path, refused):
    path = tmp_path / "none.csv"
    text = one(f"{path}: there is no such file", "none.csv")
    refused(proposed, lambda: proposed.record(path), text)


def test_a_round_that_does_not_exist(proposed, lab, refused):
    results = lab.results(proposed, 1)
    text = "there is no round 7; the last one is round 1"
    refused(proposed, lambda: proposed.record(results, round=7), text, RefusedError)


def test_results_for_a_round_that_is_recorded(recorded, lab, write, refused):
    path = write(lab.results(recorded, 1, seed=2))
    with pytest.raises(RejectedError) as error:
        recorded.record(path, round=1)
    assert error.value.headline == (
        "results.csv was rejected: round 1 has other values for 28 of its results already; nothing "
        "was changed. If the file is right, give --correct; else leave these out, or say with "
        "--round which round it is of:"
    )
    assert error.value.problems[-1] == "(+8 more)"
    text = (
        "No round waits for results: round 1 is recorded; say which round with --round, or, for "
        "formulas of the lab's own, give the components' columns and leave out wells and formulas "
        "with --ignore."
    )
    refused(recorded, lambda: recorded.record(path), text, RefusedError)


@pytest.mark.parametrize("number", [None, 1])
def test_the_same_file_twice(proposed, lab, write, refused, number):
    path = write(lab.results(proposed, 1))
    proposed.record(path)
    event = lab.log(proposed)[-1].sequence
    again = write(lab.results(proposed, 1), "renamed.csv")
    text = (
        f'"renamed.csv" was recorded before, as "results.csv" (event {event}); nothing was changed'
    )
    refused(proposed, lambda: proposed.record(again, round=number), text, RefusedError)


def test_an_abandoned_round(proposed, lab, write, refused):
    path = write(lab.results(proposed, 1))
    proposed.abandon(1)
    text = (
        "Round 1 was abandoned and takes no results; record them with a column a component "
        "instead of the wells."
    )
    refused(proposed, lambda: proposed.record(path, round=1), text, RefusedError)


def test_several_rounds_that_wait(proposed, lab, write, refused):
    proposed.propose(seed=2)
    path = write(lab.results(proposed, 2))
    text = "Rounds 1, 2 wait for results; say which with --round."
    refused(proposed, lambda: proposed.record(path), text, RefusedError)
    assert proposed.record(path, round=2).round == 2
    assert proposed.round(1).state == "proposed"


def test_a_control_is_recorded_for_each_round_by_its_name(proposed, lab):
    proposed.propose(seed=2)
    for number in (2, 1):
        shown = proposed.round(number)
        results = pd.DataFrame({"formula": [*shown.formulas.index, "commercial"]})
        results["titre"] = np.arange(len(results)) + number / 10
        assert proposed.record(results, round=number).measurements == len(results)
    assert proposed.best(100).loc[proposed.best(100)["round"].isna(), "titre_wells"].tolist() == [2]


def test_results_may_come_in_parts(proposed, lab):
    results = lab.results(proposed, 1)
    taken = proposed.record(results[["well", "titre"]].head(5))
    assert (taken.measurements, len(taken.absent)) == (5, 9)
    assert proposed.record(results[["well", "titre"]].tail(9), round=1).measurements == 9
    assert proposed.record(results[["well", "viability"]], round=1).measurements == 14


def test_a_blank_is_filled_in_later_and_nothing_else_is_touched(proposed, lab, refused):
    results = lab.results(proposed, 1)
    first = proposed.record(results.assign(viability=np.nan))
    assert (first.measurements, first.without_value) == (28, 14)
    before = round_measurements(proposed.store, 1)
    later = results.assign(titre=np.nan)
    taken = proposed.record(later, round=1)
    assert (taken.measurements, taken.without_value) == (14, 0)
    after = round_measurements(proposed.store, 1)
    assert [m for m in after if m.response == "titre"] == [
        m for m in before if m.response == "titre"
    ]
    assert {m.well: m.value for m in after if m.response == "viability"} == dict(
        zip(results["well"], results["viability"], strict=True)
    )
    again = later.assign(viability=1.0).head(1)
    well, value = results["well"][0], results["viability"][0]
    text = (
        "frame was rejected: round 1 has another value for 1 of its results already; nothing was "
        "changed. If the file is right, give --correct; else leave these out, or say with --round "
        f'which round it is of:\n  - frame, index 0, column "viability": {well} has {value:.10g}, '
        "the file says 1"
    )
    refused(proposed, lambda: proposed.record(again, round=1), text)


def test_what_was_not_measured_has_a_status_and_no_value(proposed, lab, write):
    results = lab.results(proposed, 1).astype(object)
    results.loc[:5, "titre"] = ["<LOD", "", "NA", ">4.0", "OVRFLW", "#N/A"]
    taken = proposed.record(write(results))
    assert (taken.measurements, taken.without_value) == (28, 6)
    told = {
        m.well: (m.status, m.value)
        for m in round_measurements(proposed.store, 1)
        if m.response == "titre" and m.status != "ok"
    }
    assert [told[well] for well in results["well"][:6]] == [
        ("below_range", None),
        ("missing", None),
        ("missing", None),
        ("above_range", 4.0),
        ("above_range", None),
        ("missing", None),
    ]
    shown = proposed.propose(seed=2)
    assert np.isfinite(shown.formulas["titre_mean"]).all()


def test_a_plate_below_the_detection_limit_can_be_gone_on_from(proposed, lab, write):
    results = lab.results(proposed, 1).astype(object)
    results[lab.responses] = "<LOD"
    assert proposed.record(write(results)).without_value == 28
    assert proposed.best().empty
    earlier = proposed.round(1).formulas[lab.names]
    shown = proposed.propose(seed=1)
    distance = np.abs(
        shown.formulas[lab.names].to_numpy(float)[:, None] - earlier.to_numpy(float)[None]
    )
    assert (distance.max(axis=2) / 10 >= 0.02 - 1e-9).all()


def test_a_correction_replaces_the_value_that_is_learned_from(recorded):
    measured = [m for m in campaign_measurements(recorded.store) if m.response == "titre"]
    with recorded.store.writing("correct") as writing:
        add_corrections(writing, [Correction(m.id, 50.0) for m in measured[:2]])
    assert recorded.best(1)["titre_mean"].iloc[0] > 20


def test_a_rehearsal_checks_all_and_stores_nothing(proposed, lab, refused):
    results = lab.results(proposed, 1)
    before = lab.log(proposed)
    assert proposed.record(results, dry_run=True).measurements == 28
    assert proposed.add_history(lab.history(3), source="HEK", dry_run=True).formulas == 3
    assert lab.log(proposed) == before
    assert proposed.round(1).state == "proposed"
    bad = cell(results, 3, "titre", "high")
    text = one(f'frame, index 3, column "titre": "high" is not a number; {NUMBER}', "frame")
    refused(proposed, lambda: proposed.record(bad, dry_run=True), text)


# -- history ----------------------------------------------------------------------------------


def test_an_unknown_component_in_a_history(fresh, lab, write, refused):
    path = write(lab.history(3).rename(columns={"zinc": "zink"}), "earlier.csv")
    text = (
        "earlier.csv was rejected (2 problems); nothing was changed:\n"
        '  - earlier.csv, column "zink": no component or response has that name; did you mean '
        '"zinc"? the campaign has glucose, glutamine, iron, zinc, titre, viability; name it with '
        '--columns "zink=…", for all files under [aliases] in campaign.toml, or leave it out with '
        '--ignore "zink"\n'
        '  - earlier.csv: no column for component "zinc"; add a column "zinc" (the same number in '
        "every row where it did not vary, 0 for none), or say which column it is with --columns "
        '"FILE NAME=zinc"'
    )
    refused(fresh, lambda: fresh.add_history(path, source="CHO-S"), text)


def test_a_history_without_responses(fresh, lab, write, refused):
    path = write(lab.history(3)[lab.names], "earlier.csv")
    text = one(
        'earlier.csv: no column for any response ("titre", "viability"); add one, or say which '
        'column it is with --columns "FILE NAME=titre"',
        "earlier.csv",
    )
    refused(fresh, lambda: fresh.add_history(path, source="CHO-S"), text)


def test_the_same_history_twice(fresh, lab, write, refused):
    path = write(lab.history(3), "earlier.csv")
    fresh.add_history(path, source="CHO-S")
    text = '"earlier.csv" was recorded before, as "earlier.csv" (event 2); nothing was changed'
    refused(fresh, lambda: fresh.add_history(path, source="HEK"), text, RefusedError)


def test_a_source_needs_a_name(fresh, lab, refused):
    text = "A source needs a name, such as the cell line's."
    refused(fresh, lambda: fresh.add_history(lab.history(3), source=" "), text, RefusedError)
    fresh.add_history(lab.history(3), source=" CHO-S ")
    fresh.add_history(lab.history(3, seed=1), source="CHO-S")
    assert fresh.status().counts.sources == {"CHO-S": (6, 12)}


def test_a_table_without_header_has_the_definitions_order(fresh, lab, tmp_path):
    path = tmp_path / "old.csv"
    lab.history(6).to_csv(path, index=False, header=False)
    taken = fresh.add_history(path, source="CHO-S", header=False)
    assert (taken.formulas, taken.measurements) == (6, 12)


# -- formulas to predict ------------------------------------------------------------------------


def test_a_negative_concentration(recorded, lab, refused):
    frame = lab.history(1)[lab.names].assign(iron=-1.0)
    text = one('frame, index 0, column "iron": a concentration cannot be negative (-1)', "frame")
    refused(recorded, lambda: recorded.predict(frame), text)


def test_labels_of_any_index_are_kept(recorded, lab):
    frame = lab.history(3)[lab.names].set_axis(pd.Index(["x", "y", "z"], name="flask"), axis=0)
    assert recorded.predict(frame).index.tolist() == ["x", "y", "z"]


def test_each_sheet_of_a_workbook_is_a_table_of_its_own(fresh, lab, tmp_path):
    book = tmp_path / "lines.xlsx"
    with pd.ExcelWriter(book) as writer:
        for sheet in ("CHO", "HEK"):
            lab.history(6).to_excel(writer, sheet_name=sheet, index=False)
    for sheet in ("CHO", "HEK"):
        assert fresh.add_history(book, source=sheet, sheet=sheet).formulas == 6
    with pytest.raises(RefusedError, match="was recorded before"):
        fresh.add_history(book, source="CHO", sheet="CHO")


def test_a_number_that_no_lab_measures_is_rejected(fresh, lab):
    table = lab.history(3)
    table.loc[1, lab.responses[0]] = 1e155
    with pytest.raises(RejectedError) as error:
        fresh.add_history(table, source="CHO")
    assert "no measurement is as large as 1e+155" in str(error.value)


def test_a_logarithm_of_nothing_above_zero_is_refused_with_its_remedy(fresh, lab):
    table = lab.history(4)
    table["titre"] = -0.01
    fresh.record(table)
    first, *others = lab.definition()["response"]
    logarithmic = lab.definition(response=[dict(first, transform="log"), *others])
    with lab.rewrite(fresh, logarithmic) as campaign, pytest.raises(RefusedError) as error:
        campaign.propose()
    assert str(error.value) == (
        '[[response]] "titre" has transform = "log", but no measured value is above zero; remove '
        "the transform."
    )


def test_a_round_is_found_by_a_column_that_an_alias_makes_its_wells(proposed, lab):
    definition = lab.definition() | {"aliases": {"Position": "well"}}
    results = lab.results(proposed, 1).rename(columns={"well": "Position"})
    with lab.rewrite(proposed, definition) as campaign:
        recorded = campaign.record(results)
    assert recorded.round == 1
    assert recorded.measurements == len(results) * len(lab.responses)


def test_what_a_round_still_waits_for_finds_the_round(proposed, lab):
    results = lab.results(proposed, 1)
    proposed.record(results.drop(columns="titre"))
    recorded = proposed.record(results.drop(columns="viability"))
    assert recorded.round == 1
    assert recorded.measurements == len(results)
    with pytest.raises(RefusedError, match="No round waits for results: round 1 is recorded"):
        proposed.record(results.drop(columns="viability").assign(titre=1.0))


def test_a_plate_of_another_size_is_no_corner_of_the_rounds(proposed, tmp_path, refused):
    path = tmp_path / "small.csv"
    rows = [[letter, *["5.0"] * 6] for letter in "ABCD"]
    lines = [["titre", *map(str, range(1, 7))], *rows]
    path.write_text("\n".join(map(",".join, lines)), encoding="utf-8")
    text = (
        "small.csv was rejected (1 problem); nothing was changed:\n"
        "  - small.csv: it has a plate of 24 wells, and the round is on plates of 96; is this the "
        "file of another round? If the reader read a part of the plate, say where it stands with "
        "an [[instrument]] in campaign.toml"
    )
    refused(proposed, lambda: proposed.record(path), text, RejectedError)
