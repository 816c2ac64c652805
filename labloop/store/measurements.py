"""What was measured: append-only, with a status; a correction supersedes and deletes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from labloop.errors import RefusedError
from labloop.store.database import Store, Writing
from labloop.store.definitions import ids_of
from labloop.store.values import NOW, number, plain


class Result(NamedTuple):
    """A measurement to store, of a formula or of a well (by their ids).

    `value` is in the response's unit; None for status `missing`, and the limit (None where it is
    not known) for `below_range` and `above_range`. A well alone is enough: its formula is known.
    `plate_label` and `well_label` say where it was taken, as the file does, where that is no well
    of a round.
    """

    response: str
    value: float | None
    status: str = "ok"
    reason: str | None = None
    formula: int | None = None
    well: int | None = None
    plate_label: str | None = None
    well_label: str | None = None


class Correction(NamedTuple):
    """What supersedes the measurement with this id; see `Result` for the value."""

    measurement: int
    value: float | None
    status: str = "ok"
    reason: str | None = None


class Measurement(NamedTuple):
    """A stored measurement; `formula` is None for a blank, `round` to `well` where none is known.

    `well_id` is what `Result` and `Well` call the well's id; `event` is that of its recording;
    `file` is the id of the file that it came from; `plate_label` and `well_label` are as `Result`
    has them.
    """

    id: int
    formula: int | None
    round: int | None
    plate: int | None
    well: str | None
    well_id: int | None
    response: str
    value: float | None
    status: str
    reason: str | None
    event: int
    file: int | None = None
    plate_label: str | None = None
    well_label: str | None = None


class File(NamedTuple):
    """A file that was read; `event` is that of its recording, `at` when that was (UTC)."""

    id: int
    sha256: str
    name: str
    kind: str
    event: int
    at: str


def file_by_hash(store: Store, sha256: str) -> File | None:
    """Return the file with these contents if it was recorded before."""
    rows = store.rows(
        "SELECT f.id, f.sha256, f.name, f.kind, f.event, e.at "
        "FROM file AS f JOIN event AS e ON e.sequence = f.event WHERE f.sha256 = ?",
        (sha256,),
    )
    return File(*rows[0]) if rows else None


def add_file(writing: Writing, sha256: str, name: str, kind: str) -> int:
    """Store that a file was read and return its id; `kind` is `history` or `results`.

    Raises RefusedError for a file with the same contents as an earlier one.
    """
    known = file_by_hash(writing.store, sha256)
    if known is not None:
        raise RefusedError(
            f'"{name}" was recorded before, as "{known.name}" (event {known.event}); '
            f"nothing was changed"
        )
    writing.detail.setdefault("files", []).append({"name": name, "sha256": sha256})
    return writing.insert_numbered(
        "file", "sha256, name, kind, event", [(sha256, name, kind, writing.event)]
    )[0]


def add_measurements(
    writing: Writing, results: Sequence[Result], *, file: int | None = None
) -> list[int]:
    """Store measurements and return their ids, in order.

    Raises RefusedError where a well has a result for the response already (that is a correction),
    KeyError for an unknown response, ValueError where value and status disagree.
    """
    results = [r._replace(formula=plain(r.formula), well=plain(r.well)) for r in results]
    names = list(dict.fromkeys(result.response for result in results))
    response = dict(zip(names, ids_of(writing.store, "response", names), strict=True))
    wells = sorted({r.well for r in results if r.well is not None})
    of_well = _formulas_of_wells(writing.store, wells)
    rows = [
        (
            of_well[r.well] if r.well is not None and r.formula is None else r.formula,
            r.well,
            response[r.response],
            *_outcome(r.value, r.status, r.reason),
            file,
            writing.event,
            r.plate_label,
            r.well_label,
        )
        for r in results
    ]
    _refuse_repeats(writing.store, wells, {(r.well, r.response) for r in results})
    writing.count("measurements", len(rows))
    return writing.insert_numbered(
        "measurement",
        "formula, well, response, value, status, reason, file, event, plate_label, well_label",
        rows,
    )


def _formulas_of_wells(store: Store, wells: Sequence[int]) -> dict[int, int | None]:
    if not wells:
        return {}
    return dict(
        store.rows("SELECT id, formula FROM well WHERE id BETWEEN ? AND ?", (wells[0], wells[-1]))
    )


def _refuse_repeats(
    store: Store, wells: Sequence[int], wanted: Container[tuple[int | None, str]]
) -> None:
    if not wells:
        return
    repeats = [
        f"{well} of plate {plate} in round {number} ({response})"
        for well_id, response, number, plate, well in store.rows(
            "SELECT m.well, r.name, w.round, w.plate, w.well FROM measurement AS m "
            "JOIN response AS r ON r.id = m.response JOIN well AS w ON w.id = m.well "
            "WHERE m.well BETWEEN ? AND ? AND m.supersedes IS NULL ORDER BY m.well, m.response",
            (wells[0], wells[-1]),
        )
        if (well_id, response) in wanted
    ]
    if repeats:
        more = f" and {len(repeats) - 3} more" if len(repeats) > 3 else ""
        raise RefusedError(
            f"there are results already for {', '.join(repeats[:3])}{more}; "
            f"nothing was changed; a changed result is recorded as a correction"
        )


def add_corrections(
    writing: Writing, corrections: Sequence[Correction], *, file: int | None = None
) -> list[int]:
    """Store measurements that supersede earlier ones and return their ids, in order.

    Raises RefusedError where the measurement is not there or is superseded already: the one that
    superseded it is then the one to correct.
    """
    ids = []
    for c in corrections:
        row = (*_outcome(c.value, c.status, c.reason), file, writing.event, plain(c.measurement))
        try:
            cursor = writing.store.connection.execute(
                "INSERT INTO measurement "
                "(formula, well, response, plate_label, well_label, "
                "value, status, reason, file, event, supersedes) "
                "SELECT formula, well, response, plate_label, well_label, ?, ?, ?, ?, ?, id "
                "FROM measurement WHERE id = ?",
                row,
            )
        except sqlite3.IntegrityError as error:
            if "never replaced" not in str(error):
                raise
            raise RefusedError(
                f"measurement {c.measurement} was corrected already; correct its correction"
            ) from error
        if cursor.rowcount == 0:
            raise RefusedError(f"there is no measurement {c.measurement} to correct")
        ids.append(int(cursor.lastrowid or 0))
    writing.count("corrections", len(ids))
    return ids


def _outcome(value: Any, status: str, reason: str | None) -> tuple[float | None, str, str | None]:
    value = number(value, "a measured value")
    if (
        (value is None)
        if status in ("ok", "excluded")
        else (value is not None and status == "missing")
    ):
        raise ValueError(f"a measurement with status {status} cannot have the value {value}")
    return value, status, reason


def campaign_measurements(
    store: Store, *, blanks: bool = False, up_to: int = NOW
) -> list[Measurement]:
    """Return what is known of the campaign's own formulas, as it stood after the event `up_to`.

    Superseded measurements are left out, those of wells without a formula too unless `blanks` are
    asked for; every status is there.
    """
    own = "m.formula IN (SELECT id FROM formula WHERE source IS NULL)"
    where = f"({own} OR m.formula IS NULL)" if blanks else own
    return _read(store, where, {"up_to": up_to})


def history_measurements(
    store: Store, *, source: str | None = None, up_to: int = NOW
) -> list[Measurement]:
    """Return what is known of the formulas of one source, or of all, after the event `up_to`."""
    if source is None:
        return _read(
            store,
            "m.formula IN (SELECT id FROM formula WHERE source IS NOT NULL)",
            {"up_to": up_to},
        )
    home = ids_of(store, "source", [source])[0]
    return _read(
        store,
        "m.formula IN (SELECT id FROM formula WHERE source = :home)",
        {"up_to": up_to, "home": home},
    )


def round_measurements(store: Store, round_number: int, *, up_to: int = NOW) -> list[Measurement]:
    """Return what was measured in the wells of a round, blanks included."""
    return _read(store, "w.round = :round", {"up_to": up_to, "round": round_number})


def measurements_without_well(store: Store, round_number: int) -> list[Measurement]:
    """Return what was recorded of a round's formulas for the round, but not for a well of it.

    A control is on every plate: that a result is of this round, its event tells.
    """
    return _read(
        store,
        "m.well IS NULL AND m.formula IN (SELECT formula FROM well WHERE round = :round) AND "
        "(SELECT json_extract(detail, '$.round') FROM event WHERE sequence = m.event) = :round",
        {"up_to": NOW, "round": round_number},
    )


def file_measurements(store: Store, file: int) -> list[Measurement]:
    """Return what is known from a file; what another file has corrected is that file's."""
    return _read(store, "m.file = :file", {"up_to": NOW, "file": file})


