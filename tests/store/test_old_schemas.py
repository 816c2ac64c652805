"""Databases that older versions wrote, one a schema version: see `old/make.py`."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from labloop.errors import RefusedError
from labloop.store import (
    NOW,
    check_store,
    history_measurements,
    latest_model,
    open_store,
    read_counts,
    read_events,
    read_rounds,
    round_measurements,
    schema,
)

OLD = {int(path.stem.split("-")[1]): path for path in (Path(__file__).parent / "old").glob("*.db")}


@pytest.fixture(params=sorted(OLD))
def old(request, tmp_path):
    """The version, and a copy of its database."""
    path = tmp_path / "campaign.db"
    shutil.copyfile(OLD[request.param], path)
    return request.param, path


def rows(path, columns=None):
    """Return table → (columns, rows), of those columns where they are given."""
    connection = sqlite3.connect(path)
    found = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        names = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
        names = names if columns is None else columns.get(table, (names,))[0]
        listed = ", ".join(names)
        found[table] = (
            names,
            connection.execute(f"SELECT {listed} FROM {table} ORDER BY {listed}").fetchall(),
        )
    connection.close()
    return found


def test_there_is_a_database_of_every_older_schema():
    assert sorted(OLD) == list(range(1, schema.newest_version()))


def test_nothing_of_an_old_database_is_lost(old):
    version, path = old
    before, untouched = rows(path), path.read_bytes()
    open_store(path).close()
    after = rows(path, before)
    for table, (names, held) in before.items():
        if table not in ("event", "_sqlite_migrations"):
            assert after[table] == (names, held)
    assert after["event"][1][:-1] == before["event"][1]
    with open_store(path) as store:
        assert check_store(store) == []
        assert store.rows("PRAGMA user_version") == [(schema.newest_version(),)]
        last = read_events(store)[-1]
        assert (last.action, last.detail) == (
            "upgrade",
            {"schema_from": version, "schema_to": schema.newest_version()},
        )
    copy = path.with_name(f"campaign.schema-{version}.db")
    assert sorted(path.parent.iterdir()) == [path, copy]
    assert rows(copy) == before
    assert copy.read_bytes()[100:] == untouched[100:]


def test_an_old_database_reads_as_it_was_written(old):
    with open_store(old[1]) as store:
        assert [r.state for r in read_rounds(store)] == [
            "proposed", "exported", "recorded", "abandoned",
        ]  # fmt: skip
        assert sorted(
            (m.well, m.response, m.value, m.status, m.reason, m.plate_label, m.well_label)
            for m in round_measurements(store, 3)
        ) == [
            ("A1", "titre", None, "missing", "spilt", None, None),
            ("A2", "titre", 4.0, "above_range", None, None, None),
            ("B2", "density", 0.25, "excluded", "bubble", None, None),
            ("B2", "titre", 1.25, "ok", None, None, None),
        ]
        assert [m.value for m in history_measurements(store)] == [0.5, 0.5]
        counts = read_counts(store)
        assert (counts.sources, counts.own_measurements) == ({"CHO-S": (2, 2)}, 5)
        model = latest_model(store, "pretrained", up_to=NOW)
        assert (model.weights, model.metadata) == (b"\x00weights", {"r2": 0.5})


OPEN = """
import sys
import labloop.store.migrations
from labloop.store import open_store, read_events
sys.stdin.readline()
with open_store(sys.argv[1]) as store:
    print([e.action for e in read_events(store)].count("upgrade"), len(store.rows(
        "SELECT plate_label, well_label FROM measurement")))
"""


def test_programs_that_upgrade_at_once_make_one_upgrade_of_the_schema(old):
    version, path = old
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    said = [program.communicate()[0].split() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0]
    assert {measurements for _, measurements in said} == {"9"}
    with open_store(path) as store:
        assert check_store(store) == []
        upgrades = [e.detail for e in read_events(store) if e.action == "upgrade"]
        assert [u["schema_from"] for u in upgrades].count(version) == 1
    assert len(list(path.parent.glob("campaign.schema-*.db"))) == 1


class Stop(BaseException):
    """An interruption, as Ctrl-C is one."""


def test_an_upgrade_that_is_interrupted_at_any_statement_leaves_the_old_database(
    old, tmp_path, monkeypatch
):
    version, path = old
    before = rows(path)
    listed = schema.statements
    number = sum(len(list(listed(sql))) for _, sql in schema.STEPS[version:])
    for at in range(number):
        seen = iter(range(number + 1))

        def stopping(sql, seen=seen, at=at):
            for statement in listed(sql):
                if next(seen) == at:
                    raise Stop
                yield statement

        monkeypatch.setattr(schema, "statements", stopping)
        with pytest.raises(Stop):
            open_store(path)
        assert rows(path) == before
        assert not path.with_name("campaign.db-journal").exists()
    monkeypatch.setattr(schema, "statements", listed)
    with open_store(path) as store:
        assert check_store(store) == []


def test_an_old_database_whose_rows_refer_to_nothing_is_refused_and_left(old):
    _, path = old
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO amount VALUES (999, 1, 1.0, NULL)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(RefusedError, match="could not be upgraded: rows refer to rows"):
        open_store(path)
    assert path.read_bytes() == before
