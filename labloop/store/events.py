"""The event log: one row a write transaction, each hashed together with the one before it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from labloop.store.database import Store

ORIGIN_HASH = "0" * 64  # the previous hash of the first event


class Event(NamedTuple):
    """One write transaction; `at` is UTC in ISO 8601, for people: order is by `sequence`."""

    sequence: int
    at: str
    who: str
    action: str
    detail: dict[str, Any]
    hash: str


def utc_now() -> str:
    """Return the time of the computer's clock, UTC, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def user_name() -> str:
    """Return the login name of whoever runs the program, `unknown` where there is none."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # which of them depends on the system and the Python
        return "unknown"
    return name.encode("utf-8", "replace").decode("utf-8")


def append_event(store: Store, sequence: int, action: str, detail: Mapping[str, Any]) -> None:
    """Write the event of the transaction that is open."""
    last = store.rows("SELECT hash FROM event ORDER BY sequence DESC LIMIT 1")
    previous = last[0][0] if last else ORIGIN_HASH
    row = (sequence, utc_now(), user_name(), action, to_json(detail), previous)
    store.connection.execute(
        "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, _hash_of(*row))
    )


def read_events(store: Store) -> list[Event]:
    """Return every event, oldest first."""
    rows = store.rows("SELECT sequence, at, who, action, detail, hash FROM event ORDER BY sequence")
    return [
        Event(sequence, at, who, action, json.loads(detail), digest)
        for sequence, at, who, action, detail, digest in rows
    ]


def last_event(store: Store) -> int:
    """Return the sequence of the last event: what is known now, for `up_to` and `known_event`."""
    return int(store.rows("SELECT max(sequence) FROM event")[0][0])


def verify_events(store: Store) -> list[str]:
    """Return a sentence for each event that is missing, altered or out of the chain; [] if none."""
    problems = []
    expected, previous = 1, ORIGIN_HASH
    for *row, stored in store.rows("SELECT * FROM event ORDER BY sequence"):
        sequence = row[0]
        if sequence != expected:
            problems.append(f"event {expected} is missing")
        elif row[5] != previous:
            problems.append(f"event {sequence} does not follow event {sequence - 1}")
        if _hash_of(*row) != stored:
            problems.append(f"event {sequence} was altered after it was written")
        expected, previous = sequence + 1, stored
    return problems


def to_json(value: object) -> str:
    """Return strict JSON (no NaN); numpy scalars and arrays become plain numbers and lists."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _hash_of(*row: object) -> str:
    return sha256(json.dumps(row, ensure_ascii=False).encode("utf-8")).hexdigest()
