"""Kills, interruptions and second writers: the campaign is in its old state or its new one."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from labloop import Campaign, store
from labloop.errors import BusyError, RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def contents(path):
    """Every row but for what the clock says."""
    connection = sqlite3.connect(path)
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        )
        if name not in ("event", "_sqlite_migrations")
    ]
    rows = {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names
    }
    rows["event"] = connection.execute("SELECT sequence, action, detail FROM event").fetchall()
    connection.close()
    return rows


class Kills:
    """Copies of a database's files, one at the start of each statement that writes.

    SQLite keeps what it has not written in the memory of its process, so a copy of the files is
    what a kill at that moment would leave.
    """

    def __init__(self, campaign, folder):
        self.path, self.folder, self.copies = campaign.store.path, folder, []
        self.toml = campaign.folder / "campaign.toml"
        campaign.store.connection.execute("PRAGMA cache_size = 1")
        campaign.store.connection.execute("PRAGMA cache_spill = 1")
        campaign.store.connection.set_trace_callback(self)

    def __call__(self, statement):
        if statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            return
        copy = self.folder / str(len(self.copies))
        copy.mkdir(parents=True)
        shutil.copyfile(self.toml, copy / "campaign.toml")
        shutil.copyfile(self.path, copy / "campaign.db")
        journal = self.path.with_name("campaign.db-journal")
        if journal.exists():
            shutil.copyfile(journal, copy / journal.name)
        self.copies.append(copy)


def propose(campaign, lab):
    return campaign.propose(seed=3)


def record(campaign, lab):
    return campaign.record(lab.results(campaign, 1))


def adopt(campaign, lab):
    return campaign.record(lab.history(5, seed=6))


def add_history(campaign, lab):
    return campaign.add_history(lab.history(5, seed=6), source="HEK")


def abandon(campaign, lab):
    return campaign.abandon(1)


@pytest.mark.parametrize("step", [propose, record, adopt, add_history, abandon])
def test_a_kill_at_any_statement_leaves_the_old_state_and_the_step_can_be_done_again(
    proposed, lab, tmp_path, step
):
    old = contents(proposed.store.path)
    kills = Kills(proposed, tmp_path / "copies")
    step(proposed, lab)
    proposed.store.connection.set_trace_callback(None)
    new = contents(proposed.store.path)
    assert new != old
    assert len(kills.copies) >= 3
    for k, copy in enumerate(kills.copies):
        with Campaign.open(copy) as reopened:
            assert store.check_store(reopened.store) == []
            assert contents(copy / "campaign.db") == old
            if (step is not propose and k % 8 == 0) or k == len(kills.copies) - 1:
                step(reopened, lab)
                assert contents(copy / "campaign.db") == new
                assert store.check_store(reopened.store) == []
        shutil.rmtree(copy)


@pytest.mark.parametrize(
    "step", [pytest.param(propose, marks=pytest.mark.slow), record, adopt, add_history, abandon]
)
def test_a_statement_that_fails_leaves_the_old_state(proposed, lab, step):
    """A disk that fails, at every statement in turn; the same program goes on."""
    old = contents(proposed.store.path)
    count = 0

    def authorizer(action, *_):
        nonlocal count
        if action == sqlite3.SQLITE_INSERT:
            count += 1
            if count == failing:
                return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    failing, done = 0, False
    while not done:
        failing, count = failing + 1, 0
        with Campaign.open(proposed.folder) as campaign:
            campaign.store.connection.set_authorizer(authorizer)
            try:
                step(campaign, lab)
                done = True
            except sqlite3.DatabaseError:
                assert not campaign.store.connection.in_transaction
            campaign.store.connection.set_authorizer(None)
        if not done:
            assert contents(proposed.store.path) == old
        if step is propose and not done:
            failing += 4  # each try trains the surrogate again
    assert failing > 2
    assert contents(proposed.store.path) != old
    assert store.check_store(proposed.store) == []


@pytest.mark.parametrize("stage", ["transferring", "scoring candidates", "choosing the plate"])
def test_an_interrupted_propose_leaves_no_trace(pretrained, lab, stage):
    old = contents(pretrained.store.path)
    seen = []

    def interrupt(name, done, total):
        seen.append(name)
        if name == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrained.propose(seed=1, progress=interrupt)
    assert seen[-1] == stage
    assert contents(pretrained.store.path) == old
    assert not pretrained.store.connection.in_transaction


def test_the_plate_after_an_interruption_is_the_one_without_it(pretrained, proposed):
    def interrupt(name, done, total):
        if name == "refining the best":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrained.propose(seed=1, progress=interrupt)
    pd.testing.assert_frame_equal(
        pretrained.propose(seed=1).formulas, proposed.round(1).formulas, check_exact=True
    )


@pytest.mark.parametrize("stage", ["cross-validating", "pretraining"])
def test_an_interrupted_pretraining_leaves_no_trace(fresh, lab, stage):
    fresh.add_history(lab.history(20), source="CHO-S")
    old = contents(fresh.store.path)

    def interrupt(name, done, total):
        if name == stage and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fresh.pretrain(folds=2, progress=interrupt)
    assert contents(fresh.store.path) == old


def test_files_of_a_round_are_not_left_in_part(proposed, tmp_path, monkeypatch):
    out = tmp_path / "out"
    proposed.export("biomek", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    event = len(store.read_events(proposed.store))
    count = 0

    def fail(descriptor):
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RefusedError) as error:
        proposed.export("biomek", out)
    assert str(error.value) == (
        f'Cannot write to "{out}": No space left on device; choose another folder or make room '
        "there."
    )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert len(store.read_events(proposed.store)) == event


def test_no_file_is_written_where_the_export_cannot_be_noted(proposed, tmp_path):
    out = tmp_path / "out"
    old = contents(proposed.store.path)
    proposed.store.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(RefusedError, match=r'campaign\.db" is read-only, so nothing was changed'):
        proposed.export("manual", out)
    proposed.store.connection.execute("PRAGMA query_only = OFF")
    assert not out.exists()
    assert contents(proposed.store.path) == old


# -- second writers -----------------------------------------------------------------------------


def test_a_second_writer_while_a_round_is_chosen(pretrained, lab):
    other = Campaign.open(pretrained.folder)
    wrote = []

    def write_once(name, done, total):
        if name == "choosing the plate" and not wrote:
            wrote.append(other.record(lab.history(2, seed=6)))

    with pytest.raises(BusyError) as error:
        pretrained.propose(seed=1, progress=write_once)
    assert str(error.value) == (
        "Another program wrote to the campaign while this round was being chosen, so it was given "
        "up; propose again to take the news into account."
    )
    assert error.value.exit_code == 4
    assert pretrained.rounds() == []
    assert pretrained.propose(seed=1).notes[1].startswith("Predictions rest on 2 measured formulas")
    other.close()


def test_history_that_comes_while_the_net_is_trained_is_not_taken_for_learned(pretrained, lab):
    other = Campaign.open(pretrained.folder)
    wrote = []

    def write_once(name, done, total):
        if not wrote:
            wrote.append(other.add_history(lab.history(5, seed=6), source="HEK"))

    pretrained.pretrain(folds=0, progress=write_once)
    other.close()
    with pytest.raises(RefusedError, match=r"^The history has grown since it was learned"):
        pretrained.propose()


def test_a_campaign_that_is_being_written_to_is_busy(recorded, lab):
    with store.open_store(recorded.store.path, timeout=0.05) as other:
        slow = Campaign(recorded.folder, recorded.definition, recorded.text, other)
        recorded.store.connection.execute("BEGIN IMMEDIATE")
        before = lab.log(recorded)
        for call in (
            lambda: slow.record(lab.history(2, seed=6)),
            lambda: slow.propose(formulas=1),
            lambda: slow.abandon(1),
        ):
            with pytest.raises(BusyError) as error:
                call()
            assert str(error.value) == (
                f'another program is writing to "{recorded.store.path}"; try again when it has '
                "finished"
            )
        assert len(slow.best()) == 7, "reading goes on"
        recorded.store.connection.execute("ROLLBACK")
        assert lab.log(recorded) == before


PROPOSE = """
import sys, time
from pathlib import Path
import labloop.surrogate, labloop.proposal.batch
from labloop import Campaign
from labloop.errors import BusyError
folder, mine, yours = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
with Campaign.open(folder) as campaign:
    mine.touch()
    while not yours.exists():
        time.sleep(0.01)
    try:
        print(campaign.propose(seed=int(sys.argv[4])).number)
    except BusyError as error:
        print("busy")
        sys.exit(error.exit_code)
