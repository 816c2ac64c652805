"""A file or frame as a `Table`: header found, cells stripped, every cell traceable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

import numpy as np

from labloop.errors import RejectedError
from labloop.tables import frames, text, workbook
from labloop.tables.cells import Area, Sheet
from labloop.tables.grids import from_grids, may_hold_grid
from labloop.tables.instruments import Place, read_blocks, read_table_block
from labloop.tables.numbers import (
    Column,
    NumberError,
    NumberStyle,
    has_decimal_comma,
    is_number,
    number_style,
    quoted,
)
from labloop.tables.plates import Part, as_table
from labloop.tables.table import Table, letters, reject

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
        return _of_plate(_read_frame(source, names, _style(frames.SOURCE, decimal)), plate)
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
        encoding, decimal = encoding or instrument.encoding, decimal or instrument.decimal
    style = _style(source, decimal)
    if instrument is not None:
        style = replace(style, words=dict(instrument.words))
    asked = _Asked(source, hashlib.sha256(content), style, names, sheet, instrument, plate)
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


@dataclass(frozen=True)
class _Asked:
    """A file and what was said of it; see `read_table`."""

    source: str
    hash: hashlib._Hash
    style: NumberStyle
    names: Sequence[str] | None
    sheet: str | None
    instrument: Instrument | None
    plate: str | None

    def digest(self, sheets: Iterable[str] = ()) -> str:
        """Return the SHA-256 of the content, with the sheets read: each is a table of its own."""
        whole = self.hash.copy()
        whole.update("\0".join(sheets).encode())
        return whole.hexdigest()


def _read_text(content: str, asked: _Asked) -> Table:
    """Return what a CSV text holds: blocks as declared, plates, or one table."""
    if asked.instrument is not None:
        return _declared_text(content, asked)
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
                return _comma_read(table, separator)
    rows, numbers, separator = text.parse_rows(content, asked.source)
    table = _from_rows(rows, numbers, asked.names, asked.source, asked.digest(), asked.style, None)
    return _of_plate(_comma_read(table, separator), asked.plate)


def _comma_read(table: Table, separator: str) -> Table:
    """Return the table with decimal commas where nobody stated the mark and nothing else fits."""
    if not table.style.stated and separator != "," and any(map(has_decimal_comma, table.columns)):
        return replace(table, style=replace(table.style, mark=","))
    return table


def _read_book(book: workbook.Book, asked: _Asked) -> Table:
    """Return what a workbook holds: blocks as declared, plates, or the one sheet's table."""
    if asked.instrument is not None:
        return _declared_book(book, asked)
    titles = book.filled() if asked.sheet is None else [book.find(asked.sheet)]
    sheets = [book.read(title) for title in titles]
    if asked.names is None and any(sheet.rows for sheet in sheets):
        found = from_grids(sheets, plate=asked.plate)
        if found is not None:
            parts, unused = found
            return _plates_of_book(book, parts, unused, asked)
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
    table = _from_rows(
        sheet.rows, list(sheet.numbers), asked.names, asked.source, digest, asked.style, titles[0]
    )
    return _of_plate(table, asked.plate)


def _plates_of_book(
    book: workbook.Book, parts: Sequence[Part], unused: Sequence[str], asked: _Asked
) -> Table:
    sheets = list(dict.fromkeys(part.sheet for part in parts))
    for sheet in sheets:
        book.refuse_uncomputed(sheet, [part.area for part in parts if part.sheet is sheet])
    names = [sheet.name for sheet in sheets if sheet.name is not None]
    return as_table(
        parts,
        digest=asked.digest(names),
        style=asked.style,
        unused=unused,
        sheet=names[0] if len(names) == 1 else None,
    )


