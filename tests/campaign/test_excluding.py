"""What is excluded is kept with its reason, does not count, and can be taken back."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from labloop.cli import main
from labloop.errors import RefusedError
from labloop.store import history_measurements, round_measurements

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def told(campaign):
    return {
        (m.well, m.response): (m.value, m.status, m.reason)
        for m in round_measurements(campaign.store, 1)
    }


def test_an_excluded_well_keeps_its_value_and_does_not_count(recorded, lab):
    before, well = told(recorded), lab.results(recorded, 1)["well"][1]
    wells = recorded.best(20)["titre_wells"].sum()
    taken = recorded.exclude([f"{well[0].lower()}0{well[1:]}"], " Blase 気泡 ", round=1)
    assert [(e.well, e.status, e.reason) for e in taken.entries] == [
        (well, "excluded", "Blase 気泡")
    ] * 2
    for response in lab.responses:
        value = before[well, response][0]
        assert told(recorded)[well, response] == (value, "excluded", "Blase 気泡")
    assert recorded.best(20)["titre_wells"].sum() == wells - 1
    assert len(recorded.exclude([well], undo=True).entries) == 2
    assert told(recorded) == before


def test_what_is_beyond_an_unknown_limit_is_excluded_and_taken_back(proposed, lab):
    results = lab.results(proposed, 1).astype(object)
    results.loc[0, "titre"] = "OVRFLW"
    proposed.record(results)
    well = results["well"][0]
    proposed.exclude([well], "spilled", response="titre")
    assert told(proposed)[well, "titre"] == (None, "missing", "spilled")
    with pytest.raises(RefusedError, match="are excluded already"):
        proposed.exclude([well], "again", response="titre")
    proposed.exclude([well], undo=True)
    assert told(proposed)[well, "titre"] == (None, "above_range", None)


def test_a_source_and_a_file_are_excluded_whole(fresh, lab, tmp_path):
    path = tmp_path / "earlier.csv"
    lab.history(3).to_csv(path, index=False)
    fresh.add_history(path, source="CHO-S")
    fresh.add_history(lab.history(2, seed=4), source="CHO-S")
    assert len(fresh.exclude(file="earlier.csv", reason="mislabelled").entries) == 6
    assert len(fresh.exclude(source="CHO-S", reason="other medium").entries) == 4
    assert {m.status for m in history_measurements(fresh.store)} == {"excluded"}
    assert len(fresh.exclude(file="earlier.csv", undo=True).entries) == 6
    statuses = [m.status for m in history_measurements(fresh.store)]
    assert (statuses.count("ok"), statuses.count("excluded")) == (6, 4)


def test_a_wrong_history_is_excluded_and_the_right_one_imported(fresh, lab, tmp_path):
    wrong = tmp_path / "wrong.csv"
    table = lab.history(3)
    table.assign(titre=table["titre"] * 10).to_csv(wrong, index=False)
    fresh.add_history(wrong, source="CHO-S")
    fresh.exclude(file="wrong.csv", reason="factor of ten")
    taken = fresh.add_history(table, source="CHO-S")
    assert (taken.measurements, taken.formulas, taken.known) == (6, 0, 0)


def test_what_cannot_be_excluded(recorded, lab):
    well = lab.results(recorded, 1)["well"][0]
    before = lab.log(recorded)
    for call, text in [
        ({"wells": [well]}, "Say why with --reason; it is kept with what is excluded."),
        ({}, "Say why with --reason; it is kept with what is excluded."),
        ({"reason": "x"}, "Say which wells with --well, or which --source or --file."),
        (
            {"wells": ["Z77"], "reason": "x"},
            '"Z77" is no well; wells are written as A1 or A01.',
        ),
        (
            {"wells": [well], "reason": "x", "plate": 2},
            "Round 1 has no plate 2; it has 1.",
        ),
        (
            {"wells": [well], "reason": "x", "response": "titer"},
            'There is no response "titer"; did you mean "titre"?',
        ),
        (
            {"wells": [well], "undo": True},
            f"Nothing is excluded of the results of {well} of round 1; nothing was changed.",
        ),
        (
            {"wells": [well], "reason": "x", "round": 7},
            "there is no round 7; the last one is round 1",
        ),
        ({"source": "CHO", "reason": "x"}, 'There is no source "CHO"; did you mean "CHO-S"?'),
        (
            {"file": "none.csv", "reason": "x"},
            'No file "none.csv" was recorded; `labloop log` names them.',
        ),
        (
            {"source": "CHO-S", "wells": [well], "reason": "x"},
            "A source or a file is excluded whole; leave out the wells, plate and round.",
        ),
    ]:
        with pytest.raises(RefusedError) as error:
            recorded.exclude(**call)
        assert str(error.value) == text
    recorded.exclude([well], "rehearsed", dry_run=True)
    assert lab.log(recorded) == before


def test_the_command_says_what_it_did(recorded, lab):
    well = lab.results(recorded, 1)["well"][0]

    def run(*options):
        return CliRunner().invoke(main, ["exclude", str(recorded.folder), "--well", well, *options])

    rehearsed = run("--response", "titre", "--reason", "bubble", "--dry-run")
    assert rehearsed.exit_code == 0
    assert rehearsed.stdout.splitlines()[1].split()[-1] == "bubble"
    assert rehearsed.stderr == "Would exclude 1 measurement of round 1; the values are kept.\n"
    assert run("--reason", "bubble").stderr == (
        "Excluded 2 measurements of round 1; the values are kept.\n"
    )
    assert run("--undo").stderr == "Took back the exclusion of 2 measurements of round 1.\n"
    with pytest.raises(RefusedError, match="Nothing is excluded"):
        recorded.exclude([well], undo=True)


def test_a_well_is_named_with_its_plate_as_messages_name_it(recorded, lab):
    well = lab.results(recorded, 1)["well"][0]
    recorded.exclude([f"1:{well}"], "bubble", round=1)
    assert told(recorded)[well, "titre"][1:] == ("excluded", "bubble")
    recorded.exclude([f" 1:{well.lower()}"], round=1, plate=1, undo=True)
    for name, options, text in [
        (f"2:{well}", {}, "Round 1 has no plate 2; it has 1."),
        (f"2:{well}", {"plate": 1}, f'"2:{well}" is a well of plate 2, and --plate says 1.'),
        ("1:Z77", {}, '"1:Z77" is no well; wells are written as A1 or A01.'),
    ]:
        with pytest.raises(RefusedError) as error:
            recorded.exclude([name], "bubble", round=1, **options)
        assert str(error.value) == text
