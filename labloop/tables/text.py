"""CSV text: bytes to rows of cells, without guessing the encoding."""

from __future__ import annotations

import csv
import io
from typing import Final

from labloop.tables.numbers import quoted
from labloop.tables.table import reject

# In this order where more than one splits every row alike: a semicolon separates where commas are
# decimal marks, while commas seldom stand beside semicolons the other way round.
SEPARATORS: Final = ("\t", ";", ",")

_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def decode(content: bytes, source: str, encoding: str | None) -> str:
    """Return the text of a file: UTF-8, UTF-16 where it begins with a byte order mark, or as told.

    Raises RejectedError when the bytes are not in that encoding; it is never guessed.
    """
    told = encoding
    if encoding is None:
        marks = (name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark))
        encoding = next(marks, "utf-8")
    try:
        text = content.decode(encoding)
    except LookupError:
        reject(source, [f"{source}: no encoding is called {quoted(encoding)}; try latin-1 or gbk"])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        remedy = (
            "say which encoding it is with --encoding (latin-1 and cp1252 are common in Europe, "
            "gbk in China), or save it as UTF-8"
            if told is None
            else "try another --encoding, or save it as UTF-8"
        )
        reject(
            source, [f"{source}, line {line}: byte 0x{byte:02X} is not {encoding} text; {remedy}"]
        )
    except ValueError:
        reject(source, [f"{source}: it cannot be read with --encoding {quoted(encoding)}"])
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        reject(source, [f"{source}: it holds NUL characters; it is no CSV text"])
    return text


def parse_rows(text: str, source: str) -> tuple[list[list[str]], list[int], str]:
    """Return the rows that are not blank, stripped, their numbers from 1, and the separator.

    Raises RejectedError.
    """
    candidates = _candidates(text)
    splits = {separator: _split(text, separator) for separator in candidates}
    for separator, (rows, numbers, error) in splits.items():
        if error is None and rows and len(rows[0]) > 1 and len(set(map(len, rows))) == 1:
            return rows, numbers, separator
    if len(candidates) > 1:
        reject(
            source,
            [
                f"{source}: the header holds {' and '.join(_NAMES[mark] for mark in candidates)}, "
                "and none of them splits every row into as many cells; "
                "put names that hold them in quotes"
            ],
        )
    separator = candidates[0]
    rows, numbers, error = splits[separator]
    if error is not None:
        reject(source, [f"{source}, {error}"])
    if not rows:
        reject(source, [f"{source}: it is empty"])
    _check_widths(rows, numbers, source)
    return rows, numbers, separator


def split_loosely(text: str) -> dict[str, tuple[list[list[str]], list[int]]]:
    """Return rows of any widths and their numbers, by each separator that splits the text at all.

    For files of instruments, whose rows differ in length. A separator under which quotes are broken
    is left out.
    """
    found = {}
    for separator in SEPARATORS:
        if separator in text:
            rows, numbers, error = _split(text, separator)
            if error is None and rows:
                found[separator] = rows, numbers
    return found


_NAMES: Final = {"\t": "tabs", ";": "semicolons", ",": "commas"}


def _candidates(text: str) -> list[str]:
    """Return the separators that stand outside quotes in the first line that is not blank."""
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return [mark for mark in SEPARATORS if mark in outside] or [","]


def _split(text: str, separator: str) -> tuple[list[list[str]], list[int], str | None]:
    """Split text into stripped cells; blank rows are left out but counted. Third: what broke."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(stripped)
                numbers.append(number)
    except csv.Error as error:
        return rows, numbers, f"after row {number}: broken quotes or cells ({error})"
    return rows, numbers, None


def _check_widths(rows: list[list[str]], numbers: list[int], source: str) -> None:
    """Reject rows with fewer cells than the first, or with filled cells beyond it."""
    width = len(rows[0])
    problems = []
    for cells, number in zip(rows, numbers, strict=True):
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]
        if len(cells) != width:
            problems.append(
                f"{source}, row {number}: it has {len(cells)} cells where row {numbers[0]} has "
                f"{width}; leave a cell blank where there is no value"
            )
    if problems:
        reject(source, problems)
