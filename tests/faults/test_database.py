"""Disks, files and clocks that fail the database: one sentence, and nothing has changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labloop.store import schema
from tests.faults.conftest import rows

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

OLD = {
    int(path.stem.split("-")[1]): path
    for path in (Path(__file__).parents[1] / "store" / "old").glob("*.db")
}


@pytest.fixture
def large(lab, tmp_path):
    """A file whose results do not fit what is free in the pages that the database has."""
    path = tmp_path / "earlier.csv"
    lab.history(300, seed=9).to_csv(path, index=False, lineterminator="\n")
    return path


def connecting(monkeypatch, pragma):
    """Let every connection begin with a pragma."""
    connect = sqlite3.connect

    def limited(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.execute(pragma)
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)


def commands(results):
    return (
        ("record", results),
        ("record", results, "--dry-run"),
        ("abandon", "--round", 1),
    )


def test_full_disk(waiting, large, run, monkeypatch):
    old, names = waiting.rows(), set(waiting.files())
    pages = waiting.database.stat().st_size // 4096
    with monkeypatch.context() as patch:
        connecting(patch, f"PRAGMA max_page_count = {pages}")
        code, out, error = run("history", waiting, large, "--source", "HEK")
    assert (code, out) == (1, "")
    assert error == (
        f'labloop: the disk is full, so nothing was written to "{waiting.database}"; make room and '
        "try again\n"
    )
    assert (waiting.rows(), set(waiting.files())) == (old, names)
    assert run("history", waiting, large, "--source", "HEK")[0] == 0


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from labloop.cli import main
main(sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are of POSIX")
def test_file_that_may_not_grow(waiting, large, run, environment):
    old, names = waiting.rows(), set(waiting.files())
    limit = str(waiting.database.stat().st_size)
    command = ("history", str(waiting), str(large), "--source", "HEK")
    program = subprocess.run(
        [sys.executable, "-c", LIMITED, limit, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (program.returncode, program.stdout) == (1, "")
    assert program.stderr.startswith("labloop: the disk ")
    assert program.stderr.count("\n") == 1
    assert waiting.is_sound()
    assert (waiting.rows(), set(waiting.files())) == (old, names)


def test_disk_that_is_full_during_export_and_report(waiting, run, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    old = waiting.rows()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        for command in (
            ("export", waiting, "--to", "biomek", "--out", tmp_path / "out"),
            ("report", waiting, "--out", tmp_path / "out" / "report.html"),
        ):
            code, out, error = run(*command)
            assert (code, out) == (1, "")
            assert error == (
                f'labloop: Cannot write to "{tmp_path / "out"}": No space left on device; choose '
                "another folder or make room there.\n"
            )
    assert list((tmp_path / "out").iterdir()) == []
    assert waiting.rows() == old


def test_read_only_database(waiting, results, run, monkeypatch):
    old = waiting.files()
    with monkeypatch.context() as patch:
        connecting(patch, "PRAGMA query_only = ON")
        for command, *rest in commands(results):
            assert run(command, waiting, *rest) == (
                1,
                "",
                f'labloop: "{waiting.database}" is read-only, so nothing was changed; allow '
                "writing to the file and to its folder\n",
            )
        assert run("status", waiting)[0] == 0, "looking goes on"
    assert waiting.files() == old


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a user whom permissions bind",
)
def test_database_that_may_not_be_written(waiting, results, run):
    old = waiting.files()
    waiting.database.chmod(0o400)
    waiting.path.chmod(0o500)
    code, out, error = run("record", waiting, results)
    waiting.path.chmod(0o700)
    assert (code, out, error.count("\n")) == (1, "", 1)
    assert waiting.files() == old


def test_missing_campaign_and_missing_file(waiting, run, tmp_path):
    nowhere = tmp_path / "nowhere"
    old = waiting.files()
    for command in (("status",), ("propose",), ("record", "x.csv"), ("backup", tmp_path / "b.db")):
        assert run(command[0], nowhere, *command[1:]) == (
            1,
            "",
            f'labloop: There is no campaign in "{nowhere}" (no campaign.toml); check the name, or '
            "make one with `labloop init`.\n",
        )
    assert not nowhere.exists()
    code, out, error = run("record", waiting, tmp_path / "results.csv")
    assert (code, out) == (3, "")
    assert "results.csv" in error
    assert waiting.files() == old


def test_truncated_database(waiting, results, run):
    whole = waiting.database.read_bytes()
    for length in (0, 10, 60, 99, 100, 512, 4096, len(whole) // 2, len(whole) - 1):
        waiting.database.write_bytes(whole[:length])
        for command, *rest in (*commands(results), ("status",)):
            code, out, error = run(command, waiting, *rest)
            assert (code, out) == (1, ""), length
            assert "is damaged or cut short" in error
            assert error.endswith("put a backup in its place\n")
        assert waiting.database.read_bytes() == whole[:length]
        assert sorted(waiting.files()) == ["campaign.db", "campaign.toml"]


def test_foreign_database(waiting, results, run):
    foreign = waiting.path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE measurement (mine)")
    connection.commit()
    connection.close()
    contents = (foreign.read_bytes(), b"no database at all, but a long enough text" * 5)
    foreign.unlink()
    for content in contents:
        waiting.database.write_bytes(content)
        for command, *rest in (*commands(results), ("status",)):
            assert run(command, waiting, *rest) == (
                1,
                "",
                f'labloop: "{waiting.database}" is not a campaign of labloop; it was left as it '
                "is\n",
            )
        assert waiting.database.read_bytes() == content
        assert sorted(waiting.files()) == ["campaign.db", "campaign.toml"]


def test_newer_database(waiting, results, run):
    newest = schema.newest_version()
    connection = sqlite3.connect(waiting.database)
    connection.execute(f"PRAGMA user_version = {newest + 1}")
    connection.close()
    old = waiting.files()
    for command, *rest in (*commands(results), ("status",)):
        assert run(command, waiting, *rest) == (
            1,
            "",
            f'labloop: "{waiting.database}" was written by a newer labloop (schema {newest + 1}; '
            f"this one knows schema {newest}); upgrade labloop to open it\n",
        )
    assert waiting.files() == old


@pytest.mark.parametrize("version", range(1, schema.newest_version()))
def test_every_older_schema_is_upgraded_after_a_backup(new, run, version):
    shutil.copyfile(OLD[version], new.database)
    code, out, error = run("log", new)
    assert code == 0
    newest = schema.newest_version()
    assert f"upgraded the database from schema {version} to {newest}" in out
    assert error == f"The log is whole: {len(out.splitlines())} events.\n"
    assert rows(new.path / f"campaign.schema-{version}.db") == rows(OLD[version])
    assert new.rows()["schema"] == [(newest,)]
    assert new.is_sound()
    before, after = rows(OLD[version]), new.rows()
    for table in set(before) - {"event", "schema"}:
        assert [row[: len(old)] for row, old in zip(after[table], before[table], strict=True)] == (
            before[table]
        )
    run("status", new)
    assert len(list(new.path.glob("campaign.schema-*.db"))) == 1


def test_clock_set_back(waiting, results, run, monkeypatch):
    def at(year):
        monkeypatch.setattr(
            "labloop.store.events.utc_now", lambda: datetime(year, 1, 1, tzinfo=UTC).isoformat()
        )

    at(1999)
    assert run("propose", waiting, "--seed", 2, "--formulas", 1)[0] == 0
    at(1998)
    assert run("record", waiting, results, "--round", 1)[0] == 0
    at(1997)
    assert run("abandon", waiting, "--round", 2)[0] == 0
    assert [row[0] for row in waiting.rows()["round"]] == [1, 2]
    code, out, _ = run("status", waiting)
    assert code == 0
    assert [line.split() for line in out.splitlines() if line.startswith("round")] == [
        ["round", "1", "recorded"],
        ["round", "2", "abandoned"],
    ]
    code, out, error = run("log", waiting, "--last", 3)
    assert [line.split()[0] for line in out.splitlines()] == ["5", "6", "7"]
    assert error == "The log is whole: 7 events.\n"
    assert waiting.is_sound()
