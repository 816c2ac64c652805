"""The command line: what goes where, exit codes, and that nothing ends in a traceback."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import labloop
from labloop import Campaign
from labloop.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

DEFINITION = """
# a small campaign
name = "small"

[plate]
wells = 96
well_volume_ul = 200.0
inoculum_ul = 20.0
replicates = 2
controls = { commercial = 2 }

[robot]
kind = "biomek"

[[component]]
name = "glucose"
unit = "mM"
low = 0.0
high = 10.0
stocks = [200.0, 20.0]

[[component]]
name = "zinc"
unit = "mM"
low = 0.0
high = 10.0
stocks = [200.0, 20.0]

[[component]]
name = "铁"
unit = "mM"
low = 0.0
high = 10.0
stocks = [200.0, 20.0]

[[response]]
name = "titre"
unit = "g/L"

[formulas.commercial]
glucose = 5.0

[surrogate]
layers = 5
members = 2

[proposal]
formulas = 4
candidates = 1000
"""
NAMES = ["glucose", "zinc", "铁"]


def run(*arguments, code=0):
    """Run a command, and return what went to standard output and to standard error."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout, result.stderr


def events(folder):
    connection = sqlite3.connect(folder / "campaign.db")
    found = connection.execute("SELECT sequence, action, hash FROM event").fetchall()
    connection.close()
    return found


def write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def titre(X):
    return 3 + X[:, 0] / (2 + X[:, 0]) - (X[:, 1] / 10 - 0.4) ** 2 + X[:, 2] / 10


