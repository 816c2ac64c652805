"""Where each row of a table was measured: the plate and well that the file names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from labloop.tables.columns import ColumnMatch
from labloop.tables.numbers import quoted
from labloop.tables.table import Table
from labloop.wells import parse_well

ONLY_PLATE: Final = "1"
"""What the one plate of a file is called that names none."""


@dataclass(frozen=True)
class Places:
    """Plates and wells (A1), one a row, "" where a cell is blank; empty where there is no column.

    Wells without a column of plates are on plate "1".
    """

    plates: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()


def label(cell: str | float) -> str:
    """Return a cell that names something; a whole number loses its .0, as Excel adds it."""
    if isinstance(cell, str):
        return cell
    return str(int(cell)) if float(cell).is_integer() else "" if np.isnan(cell) else repr(cell)


def read_places(table: Table, match: ColumnMatch) -> tuple[Places, list[str]]:
    """Return plates and wells of the rows, and problems: no wells, or two rows of one well."""
    plates: tuple[str, ...] = ()
    if "plate" in match.keys:
        plates = tuple(label(cell) for cell in table.columns[match.keys["plate"]])
    if "well" not in match.keys:
        return Places(plates), []
    column = match.keys["well"]
    written = [label(cell) for cell in table.columns[column]]
    wells = [parse_well(text) if text else "" for text in written]
    problems: list[str] = []
    first: dict[tuple[str, str], int] = {}
    for row, well in enumerate(wells):
        if well is None:
            problems.append(
                f"{table.cell(row, column)}: {quoted(written[row])} is no well; wells are written "
                f"as A1 or A01; {_leave_out(table, column)}"
            )
            continue
        place = (plates[row] if plates else ONLY_PLATE, well)
        if well and place in first:
            of_plate = f" of plate {place[0]}" if plates else ""
            remedy = "" if plates else ', or add a column "plate"'
            problems.append(
                f"{table.cell(row, column)}: well {well}{of_plate} is already in "
                f"{table.short_row(first[place])}; keep one of the two{remedy}; "
                f"{_leave_out(table, column)}"
            )
        first.setdefault(place, row)
    found = tuple(well or "" for well in wells)
    return Places(plates or (ONLY_PLATE,) * len(found), found), problems


def _leave_out(table: Table, column: int) -> str:
    name = quoted(table.names[column])
    return f"where this says nothing of a plate, leave it out with --ignore {name}"
