"""Strict numbers: what is not certainly a number, or a known word of an instrument, is refused.

Python's `float` takes `1_000`, full-width digits, `nan` and `inf`; a lab file that holds one of
them holds a mistake. A comma is a decimal mark in half of the world and groups thousands in the
other half, so it needs to be declared unless only one reading is possible.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from labloop.errors import LabloopError

Column: TypeAlias = npt.NDArray[Any]
"""Cells of one column: float64 with NaN for blank, or object with str (stripped) and float."""

Status = Literal["ok", "below_range", "above_range", "missing"]


class NumberError(LabloopError):
    """A text is no number; the message says what it is, the caller says where."""


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written: the decimal mark, and whether a person stated it.

    Only with a stated mark may the other mark group thousands (1,234.5 or 1.234,5). `words` are
    texts (or numbers, such as -999) that an instrument writes for values that it has not, each with
    the status that it means; they come before the words that are known. `said_in` names where the
    mark was stated, if not with --decimal.
    """

    mark: Literal[".", ","] = "."
    stated: bool = False
    words: Mapping[str, Status] = field(default_factory=dict, hash=False)
    said_in: str = ""


@dataclass(frozen=True)
class Reading:
    """One measured value: NaN unless `status` is ok; `limit` of the range where one was given."""

    value: float
    status: Status
    limit: float = math.nan


@dataclass(frozen=True, eq=False)
class Readings:
    """What was `measured` (NaN unless ok), its `statuses`, and `limits` (NaN if none was given).

    The three arrays have the same shape: rows, or rows × responses.
    """

    measured: npt.NDArray[np.float64]
    statuses: npt.NDArray[np.str_]
    limits: npt.NDArray[np.float64]


_NUMBER: Final = {
    ".": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    ",": re.compile(r"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?"),
}
_GROUPED: Final = {
    ".": re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?"),
    ",": re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?"),
}
# One comma, three digits after it, one to three before it: 1.234 or 1234, nobody can tell.
_EITHER: Final = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_EITHER_LINE: Final = re.compile(rf"^{_EITHER.pattern}$", re.MULTILINE)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_NUMBER_SHAPED: Final = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?")
_PLAIN_CHARACTERS: Final = frozenset("0123456789.eE+-\n")

# "Masked" is a well that somebody left out in SoftMax Pro (Molecular Devices).
_MISSING: Final = frozenset({"", "#n/a", "na", "n/a", "masked"})
_BELOW: Final = frozenset({"<lod", "<loq", "<llod", "<lloq", "bloq", "blq", "bdl"})
# OVRFLW is Gen5's (BioTek, Agilent). OVER is Tecan's: the detector was oversaturated, or the
# absorbance above its limit (Tecan's knowledge portal, "What does an overflow or an OVER result
# mean?"). #SAT is SoftMax Pro's: the photomultiplier was saturated. Its #Low is not here, since a
# flash that the reader missed is no low value.
_ABOVE: Final = frozenset({">uloq", ">loq", "ovrflw", "overflow", "over", "#sat"})
# Bio-Rad's readers print asterisks for absorbances beyond either end and for concentrations that
# the curve does not give (manual of the Model 550, page 15); Gen5 has asterisks and question marks
# for several causes. What stands for several things is no status.
_MARKS: Final = re.compile(r"-?[*?#<>.]*[*?][*?#<>.]*|-?#{3,}|>{2,}|<{2,}")


def quoted(text: str) -> str:
    """Return `text` in quotes for a message: shortened, control characters made visible."""
    shown = text if len(text) <= 40 else text[:39] + "…"
    return '"' + "".join(c if c.isprintable() else "�" for c in shown) + '"'


def number_style(decimal: str | None) -> NumberStyle:
    """Return the style for the user's `--decimal` (None: not stated).

    Raises NumberError for anything but a point or a comma.
    """
    if decimal is None:
        return NumberStyle()
    if decimal == ".":
        return NumberStyle(".", stated=True)
    if decimal == ",":
        return NumberStyle(",", stated=True)
    raise NumberError(f"decimal must be a point or a comma (got {quoted(decimal)})")


