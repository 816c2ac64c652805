"""Names, numbers and rings of the wells of a plate.

Inside labloop a well is called `A1` … `AF48`; rows and columns are counted from zero. Padding and
other spellings belong to the file that wants them. Plates follow the ANSI/SLAS 4-2004 grid: letters
down, numbers across, rows past Z are AA, AB …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from labloop.errors import RefusedError

SHAPES: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        1: (1, 1),
        6: (2, 3),
        12: (1, 12),
        15: (3, 5),
        24: (4, 6),
        48: (6, 8),
        96: (8, 12),
        384: (16, 24),
        1536: (32, 48),
    }
)
"""Rows and columns of each plate. Up to 15 wells are troughs, reservoirs and racks of tubes, which
stocks stand in: 12 are the channels of a reservoir."""

LARGEST_WELL_UL: Mapping[int, float] = MappingProxyType(
    {24: 10_400.0, 48: 5000.0, 96: 2400.0, 384: 240.0, 1536: 13.0}
)
"""Nominal volume in µL of a well of the largest usual plates: deep-well plates of NEST (24), Axygen
(48) and USA Scientific (96), microplates of Greiner (384, 1536)."""

_WELL = re.compile(r"([A-Z]{1,2})0*([1-9][0-9]?)", re.ASCII)
_NAMED = 8


def shape(wells: int) -> tuple[int, int]:
    """Return (rows, columns) of a plate; RefusedError for a plate that does not exist."""
    if wells not in SHAPES:
        known = ", ".join(str(count) for count in SHAPES)
        raise RefusedError(f"There is no plate of {wells} wells; choose one of {known}.")
    return SHAPES[wells]


def row_name(row: int) -> str:
    """Return the letters of a row counted from zero: 0 is A, 25 is Z, 26 is AA."""
    return chr(65 + row) if row < 26 else chr(64 + row // 26) + chr(65 + row % 26)


def well_name(row: int, column: int) -> str:
    """Return the name of the well at a row and column counted from zero: (0, 0) is A1."""
    return f"{row_name(row)}{column + 1}"


@cache
def column_major(wells: int) -> tuple[str, ...]:
    """Return every well of a plate down the columns: A1, B1, C1 …, the order of robots."""
    rows, columns = shape(wells)
    return tuple(well_name(row, column) for column in range(columns) for row in range(rows))


@cache
def well_names(wells: int) -> tuple[str, ...]:
    """Return every well of a plate along the rows: A1, A2, A3 …, the order of plate readers."""
    rows, columns = shape(wells)
    return tuple(well_name(row, column) for row in range(rows) for column in range(columns))


@cache
def _positions(wells: int) -> Mapping[str, tuple[int, int]]:
    rows, columns = shape(wells)
    return {
        well_name(row, column): (row, column) for row in range(rows) for column in range(columns)
    }


def parse_well(text: str) -> str | None:
    """Return a well as labloop spells it (` a01 ` is A1), None for text that names no well.

    The largest plate decides; whether a smaller plate has the well is for `normalise` to say.
    """
    match = _WELL.fullmatch(text.strip().upper())
    name = f"{match[1]}{match[2]}" if match else None
    return name if name in _positions(1536) else None


def normalise(text: str, wells: int) -> str:
    """Return a well of a plate as labloop spells it.

    Raises RefusedError, saying what the plate has, for text that is no well of this plate.
    """
    name = parse_well(text)
    if name is None or name not in _positions(wells):
        rows, columns = shape(wells)
        raise RefusedError(
            f'A plate of {wells} wells has no well "{text}"; '
            f"its rows are A to {row_name(rows - 1)}, its columns 1 to {columns}."
        )
    return name


def position(well: str, wells: int) -> tuple[int, int]:
    """Return (row, column) of a well, both from zero; RefusedError where the plate lacks it."""
    found = _positions(wells).get(well)
    return found if found is not None else _positions(wells)[normalise(well, wells)]


def padded(well: str) -> str:
    """Return a well's name with its column padded to two digits: A1 is A01."""
    letters = well.rstrip("0123456789")
    return f"{letters}{int(well[len(letters) :]):02d}"


def ring(well: str, wells: int) -> int:
    """Return how many wells lie between a well and the nearest edge: 0 is the outer ring."""
    row, column = position(well, wells)
    rows, columns = shape(wells)
    return min(row, column, rows - 1 - row, columns - 1 - column)


def edge_wells(wells: int) -> tuple[str, ...]:
    """Return the wells of the outer ring, row by row."""
    return tuple(well for well in well_names(wells) if ring(well, wells) == 0)


def name_wells(wells: Iterable[str] | Sequence[str]) -> str:
    """Return wells as a message names them: the first eight, then how many more there are."""
    names = list(dict.fromkeys(wells))
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def name_plate_wells(wells: Iterable[str], plates: Iterable[Any]) -> str:
    """Return wells with their plates as a message names them: `A1 (plate 1)`, the first eight."""
    return name_wells(f"{well} (plate {plate})" for well, plate in zip(wells, plates, strict=True))
