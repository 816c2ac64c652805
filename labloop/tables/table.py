"""A table as it was handed in: named columns, and the place of every cell for messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from labloop.errors import RejectedError
from labloop.tables.numbers import Column, NumberStyle, quoted

_LISTED: Final = 20


@dataclass(frozen=True, eq=False)
class Origin:
    """Where in a file the cells of a table stand that was put together from plates and lists.

    `spots[i, j]` are the sheet (its number in `sheets`), row and column, both from 1, of cell j of
    row i; -1 where it has none. `parts[j]` names the cells that column j was read from, empty where
    the column is not of one place.
    """

    sheets: tuple[str | None, ...]
    spots: npt.NDArray[np.int64]
    parts: tuple[str, ...]

    def cell(self, row: int, column: int) -> str | None:
        """Name a cell, without the file; None if no cell of the file is it."""
        sheet, number, position = self.spots[row, column].tolist()
        if sheet < 0:
            return None
        title = self.sheets[sheet]
        if title is None:
            return f"row {number}, column {position}"
        return f"sheet {quoted(title)}, cell {letters(position)}{number}"

    def row(self, row: int) -> str:
        """Name a row by the first of its cells that stands in the file."""
        names = (self.cell(row, column) for column in range(self.spots.shape[1]))
        return next((name for name in names if name is not None), f"well {row + 1}")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows handed in, before they are matched to a campaign.

    `columns[j]` holds the cells below `names[j]`; `positions[j]` is the column's number in the
    file, from 1, or 0 for a column that the file does not have (`--plate`). `rows[i]` is the row's
    number in the file, from 1 and counting the header, or the index label of a frame. `sha256` is
    that of the file's bytes (with the names of a workbook's sheets, or the cells read), or
    of the frame's content.

    A table made of plates or lists of wells has an `origin`; its rows are the wells, counted from
    1. `is_plate` says that it comes from a reader, which lists every well whether or not anything
    is in it. `unused` says what of the file was not read, each a text such as
    'sheet "340": 3 cells outside the grids'.
    """

    source: str
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    rows: npt.NDArray[Any]
    sha256: str
    sheet: str | None = None
    style: NumberStyle = field(default_factory=NumberStyle)
    is_frame: bool = False
    is_plate: bool = False
    unused: tuple[str, ...] = ()
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def cell(self, row: int, column: int) -> str:
        """Name a cell as the user finds it: row and column number in this table, from 0."""
        if self.positions[column] == 0:
            return f"{self.row(row)}, --plate"
        if self.origin is not None:
            found = self.origin.cell(row, column)
            if found is not None:
                return f"{self.source}, {found}"
            return f"{self.row(row)}, column {quoted(self.names[column])}"
        if self.sheet is not None:
            return f"{self.title}, cell {letters(self.positions[column])}{self.rows[row]}"
        return f"{self.row(row)}, column {quoted(self.names[column])}"

    def row(self, row: int) -> str:
        """Name a row as the user finds it."""
        if self.origin is not None:
            return f"{self.source}, {self.origin.row(row)}"
        return f"{self.title}, {'index' if self.is_frame else 'row'} {self.rows[row]}"

    def short_row(self, row: int) -> str:
        """Name a row beside a message that has named the table."""
        if self.origin is not None:
            return self.origin.row(row)
        return f"{'index' if self.is_frame else 'row'} {self.rows[row]}"

    def column(self, column: int) -> str:
        """Name a column as the user finds it."""
        if self.origin is not None and self.origin.parts[column]:
            return f"{self.source}, {self.origin.parts[column]} ({quoted(self.names[column])})"
        if self.sheet is not None:
            letter = letters(self.positions[column])
            return f"{self.title}, column {letter} ({quoted(self.names[column])})"
        return f"{self.title}, column {quoted(self.names[column])}"

    def take(self, kept: npt.NDArray[np.int64]) -> Table:
        """Return the table with only these of its rows, by their number in it."""
        origin = self.origin
        return replace(
            self,
            columns=tuple(column[kept] for column in self.columns),
            rows=self.rows[kept],
            origin=None if origin is None else replace(origin, spots=origin.spots[kept]),
        )

    @property
    def title(self) -> str:
        """The file, with its sheet where it has sheets."""
        return self.source if self.sheet is None else f"{self.source}, sheet {quoted(self.sheet)}"

    def reject(self, problems: Sequence[str]) -> NoReturn:
        """Raise RejectedError with the first twenty of `problems`."""
        reject(self.title, problems)


def reject(source: str, problems: Sequence[str]) -> NoReturn:
    """Raise RejectedError for a table, with its first twenty problems."""
    listed = list(problems[:_LISTED])
    if len(problems) > _LISTED:
        listed.append(f"(+{len(problems) - _LISTED} more)")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise RejectedError(f"{source} was rejected ({count}); nothing was changed:", listed)


def letters(position: int) -> str:
    """Return the letters of a spreadsheet's column from its number: 1 is A, 27 is AA."""
    name = ""
    while position > 0:
        position, digit = divmod(position - 1, 26)
        name = chr(ord("A") + digit) + name
    return name
