"""Faults and bad input, end to end: what is true after each, through the command line.

Which test holds which row of the list of faults is written in `test_rows.py`.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from labloop import store
from labloop.cli import main
from tests.campaign.conftest import (  # noqa: F401  fixtures are found by their names
    _fresh,
    _pretrained,
    _proposed,
    _recorded,
    fresh,
    lab,
    pretrained,
    proposed,
    recorded,
)


@pytest.fixture
def run():
    """Run a command: (exit code, standard output, standard error); never a traceback."""

    def command(*arguments):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        error = result.exception
        assert error is None or isinstance(error, SystemExit), repr(error)
        assert "Traceback" not in result.stderr
        return result.exit_code, result.stdout, result.stderr

    return command


class Folder:
    """A campaign's folder, from outside: what is in it, and what was never to change."""

    def __init__(self, path):
        self.path = Path(path)
        self.database = self.path / "campaign.db"

    def __fspath__(self):
        return str(self.path)

    __str__ = __fspath__

    def files(self):
        return {each.name: each.read_bytes() for each in sorted(self.path.iterdir())}

    def rows(self):
        """Every row of the database but for what the clock says."""
        return rows(self.database)

    def is_sound(self):
        with store.open_store(self.database) as opened:
            return store.check_store(opened) == []


def rows(database):
    connection = sqlite3.connect(database)
    found = {}
    listed = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    for (name,) in connection.execute(listed).fetchall():
        columns = "sequence, who, action, detail" if name == "event" else "*"
        if name != "_sqlite_migrations":
            found[name] = connection.execute(f"SELECT {columns} FROM {name}").fetchall()
    found["schema"] = connection.execute("PRAGMA user_version").fetchall()
    connection.close()
    return found


def _folder(campaign):
    campaign.close()
    return Folder(campaign.folder)


@pytest.fixture
def new(fresh):  # noqa: F811
    """The folder of a new campaign."""
    return _folder(fresh)


@pytest.fixture
def learned(pretrained):  # noqa: F811
    """The folder of a campaign whose history is learned."""
    return _folder(pretrained)


@pytest.fixture
def waiting(proposed):  # noqa: F811
    """The folder of a campaign whose first round waits for results."""
    return _folder(proposed)


@pytest.fixture
def done(recorded):  # noqa: F811
    """The folder of a campaign with one recorded round."""
    return _folder(recorded)


@pytest.fixture
def wells(waiting, lab):  # noqa: F811
    """What is to be measured of the round that waits: (well, titre, viability) of every one."""
    from labloop import Campaign

    with Campaign.open(waiting.path) as campaign:
        frame = lab.results(campaign, 1)
    return [(well, round(a, 4), round(b, 2)) for well, a, b in frame.iloc[:, 1:].values.tolist()]


@pytest.fixture
def results(wells, tmp_path):
    """A file with the results of the round that waits."""
    return write(tmp_path / "results.csv", "well,titre,viability", wells)


def write(path, header, lines, separator=",", encoding="utf-8"):
    """Write a table of text; return its path."""
    texts = [header, *(separator.join(map(str, line)) for line in lines)]
    path.write_text("\n".join(texts) + "\n", encoding=encoding, newline="\n")
    return path


@pytest.fixture
def environment():
    """The environment of a child process that finds labloop."""
    root = Path(__file__).resolve().parents[2]
    return os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
