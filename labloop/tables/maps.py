"""What is in each well, or under each formula's name, of plates that labloop did not lay out.

A map is a table of its own: a column `well` (and `plate`) or `formula`, and the components. Its
rows and the readings are joined by these names, never by their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from labloop.tables.columns import ColumnMatch, match_columns
from labloop.tables.history import read_concentrations
from labloop.tables.numbers import quoted
from labloop.tables.places import ONLY_PLATE, label
from labloop.tables.table import Table
from labloop.wells import parse_well

if TYPE_CHECKING:
    from labloop.definition import Component, Response

Key: TypeAlias = Literal["well", "formula"]
Place: TypeAlias = tuple[str, str]
"""(plate, well), or (plate, formula) with "" for a formula that is the same on every plate."""

_PLATES_DIFFER: Final = '; where plates differ, both files need a column "plate"'


@dataclass(frozen=True)
class Options:
    """What the user said of columns of the readings, of the map, or of both."""

    columns: Mapping[str, str]
    ignore: frozenset[str]
    aliases: Mapping[str, str] | None

    def match(
        self,
        table: Table,
        components: Sequence[Component],
        responses: Sequence[Response],
        *,
        strangers: bool,
    ) -> tuple[ColumnMatch, list[str]]:
        """Match a table with those of the options that name its columns."""
        return match_columns(
            table,
            components,
            responses,
            columns={name: meant for name, meant in self.columns.items() if name in table.names},
            ignore=self.ignore & set(table.names),
            aliases=self.aliases,
            strangers=strangers,
        )


@dataclass(frozen=True, eq=False)
class Map:
    """A map as read: `row_of` has the rows of `concentrations` by their place.

    `by_plate` says whether the plate matters; `varying` are formulas that differ between plates.
    """

    table: Table
    match: ColumnMatch
    key: Key
    concentrations: npt.NDArray[np.float64]
    filled: tuple[str, ...]
    by_plate: bool
    row_of: dict[Place, int]
    varying: frozenset[str]


def read_map(
    contents: Table,
    options: Options,
    components: Sequence[Component],
    table: Table,
    of_readings: ColumnMatch,
) -> Map:
    """Return a map as it is joined with the readings of `table`; raises RejectedError.

    Wells whose concentrations are all blank are empty, and left out.
    """
    match, problems = options.match(contents, components, (), strangers=True)
    key = _key(table, of_readings, contents, match)
    used = [at for at in match.components if at is not None]
    blank = [[label(cell) == "" for cell in contents.columns[at]] for at in used]
    full = contents.take(np.flatnonzero(~np.all(blank, axis=0))) if used else contents
    concentrations, filled, more = read_concentrations(full, match, components)
    problems += more
    if problems:
        contents.reject(problems)
    by_plate = "plate" in match.keys and (key == "well" or "plate" in of_readings.keys)
    row_of, more = _rows_by_place(full, match, key, by_plate, concentrations, components)
    if more:
        contents.reject(more)
    varying = _of_every_plate(row_of, concentrations) if key == "formula" and by_plate else set()
    return Map(full, match, key, concentrations, filled, by_plate, row_of, frozenset(varying))


def _key(table: Table, of_readings: ColumnMatch, contents: Table, match: ColumnMatch) -> Key:
    """Return what both tables have; raises RejectedError."""
    if "well" in match.keys and "well" in of_readings.keys:
        return "well"
    if "formula" in match.keys and "formula" in of_readings.keys:
        return "formula"
    if not {"well", "formula"} & set(match.keys):
        contents.reject(
            [
                f'{contents.title}: no column "well" or "formula" says what its rows are of; '
                'say which column it is with --columns "FILE NAME=formula"'
            ]
        )
    key: Key = "well" if "well" in match.keys else "formula"
    return table.reject(
        [
            f'{table.title}: it has no column "{key}", by which the map {contents.title} goes; '
            f'say which column it is with --columns "FILE NAME={key}"'
        ]
    )


def _rows_by_place(
    contents: Table,
    match: ColumnMatch,
    key: Key,
    by_plate: bool,
    concentrations: npt.NDArray[np.float64],
    components: Sequence[Component],
) -> tuple[dict[Place, int], list[str]]:
    """Return the first row of each place, and problems: wells that are none, rows that disagree."""
    column = match.keys[key]
    plates = [label(cell) for cell in contents.columns[match.keys["plate"]]] if by_plate else None
    without = ONLY_PLATE if key == "well" else ""
    row_of: dict[Place, int] = {}
    problems = []
    for row, cell in enumerate(contents.columns[column]):
        written = label(cell)
        name = parse_well(written) if key == "well" else written
        where = contents.cell(row, column)
        if not written:
            problems.append(f"{where}: the cell is blank; write the {key}")
        elif name is None:
            problems.append(
                f"{where}: {quoted(written)} is no well; wells are written as A1 or A01"
            )
        else:
            first = row_of.setdefault((without if plates is None else plates[row], name), row)
            at = _differing(concentrations, row, first)
            if at is not None:
                remedy = "" if key == "well" or by_plate else _PLATES_DIFFER
                problems.append(
                    f"{where}: {key} {name} is already in {contents.short_row(first)} with another "
                    f"concentration of {components[at].name}; keep one of the two{remedy}"
                )
    return row_of, problems


def _differing(concentrations: npt.NDArray[np.float64], row: int, other: int) -> int | None:
    """Return the first component in which two rows differ, None where they agree."""
    near = np.isclose(concentrations[row], concentrations[other], rtol=1e-9, atol=0.0)
    return None if near.all() else int(np.argmin(near))


def _of_every_plate(row_of: dict[Place, int], concentrations: npt.NDArray[np.float64]) -> set[str]:
    """Add formulas that are the same on every plate, and return those that are not."""
    rows: dict[str, list[int]] = {}
    for (_, name), row in row_of.items():
        rows.setdefault(name, []).append(row)
    varying = set()
    for name, [first, *others] in rows.items():
        if any(_differing(concentrations, row, first) is not None for row in others):
            varying.add(name)
        else:
            row_of["", name] = first
    return varying
