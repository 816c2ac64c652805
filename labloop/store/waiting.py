"""What the wells of recorded rounds still wait for; fast, for `status` asks it each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labloop.store.database import Store


class Waiting(NamedTuple):
    """How many of a round's filled wells wait for a value, by response."""

    wells: int
    waiting: dict[str, int]


def pending_wells(store: Store) -> dict[int, Waiting]:
    """Return what waits for a value in each round that is recorded in part.

    A well waits where nothing was recorded, or that nothing is there yet (`missing`); not where its
    formula has a result that was recorded without a well. Only responses that the campaign had when
    it proposed the round are waited for. Rounds that wait for nothing are left out.
    """
    responses = store.rows("SELECT id, name, event FROM response ORDER BY id")
    blank = _blank_wells(store)
    missing = _still_missing(store)
    found = {}
    for this, event, first, last, wells in store.rows(
        "SELECT w.round, r.event, min(w.id), max(w.id), sum(w.role <> 'empty') FROM well AS w "
        "JOIN current_round AS r ON r.number = w.round AND r.state = 'recorded' GROUP BY w.round"
    ):
        asked = {r: name for r, name, since in responses if since <= event}
        told = _told_wells(store, first, last, blank)
        if sum(told.get(r, 0) for r in asked) >= wells * len(asked) and this not in missing:
            continue
        absent = {r: wells - told.get(r, 0) + missing.get(this, {}).get(r, 0) for r in asked}
        waiting = {r: n - _without_well(store, this, r) for r, n in absent.items() if n}
        found[this] = Waiting(wells, {asked[r]: n for r, n in waiting.items() if n > 0})
    return {this: each for this, each in found.items() if each.waiting}


def _told_wells(
    store: Store, first: int, last: int, blank: Sequence[tuple[int, int]]
) -> dict[int, int]:
    """Return response → filled wells with ids in a range of which something was recorded."""
    # the index of first measurements has all that is asked; corrections are no new wells
    told: dict[int, int] = dict(
        store.rows(
            "SELECT response, count(*) FROM measurement INDEXED BY measurement_once_a_well "
            "WHERE well BETWEEN ? AND ? AND supersedes IS NULL GROUP BY response",
            (first, last),
        )
    )
    for well, response in blank:
        if first <= well <= last:
            told[response] -= 1
    return told


def _blank_wells(store: Store) -> list[tuple[int, int]]:
    """Return (well, response) of what was measured in wells without a formula."""
    return store.rows(
        "SELECT well, response FROM measurement WHERE formula IS NULL AND +supersedes IS NULL"
    )


def _still_missing(store: Store) -> dict[int, dict[int, int]]:
    """Return round → response → filled wells of which the last word is `missing`."""
    found: dict[int, dict[int, int]] = {}
    for this, response, wells in store.rows(
        "SELECT w.round, m.response, count(*) FROM measurement AS m "
        "JOIN well AS w ON w.id = m.well "
        "WHERE m.status = 'missing' AND m.well > 0 AND w.role <> 'empty' "
        "AND NOT EXISTS (SELECT 1 FROM measurement AS n WHERE n.supersedes = m.id) GROUP BY 1, 2"
    ):
        found.setdefault(this, {})[response] = wells
    return found


def _without_well(store: Store, round_number: int, response: int) -> int:
    """Return in how many of a round's wells that wait the formula has a result without a well."""
    return int(
        store.rows(
            "SELECT count(*) FROM well AS w WHERE w.round = :round AND w.formula IN ("
            "SELECT m.formula FROM measurement AS m JOIN event AS e ON e.sequence = m.event "
            "WHERE m.well IS NULL AND m.response = :response AND m.status <> 'missing' "
            "AND json_extract(e.detail, '$.round') = :round "
            "AND NOT EXISTS (SELECT 1 FROM measurement AS n WHERE n.supersedes = m.id)) "
            "AND NOT EXISTS (SELECT 1 FROM measurement AS m "
            "WHERE m.well = w.id AND m.response = :response AND m.status <> 'missing')",
            {"round": round_number, "response": response},
        )[0][0]
    )
