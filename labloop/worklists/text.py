"""CSV as bytes: UTF-8, line feeds, clean numbers, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from labloop.definition.checks.naming import CALCULATIONS
from labloop.errors import RefusedError


def number(value: float) -> str:
    """Return a number as people write it, to ten digits; an empty cell for NaN."""
    return "" if math.isnan(value) else f"{value:.10g}"


def volume_text(ticks: int, increment_ul: float, per_ul: int = 1) -> str:
    """Return the exact volume of whole ticks: in µL, or in nL with 1000 `per_ul`; no exponent."""
    text = f"{Decimal(str(increment_ul)) * int(ticks) * per_ul:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cell(value: Any) -> str:
    """Return one cell of a sheet for people: numbers clean, None and NaN empty.

    Text that a spreadsheet would take for a calculation gets an apostrophe before it.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(CALCULATIONS) else value
    if isinstance(value, (int, np.integer)):
        return str(value)
    return number(float(value))


def sheet(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return a CSV sheet for people; text is escaped by `cell`.

    Spreadsheets read UTF-8 only behind a byte order mark, so there is one where a name needs it.
    """
    return encoded(_written(itertools.chain([header], rows)))


def lines(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the lines of a sheet, without their ends; no name of labloop's holds a line end."""
    return _written(rows).split("\n")[:-1]


def encoded(text: str) -> bytes:
    """Return the bytes of a sheet's text, with the byte order mark that spreadsheets want."""
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


def _written(rows: Iterable[Sequence[Any]]) -> str:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows([cell(value) for value in row] for row in rows)
    return written.getvalue()


def refuse_calculations(names: Iterable[str]) -> None:
    """Raise RefusedError for a name that a spreadsheet would run; worklists never alter names."""
    for name in names:
        if name.startswith(CALCULATIONS):
            raise RefusedError(
                f'The name "{name}" begins with {name[0]!r}, which spreadsheets take for a '
                "calculation; rename it in campaign.toml."
            )
