"""Excel workbooks: their archive checked once, then read sheet by sheet."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from labloop.errors import LabloopError, did_you_mean
from labloop.tables.archive import check_archive, refuse_damaged
from labloop.tables.cells import Area, Cell, Sheet, parse_area
from labloop.tables.numbers import quoted
from labloop.tables.table import letters, reject

_MAX_SHEETS: Final = 100
_MAX_ROWS: Final = 1_048_576
_MAX_CELLS: Final = 20_000_000

_MERGED: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?mergeCell\s[^>]*?ref=[\"']([A-Za-z0-9:]+)[\"']")

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Book:
    """An open workbook whose archive was checked; `read` its sheets by their titles."""

    source: str
    content: bytes
    has_formulas: bool
    book: Any

    @property
    def titles(self) -> list[str]:
        """Every sheet's name, hidden ones included."""
        return [each.title for each in self.book.worksheets]

    def filled(self) -> list[str]:
        """Return the names of the visible sheets with content.

        Raises RejectedError if there is none.
        """
        sheets = self.book.worksheets
        if len(sheets) > _MAX_SHEETS:
            reject(
                self.source, [f"{self.source}: it has {len(sheets)} sheets; name one with --sheet"]
            )
        found = [
            each.title
            for each in sheets
            if each.sheet_state == "visible" and _guarded(self.source, partial(_has_content, each))
        ]
        if not found:
            reject(self.source, [f"{self.source}: no visible sheet holds anything"])
        return found

    def find(self, sheet: str) -> str:
        """Return the title of the sheet that a name means; raises RejectedError."""
        titles = self.titles
        folded = [title for title in titles if title.casefold() == sheet.casefold()]
        found = sheet if sheet in titles else folded[0] if len(folded) == 1 else None
        if found is None:
            hint = did_you_mean(sheet, titles)
            reject(
                self.source,
                [
                    f"{self.source}: no sheet is called {quoted(sheet)}{hint or ';'} "
                    f"it has {listed(titles)}"
                ],
            )
        return found

    def read(self, title: str) -> Sheet:
        """Return the cells of a sheet that are not blank.

        Dates and truth values become text, a percentage the text that Excel shows; so they are
        refused where a number is wanted. Raises RejectedError.
        """
        chosen = next(each for each in self.book.worksheets if each.title == title)
        rows, numbers, valueless = _guarded(self.source, lambda: _cells(chosen, self.source))
        return Sheet(self.source, title, rows, numbers, frozenset(valueless))

    def merged(self, title: str) -> tuple[Area, ...]:
        """Return the merged cells of a sheet."""
        return _guarded(self.source, lambda: _merged(self.content, title))

    def refuse_uncomputed(self, sheet: Sheet, within: Sequence[Area] | None = None) -> None:
        """Refuse formulas that no program has computed: their cells only look blank.

        `within` are the areas of the sheet that matter; None for all of it.
        """
        valueless = {
            place
            for place in sheet.valueless
            if within is None or any(place in area for area in within)
        }
        if self.has_formulas and valueless and sheet.name is not None:
            _refuse_uncomputed(self.content, self.source, sheet.name, valueless)


@contextmanager
def opened(content: bytes, source: str) -> Iterator[Book]:
    """Check and open a workbook; raises RejectedError for what is damaged or would do harm."""
    has_formulas = check_archive(content, source)
    book = _guarded(source, lambda: _load(content, data_only=True))
    try:
        yield Book(source, content, has_formulas, book)
    finally:
        book.close()


def _guarded(source: str, read: Callable[[], T]) -> T:
    """Run a step of openpyxl; what it raises on a damaged file becomes a RejectedError."""
    try:
        with warnings.catch_warnings():
            # openpyxl warns of drop-down lists and the like that it does not carry over.
            warnings.simplefilter("ignore")
            return read()
    except LabloopError:
        raise
    except Exception as error:  # noqa: BLE001  openpyxl has no error of its own for damaged XML
        refuse_damaged(source, f"{type(error).__name__}: {error}")


def _load(content: bytes, *, data_only: bool) -> Any:
    import openpyxl

    return openpyxl.load_workbook(
        io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False
    )


def listed(titles: Iterable[str]) -> str:
    """Return sheets' names as a message lists them."""
    return ", ".join(quoted(title) for title in titles)


def _has_content(sheet: Any) -> bool:
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if any(value is not None for value in row):
            return True
        if number > _MAX_ROWS:
            return False
    return False


def _cells(sheet: Any, source: str) -> tuple[list[list[Cell]], list[int], set[tuple[int, int]]]:
    """Return rows, their numbers, and the (row, column) of cells without a value, from 1."""
    from openpyxl.cell.read_only import EmptyCell

    # The dimension that the file declares is wrong in exports of some instruments.
    sheet.reset_dimensions()
    percent: dict[int, bool] = {}
    rows: list[list[Cell]] = []
    numbers: list[int] = []
    valueless: set[tuple[int, int]] = set()
    seen = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        seen += len(cells)
        if number > _MAX_ROWS or seen > _MAX_CELLS:
            reject(source, [f"{source}: sheet {quoted(sheet.title)} has too many rows or cells"])
        plain: list[Cell] = []
        for column, cell in enumerate(cells, start=1):
            if isinstance(cell, EmptyCell) or cell.value is None:
                # An empty text is what a formula gave; no type at all: it was never computed.
                if not isinstance(cell, EmptyCell) and cell.data_type == "n":
                    valueless.add((number, column))
                plain.append("")
            else:
                plain.append(_plain(cell, percent))
        if any(cell != "" for cell in plain):
            rows.append(plain)
            numbers.append(number)
    return rows, numbers, valueless


def _merged(content: bytes, title: str) -> tuple[Area, ...]:
    """Return merged cells, which openpyxl reads only when it reads everything."""
    workbook = _load(content, data_only=True)
    try:
        path = next(each._worksheet_path for each in workbook.worksheets if each.title == title)
    finally:
        workbook.close()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        xml = archive.read(path)
    found = _MERGED.findall(xml)
    return tuple(parse_area(reference.decode("ascii", "replace"))[0] for reference in found)


def _plain(cell: Any, percent: dict[int, bool]) -> Cell:
    """Return a cell's value as a number or stripped text."""
    value = cell.value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        style = cell._style_id  # the public way builds a style object a cell
        if style not in percent:
            percent[style] = "%" in (cell.number_format or "")
        if percent[style]:
            return f"{value * 100:g}%"
        try:
            return float(value)
        except OverflowError:
            return str(value)[:50]
    if isinstance(value, datetime | date | time | timedelta):
        return str(value)
    return str(value).strip()


def _refuse_uncomputed(
    content: bytes, source: str, title: str, valueless: set[tuple[int, int]]
) -> None:
    """Refuse formulas that no program has computed: their cells only look blank."""
    workbook = _guarded(source, lambda: _load(content, data_only=False))
    try:
        sheet = workbook[title]
        sheet.reset_dimensions()
        problems = _guarded(source, lambda: _uncomputed(sheet, source, valueless))
    finally:
        workbook.close()
    if problems:
        reject(f"{source}, sheet {quoted(title)}", problems)


def _uncomputed(sheet: Any, source: str, valueless: set[tuple[int, int]]) -> list[str]:
    last = max(row for row, _ in valueless)
    problems = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if number > last:
            break
        problems += [
            f"{source}, sheet {quoted(sheet.title)}, cell {letters(column)}{number}: the formula "
            "has no computed value; open the workbook in Excel and save it, or paste values"
            for column, cell in enumerate(cells, start=1)
            if (number, column) in valueless and cell.data_type == "f"
        ]
    return problems
