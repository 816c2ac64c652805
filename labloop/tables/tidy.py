"""Rows with a header to a `Table`: names found, cells traceable, nothing dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labloop.tables.cells import count
from labloop.tables.numbers import Column, NumberStyle, has_decimal_comma, is_number, quoted
from labloop.tables.table import Table, letters, reject

_OF_A_PLATE = 6  # the columns of the smallest plate


def from_rows(
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
                    f"should be; {_remedy(numeric)}"
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
    columns = as_columns(rows, width)
    kept = [at for at in range(width) if header[at] != "" or any(c != "" for c in columns[at])]
    if names is not None:
        check_count(title, len(kept), names)
    return checked(
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


def of_plate(table: Table, plate: str | None) -> Table:
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


def with_comma(table: Table, separator: str) -> Table:
    """Return the table with decimal commas where nobody stated the mark and nothing else fits."""
    if not table.style.stated and separator != "," and any(map(has_decimal_comma, table.columns)):
        return replace(table, style=replace(table.style, mark=","))
    return table


def check_count(title: str, count: int, names: Sequence[str]) -> None:
    """Reject a table without header that has not as many columns as there are names."""
    if count != len(names):
        reject(
            title,
            [
                f"{title}: it has {count} columns, and without a header {len(names)} are expected: "
                f"{', '.join(names)}"
            ],
        )


def checked(table: Table) -> Table:
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


def as_columns(rows: Sequence[Sequence[str | float]], width: int) -> list[Column]:
    """Return the columns of rows of cells; rows that are too short are blank at their end."""
    grid = np.full((width, len(rows)), "", dtype=object)
    if all(len(row) == width for row in rows):
        if rows:
            grid[:] = np.array(rows, dtype=object).T
    else:
        for at, row in enumerate(rows):
            grid[: len(row), at] = row
    return list(grid)


def _name(cell: str | float) -> str:
    """Return a header cell as a name, on one line."""
    return " ".join((cell if isinstance(cell, str) else f"{cell:g}").split())


def _remedy(numeric: Sequence[str | float]) -> str:
    """Say what to do with a header of numbers."""
    if len(numeric) >= _OF_A_PLATE and [count(cell) for cell in numeric] == list(
        range(1, len(numeric) + 1)
    ):
        return (
            "of a plate the letters A, B … stand below one another in the column before the "
            "numbers, from the next row on; if it is a table without header row, say so with "
            "--no-header"
        )
    return "if there is no header row, say so with --no-header"
