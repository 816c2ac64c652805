"""Frames as cells of text for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from labloop.plain import plain

if TYPE_CHECKING:
    import pandas as pd


class Heading(NamedTuple):
    """A column's title and whether it holds numbers."""

    title: str
    numeric: bool


class Grid(NamedTuple):
    """A table: headings and rows of text."""

    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]


def grid_of(frame: pd.DataFrame) -> Grid:
    """Return a frame's columns as text, numbers as the command line writes them."""
    import pandas as pd

    if frame.index.name is not None:
        frame = frame.reset_index()
    headings = tuple(
        Heading(_title(str(name)), pd.api.types.is_numeric_dtype(frame[name]))
        for name in frame.columns
    )
    columns = [[_text(value) for value in frame[name]] for name in frame.columns]
    return Grid(headings, tuple(zip(*columns, strict=True)))


def _title(name: str) -> str:
    """Return a column's name as a reader says it."""
    return name.removesuffix("_ul").replace("_", " ") + (", µL" if name.endswith("_ul") else "")


def _text(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "–"
    return plain(value) if isinstance(value, float) else str(value)
