"""Plates and lists of wells put together into one table: a row a well, a column a kind of value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

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
    columns, spots = _filled(parts, row_of, column_of, sheets)
    columns[0] = [well for _, well in keys]
    if len(lead) > 1:
        columns[1] = [plate for plate, _ in keys]
    # Well and plate are said to be where the first value of the row is.
    first = np.argmax(spots[:, len(lead) :, 0] >= 0, axis=1) + len(lead)
    spots[:, : len(lead)] = spots[np.arange(len(keys)), first][:, np.newaxis]
    return Table(
        source=source,
        names=tuple(names),
        columns=tuple(columns),
        positions=tuple(range(1, len(names) + 1)),
        rows=np.arange(1, len(keys) + 1),
        sha256=digest,
        sheet=sheet,
        style=style,
        is_plate=True,
        unused=tuple(unused),
        origin=Origin(sheets, spots, (*[""] * len(lead), *_regions(parts).values())),
    )


def _filled(
    parts: Sequence[Part],
    row_of: Mapping[tuple[str, str], int],
    column_of: Mapping[str, int],
    sheets: Sequence[str | None],
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the values (columns × rows) and where each stands (rows × columns × 3).

    The columns before the first of `column_of` are left blank. Raises RejectedError where two cells
    are of the same well.
    """
    width = 1 + max(column_of.values())
    values = np.full((width, len(row_of)), "", dtype=object)
    spots = np.full((len(row_of), width, 3), -1, dtype=np.int64)
    problems = []
    for part in parts:
        column, at = column_of[part.name], sheets.index(part.sheet.name)
        for well, value, place in zip(part.wells, part.values, part.places, strict=True):
            row = row_of[part.plate or "", well]
            if spots[row, column, 0] < 0:
                values[column, row] = value
                spots[row, column] = (at, *place)
                continue
            sheet, number, position = spots[row, column].tolist()
            earlier = spot("", sheets[sheet], number, position).removeprefix(", ")
            problems.append(
                f"{spot(part.sheet.source, part.sheet.name, *place)}: {quoted(part.name)} of well "
                f"{well}{_of_plate(part)} is already in {earlier}; keep one of the two"
            )
    if problems:
        reject(parts[0].sheet.source, problems)
    return values, spots


def _of_plate(part: Part) -> str:
    return "" if part.plate is None else f" of plate {part.plate}"


def _regions(parts: Sequence[Part]) -> dict[str, str]:
    """Return where each name's values stand, or begin where they stand in several places."""
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(part.name, part.region)
    return found
