"""Tables on standard output: aligned text for programs, lines and colours for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labloop.terminal.colours import WORDS, console, pretty
from labloop.terminal.text import cell, one_line, show

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

_BETWEEN = 2  # blanks between columns
_PRETTY_BETWEEN = 3  # those of rich's tables
_MOST_DRAWN = 1000  # rows; rich takes about a millisecond for each, and nobody reads more
_COLOURED = ("origin", "state", "status")


class Column(NamedTuple):
    """A column's heading and cells as text, and whether they are numbers."""

    heading: str
    cells: tuple[str, ...]
    numeric: bool

    @property
    def width(self) -> int:
        """Characters of the widest."""
        return max(map(len, [self.heading, *self.cells]))


def show_frame(frame: pd.DataFrame) -> None:
    """Write a frame to standard output as an aligned table, numbers as `plain` writes them.

    On a terminal that is too narrow, columns stand in blocks below each other, each with the first
    column. More than a thousand rows are plain text there, too.
    """
    if frame.index.name is not None:
        frame = frame.reset_index()
    columns = [_column(str(name), frame[name]) for name in frame.columns]
    if pretty() and len(frame) <= _MOST_DRAWN:
        _show_pretty(columns)
        return
    padded = [_padded(column) for column in columns]
    for cells in zip(*padded, strict=True):
        show((" " * _BETWEEN).join(cells).rstrip())


def _column(name: str, values: pd.Series[Any]) -> Column:
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(values)
    return Column(one_line(name), tuple(cell(value) for value in values), numeric)


def _padded(column: Column) -> list[str]:
    """Return heading and cells padded to one width; numbers to the right."""
    pad = str.rjust if column.numeric else str.ljust
    width = column.width
    return [pad(text, width) for text in (column.heading, *column.cells)]


def _show_pretty(columns: Sequence[Column]) -> None:
    from rich import box
    from rich.table import Table

    shown = console()
    for number, block in enumerate(blocks(columns, shown.width)):
        if number:
            shown.print()
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
        for column in block:
            table.add_column(
                _text(column.heading),
                justify="right" if column.numeric else "left",
                overflow="fold",
            )
        styles = [WORDS if column.heading in _COLOURED else {} for column in block]
        for row in zip(*(column.cells for column in block), strict=True):
            cells = zip(row, styles, strict=True)
            table.add_row(*(_text(text, style.get(text, "")) for text, style in cells))
        shown.print(table)


def blocks(columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Return columns in blocks that fit a width, where they can; the first begins each of them."""
    first, others = columns[0], columns[1:]
    found = [[first]]
    used = first.width
    for column in others:
        if used + _PRETTY_BETWEEN + column.width > width and len(found[-1]) > 1:
            found.append([first])
            used = first.width
        found[-1].append(column)
        used += _PRETTY_BETWEEN + column.width
    return found


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style)