def _declared_book(book: workbook.Book, asked: _Asked) -> Table:
    """Return what the blocks of an instrument hold in a workbook."""
    assert asked.instrument is not None
    if asked.sheet is not None and all(block.sheet for block in asked.instrument.blocks):
        reject(
            asked.source,
            [
                f"{asked.source}: instrument {quoted(asked.instrument.name)} says which sheets it "
                "is read from; leave out --sheet"
            ],
        )
    read: dict[str, Sheet] = {}

    def sheet_of(name: str | None, place: Place) -> Sheet:
        wanted = asked.sheet if name is None else name
        title = _only_sheet(book, place) if wanted is None else book.find(wanted)
        if title not in read:
            read[title] = book.read(title)
        return read[title]

    def merged(sheet: Sheet) -> tuple[Area, ...]:
        return book.merged(sheet.name) if sheet.name is not None else ()

    table = read_table_block(asked.instrument, sheet_of, merged)
    if table is not None:
        sheet, area, header = table
        book.refuse_uncomputed(sheet, [area])
        return _of_block(sheet, area, header, asked.digest(read), asked)
    parts, unused = read_blocks(asked.instrument, sheet_of, merged, asked.plate, asked.source)
    others = [title for title in book.titles if title not in read]
    if others:
        plural = "sheet" if len(others) == 1 else "sheets"
        unused = [*unused, f"{plural} {workbook.listed(others)}"]
    return _plates_of_book(book, parts, unused, asked)


def _only_sheet(book: workbook.Book, place: Place) -> str:
    titles = book.filled()
    if len(titles) > 1:
        reject(
            book.source,
            [
                f"{book.source}: {len(titles)} sheets have content ({workbook.listed(titles)}), "
                f"and {place} in campaign.toml names none; name one there, or with --sheet"
            ],
        )
    return titles[0]


def _declared_text(content: str, asked: _Asked) -> Table:
    """Return what the blocks of an instrument hold in a CSV file.

    The separator is the first under which all blocks fit; without one the file is refused for what
    the separator that splits it most leaves unfit.
    """
    assert asked.instrument is not None
    splits = text.split_loosely(content) or {",": text.parse_rows(content, asked.source)[:2]}
    failures: list[tuple[int, RejectedError]] = []
    for separator, (rows, numbers) in splits.items():
        sheet = Sheet(asked.source, None, rows, numbers)
        try:
            return _comma_read(_declared_rows(sheet, asked.instrument, asked), separator)
        except RejectedError as error:
            failures.append((sum(map(len, rows)), error))
    raise max(failures, key=lambda failure: failure[0])[1]


def _declared_rows(sheet: Sheet, instrument: Instrument, asked: _Asked) -> Table:
    def sheet_of(name: str | None, place: Place) -> Sheet:
        if name is not None:
            reject(
                sheet.source,
                [
                    f"{sheet.source}: a CSV file has no sheets, and {place} in campaign.toml names "
                    f"{quoted(name)}; give it the workbook"
                ],
            )
        return sheet

    table = read_table_block(instrument, sheet_of, lambda _: ())
    if table is not None:
        return _of_block(*table, asked.digest(), asked)
    parts, unused = read_blocks(instrument, sheet_of, lambda _: (), asked.plate, asked.source)
    return as_table(parts, digest=asked.digest(), style=asked.style, unused=unused, sheet=None)


def _of_block(sheet: Sheet, area: Area, header: Sequence[str], digest: str, asked: _Asked) -> Table:
    """Return the table of an instrument that has nothing but a table."""
    numbers = [number for number in sheet.numbers if area.top <= number <= area.bottom]
    columns = range(area.left, area.right + 1)
    rows = [[sheet.at(number, column) for column in columns] for number in numbers]
    filled = [at for at, row in enumerate(rows) if any(cell != "" for cell in row)]
    cells = _columns([rows[at] for at in filled], len(columns))
    kept = [at for at in range(len(columns)) if header[at] or any(cell != "" for cell in cells[at])]
    table = _checked(
        Table(
            source=sheet.source,
            names=tuple(header[at] for at in kept),
            columns=tuple(cells[at] for at in kept),
            positions=tuple(area.left + at for at in kept),
            rows=np.array([numbers[at] for at in filled], dtype=np.int64),
            sha256=digest,
            sheet=sheet.name,
            style=asked.style,
            is_plate="well" in map(str.casefold, header),
        )
    )
    return _of_plate(table, asked.plate)


