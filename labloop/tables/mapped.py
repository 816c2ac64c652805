"""Readings of plates that labloop did not lay out, joined with a map of what is in their wells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from labloop.tables.columns import ColumnMatch
from labloop.tables.history import HistoryRows, read_responses, unused
from labloop.tables.joining import name_places
from labloop.tables.maps import Map, Options, Place, read_map
from labloop.tables.numbers import Readings, quoted
from labloop.tables.places import Places, label, read_places
from labloop.tables.table import Table

if TYPE_CHECKING:
    from labloop.definition import Component, Response

_SHOWN: Final = 3
_KEYS: Final = ("well", "plate", "formula")


def read_mapped(
    table: Table,
    contents: Table,
    components: Sequence[Component],
    responses: Sequence[Response],
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> HistoryRows:
    """Return the readings of `table` with the formulas that the map `contents` has for them.

    They are joined by plate and well where both tables have wells, else by the formulas' names.
    Rows of a map that agree are one; its wells without any concentration are empty. What was read
    in wells, or of formulas, that the map does not have is kept as blanks. `columns` and `ignore`
    are of either table; what else the map holds is not used. Raises RejectedError with every
    problem of the readings, or of the map.
    """
    options = Options(dict(columns or {}), frozenset(ignore), aliases)
    _refuse_unknown(table, contents, [*options.columns, *sorted(options.ignore)])
    match, problems = options.match(table, components, responses, strangers=False)
    problems += [
        f"{table.column(at)}: the map {contents.title} says what is in each well; leave this "
        f"column out with --ignore {quoted(table.names[at])}"
        for at in match.components
        if at is not None
    ]
    readings, unreadable = read_responses(table, match, responses)
    places, misplaced = read_places(table, match)
    problems += unreadable + misplaced
    if problems:
        table.reject(problems)
    mapped = read_map(contents, options, components, table, match)
    return _joined(table, match, readings, places, mapped)


def _refuse_unknown(table: Table, contents: Table, names: Iterable[str]) -> None:
    known = {*table.names, *contents.names}
    problems = [
        f"neither {table.title} nor {contents.title} has a column {quoted(name)}"
        for name in names
        if name not in known
    ]
    if problems:
        table.reject(problems)


def _joined(
    table: Table, match: ColumnMatch, readings: Readings, places: Places, mapped: Map
) -> HistoryRows:
    """Join readings and map; raises RejectedError."""
    silent = (readings.statuses == "missing").all(axis=1)
    names = _formulas(table, match)
    keys, plates = _keys(table, match, places, names, mapped)
    rows = [mapped.row_of.get(key) for key in keys]
    if mapped.key == "well":
        _refuse_unplaced(table, match, places.wells, silent)
        _refuse_other_names(table, match, rows, names, mapped)
    if all(row is None for row in rows):
        _refuse_strangers(table, keys, mapped)
    kept = [at for at, row in enumerate(rows) if row is not None or not silent[at]]
    concentrations = np.full((len(kept), mapped.concentrations.shape[1]), np.nan)
    for to, at in enumerate(kept):
        row = rows[at]
        if row is not None:
            concentrations[to] = mapped.concentrations[row]
    blanks = [at for at in kept if rows[at] is None]
    return HistoryRows(
        concentrations=concentrations,
        readings=Readings(readings.measured[kept], readings.statuses[kept], readings.limits[kept]),
        present=tuple(column is not None for column in match.responses),
        filled=mapped.filled,
        ignored=unused(table, match, _KEYS) + unused(mapped.table, mapped.match, _KEYS),
        rows=tuple(table.rows[kept].tolist()),
        source=table.source,
        sha256=table.sha256,
        read_as=match.read_as + mapped.match.read_as,
        plates=tuple(plates[at] for at in kept) if plates else (),
        wells=tuple(places.wells[at] for at in kept) if places.wells else (),
        blanks=_name_blanks(table, blanks, plates, places.wells),
        unmapped=tuple(dict.fromkeys(names[at] for at in blanks if names[at])),
        absent=_absent(mapped, set(keys)),
    )


def _formulas(table: Table, match: ColumnMatch) -> list[str]:
    """Return the names that a table has for formulas, "" where it has none."""
    if "formula" not in match.keys:
        return [""] * len(table)
    return [label(cell) for cell in table.columns[match.keys["formula"]]]


def _keys(
    table: Table, match: ColumnMatch, places: Places, names: Sequence[str], mapped: Map
) -> tuple[list[Place], tuple[str, ...]]:
    """Return where each reading stands in the map, and its plate; rejects plates left open."""
    if mapped.key == "formula":
        return _keys_by_formula(table, match, places.plates, names, mapped), places.plates
    theirs = list(dict.fromkeys(plate for plate, _ in mapped.row_of))
    ours = list(dict.fromkeys(places.plates))
    if "plate" in mapped.match.keys:
        if "plate" not in match.keys and len(theirs) > 1:
            table.reject(
                [
                    f"{table.title}: the map has plates {', '.join(theirs)}; add a column "
                    '"plate", or name the one that the file is of with --plate'
                ]
            )
        plates = places.plates if "plate" in match.keys else (theirs[0],) * len(table)
        return list(zip(plates, places.wells, strict=True)), plates
    if len(ours) > 1:
        mapped.table.reject(
            [
                f'{mapped.table.title}: it has no column "plate", and the readings are of plates '
                f"{', '.join(ours)}; add one"
            ]
        )
    return [(theirs[0], well) for well in places.wells], places.plates


def _keys_by_formula(
    table: Table, match: ColumnMatch, plates: Sequence[str], names: Sequence[str], mapped: Map
) -> list[Place]:
    """Return the formulas' places in the map; rejects what is one thing here and another there."""
    if not mapped.by_plate:
        return [("", name) for name in names]
    keys = list(zip(plates, names, strict=True))
    problems = [
        f"{table.cell(row, match.keys['formula'])}: the map {mapped.table.title} does not have "
        f"{quoted(name)} on plate {quoted(plate)}, and it is not the same on its other plates; add "
        "its row to the map"
        for row, (plate, name) in enumerate(keys)
        if (plate, name) not in mapped.row_of and name in mapped.varying
    ]
    if problems:
        table.reject(problems)
    return [key if key in mapped.row_of else ("", key[1]) for key in keys]


