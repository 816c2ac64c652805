"""A file or frame as a `Table`: header found, cells stripped, every cell traceable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

from labloop.tables import declared, frames, text, workbook
from labloop.tables.asked import Asked
from labloop.tables.cells import Sheet
from labloop.tables.declared import plates_of_book
from labloop.tables.grids import from_grids, may_hold_grid
from labloop.tables.numbers import NumberError, NumberStyle, is_number, number_style, quoted
from labloop.tables.plates import as_table
from labloop.tables.table import Table, reject
from labloop.tables.tidy import check_count, checked, from_rows, of_plate, with_comma

if TYPE_CHECKING:
    import pandas as pd

    from labloop.definition.models import Instrument

__all__ = ["Table", "read_table"]

MAX_BYTES: Final = 256 * 2**20
_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WORKBOOK_ENDINGS: Final = frozenset({".xlsx", ".xlsm"})


def read_table(
    source: str | Path | pd.DataFrame,
    *,
    names: Sequence[str] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    instrument: Instrument | None = None,
    plate: str | None = None,
) -> Table:
    """Return what a CSV file, a workbook, or a frame holds.

    `names` says that there is no header row and what the columns are, in their order. `decimal` is
    the decimal mark, "," or "."; without it a comma is one only where cells are separated by
    semicolons or tabs and no cell can be read two ways. `encoding` is that of a CSV file that is
    not UTF-8. `instrument` says where the values stand; without it plates of letters and numbers
    are found, and all else is a table with one header row. `plate` is the plate that all of it is
    of. Raises RejectedError.
    """
    if _is_frame(source):
        if instrument is not None:
            reject(frames.SOURCE, [f"{frames.SOURCE}: it is read as it is; leave out instrument"])
        return of_plate(_read_frame(source, names, _style(frames.SOURCE, decimal)), plate)
    path = Path(str(source))
    return read_bytes(
        _content(path),
        path.name,
        names=names,
        sheet=sheet,
        encoding=encoding,
        decimal=decimal,
        instrument=instrument,
        plate=plate,
    )


def read_bytes(
    content: bytes,
    source: str,
    *,
    names: Sequence[str] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    instrument: Instrument | None = None,
    plate: str | None = None,
) -> Table:
    """Return what the bytes of a file called `source` hold; see `read_table`.

    Whether it is a workbook is seen from the content. Raises RejectedError.
    """
    if instrument is not None:
        if names is not None:
            reject(source, [f"{source}: an instrument says where what is; leave out --no-header"])
        encoding = encoding or instrument.encoding
    style = _style(source, decimal)
    if instrument is not None:
        if decimal is None and instrument.decimal is not None:
            said_in = f"[[instrument]] {quoted(instrument.name)} in campaign.toml"
            style = replace(_style(source, instrument.decimal), said_in=said_in)
        style = replace(style, words=dict(instrument.words))
    asked = Asked(source, content, style, names, sheet, instrument, plate)
    if content.startswith(_OLD_EXCEL):
        reject(source, [f"{source}: an old or password-protected Excel file; save it as .xlsx"])
    if content.startswith(_ZIP):
        with workbook.opened(content, source) as book:
            return _read_book(book, asked)
    if Path(source).suffix.casefold() in _WORKBOOK_ENDINGS:
        reject(source, [f"{source}: it is no Excel workbook; if it is CSV, name it .csv"])
    if sheet is not None:
        reject(source, [f"{source}: a CSV file has no sheets; leave out --sheet"])
    return _read_text(text.decode(content, source, encoding), asked)


def _read_text(content: str, asked: Asked) -> Table:
    """Return what a CSV text holds: blocks as declared, plates, or one table."""
    if asked.instrument is not None:
        return declared.read_text(content, asked)
    if asked.names is None and may_hold_grid(content):
        for separator, (rows, numbers) in text.split_loosely(content).items():
            found = from_grids([Sheet(asked.source, None, rows, numbers)], plate=asked.plate)
            if found is not None:
                table = as_table(
                    found[0],
                    digest=asked.digest(),
                    style=asked.style,
                    unused=found[1],
                    sheet=None,
                )
                return with_comma(table, separator)
    rows, numbers, separator = text.parse_rows(content, asked.source)
    table = from_rows(rows, numbers, asked.names, asked.source, asked.digest(), asked.style, None)
    return of_plate(with_comma(table, separator), asked.plate)


def _read_book(book: workbook.Book, asked: Asked) -> Table:
    """Return what a workbook holds: blocks as declared, plates, or the one sheet's table."""
    if asked.instrument is not None:
        return declared.read_book(book, asked)
    titles = book.filled() if asked.sheet is None else [book.find(asked.sheet)]
    sheets = [book.read(title) for title in titles]
    if asked.names is None and any(sheet.rows for sheet in sheets):
        found = from_grids(sheets, plate=asked.plate)
        if found is not None:
            parts, unused = found
            return plates_of_book(book, parts, unused, asked)
    if len(titles) > 1:
        reject(
            asked.source,
            [
                f"{asked.source}: {len(titles)} sheets have content; name one with --sheet: "
                f"{workbook.listed(titles)}"
            ],
        )
    [sheet] = sheets
    book.refuse_uncomputed(sheet)
    digest = asked.digest(titles)
    table = from_rows(
        sheet.rows, list(sheet.numbers), asked.names, asked.source, digest, asked.style, titles[0]
    )
    return of_plate(table, asked.plate)


def _is_frame(source: object) -> TypeGuard[pd.DataFrame]:
    """Tell a frame from a path without importing pandas."""
    return hasattr(source, "iloc") and hasattr(source, "columns")


def _style(source: str, decimal: str | None) -> NumberStyle:
    try:
        return number_style(decimal)
    except NumberError as error:
        reject(source, [str(error)])


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            reject(path.name, [f"{path}: {size / 2**20:,.0f} MB is too much for a table"])
        return path.read_bytes()
    except FileNotFoundError:
        reject(path.name, [f"{path}: there is no such file"])
    except OSError as error:
        reject(path.name, [f"{path}: it cannot be read ({error.strerror})"])
    except ValueError:
        reject(path.name, [f"{quoted(str(path))} is no file name"])


def _read_frame(frame: pd.DataFrame, names: Sequence[str] | None, style: NumberStyle) -> Table:
    found, columns, labels = frames.frame_columns(frame)
    if names is not None:
        check_count(frames.SOURCE, len(columns), names)
    elif found and all(is_number(name, style) for name in found):
        reject(frames.SOURCE, [f"{frames.SOURCE}: its columns have numbers for names; name them"])
    digest = frames.fingerprint(found, columns)
    return checked(
        Table(
            source=frames.SOURCE,
            names=tuple(found if names is None else names),
            columns=tuple(columns),
            positions=tuple(range(1, len(columns) + 1)),
            rows=labels,
            sha256=digest,
            style=style,
            is_frame=True,
        )
    )
