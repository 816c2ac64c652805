"""A plate as rows and columns on standard output; colours only repeat what the cells say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labloop.terminal.colours import WORDS, console, pretty
from labloop.terminal.text import one_line, show
from labloop.wells import position, row_name, shape

_NARROWEST = 60  # characters; nobody reads a plate in less
# From low to high, to be told apart in grey too: points of matplotlib's viridis (CC0).
_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


class Spot(NamedTuple):
    """What is written into a well, and the value or the word that gives its colour."""

    text: str
    value: float = math.nan
    word: str = ""


@dataclass(frozen=True)
class PlateMap:
    """A plate: its title, wells by name, and lines that say what is written.

    Attributes:
        title: Above the plate.
        wells: Wells of the plate: 24, 48, 96, 384 or 1536.
        spots: What is in them; a well that is left out shows a point.
        legend: Lines below the plate.
    """

    title: str
    wells: int
    spots: dict[str, Spot]
    legend: tuple[str, ...]


def show_plate(plate: PlateMap) -> None:
    """Write a plate to standard output; on a narrow terminal in blocks of columns."""
    rows, columns = shape(plate.wells)
    at = {position(well, plate.wells): spot for well, spot in plate.spots.items()}
    wide = max([len(str(columns)), *(len(one_line(spot.text)) for spot in at.values())]) + 1
    margin = len(row_name(rows - 1))
    terminal = console() if pretty() else None
    room = columns if terminal is None else (max(terminal.width, _NARROWEST) - margin) // wide
    values = [spot.value for spot in at.values() if not math.isnan(spot.value)]
    ends = (min(values), max(values)) if values else (0.0, 0.0)
    show(plate.title)
    for start in range(0, columns, max(room, 1)):
        block = range(start, min(start + max(room, 1), columns))
        show(" " * margin + "".join(str(column + 1).rjust(wide) for column in block))
        for row in range(rows):
            spots = [at.get((row, column), Spot("·")) for column in block]
            if terminal is None:
                cells = "".join(one_line(spot.text).rjust(wide) for spot in spots)
                show(f"{row_name(row):<{margin}}{cells}".rstrip())
            else:
                from rich.text import Text

                line = Text(f"{row_name(row):<{margin}}", "bold")
                for spot in spots:
                    line.append(one_line(spot.text).rjust(wide), _style(spot, ends))
                terminal.print(line, no_wrap=True, overflow="crop")
    for words in plate.legend:
        show(words)


def _style(spot: Spot, ends: tuple[float, float]) -> str:
    if math.isnan(spot.value):
        return WORDS.get(spot.word, "" if spot.word else "dim")
    low, high = ends
    share = (spot.value - low) / (high - low) if high > low else 0.5
    red, green, blue = _between(share)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128  # luma of ITU-R BT.601
    return f"{'bright_white' if dark else 'black'} on rgb({red},{green},{blue})"


def _between(share: float) -> tuple[int, int, int]:
    place = share * (len(_SCALE) - 1)
    below = min(int(place), len(_SCALE) - 2)
    part = place - below
    low, high = _SCALE[below], _SCALE[below + 1]
    red, green, blue = (round(a + part * (b - a)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def legend_of(words: Sequence[tuple[str, str]]) -> str:
    """Return what short texts stand for, as a line."""
    return "; ".join(f"{short} {meaning}" for short, meaning in words)
