"""A file or frame as a `Table`: header found, cells stripped, every cell traceable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

import numpy as np

from labloop.tables import frames, text, workbook
from labloop.tables.numbers import (
    Column,
    NumberError,
    NumberStyle,
    has_decimal_comma,
    is_number,
    number_style,
    quoted,
)
from labloop.tables.table import Table, letters, reject

if TYPE_CHECKING:
    import pandas as pd

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
) -> Table:
    """Return what a CSV file, a sheet of a workbook, or a frame holds.

    `names` says that there is no header row and what the columns are, in their order. `decimal` is
    the decimal mark, "," or "."; without it a comma is one only where cells are separated by
    semicolons or tabs and no cell can be read two ways. `encoding` is that of a CSV file that is
    not UTF-8. Raises RejectedError.
    """
    if _is_frame(source):
        return _read_frame(source, names, _style(frames.SOURCE, decimal))
    path = Path(str(source))
    return read_bytes(
        _content(path),
        path.name,
        names=names,
        sheet=sheet,
        encoding=encoding,
        decimal=decimal,
    )


def read_bytes(
    content: bytes,
    source: str,
    *,
    names: Sequence[str] | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
) -> Table:
    """Return what the bytes of a file called `source` hold; see `read_table`.

    Whether it is a workbook is seen from the content. Raises RejectedError.
    """
    style = _style(source, decimal)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(_OLD_EXCEL):
        reject(source, [f"{source}: an old or password-protected Excel file; save it as .xlsx"])
    if content.startswith(_ZIP):
        cells, numbers, title = workbook.read_sheet(content, source, sheet)
        digest = hashlib.sha256(content + title.encode()).hexdigest()  # each sheet is a table
        return _from_rows(cells, numbers, names, source, digest, style, title)
    if Path(source).suffix.casefold() in _WORKBOOK_ENDINGS:
        reject(source, [f"{source}: it is no Excel workbook; if it is CSV, name it .csv"])
    if sheet is not None:
        reject(source, [f"{source}: a CSV file has no sheets; leave out --sheet"])
    rows, numbers, separator = text.parse_rows(text.decode(content, source, encoding), source)
    table = _from_rows(rows, numbers, names, source, digest, style, None)
    if not style.stated and separator != "," and any(map(has_decimal_comma, table.columns)):
        return _with_style(table, NumberStyle(","))
    return table


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


def _with_style(table: Table, style: NumberStyle) -> Table:
    return replace(table, style=style)