def results(folder, number, path):
    """Write what the lab measured of a round, by well."""
    with Campaign.open(folder) as campaign:
        layout = campaign.round(number).layout
    wells = layout.loc[layout["role"] != "empty", "well"]
    values = 4 + np.random.default_rng(number).random(len(wells))
    return write(path, ["well", "titre"], zip(wells, values, strict=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a definition, an earlier table, and a campaign in three states."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "like.toml").write_text(DEFINITION, encoding="utf-8")
    X = np.random.default_rng(0).random((50, 3)) * 10
    write(folder / "earlier.csv", [*NAMES, "titre"], np.column_stack([X, titre(X)]))
    run("init", folder / "new", "--like", folder / "like.toml")
    shutil.copytree(folder / "new", folder / "learned")
    run("history", folder / "learned", folder / "earlier.csv", "--source", "CHO-S")
    run("pretrain", folder / "learned", "--folds", 0)
    shutil.copytree(folder / "learned", folder / "proposed")
    run("propose", folder / "proposed", "--seed", 1)
    return folder


@pytest.fixture
def copied(home, tmp_path):
    def copy(state):
        return shutil.copytree(home / state, tmp_path / state)

    return copy


# -- each command -------------------------------------------------------------------------------


def test_init(tmp_path, home):
    out, err = run("init", tmp_path / "mine", "--like", home / "like.toml")
    assert out == f"{tmp_path / 'mine' / 'campaign.toml'}\n"
    assert err == f"Edit this file, then: labloop check {tmp_path / 'mine'}\n"
    text = (tmp_path / "mine" / "campaign.toml").read_text(encoding="utf-8")
    assert text == DEFINITION.replace('"small"', '"mine"')


def test_init_of_the_template_can_be_checked(tmp_path):
    run("init", tmp_path / "mine")
    out, err = run("check", tmp_path / "mine")
    assert [line.split()[0] for line in out.split("\n\n")[0].splitlines()[:2]] == [
        "component",
        "glucose",
    ]
    assert "A round fills 52 wells of 1 plate and takes 8 tips (2 racks of 96: " in err


def test_check_as_json(copied):
    out, err = run("check", copied("new"), "--json")
    told = json.loads(out)
    assert [component["component"] for component in told["components"]] == NAMES
    assert (told["plates"], told["wells"], told["feasible"]) == (1, 10, 1.0)
    assert told["deck"][0]["stock"] == "water"
    assert err == ""


def test_history(copied, home):
    folder = copied("new")
    before = events(folder)
    table = home / "earlier.csv"
    out, err = run("history", folder, table, "--source", "CHO-S", "--dry-run")
    assert err == (
        "Would record 50 measurements of the history of CHO-S from earlier.csv, 50 new formulas.\n"
    )
    shown = [line.split() for line in out.splitlines()]
    assert shown[0] == ["formula", "response", "value", "status"]
    assert [float(value) for _, _, value, _ in shown[1:]] == pytest.approx(
        [float(row["titre"]) for row in csv.DictReader(table.read_text("utf-8").splitlines())],
        rel=1e-9,
    )
    assert events(folder) == before
    out, err = run("history", folder, table, "--source", "CHO-S", "--json")
    assert json.loads(out) == {
        "round": None,
        "formulas": 50,
        "measurements": 50,
        "without_value": 0,
        "corrected": 0,
        "known": 0,
        "absent": [],
        "blanks": [],
        "unmapped": [],
        "ignored": [],
        "filled": [],
        "read_as": [],
        "unused": [],
        "stored": True,
    }
    assert err == ""
    assert len(events(folder)) == len(before) + 1


def test_history_reads_what_the_options_say(copied, tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("glucose;Zn;铁;titre;who\n1,5;2;0;<LOD;A\n3;4;1;2,5;B\n".encode("gbk"))
    options = ["--encoding", "gbk", "--decimal", ",", "--columns", "Zn=zinc", "--ignore", "who"]
    _, err = run("history", copied("new"), path, "--source", "old", *options)
    assert err == (
        "Recorded 2 measurements of the history of old from old.csv, 2 new formulas.\n"
        "1 of them have no value (missing, below or above the range).\n"
        "Columns not used: who.\n"
    )


def test_a_column_option_is_a_pair(copied, home):
    arguments = ["history", copied("new"), home / "earlier.csv", "--source", "x"]
    _, err = run(*arguments, "--columns", "titre", code=2)
    assert 'Error: Invalid value for --columns: write it as "FILE NAME=NAME" (got "titre")' in err


def test_pretrain(copied, home):
    folder = copied("new")
    run("history", folder, home / "earlier.csv", "--source", "CHO-S")
    out, err = run("pretrain", folder, "--folds", "2", "--json")
    told = json.loads(out)
    assert (told["rows"], told["sources"]) == (50, 1)
    assert told["scores"][0].keys() == {
        "response",
        "r2",
        "plain_r2",
        "mse",
        "relative_error",
        "spearman",
        "rows",
    }
    assert {row["component"] for row in told["ranking"]} == set(NAMES)
    assert [line.split(":")[0] for line in err.splitlines()] == ["cross-validating", "pretraining"]


def test_propose(copied):
    folder = copied("learned")
    before = events(folder)
    out, err = run("propose", folder, "--seed", "1", "--dry-run")
    lines = out.splitlines()
    assert lines[0].split() == ["formula", "origin", "titre_mean", "titre_sd", "acquisition"]
    assert len(lines) == 5
    assert err.endswith("This was a rehearsal; nothing was stored.\n")
    assert events(folder) == before
    again, err = run("propose", folder, "--seed", "1")
    assert again == out
    assert "\nRound 1: " in err
    following = f"labloop export {folder} --to biomek --round 1 --out round-1"
    assert err.endswith(f"\nNext: {following}\n")
    assert [action for _, action, _ in events(folder)[len(before) :]] == ["propose"]


def test_propose_where_it_is_told(copied):
    folder = copied("learned")
    here, _ = run("propose", folder, "--seed", "1", "--dry-run")
    there, _ = run("propose", folder, "--seed", "1", "--dry-run", "--jobs", 2)
    assert there == here


@pytest.mark.parametrize("command", ["propose", "pretrain"])
def test_a_cluster_that_cannot_be_used_is_refused(copied, command):
    folder = copied("learned")
    before = events(folder)
    _, err = run(command, folder, "--cluster", "here", code=1)
    assert err == (
        'labloop: "here" is no address of a cluster; write it like tcp://192.168.0.10:8786.\n'
    )
    assert events(folder) == before


def test_propose_as_json_with_candidates(copied, home):
    folder = copied("learned")
    candidates = folder / "candidates.csv"
    X = np.random.default_rng(3).random((6, 3)) * 10
    write(candidates, NAMES, X)
    out, _ = run("propose", folder, "--candidates", candidates, "--formulas", 3, "--json")
    told = json.loads(out)
    assert (told["round"], told["seed"], len(told["formulas"])) == (1, 1, 3)
    assert {row["origin"] for row in told["formulas"]} == {"candidate_list"}
    assert {row["candidate"] for row in told["formulas"]} <= set(range(2, 8))
    assert len(told["layout"]) == 96
    assert [row["response"] for row in told["trust"]] == ["titre"]
    assert f"titre: {told['trust'][0]['text']}" in told["notes"]
    assert [row["rank"] for row in told["importance"]] == [1, 2, 3]
    assert {row["component"] for row in told["importance"]} == set(NAMES)
    assert told["prospects"] is None  # nothing was measured yet


def test_export(copied, tmp_path):
    folder, out_folder = copied("proposed"), tmp_path / "out"
    before = events(folder)
    told, err = run("export", folder, "--to", "biomek", "--out", out_folder, "--dry-run")
    assert err == "This was a rehearsal; nothing was written.\n"
    assert not out_folder.exists()
    assert events(folder) == before
    out, err = run("export", folder, "--to", "biomek", "--out", out_folder)
    assert (out, err) == (told, "")
    assert sorted(out.splitlines()) == sorted(map(str, out_folder.iterdir()))
    assert Path(out.splitlines()[0]).name == "new-round-1-plate-map.csv"


def test_record(copied, tmp_path):
    folder = copied("proposed")
    path = results(folder, 1, tmp_path / "results.csv")
    before = events(folder)
    out, err = run("record", folder, path, "--dry-run", "--json")
    assert json.loads(out)["stored"] is False
    assert events(folder) == before
    out, err = run("record", folder, path)
    assert (out, err) == ("", "Recorded 10 measurements of round 1 from results.csv.\n")


def test_record_of_part_of_a_round_and_of_the_labs_own(copied, tmp_path):
    folder = copied("proposed")
    path = results(folder, 1, tmp_path / "results.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:-1]), encoding="utf-8")
    _, err = run("record", folder, path, "--round", "1")
    missing = lines[-1].split(",")[0]
    assert err == (
        f"Recorded 9 measurements of round 1 from results.csv.\nNothing was said of: {missing}.\n"
    )
    mine = write(tmp_path / "mine.csv", [*NAMES, "titre"], [[1, 2, 3, 4], [2, 3, 4, 5]])
    _, err = run("record", folder, mine)
    assert err == (
        "Recorded 2 measurements of formulas of the lab's own from mine.csv, 2 new formulas.\n"
    )


def test_abandon(copied):
    folder = copied("proposed")
    assert run("abandon", folder, "--round", 1) == ("", "Round 1 is abandoned.\n")
    out, _ = run("status", folder)
    assert "round 1   abandoned\n" in out


def test_note(copied):
    folder = copied("proposed")
    before = run("log", folder)
    rehearsed = run("note", folder, "spilt", "--round", 1, "--dry-run")
    assert rehearsed == ("", "This was a rehearsal; nothing was written.\n")
    assert run("log", folder) == before
    assert run("note", folder, "spilt", "--round", 1) == ("", "Noted on round 1.\n")
    assert run("note", folder, "a new lot") == ("", "Noted on the campaign.\n")
    said = [line.split("noted")[1] for line in run("log", folder)[0].splitlines()[-2:]]
    assert said == [" on round 1: spilt", ": a new lot"]
    refused = run("note", folder, "spilt", "--round", 7, code=1)
    assert refused == ("", "labloop: there is no round 7; the last one is round 1\n")


def test_compare(copied):
    folder = copied("proposed")
    with Campaign.open(folder) as campaign:
        number = int(campaign.round(1).formulas.index[0])
    out, error = run("compare", folder, number, "commercial")
    assert out.splitlines()[0].split() == ["component", "unit", str(number), "commercial"]
    assert error.startswith(f"Formula {number} against commercial: ")
    found = json.loads(run("compare", folder, number, "commercial", "--json")[0])
    assert list(found) == ["amounts", "responses", "sentences"]
    assert [row["component"] for row in found["amounts"]] == NAMES
    assert list(found["amounts"][0]) == ["component", "unit", str(number), "commercial"]
    assert [row["formula"] for row in found["responses"]] == [number, "commercial"]
    assert "\n".join(found["sentences"]) == error.strip()
    assert run("compare", folder, "commercial", code=1)[1].startswith("labloop: Comparing takes at")


def test_status_leads_through_the_loop(copied, home, tmp_path):
    def following(folder):
        return json.loads(run("status", folder, "--json")[0])["next"]

    folder = copied("new")
    assert following(folder) == f"labloop history {folder} earlier.csv --source NAME"
    run("history", folder, home / "earlier.csv", "--source", "CHO-S")
    assert following(folder) == f"labloop pretrain {folder}"
    folder = copied("learned")
    assert following(folder) == f"labloop propose {folder}"
    folder = copied("proposed")
    export = f"labloop export {folder} --to biomek --round 1 --out round-1"
    assert following(folder) == export
    run("export", folder, "--to", "biomek", "--out", tmp_path / "out")
    assert following(folder) == f"labloop record {folder} results.csv --round 1"
    run("record", folder, results(folder, 1, tmp_path / "results.csv"))
    assert following(folder) == f"labloop propose {folder}"


def test_status_in_prose(copied):
    folder = copied("proposed")
    out, err = run("status", folder)
    assert err == ""
    assert out == (
        "new\n"
        "history   CHO-S: 50 formulas, 50 measurements\n"
        "own       5 formulas, 0 measurements\n"
        "round 1   proposed\n"
        f"next      labloop export {folder} --to biomek --round 1 --out round-1   "
        "(round 1 was proposed)\n"
    )


def test_status_quotes_a_folder_with_spaces(home, tmp_path):
    folder = shutil.copytree(home / "learned", tmp_path / "two words")
    assert json.loads(run("status", folder, "--json")[0])["next"] == f'labloop propose "{folder}"'


def test_wells_of_a_round_of_which_nothing_was_measured(copied):
    folder = copied("proposed")
    assert run("wells", folder) == ("", "Nothing was measured yet.\n")
    told = ("", "Nothing was measured in the wells of round 1 yet.\n")
    assert run("wells", folder, "--round", 1) == told


def test_best_says_what_no_formula_is_known_in(tmp_path):
    folder = tmp_path / "two"
    (tmp_path / "like.toml").write_text(
        DEFINITION.replace("[formulas.", '[[response]]\nname = "density"\n\n[formulas.'),
        encoding="utf-8",
    )
    run("init", folder, "--like", tmp_path / "like.toml")
    run("propose", folder, "--seed", 1)
    run("record", folder, results(folder, 1, tmp_path / "results.csv"))
    assert run("best", folder) == (
        "",
        "No formula is known in all that the goals are of: titre, density.\n",
    )
    assert run("best", folder, "--json") == ("[]\n", "")


def test_effects(home):
    out, err = run("effects", home / "learned")
    head, *lines = out.splitlines()
    assert head.split() == ["response", "component", "importance", "low", "high", "direction"]
    assert {line.split()[1] for line in lines if line.startswith("titre")} >= {"glucose"}
    assert "Of the next plate" not in err  # nothing was measured
    told = json.loads(run("effects", home / "learned", "--json")[0])
    assert told.keys() == {"importance", "curves", "interactions", "surfaces", "outlook"}
    assert {row["component"] for row in told["curves"]} == set(NAMES)
    assert all(row["direction"] for row in told["importance"])
    assert told["outlook"] is None
    assert run("effects", home / "new", code=1)[1].startswith("labloop: There is nothing to")


def test_best(copied, tmp_path):
    folder = copied("proposed")
    assert run("best", folder) == ("", "Nothing was measured yet.\n")
    assert run("best", folder, "--json") == ("[]\n", "")
    run("record", folder, results(folder, 1, tmp_path / "results.csv"))
    out, _ = run("best", folder, "--top", "2", "--json")
    told = json.loads(out)
    assert len(told) == 2
    assert told[0]["titre_mean"] >= told[1]["titre_mean"]
    assert told[0].keys() >= {"formula", *NAMES, "round", "origin", "titre_sem", "titre_wells"}
    lines = run("best", folder, "--top", "2")[0].splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:4] == ["formula", *NAMES]


def test_predict_is_csv(copied, home):
    out, err = run("predict", copied("learned"), home / "earlier.csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["row", "titre_mean", "titre_sd", "titre_sem"]
    assert [int(row["row"]) for row in rows] == list(range(2, 52))
    assert err == ""
    told = json.loads(run("predict", home / "learned", home / "earlier.csv", "--json")[0])
    assert told[0]["row"] == 2
    assert told[0]["titre_mean"] == pytest.approx(float(rows[0]["titre_mean"]))


def test_backup(copied, tmp_path):
    folder = copied("proposed")
    out, err = run("backup", folder, tmp_path / "copy.db")
    size = (tmp_path / "copy.db").stat().st_size / 1e6
    assert out == f"{tmp_path / 'copy.db'}\n"
    assert err == f"The copy is sound: {size:.1f} MB.\n"
    _, err = run("backup", folder, tmp_path / "copy.db", code=1)
    assert err == f'labloop: "{tmp_path / "copy.db"}" exists already; it was left as it is\n'


def test_backup_in_a_rehearsal_writes_nothing_and_refuses_the_same(copied, tmp_path):
    folder = copied("proposed")
    before = sorted(tmp_path.rglob("*"))
    out, err = run("backup", folder, tmp_path / "copy.db", "--dry-run")
    assert out == f"{tmp_path / 'copy.db'}\n"
    assert err == "This was a rehearsal; nothing was written.\n"
    for target in (
        folder,
        folder / "campaign.db",
        folder / "campaign.db-journal",
        tmp_path / "x/y",
    ):
        refused = run("backup", folder, target, "--dry-run", code=1)
        assert run("backup", folder, target, code=1) == refused
    assert sorted(tmp_path.rglob("*")) == before


def of_round_1(folder):
    with Campaign.open(folder) as campaign:
        return f"4 formulas, 10 wells, {len(campaign.round(1).dispenses)} dispenses"


def test_replay(copied):
    folder = copied("proposed")
    before = events(folder)
    out, err = run("replay", folder, "--round", 1)
    assert out == ""
    assert err.endswith(f"Round 1 comes out the same: {of_round_1(folder)}.\n")
    out, _ = run("replay", folder, "--round", 1, "--json")
    told = json.loads(out)
    assert told["same"] is True
    assert (told["missing"], told["new"], told["wells"], told["predictions"]) == ([], [], [], [])
    assert events(folder) == before


def test_replay_of_a_round_that_was_altered_tells_what_differs(copied):
    folder = copied("proposed")
    connection = sqlite3.connect(folder / "campaign.db")
    connection.execute("DROP TRIGGER round_no_update")
    connection.execute("UPDATE round SET seed = 2")
    connection.commit()
    connection.close()
    out, err = run("replay", folder, "--round", 1, code=1)
    assert "new 1" in out
    assert f"Round 1 ({of_round_1(folder)}) comes out differently: with " in err
    assert err.endswith(
        "The programs and the computer are those of then: either labloop itself was edited, or "
        "campaign.db was altered; see `labloop check`.\n"
    )


def test_log(copied):
    folder = copied("proposed")
    out, err = run("log", folder)
    assert [line.split(maxsplit=4)[-1] for line in out.splitlines()] == [
        "made the campaign",
        "imported 50 measurements of CHO-S from earlier.csv",
        "trained the network on the history (seed 0)",
        "proposed round 1",
    ]
    assert err == "The log is whole: 4 events.\n"
    assert run("log", folder, "--last", 1)[0] == out.splitlines(keepends=True)[-1]
    told = json.loads(run("log", folder, "--last", 2, "--json")[0])
    assert [(e["sequence"], e["action"], e["hash"]) for e in told] == events(folder)[-2:]


@pytest.mark.parametrize("command", ["log", "check"])
def test_an_event_that_was_altered_is_named(copied, command):
    folder = copied("proposed")
    connection = sqlite3.connect(folder / "campaign.db")
    connection.execute("DROP TRIGGER event_no_update")
    connection.execute("UPDATE event SET who = 'somebody' WHERE sequence = 2")
    connection.commit()
    connection.close()
    _, err = run(command, folder, code=1)
    fault = "event 2 was altered after it was written"
    if command == "log":
        assert err == f"The log is not whole: {fault}.\n"
    else:
        remedy = "The database is not sound; put a backup in its place."
        assert err.startswith(f"labloop: {remedy} {fault}.\n")
        out, _ = run("check", folder, "--json", code=1)
        assert json.loads(out)["database"] == {"sound": False, "events": 4, "faults": [fault]}


def test_check_says_that_the_database_is_sound(copied):
    folder = copied("proposed")
    _, err = run("check", folder)
    assert err.endswith("The database is sound: 4 events, chain whole.\n")
    told = json.loads(run("check", folder, "--json")[0])
    assert told["database"] == {"sound": True, "events": 4, "faults": []}


@pytest.mark.slow
def test_demo(tmp_path):
    out, err = run("demo", "--rounds", "1", "--out", tmp_path)
    assert "Round 1: " in out + err
    assert "Report, open it in a browser: " in out + err


# -- exit codes ---------------------------------------------------------------------------------


def test_a_name_that_is_taken_or_cannot_be(home):
    _, err = run("init", home / "new", code=1)
    assert err == (
        f'labloop: There is a campaign in "{home / "new"}" already; it was left as it is.\n'
    )
    _, err = run("init", home / "CON", code=1)
    assert err == (
        'labloop: A campaign cannot be called "CON": Windows keeps this name for a device.\n'
    )
    assert not (home / "CON").exists()


COMMANDS = {
    "check": [],
    "history": ["x.csv", "--source", "x"],
    "pretrain": [],
    "propose": [],
    "export": ["--to", "biomek", "--out", "out"],
    "record": ["x.csv"],
    "abandon": ["--round", "1"],
    "status": [],
    "best": [],
    "predict": ["x.csv"],
    "report": ["--out", "x.html"],
    "replay": ["--round", "1"],
    "log": [],
    "backup": ["x.db"],
}


def test_the_commands_are_those_that_the_tests_know():
    assert set(main.commands) >= {*COMMANDS, "demo", "init"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_without_campaign_is_refused_by_every_command(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = run(command, "none", *COMMANDS[command], code=1)
    assert out == ""
    assert err == (
        'labloop: There is no campaign in "none" (no campaign.toml); check the name, or make one '
        "with `labloop init`.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_definition_with_problems_is_refused_by_every_command(copied, command, monkeypatch):
    folder = copied("new")
    monkeypatch.chdir(folder.parent)
    toml = folder / "campaign.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace("low = 0.0", "low = 20.0", 1), encoding="utf-8")
    before = events(folder)
    out, err = run(command, "new", *COMMANDS[command], code=1)
    assert out == ""
    assert err == (
        f"labloop: {Path('new') / 'campaign.toml'} has 1 problem:\n"
        '  - [[component]] "glucose", low: must be below high 10 (got 20); swap or correct them\n'
    )
    assert events(folder) == before


def test_an_infeasible_constraint_is_refused_by_check(copied):
    folder = copied("new")
    toml = folder / "campaign.toml"
    text = toml.read_text(encoding="utf-8")
    constraint = "\n[[constraint]]\ntotal = { glucose = 1.0, zinc = 1.0 }\nat_least = 30.0\n"
    toml.write_text(text + constraint, encoding="utf-8")
    _, err = run("check", folder, code=1)
    assert err == (
        f"labloop: {toml} has 1 problem:\n"
        "  - [[constraint]] number 1: glucose + zinc ≥ 30 can never hold, since the total lies "
        "between 0 and 20; change the bound or the components' low and high\n"
    )


@pytest.mark.parametrize("command", ["history", "record", "predict"])
def test_a_bad_table_is_rejected_with_its_cells(copied, tmp_path, command):
    folder = copied("learned")
    bad = write(tmp_path / "bad.csv", [*NAMES, "titre"], [[1, 2, 3, 4], ["1,5", 2, "x", 4]])
    before = events(folder)
    options = ["--source", "x"] if command == "history" else []
    out, err = run(command, folder, bad, *options, code=3)
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "labloop: bad.csv was rejected (2 problems); nothing was changed:"
    assert lines[2] == '  - bad.csv, row 3, column "铁": "x" is not a number'
    assert events(folder) == before


def test_a_busy_campaign(copied, monkeypatch):
    folder = copied("learned")
    other = sqlite3.connect(folder / "campaign.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(path, **(options | {"timeout": 0.05}))
    )
    _, err = run("abandon", folder, "--round", 1, code=4)
    assert err == (
        f'labloop: another program is writing to "{folder / "campaign.db"}"; try again when it '
        "has finished\n"
    )
    other.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["propsoe"], 'Error: no command "propsoe"; did you mean "propose"?'),
        (["propose"], "Error: Missing argument 'CAMPAIGN'."),
        (["propose", "x", "--formulas", "0"], "Error: Invalid value for '--formulas'"),
        (["propose", "x", "--seed", "-1"], "Error: Invalid value for '--seed'"),
        (["propose", "x", "--seed", "99999999999999999999"], "Error: Invalid value for '--seed'"),
        (["propose", "x", "--colour"], "Error: No such option"),
        (["history", "x", "y.csv"], "Error: Missing option '--source'."),
        (["export", "x", "--to", "biomek"], "Error: Missing option '--out'."),
        (["best", "x", "--top", "0"], "Error: Invalid value for '--top'"),
    ],
)
def test_usage(arguments, says):
    out, err = run(*arguments, code=2)
    assert out == ""
    assert says in err


def test_an_interrupted_command_says_so(copied, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("labloop.campaign.proposing.propose", interrupt)
    folder = copied("learned")
    before = events(folder)
    out, err = run("propose", folder, code=130)
    assert (out, err) == ("", "labloop: interrupted; the campaign is as it was.\n")
    assert events(folder) == before


# -- as a program -------------------------------------------------------------------------------

PROGRAM = "import sys; from labloop.cli import main; main(prog_name='labloop')"
WATCHED = (
    "import sys\nfrom labloop.cli import main\n"
    "try:\n    main(prog_name='labloop')\n"
    "finally:\n    print(*sorted({'torch', 'pandas', 'botorch', 'plotly', 'sklearn'}"
    " & set(sys.modules)), file=sys.stderr)"
)


def program(*arguments, cwd, script=PROGRAM, **environment):
    root = str(Path(labloop.__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([root, inherited] if inherited else [root])
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=cwd,
        timeout=120,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["propose", "--help"], ["status", "small"]])
def test_answers_that_must_be_quick_load_nothing_heavy(home, tmp_path, arguments):
    shutil.copytree(home / "learned", tmp_path / "small")
    done = program(*arguments, cwd=tmp_path, script=WATCHED)
    assert done.returncode == 0
    assert done.stderr.decode().strip() == ""


def test_importing_labloop_loads_nothing_heavy(tmp_path):
    script = (
        "import sys, labloop, labloop.definition, labloop.store, labloop.campaign\n"
        "print(*sorted({'torch', 'pandas', 'botorch', 'plotly', 'sklearn'} & set(sys.modules)))"
    )
    done = program(cwd=tmp_path, script=script)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "")


def test_results_and_prose_are_apart_and_utf8_in_a_pipe(home, tmp_path):
    folder = shutil.copytree(home / "learned", tmp_path / "培地")
    done = program("status", folder, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert "培地" in done.stdout.decode("utf-8")
    bad = write(tmp_path / "bad.csv", [*NAMES, "titre"], [[1, 2, "x", 4]])
    done = program("record", folder, bad, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode("utf-8").splitlines() == [
        "labloop: bad.csv was rejected (1 problem); nothing was changed:",
        '  - bad.csv, row 2, column "铁": "x" is not a number',
    ]
