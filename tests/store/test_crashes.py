"""Kills at every statement: the file is the old state or the new one, and the step runs again.

SQLite keeps what it has not written in the memory of its process, so a copy of the files on the
disk, taken at the start of a statement, is what a kill at that moment would leave. Copies need no
process for each statement; that real kills do the same is checked too.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest

from labloop.errors import RefusedError
from labloop.store import (
    add_corrections,
    check_store,
    create_store,
    open_store,
    read_events,
    schema,
)
from labloop.store.measurements import Correction

NOW = schema.newest_version()


def correct(store):
    with store.writing("correct") as writing:
        add_corrections(writing, [Correction(1, 0.75), Correction(2, None, "missing", "spilt")])


# name → (what comes before, the step), each of (store, steps)
STEPS = {
    "history": (lambda store, steps: None, lambda store, steps: steps.history(store)),
    "pretrain": (lambda store, steps: None, lambda store, steps: steps.model(store)),
    "propose": (lambda store, steps: None, lambda store, steps: steps.propose(store)),
    "export": (
        lambda store, steps: steps.propose(store),
        lambda store, steps: steps.export(store, 1),
    ),
    "record": (
        lambda store, steps: steps.propose(store),
        lambda store, steps: steps.record(store, 1),
    ),
    "abandon": (
        lambda store, steps: steps.propose(store),
        lambda store, steps: steps.abandon(store, 1),
    ),
    "correct": (lambda store, steps: steps.history(store), lambda store, steps: correct(store)),
}


def contents(path):
    """Every row and the schema, but for what the clock says."""
    connection = sqlite3.connect(path)
    tables = connection.execute(
        "SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    ).fetchall()
    rows = [
        (name, connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall())
        for name, kind, _ in tables
        if kind == "table" and name not in ("event", "_sqlite_migrations")
    ]
    log = connection.execute("SELECT sequence, who, action, detail FROM event").fetchall()
    connection.close()
    return tables, rows, log


def journal(path):
    return path.with_name(path.name + "-journal")


class Kills:
    """Copies of a database's files, one at the start of each statement."""

    def __init__(self, path, folder):
        self.path, self.folder, self.copies = path, folder, []

    def __call__(self, statement):
        copy = self.folder / f"{len(self.copies)}.db"
        shutil.copyfile(self.path, copy)
        if journal(self.path).exists():
            shutil.copyfile(journal(self.path), journal(copy))
        self.copies.append(copy)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("spill", [False, True], ids=["", "written_before_the_commit"])
def test_a_kill_at_any_statement_leaves_the_old_or_the_new_state(
    store, steps, tmp_path, name, spill
):
    before, step = STEPS[name]
    before(store, steps)
    old = contents(store.path)
    if spill:  # pages go to the file before the commit, so that the journal has to undo them
        store.connection.execute("PRAGMA cache_size = 1")
        store.connection.execute("PRAGMA cache_spill = 1")
    kills = Kills(store.path, tmp_path)
    store.connection.set_trace_callback(kills)
    step(store, steps)
    store.connection.set_trace_callback(None)
    new = contents(store.path)
    assert new != old
    assert len(kills.copies) > 5
    if spill and name in ("history", "propose", "record"):
        assert any(journal(copy).exists() for copy in kills.copies)
    for copy in kills.copies:
        with open_store(copy) as reopened:
            assert check_store(reopened) == []
            assert contents(copy) == old, "before the commit is over, nothing is there"
            step(reopened, steps)
        assert contents(copy) == new
        copy.unlink()


def test_an_upgrade_that_is_killed_is_done_by_the_next_program(
    store, steps, next_step, tmp_path, monkeypatch
):
    steps.record(store, steps.propose(store))
    store.close()
    old = contents(store.path)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, next_step))
    folder = tmp_path / "copies"
    folder.mkdir()
    kills = Kills(store.path, folder)
    connect = sqlite3.connect

    def traced(path, *rest, **options):
        connection = connect(path, *rest, **options)
        if path == store.path:
            connection.set_trace_callback(kills)
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        open_store(store.path).close()
    new = contents(store.path)
    assert len(kills.copies) > 20
    seen = set()
    for copy in kills.copies:
        connection = connect(copy)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.close()
        seen.add(version)
        assert contents(copy) == (old if version == NOW else new)
        with open_store(copy) as reopened:
            assert check_store(reopened) == []
            assert reopened.rows("PRAGMA user_version") == [(NOW + 1,)]
        assert contents(copy)[1] == new[1]
    assert NOW in seen


