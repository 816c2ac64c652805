from __future__ import annotations

import getpass
import json
from hashlib import sha256

import numpy as np
import pytest

from labloop.store import (
    check_store,
    last_event,
    open_store,
    read_events,
    read_rounds,
    verify_events,
)
from labloop.store import events as log
from labloop.store.events import to_json


def tamper(store, statement, table="event"):
    """Do what a stranger with an SQL shell could do: drop the guards, then change a row."""
    for (name,) in store.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
    ):
        store.connection.execute(f"DROP TRIGGER {name}")
    store.connection.execute("PRAGMA foreign_keys = OFF")
    store.connection.execute(statement)


def test_the_log_of_an_honest_campaign_verifies(store, steps):
    assert verify_events(store) == []
    steps.record(store, steps.propose(store))
    assert verify_events(store) == []
    assert last_event(store) == len(read_events(store)) == 3


@pytest.mark.parametrize("column", ["at", "who", "action", "detail"])
def test_an_altered_event_is_found(store, steps, column):
    steps.propose(store)
    steps.export(store, 1)
    tamper(store, f"UPDATE event SET {column} = '{{}}' WHERE sequence = 2")
    assert verify_events(store) == ["event 2 was altered after it was written"]
    assert check_store(store) == ["event 2 was altered after it was written"]


def test_an_event_altered_together_with_its_hash_is_found(store, steps):
    steps.propose(store)
    steps.export(store, 1)
    row = store.rows("SELECT * FROM event WHERE sequence = 2")[0]
    forged = (*row[:2], "somebody else", *row[3:6])
    digest = sha256(json.dumps(forged, ensure_ascii=False).encode()).hexdigest()
    tamper(
        store,
        f"UPDATE event SET who = 'somebody else', hash = '{digest}' WHERE sequence = 2",
    )
    assert verify_events(store) == ["event 3 does not follow event 2"]


def test_a_deleted_event_is_found(store, steps):
    steps.propose(store)
    steps.export(store, 1)
    tamper(store, "DELETE FROM event WHERE sequence = 2")
    assert verify_events(store) == ["event 2 is missing"]


def test_a_clock_set_back_changes_no_order(store, steps, monkeypatch):
    for year in (2031, 2029, 2030):
        monkeypatch.setattr(log, "utc_now", lambda year=year: f"{year}-01-01")
        steps.propose(store)
    assert [r.number for r in read_rounds(store)] == [1, 2, 3]
    assert [e.at for e in read_events(store)[1:]] == ["2031-01-01", "2029-01-01", "2030-01-01"]
    assert verify_events(store) == []


def test_a_user_without_a_name_or_with_an_odd_one_can_still_write(store, steps, monkeypatch):
    def no_name():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", no_name)
    steps.propose(store)
    monkeypatch.setattr(getpass, "getuser", lambda: "jos\udce9 Müller")
    steps.propose(store)
    assert [e.who for e in read_events(store)[1:]] == ["unknown", "jos? Müller"]
    with open_store(store.path) as reopened:
        assert verify_events(reopened) == []


def test_detail_takes_numpy_and_refuses_nan():
    assert to_json({"seed": np.int64(3), "seats": np.array([1.5, 2.0])}) == (
        '{"seed": 3, "seats": [1.5, 2.0]}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"mean": float("nan")})
    with pytest.raises(TypeError, match="object cannot be stored as JSON"):
        to_json(object())
