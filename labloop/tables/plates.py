"""Plates and lists of wells put together into one table: a row a well, a column a kind of value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from labloop.tables.cells import Area, Cell, Sheet, region, spot
from labloop.tables.numbers import NumberStyle, quoted
from labloop.tables.table import Origin, Table, reject

WELL: Final = "well"
PLATE: Final = "plate"
FORMULA: Final = "formula"


@dataclass(frozen=True, eq=False)
class Part:
    """Values of some wells of one plate, from one place of a file.

    `places[k]` is the (row, column) of `values[k]`, whose well is `wells[k]`. `plate` is None where
    nobody said which plate it is.
    """

    name: str
    sheet: Sheet
    area: Area
    plate: str | None
    wells: tuple[str, ...]
    values: tuple[Cell, ...]
    places: tuple[tuple[int, int], ...]

    @property
    def region(self) -> str:
        """The cells that the part was read from, without the file."""
        return region(self.sheet.name, self.area)


def as_table(
    parts: Sequence[Part],
    *,
    digest: str,
    style: NumberStyle,
    unused: Sequence[str],
    sheet: str | None,
) -> Table:
    """Return the wells of the parts as a table: `well`, `plate` where known, then their names.

    Raises RejectedError where two cells are of the same well.
    """
    source = parts[0].sheet.source
    keys = list(dict.fromkeys((part.plate or "", well) for part in parts for well in part.wells))
    row_of = {key: row for row, key in enumerate(keys)}
    sheets = tuple(dict.fromkeys(part.sheet.name for part in parts))
    lead = [WELL, PLATE] if any(part.plate is not None for part in parts) else [WELL]
    column_of: dict[str, int] = {}
    for part in parts:
        column_of.setdefault(part.name, len(lead) + len(column_of))
    names = [*lead, *column_of]
    values = np.full((len(names), len(keys)), "", dtype=object)
    spots = np.full((len(keys), len(names), 3), -1, dtype=np.int64)
    values[0] = [well for _, well in keys]
    if len(lead) > 1:
        values[1] = [plate for plate, _ in keys]
    problems = []
    for part in parts:
        column, at = column_of[part.name], sheets.index(part.sheet.name)
        for well, value, place in zip(part.wells, part.values, part.places, strict=True):
            row = row_of[part.plate or "", well]
            if spots[row, column, 0] >= 0:
                earlier = spots[row, column].tolist()
                where = spot("", sheets[earlier[0]], earlier[1], earlier[2])[2:]
                problems.append(
                    f"{spot(source, part.sheet.name, *place)}: {quoted(part.name)} of well {well}"
                    f"{_of_plate(part)} is already in {where}; keep one of the two"
                )
                continue
            values[column, row] = value
            spots[row, column] = (at, *place)
            for key in range(len(lead)):
                if spots[row, key, 0] < 0:
                    spots[row, key] = (at, *place)
    if problems:
        reject(source, problems)
    return Table(
        source=source,
        names=tuple(names),
        columns=tuple(values),
        positions=tuple(range(1, len(names) + 1)),
        rows=np.arange(1, len(keys) + 1),
        sha256=digest,
        sheet=sheet,
        style=style,
        is_plate=True,
        unused=tuple(unused),
        origin=Origin(sheets, spots, (*[""] * len(lead), *_regions(parts).values())),
    )


def _of_plate(part: Part) -> str:
    return "" if part.plate is None else f" of plate {part.plate}"


def _regions(parts: Sequence[Part]) -> dict[str, str]:
    """Return where each name's values stand, or begin where they stand in several places."""
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(part.name, part.region)
    return found
