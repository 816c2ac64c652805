"""Excel workbooks: checked before they are parsed, then read one sheet at a time.

A workbook is a zip of XML files. What unpacks to far more than it weighs, or declares a document
type (the door for entity bombs and external files), is refused before openpyxl sees it.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, NoReturn, TypeVar
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from labloop.errors import LabloopError, did_you_mean
from labloop.tables.numbers import quoted
from labloop.tables.table import letters, reject

MAX_UNPACKED: Final = 256 * 2**20
# Sheets of real plate readers unpack to 5-20 times their size; deflate reaches 1000.
_MAX_RATIO: Final = 100
_RATIO_MATTERS_ABOVE: Final = 10 * 2**20
_MAX_PARTS: Final = 10_000
_MAX_ROWS: Final = 1_048_576
_MAX_CELLS: Final = 20_000_000
_FORMULA: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?f[\s/>]")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

Cell = str | float
T = TypeVar("T")


def read_sheet(
    content: bytes, source: str, sheet: str | None
) -> tuple[list[list[Cell]], list[int], str]:
    """Return the rows of one sheet that are not blank, their numbers from 1, the sheet's name.

    Without `sheet` the workbook must have just one visible sheet with content. Dates and truth
    values become text, a percentage the text that Excel shows; so they are refused where a number
    is wanted. Raises RejectedError.
    """
    has_formulas = _check_archive(content, source)
    workbook = _guarded(source, lambda: _load(content, data_only=True))
    try:
        chosen = _choose(workbook, source, sheet)
        rows, numbers, uncomputed = _guarded(source, lambda: _cells(chosen, source))
    finally:
        workbook.close()
    if has_formulas and uncomputed:
        _refuse_uncomputed(content, source, chosen.title, uncomputed)
    return rows, numbers, chosen.title


def _refuse_damaged(source: str, why: object) -> NoReturn:
    reject(
        source,
        [
            f"{source}: the workbook is damaged ({quoted(str(why))}); "
            "open it in Excel and save it again"
        ],
    )


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
        _refuse_damaged(source, f"{type(error).__name__}: {error}")


def _check_archive(content: bytes, source: str) -> bool:
    """Refuse bombs, encryption and document types; return whether any sheet holds formulas."""
    has_formulas = False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            _check_sizes(parts, len(content), source)
            for part in parts:
                with archive.open(part) as stream:
                    unpacked = stream.read()
                if unpacked.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
                    _check_prolog(unpacked, part.filename, source)
                    has_formulas = has_formulas or _FORMULA.search(unpacked) is not None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        _refuse_damaged(source, error)
    return has_formulas


def _check_sizes(parts: list[zipfile.ZipInfo], weight: int, source: str) -> None:
    """Refuse a workbook by what its directory says that it would unpack to."""
    unpacked = sum(part.file_size for part in parts)
    ratio = unpacked / max(weight, 1)
    if (
        unpacked > MAX_UNPACKED
        or len(parts) > _MAX_PARTS
        or (unpacked > _RATIO_MATTERS_ABOVE and ratio > _MAX_RATIO)
    ):
        reject(
            source,
            [
                f"{source}: the workbook would unpack to {unpacked / 2**20:,.0f} MB; "
                "that is no table of measurements; save the sheet as CSV"
            ],
        )
    if any(part.flag_bits & 1 or part.compress_type not in _METHODS for part in parts):
        reject(source, [f"{source}: the workbook is encrypted; save it without a password"])


def _check_prolog(xml: bytes, part: str, source: str) -> None:
    """Refuse a document type, which stands before the first element."""
    try:
        next(iter(iterparse(io.BytesIO(xml), events=("start",), forbid_dtd=True)), None)
    except DefusedXmlException:
        reject(
            source,
            [
                f"{source}: its part {quoted(part)} declares an XML document type, "
                "which no spreadsheet program writes; export the sheet again"
            ],
        )
    except (ParseError, ValueError, LookupError) as error:
        _refuse_damaged(source, f"{part}: {error}")


def _load(content: bytes, *, data_only: bool) -> Any:
    import openpyxl

    return openpyxl.load_workbook(
        io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False
    )


def _choose(workbook: Any, source: str, sheet: str | None) -> Any:
    """Return the sheet of that name, or the only visible one with content."""
    sheets = {each.title: each for each in workbook.worksheets}
    if sheet is not None:
        folded = [title for title in sheets if title.casefold() == sheet.casefold()]
        title = sheet if sheet in sheets else folded[0] if len(folded) == 1 else None
        if title is None:
            hint = did_you_mean(sheet, sheets)
            reject(
                source,
                [
                    f"{source}: no sheet is called {quoted(sheet)}{hint or ';'} "
                    f"it has {_listed(sheets)}"
                ],
            )
        return sheets[title]
    filled = [
        title
        for title, each in sheets.items()
        if each.sheet_state == "visible" and _guarded(source, partial(_has_content, each))
    ]
    if not filled:
        reject(source, [f"{source}: no visible sheet holds anything"])
    if len(filled) > 1:
        reject(
            source,
            [
                f"{source}: {len(filled)} sheets have content; name one with --sheet: "
                f"{_listed(filled)}"
            ],
        )
    return sheets[filled[0]]


def _listed(titles: Any) -> str:
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