"""


@pytest.mark.slow
def test_two_programs_that_propose_at_once(pretrained, tmp_path):
    pretrained.close()
    flags = [str(tmp_path / name) for name in "ab"]
    programs = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROPOSE, str(pretrained.folder), *places, seed],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for places, seed in ((flags, "1"), (flags[::-1], "2"))
    ]
    told = [program.communicate(timeout=120) for program in programs]
    codes = [program.returncode for program in programs]
    assert [error for _, error in told] == ["", ""]
    with Campaign.open(pretrained.folder) as campaign:
        rounds = campaign.rounds()
        assert store.check_store(campaign.store) == []
        assert [r.number for r in rounds] == list(range(1, len(rounds) + 1))
        assert sorted(codes) in ([0, 4], [0, 0])
        assert len(rounds) == codes.count(0)
        plates = [campaign.round(r.number).formulas[["glucose", "zinc"]] for r in rounds]
    assert len(plates) == 1 or not plates[0].equals(plates[1])


KILLED = """
import os, sqlite3, sys
seen, kill_at = 0, int(sys.argv[2])

def trace(statement):
    global seen
    if statement.startswith(("BEGIN IMMEDIATE", "INSERT", "COMMIT")):
        seen += 1
        if seen == kill_at:
            os._exit(9)

connect = sqlite3.connect

def traced(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.set_trace_callback(trace)
    return connection

sqlite3.connect = traced
from labloop import Campaign
with Campaign.open(sys.argv[1]) as campaign:
    campaign.propose(seed=3)
print(seen)
"""


@pytest.mark.slow
def test_real_kills_of_propose_leave_the_old_state_and_the_same_plate_to_come(recorded, tmp_path):
    recorded.close()
    old = contents(recorded.store.path)

    def run(folder, kill_at):
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", KILLED, str(folder), str(kill_at)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    whole = shutil.copytree(recorded.folder, tmp_path / "whole")
    statements = int(run(whole, 0).stdout)
    new = contents(whole / "campaign.db")
    assert statements > 100
    for kill_at in (statements // 2, statements):
        folder = shutil.copytree(recorded.folder, tmp_path / f"killed-{kill_at}")
        assert run(folder, kill_at).returncode == 9
        with Campaign.open(folder) as reopened:
            assert store.check_store(reopened.store) == []
            assert contents(folder / "campaign.db") == old
        assert run(folder, 0).returncode == 0
        assert contents(folder / "campaign.db") == new
