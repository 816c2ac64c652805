"""Kills and interruptions: the old state or the new one, and the same command then works."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from labloop import store
from tests.faults.conftest import Folder, rows, write

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

OLD = Path(__file__).parents[1] / "store" / "old" / "schema-1.db"
EARLIER = ("glucose,glutamine,iron,zinc,titre", [(1, 2, 3, 4, 5.5), (2, 1, 0, 4, 6.5)])


class Kills:
    """A copy of the folder for each statement of a command at which its files have changed.

    SQLite keeps what it has not written in the memory of its process, so a copy of the files is
    what a kill at that moment leaves. Pages are written early, so that journals are needed.
    """

    def __init__(self, folder, copies, monkeypatch):
        self.folder, self.copies, self.last, self.statements = folder, copies, None, 0
        connect = sqlite3.connect

        def traced(path, *rest, **options):
            connection = connect(path, *rest, **options)
            if Path(path) == folder.database:
                connection.execute("PRAGMA cache_size = 1")
                connection.execute("PRAGMA cache_spill = 1")
                connection.set_trace_callback(self.note)
            return connection

        monkeypatch.setattr(sqlite3, "connect", traced)

    def note(self, statement):
        self.statements += 1
        files = self.folder.files()
        if files != self.last:
            self.last = files
            copy = self.copies / f"{self.statements:05}" / "small"
            copy.mkdir(parents=True)
            for name, content in files.items():
                (copy / name).write_bytes(content)

    def folders(self):
        return [Folder(each / "small") for each in sorted(self.copies.iterdir())]


def check_kills(folder, run, tmp_path, monkeypatch, *command, journals=True, again=2):
    """Hold what is left of a command by a kill at any of its statements to the promise."""
    old = folder.rows()
    command, *rest = command
    with monkeypatch.context() as patch:
        kills = Kills(folder, tmp_path / "kills", patch)
        assert run(command, folder, *rest)[0] == 0
    new = folder.rows()
    assert new != old
    left = kills.folders()
    assert kills.statements > 5
    assert any("campaign.db-journal" in each.files() for each in left) or not journals
    before = []
    for each in left:
        assert each.is_sound()
        assert each.rows() in (old, new)
        before += [each] if each.rows() == old else []
    assert len(before) > 1
    for each in before[-again:]:
        assert run(command, each, *rest)[0] == 0
        assert each.rows() == new


def test_kill_at_every_statement_of_propose(learned, run, tmp_path, monkeypatch):
    command = ("propose", "--seed", 1, "--formulas", 2)
    check_kills(learned, run, tmp_path, monkeypatch, *command, again=1)


def test_kill_at_every_statement_of_history(learned, run, tmp_path, monkeypatch):
    file = write(tmp_path / "earlier.csv", *EARLIER)
    command = ("history", file, "--source", "HEK")
    check_kills(learned, run, tmp_path, monkeypatch, *command)


def test_kill_at_every_statement_of_record(waiting, results, run, tmp_path, monkeypatch):
    check_kills(waiting, run, tmp_path, monkeypatch, "record", results)


def test_kill_at_every_statement_of_record_in_correction(done, wells, run, tmp_path, monkeypatch):
    file = write(tmp_path / "again.csv", "well,titre", [(wells[0][0], 2.5), (wells[1][0], 2.75)])
    command = ("record", file, "--round", 1, "--correct", "--reason", "wrong dilution")
    check_kills(done, run, tmp_path, monkeypatch, *command)


def test_kill_at_every_statement_of_exclude(done, wells, run, tmp_path, monkeypatch):
    command = ("exclude", "--well", wells[0][0], "--reason", "bubble")
    check_kills(done, run, tmp_path, monkeypatch, *command)


def test_kill_at_every_statement_of_abandon(waiting, run, tmp_path, monkeypatch):
    check_kills(waiting, run, tmp_path, monkeypatch, "abandon", "--round", 1, journals=False)


def test_kill_at_every_statement_of_migrate(new, run, tmp_path, monkeypatch):
    shutil.copyfile(OLD, new.database)
    old = rows(OLD)
    with monkeypatch.context() as patch:
        kills = Kills(new, tmp_path / "kills", patch)
        assert run("log", new)[0] == 0
    after = new.rows()
    assert after["schema"] == [(store.schema.newest_version(),)]
    versions = set()
    for each in kills.folders():
        found = each.rows()
        versions.add(found["schema"][0][0])
        assert found in (old, after)
        assert run("log", each)[0] == 0
        assert each.is_sound()
        assert each.rows()["measurement"] == after["measurement"]
    assert 1 in versions


def interrupted_at(stage, monkeypatch):
    def lines():
        def progress(name, done, total):
            if name == stage:
                raise KeyboardInterrupt

        return progress

    monkeypatch.setattr("labloop.terminal.progress._lines", lines)


def test_ctrl_c_during_training(learned, run, monkeypatch):
    old = learned.rows()
    for stage, command in (("transferring", ("--seed", 1)), ("pretraining", ("--folds", 0))):
        interrupted_at(stage, monkeypatch)
        assert run("propose" if "--seed" in command else "pretrain", learned, *command) == (
            130,
            "",
            "labloop: interrupted; the campaign is as it was.\n",
        )
        assert learned.rows() == old


@pytest.mark.slow
def test_same_seed_gives_the_same_plate_after_ctrl_c(learned, run, tmp_path, monkeypatch):
    undisturbed = Folder(shutil.copytree(learned.path, tmp_path / "undisturbed" / "small"))
    propose = ("--seed", 1, "--formulas", 2)
    with monkeypatch.context() as patch:
        interrupted_at("transferring", patch)
        assert run("propose", learned, *propose)[0] == 130
    assert run("propose", learned, *propose)[0] == 0
    assert run("propose", undisturbed, *propose)[0] == 0
    assert learned.rows() == undisturbed.rows()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl_c"])
def test_kill_of_a_program_that_trains(learned, run, environment, sent):
    old = learned.rows()
    program = subprocess.Popen(
        [sys.executable, "-m", "labloop", "propose", str(learned), "--seed", "1"],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr.readline().startswith("transferring: ")
    program.send_signal(sent)
    said = program.communicate(timeout=120)[1]
    if sent == signal.SIGINT:
        assert program.returncode == 130
        assert said.endswith("labloop: interrupted; the campaign is as it was.\n")
    else:
        assert program.returncode == -signal.SIGKILL
    assert learned.is_sound()
    assert learned.rows() == old
    assert run("propose", learned, "--seed", 1, "--formulas", 2)[0] == 0


class Killed(BaseException):
    """The program is gone: nothing that would tidy up runs."""


@pytest.mark.parametrize("earlier", [False, True], ids=["first_time", "over_older_files"])
def test_kill_during_export(waiting, run, tmp_path, monkeypatch, earlier):
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert run("export", waiting, "--to", "biomek", "--out", whole)[0] == 0
    complete = {path.name: path.read_bytes() for path in whole.iterdir()}
    old = dict.fromkeys(complete, b"older\n") if earlier else {}
    replace = Path.replace
    for kill_at in range(2 * len(complete)):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for name, content in old.items():
            (out / name).write_bytes(content)
        steps = iter(range(2 * len(complete)))

        def step(steps=steps, kill_at=kill_at):
            if next(steps) == kill_at:
                raise Killed

        def killed_replace(self, target, step=step):
            step()
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", lambda descriptor, step=step: step())
            patch.setattr(Path, "replace", killed_replace)
            patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
            with pytest.raises(Killed):
                raise_of(run, waiting, out)
        for path in out.iterdir():
            if not path.name.endswith(".part"):
                assert path.read_bytes() in (old.get(path.name), complete[path.name])
        assert {name for name in complete if (out / name).exists()} >= set(old)
    assert waiting.is_sound()
    assert run("export", waiting, "--to", "biomek", "--out", out)[0] == 0
    assert {name: (out / name).read_bytes() for name in complete} == complete


def raise_of(run, waiting, out):
    from labloop.cli import main

    main(["export", str(waiting), "--to", "biomek", "--out", str(out)], standalone_mode=False)


EXPORT_AND_DIE = """
import os, signal, sys
from pathlib import Path
replace, seen = Path.replace, 0

def dying(self, target):
    global seen
    seen += 1
    if seen == int(sys.argv[1]):
        os._exit(9)
    return replace(self, target)

Path.replace = dying
from labloop.cli import main
main(sys.argv[2:])
"""


@pytest.mark.slow
def test_kill_of_a_program_that_exports(waiting, run, tmp_path, environment):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run("export", waiting, "--to", "biomek", "--out", whole)[0] == 0
    complete = {path.name: path.read_bytes() for path in whole.iterdir()}
    old = waiting.rows()
    command = ["export", str(waiting), "--to", "biomek", "--out", str(out)]
    killed = subprocess.run(
        [sys.executable, "-c", EXPORT_AND_DIE, "2", *command], env=environment, check=False
    )
    assert killed.returncode == 9
    assert waiting.is_sound()
    assert waiting.rows() == old
    there = [path.name for path in out.iterdir() if not path.name.endswith(".part")]
    assert len(there) == 1
    assert (out / there[0]).read_bytes() == complete[there[0]]