def parse_number(text: str, decimal: str | None = None) -> float:
    """Return the finite number that `text` certainly is.

    `decimal` is "." or ",", or None when nobody stated it: then a point is the decimal mark and a
    comma is refused. Raises NumberError.
    """
    return number_in_style(text.strip(), number_style(decimal))


def number_in_style(text: str, style: NumberStyle) -> float:
    """Return the finite number that the stripped `text` is in `style`; raises NumberError."""
    if _NUMBER[style.mark].fullmatch(text):
        if style.mark == "," and not style.stated and _EITHER.fullmatch(text):
            raise NumberError(_why_no_number(text, style))
        value = float(text.replace(",", "."))
    elif style.stated and _GROUPED[style.mark].fullmatch(text):
        value = float(text.replace("." if style.mark == "," else ",", "").replace(",", "."))
    else:
        raise NumberError(_why_no_number(text, style))
    if not math.isfinite(value):
        raise NumberError(f"{quoted(text)} is too large")
    return value


def _why_no_number(text: str, style: NumberStyle) -> str:
    """Say why `text` is refused and what to do."""
    if not text:
        return "the cell is blank"
    if _EITHER.fullmatch(text) and not style.stated:
        whole, _, fraction = text.partition(",")
        return (
            f"{quoted(text)} can be {whole}.{fraction} or {whole}{fraction}; "
            "say which with --decimal , or --decimal ."
        )
    other = "," if style.mark == "." else "."
    if _NUMBER_SHAPED.fullmatch(text) and other in text:
        if style.stated:
            stated = f"--decimal {style.mark}"
            if style.said_in:
                stated = f'decimal = "{style.mark}" of {style.said_in}; --decimal goes before it'
            return f"{quoted(text)} does not fit {stated}"
        if style.mark == ",":
            return (
                f"{quoted(text)} has a point where other cells have a decimal comma; "
                "say what the decimal mark is with --decimal , or --decimal ."
            )
        return f"{quoted(text)} has a comma; say what the decimal mark is with --decimal , or ."
    if text.endswith("%"):
        return f"{quoted(text)} has a percent sign; write the number alone, in the column's unit"
    return f"{quoted(text)} is not a number"


def reading_in_style(text: str, style: NumberStyle) -> Reading:
    """Return what a cell of a response says: a number, or a known word for its absence.

    Blank, `#N/A` and `NA` are missing; `<LOD`, `<0.5` are below the range; `>4.0`, `OVRFLW`,
    `OVER` are above it; the words of the style come first. Raises NumberError for any other text.
    """
    folded = _folded(text)
    if style.words:
        status = _words(style).get(folded)
        if status is not None:
            return Reading(math.nan, status)
    if folded in _MISSING:
        return Reading(math.nan, "missing")
    if folded in _BELOW:
        return Reading(math.nan, "below_range")
    if folded in _ABOVE:
        return Reading(math.nan, "above_range")
    if _MARKS.fullmatch(text):
        raise NumberError(
            f"{quoted(text)} stands for more than one thing; say what it means here with words of "
            "an [[instrument]] in campaign.toml"
        )
    if text[0] in "<>":
        limit = number_in_style(text[1:].strip(), style)
        return Reading(math.nan, "below_range" if text[0] == "<" else "above_range", limit)
    return Reading(number_in_style(text, style), "ok")


def _folded(text: str) -> str:
    return text.casefold().replace(" ", "")


def _words(style: NumberStyle) -> dict[str, Status]:
    """Return the words of a style without regard to case and spaces."""
    return {_folded(word): status for word, status in style.words.items()}


def _sentinels(style: NumberStyle) -> dict[float, Status]:
    """Return the words of a style that are numbers, such as -999."""
    found: dict[float, Status] = {}
    for word, status in style.words.items():
        try:
            found[number_in_style(word.strip(), NumberStyle(style.mark, style.stated))] = status
        except NumberError:
            continue
    return found