def superseded(store: Store, ids: Sequence[int]) -> dict[int, Result]:
    """Return what each of these corrections superseded: its value, status and reason."""
    rows = store.rows(
        "SELECT m.id, r.name, p.value, p.status, p.reason FROM measurement AS m "
        "JOIN measurement AS p ON p.id = m.supersedes JOIN response AS r ON r.id = p.response "
        "WHERE m.id IN (SELECT value FROM json_each(?))",
        (json.dumps([plain(each) for each in ids]),),
    )
    return {correction: Result(*rest) for correction, *rest in rows}


def read_files(store: Store) -> list[File]:
    """Return every file that was read, oldest first."""
    rows = store.rows(
        "SELECT f.id, f.sha256, f.name, f.kind, f.event, e.at "
        "FROM file AS f JOIN event AS e ON e.sequence = f.event ORDER BY f.id"
    )
    return [File(*row) for row in rows]


def _read(store: Store, where: str, parameters: dict[str, object]) -> list[Measurement]:
    rows = store.rows(
        "SELECT m.id, m.formula, w.round, w.plate, w.well, m.well, r.name, m.value, m.status, "
        "m.reason, m.event, m.file, m.plate_label, m.well_label "
        "FROM measurement AS m JOIN response AS r ON r.id = m.response "
        f"LEFT JOIN well AS w ON w.id = m.well WHERE {where} AND m.event <= :up_to "
        "AND NOT EXISTS (SELECT 1 FROM measurement AS n "
        "WHERE n.supersedes = m.id AND n.event <= :up_to) ORDER BY m.id",
        parameters,
    )
    return [Measurement(*row) for row in rows]