def _of_plate(table: Table, plate: str | None) -> Table:
    """Return the table with a column `plate`, where it was said which plate all of it is of."""
    if plate is None:
        return table
    if any(name.casefold() == "plate" for name in table.names):
        table.reject([f'{table.title}: it has a column "plate"; leave out --plate'])
    column = np.full(len(table), plate, dtype=object)
    return replace(
        table,
        names=(*table.names, "plate"),
        columns=(*table.columns, column),
        positions=(*table.positions, 0),
    )


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
        _check_count(frames.SOURCE, len(columns), names)
    elif found and all(is_number(name, style) for name in found):
        reject(frames.SOURCE, [f"{frames.SOURCE}: its columns have numbers for names; name them"])
    digest = frames.fingerprint(found, columns)
    return _checked(
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


def _from_rows(
    rows: Sequence[Sequence[str | float]],
    numbers: list[int],
    names: Sequence[str] | None,
    source: str,
    digest: str,
    style: NumberStyle,
    sheet: str | None,
) -> Table:
    """Make a table of rows of cells; rows may be ragged at the end."""
    title = source if sheet is None else f"{source}, sheet {quoted(sheet)}"
    if not rows:
        reject(title, [f"{title}: it is empty"])
    width = max(map(len, rows))
    header = list(rows[0]) + [""] * (width - len(rows[0]))
    numeric = [cell for cell in header if is_number(cell, style)]
    filled = [cell for cell in header if cell != ""]
    if names is None:
        if 2 * len(numeric) > len(filled):
            reject(
                title,
                [
                    f"{title}, row {numbers[0]}: it holds numbers where the names of the columns "
                    "should be; if there is no header row, say so with --no-header"
                ],
            )
        rows, numbers = rows[1:], numbers[1:]
    elif not numeric:
        reject(
            title,
            [
                f"{title}, row {numbers[0]}: it holds no number and seems to be a header; "
                "leave out --no-header"
            ],
        )
    columns = _columns(rows, width)
    kept = [at for at in range(width) if header[at] != "" or any(c != "" for c in columns[at])]
    if names is not None:
        _check_count(title, len(kept), names)
    return _checked(
        Table(
            source=source,
            names=tuple(_name(header[at]) for at in kept) if names is None else tuple(names),
            columns=tuple(columns[at] for at in kept),
            positions=tuple(at + 1 for at in kept),
            rows=np.array(numbers, dtype=np.int64),
            sha256=digest,
            sheet=sheet,
            style=style,
        )
    )


def _name(cell: str | float) -> str:
    """Return a header cell as a name, on one line."""
    return " ".join((cell if isinstance(cell, str) else f"{cell:g}").split())


def _columns(rows: Sequence[Sequence[str | float]], width: int) -> list[Column]:
    grid = np.full((width, len(rows)), "", dtype=object)
    if all(len(row) == width for row in rows):
        if rows:
            grid[:] = np.array(rows, dtype=object).T
    else:
        for at, row in enumerate(rows):
            grid[: len(row), at] = row
    return list(grid)


def _check_count(title: str, count: int, names: Sequence[str]) -> None:
    if count != len(names):
        reject(
            title,
            [
                f"{title}: it has {count} columns, and without a header {len(names)} are expected: "
                f"{', '.join(names)}"
            ],
        )


def _checked(table: Table) -> Table:
    """Return the table unless it has no rows, or two columns of one name."""
    if not len(table):
        table.reject([f"{table.title}: it has a header and no rows"])
    first: dict[str, int] = {}
    problems = []
    for at, name in enumerate(table.names):
        if name and name in first:
            where = table.positions[first[name]], table.positions[at]
            spots = map(letters, where) if table.sheet is not None else map(str, where)
            problems.append(
                f"{table.title}: columns {' and '.join(spots)} are both called {quoted(name)}; "
                "rename or remove one"
            )
        first.setdefault(name, at)
    if problems:
        table.reject(problems)
    return table