def has_decimal_comma(column: Column) -> bool:
    """Return whether any text of the column is shaped like a number with a decimal comma."""
    texts = [cell for cell in column if isinstance(cell, str) and "," in cell]
    return any(_DECIMAL_COMMA.fullmatch(text) for text in texts)


def is_number(cell: object, style: NumberStyle) -> bool:
    """Return whether a cell holds a number in this style."""
    if not isinstance(cell, str):
        return True
    try:
        number_in_style(cell, style)
    except NumberError:
        return False
    return True


def parse_numbers(
    column: Column, style: NumberStyle
) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Return the column's numbers, and what is wrong with which row.

    Rows with a problem (blank ones among them) hold NaN.
    """
    plain = _plain_numbers(column, style)
    if plain is not None:
        blank = np.flatnonzero(np.isnan(plain))
        infinite = np.flatnonzero(np.isinf(plain))
        problems = {int(row): "the cell is blank" for row in blank}
        problems |= {int(row): "an infinite number" for row in infinite}
        return np.where(np.isfinite(plain), plain, np.nan), problems
    values = np.full(len(column), np.nan)
    problems = {}
    for row, cell in enumerate(column):
        try:
            values[row] = number_in_style(cell, style) if isinstance(cell, str) else _finite(cell)
        except NumberError as error:
            problems[row] = str(error)
    return values, problems


def parse_readings(column: Column, style: NumberStyle) -> tuple[Readings, dict[int, str]]:
    """Return the column's measured values with statuses, and what is wrong with which row."""
    plain = None if style.words else _plain_numbers(column, style)
    if plain is not None and not np.isinf(plain).any():
        statuses = np.where(np.isnan(plain), "missing", "ok").astype("U11")
        return Readings(plain, statuses, np.full(len(column), np.nan)), {}
    values, limits = np.full((2, len(column)), np.nan)
    statuses = np.full(len(column), "missing", dtype="U11")
    problems: dict[int, str] = {}
    sentinels = _sentinels(style)
    for row, cell in enumerate(column):
        try:
            reading = _reading(cell, style)
        except NumberError as error:
            problems[row] = str(error)
            continue
        if reading.value in sentinels:
            reading = Reading(math.nan, sentinels[reading.value])
        values[row], statuses[row], limits[row] = reading.value, reading.status, reading.limit
    return Readings(values, statuses, limits), problems


def _reading(cell: str | float, style: NumberStyle) -> Reading:
    if isinstance(cell, str):
        return reading_in_style(cell, style)
    if math.isnan(cell):  # the blank of a frame's column of numbers
        return Reading(math.nan, "missing")
    return Reading(_finite(cell), "ok")


def _finite(number: float) -> float:
    """Return a number that a workbook or frame holds, unless it is infinite."""
    if not math.isfinite(number):
        raise NumberError("an infinite number" if math.isinf(number) else "the cell is blank")
    return float(number)


def _plain_numbers(column: Column, style: NumberStyle) -> npt.NDArray[np.float64] | None:
    """Return the column if all its cells are plain numbers or blank (NaN), else None.

    The fast way for the many cells of a CSV file; what it leaves is looked at cell by cell.
    """
    if column.dtype != object:
        return column.astype(np.float64)
    cells = column.tolist()
    if not all(isinstance(cell, str) for cell in cells):
        return None
    joined = "\n".join(cells)
    if joined.count("\n") >= len(cells):  # a line break within a cell
        return None
    if style.mark == ",":
        if "." in joined or (not style.stated and _EITHER_LINE.search(joined)):
            return None
        joined = joined.replace(",", ".")
    if not set(joined) <= _PLAIN_CHARACTERS:
        return None
    try:
        numbers = np.array([float(text) if text else np.nan for text in joined.split("\n")])
    except ValueError:
        return None
    # Blank cells only are NaN; too large a number is infinite, which the slow way explains.
    return None if np.isinf(numbers).any() else numbers