def _refuse_unplaced(
    table: Table, match: ColumnMatch, wells: Sequence[str], silent: Iterable[bool]
) -> None:
    """Reject values without a well."""
    column = match.keys["well"]
    problems = [
        f"{table.cell(row, column)}: the cell is blank; write the well, such as A1"
        for row, (well, nothing) in enumerate(zip(wells, silent, strict=True))
        if not well and not nothing
    ]
    if problems:
        table.reject(problems)


def _refuse_other_names(
    table: Table, match: ColumnMatch, rows: Sequence[int | None], names: Sequence[str], mapped: Map
) -> None:
    """Reject wells for which readings and map have different formulas' names."""
    theirs = _formulas(mapped.table, mapped.match)
    problems = [
        f"{table.cell(at, match.keys['formula'])}: the file says {quoted(name)}, but the map "
        f"{mapped.table.title} has {quoted(theirs[row])} there; is this the map of another plate?"
        for at, (row, name) in enumerate(zip(rows, names, strict=True))
        if row is not None and name and theirs[row] and name != theirs[row]
    ]
    if problems:
        table.reject(problems)


def _refuse_strangers(table: Table, keys: Sequence[Place], mapped: Map) -> NoReturn:
    """Reject readings none of which the map has."""
    ours = list(dict.fromkeys(key for key in keys if key[1]))
    table.reject(
        [
            f"{table.title}: the map {mapped.table.title} has none of its {mapped.key}s; the file "
            f"has {_some(ours, mapped)}, the map {_some(list(mapped.row_of), mapped)}"
        ]
    )


def _some(places: Sequence[Place], mapped: Map) -> str:
    """Return the first few of many places."""
    names = [
        quoted(name) if mapped.key == "formula" else f"{plate}:{name}" for plate, name in places
    ]
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "") if names else "none"


def _name_blanks(
    table: Table, blanks: Sequence[int], plates: Sequence[str], wells: Sequence[str]
) -> tuple[str, ...]:
    """Name the rows that are of no formula by their wells, or else as the file has them."""
    if not wells:
        return tuple(table.short_row(at) for at in blanks)
    several = len(set(plates)) > 1
    return name_places(((plates[at], wells[at]) for at in blanks), several=several)


def _absent(mapped: Map, keys: set[Place]) -> tuple[str, ...]:
    """Name what the map has and the readings have not; a plate of which they have none as such."""
    places = [(p, name) for p, name in mapped.row_of if p or not mapped.by_plate]
    by_plate: dict[str, list[Place]] = {plate: [] for plate, _ in places}
    for place in places:
        if place not in keys:
            by_plate[place[0]].append(place)
    there = {plate for plate, _ in keys}
    names: list[str] = []
    for plate, missing in by_plate.items():
        if plate not in there and len(by_plate) > 1:
            names.append(plate if "plate" in plate.casefold() else f"plate {plate}")
        else:
            names += name_places(missing, several=mapped.key == "well" and len(by_plate) > 1)
    return tuple(names)