CHILD = """
import os, sqlite3, sys
from pathlib import Path
from labloop.store import open_store, create_store, use_definition, add_formulas
path, action, kill_at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0

def trace(statement):
    global seen
    seen += 1
    if seen == kill_at:
        os._exit(9)

connect = sqlite3.connect

def traced(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.set_trace_callback(trace)
    return connection

sqlite3.connect = traced

def first(writing):
    use_definition(writing, "", [("glucose", "mM")], [("titre", "g/L")])

if action == "create":
    create_store(path, first).close()
else:
    with open_store(path) as store:
        store.connection.execute("PRAGMA cache_size = 1")
        with store.writing("history") as writing:
            add_formulas(writing, ["glucose"], [[1.0]] * 2000, source="CHO-S")
print(seen)
"""


def child(path, action, kill_at):
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(path), action, str(kill_at)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("kill_at", [1, 40, 4000])
def test_a_real_kill_leaves_the_old_state(store, kill_at):
    old = contents(store.path)
    store.close()
    assert child(store.path, "history", kill_at).returncode == 9
    if kill_at == 4000:
        assert journal(store.path).stat().st_size > 0, "the kill came after the first write"
    with open_store(store.path) as reopened:
        assert contents(store.path) == old
        assert check_store(reopened) == []
    run = child(store.path, "history", 0)
    assert (run.returncode, int(run.stdout) > 4000) == (0, True)


@pytest.mark.slow
def test_a_real_kill_at_any_statement_of_create_leaves_no_campaign_or_a_whole_one(tmp_path):
    path = tmp_path / "campaign.db"
    statements = int(child(path, "create", 0).stdout)
    with open_store(path) as store:
        assert check_store(store) == []
    assert statements > 50
    for kill_at in range(1, statements + 1, 9):
        path.unlink(missing_ok=True)
        assert child(path, "create", kill_at).returncode == 9
        if path.exists():
            with open_store(path) as store:
                assert len(read_events(store)) == 1
                assert check_store(store) == []
        else:
            assert child(path, "create", 0).returncode == 0


def test_create_that_is_killed_leaves_no_file_of_the_campaigns_name(tmp_path, steps):
    path = tmp_path / "campaign.db"
    seen = []

    def first(writing):
        writing.store.connection.set_trace_callback(lambda statement: seen.append(path.exists()))
        steps.first(writing)

    with create_store(path, first) as store:
        assert len(read_events(store)) == 1
    assert len(seen) > 10
    assert not any(seen)


@pytest.mark.parametrize("name", STEPS)
def test_an_interruption_at_any_statement_changes_nothing(store, steps, name):
    """The same store goes on working after Ctrl-C or a failing disk in the middle of a step."""
    before, step = STEPS[name]
    before(store, steps)
    old = contents(store.path)
    denied, counted = 0, 0

    def authorizer(*what):
        nonlocal counted
        counted += 1
        return sqlite3.SQLITE_DENY if counted == denied else sqlite3.SQLITE_OK

    done = False
    while not done:
        denied, counted = denied + 1, 0
        # a statement that is prepared already is not authorised again
        with open_store(store.path) as fresh:
            fresh.connection.set_authorizer(authorizer)
            try:
                step(fresh, steps)
                done = counted < denied
            except (sqlite3.DatabaseError, RefusedError):
                assert not fresh.connection.in_transaction
            fresh.connection.set_authorizer(None)
            if not done:
                assert contents(store.path) == old
    assert denied > 5
    assert contents(store.path) != old
    assert check_store(store) == []
