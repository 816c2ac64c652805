"""A sheet of cells, before anyone knows what it holds: a CSV file's, or one of a workbook's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from labloop.tables.numbers import quoted
from labloop.tables.table import letters

Cell: TypeAlias = str | float
"""Stripped text, empty where a cell is blank, or a number."""

_RANGE: Final = re.compile(
    r"([A-Za-z]{1,3})([1-9][0-9]{0,6})(?::([A-Za-z]{1,3})([1-9][0-9]{0,6}))?"
)
_COUNT: Final = re.compile(r"0*([1-9][0-9]{0,2})(?:[.,]0+)?")


@dataclass(frozen=True)
class Area:
    """A rectangle of cells; rows and columns from 1, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int

    def __contains__(self, place: tuple[int, int]) -> bool:
        row, column = place
        return self.top <= row <= self.bottom and self.left <= column <= self.right

    def __str__(self) -> str:
        first = f"{letters(self.left)}{self.top}"
        last = f"{letters(self.right)}{self.bottom}"
        return first if first == last else f"{first}:{last}"


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows of cells that are not blank, with their `numbers` in the file, from 1.

    `name` is None for a CSV file. `valueless` are the (row, column) of a workbook's cells that have
    no value and may yet hold a formula that was never computed; `merged` are its merged cells.
    """

    source: str
    name: str | None
    rows: Sequence[Sequence[Cell]]
    numbers: Sequence[int]
    valueless: frozenset[tuple[int, int]] = frozenset()
    merged: tuple[Area, ...] = field(default=())

    @property
    def title(self) -> str:
        """The file, with the sheet where it has sheets."""
        return self.source if self.name is None else f"{self.source}, sheet {quoted(self.name)}"

    @property
    def width(self) -> int:
        """How many columns the longest row has."""
        return max(map(len, self.rows), default=0)

    def at(self, row: int, column: int) -> Cell:
        """Return the cell at a row and column of the file, from 1; blank beyond its ends."""
        cells = self._by_number.get(row, ())
        return cells[column - 1] if 1 <= column <= len(cells) else ""

    def filled(self) -> Iterator[tuple[int, int, Cell]]:
        """Yield row, column and content of the cells that are not blank."""
        for number, cells in zip(self.numbers, self.rows, strict=True):
            for column, cell in enumerate(cells, start=1):
                if cell != "":
                    yield number, column, cell

    @cached_property
    def _by_number(self) -> dict[int, Sequence[Cell]]:
        return dict(zip(self.numbers, self.rows, strict=True))


def spot(source: str, sheet: str | None, row: int, column: int) -> str:
    """Name a cell as its user finds it: as Excel does, in a CSV file by row and column."""
    if sheet is None:
        return f"{source}, row {row}, column {column}"
    return f"{source}, sheet {quoted(sheet)}, cell {letters(column)}{row}"


def region(sheet: str | None, area: Area) -> str:
    """Name some cells, without the file."""
    if sheet is not None:
        return f"sheet {quoted(sheet)}, cells {area}"
    return f"rows {area.top} to {area.bottom}, columns {area.left} to {area.right}"


def shown(cell: Cell) -> str:
    """Return a cell's content as a message quotes it."""
    return quoted(cell) if isinstance(cell, str) else f"{cell:g}"


def as_text(cell: Cell) -> str:
    """Return a cell's content as a name on one line; whole numbers lose the .0 of a workbook."""
    return " ".join((cell if isinstance(cell, str) else f"{cell:g}").split())


def count(cell: Cell) -> int | None:
    """Return the whole number from 1 that a cell counts (1, 01, 1.0), None for anything else."""
    if isinstance(cell, str):
        match = _COUNT.fullmatch(cell)
        return int(match[1]) if match else None
    return int(cell) if math.isfinite(cell) and cell.is_integer() and cell >= 1 else None


def parse_area(text: str) -> tuple[Area, bool]:
    """Return the cells that `A1` or `A1:M9` names, and whether it has both corners.

    Raises ValueError for another text.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{quoted(text)} names no cells")
    left, top = _position(match[1]), int(match[2])
    if match[3] is None:
        return Area(top, left, top, left), False
    right, bottom = _position(match[3]), int(match[4])
    return Area(min(top, bottom), min(left, right), max(top, bottom), max(left, right)), True


def _position(name: str) -> int:
    """Return the number of a spreadsheet's column from its letters: A is 1, AA is 27."""
    position = 0
    for letter in name.upper():
        position = 26 * position + ord(letter) - 64
    return position
