"""Plates as a bench sheet draws them: what goes into each well, and which wells go together.

Wells that take the same share a shade and, where there are letters enough, a letter, so that the
sheet can be read in black and white and a volume that is set once goes wherever it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from labloop.report.numbers import counted, enumerated
from labloop.wells import column_major, row_name, shape, well_name

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SHADES = 5
_LEAST_LINE = 3  # wells of a row or column that are worth a multichannel pipette
_SHORT = 5  # characters that fit a well of 96 and 384 in large letters
_LONGEST_TEXT = {24: 14, 48: 11, 96: 9, 384: 7}


@dataclass(frozen=True)
class Amount:
    """What one well gets: the text to write, what it is sorted by, and a remark on it."""

    text: str
    key: float
    note: str = ""


@dataclass(frozen=True)
class Share:
    """Wells that get the same amount.

    Attributes:
        amount: What each of them gets.
        wells: Their names, down the columns.
        mark: The letter that they share; empty where one well or too many amounts have none.
        shade: From 1 (least) to 5 (most).
    """

    amount: Amount
    wells: tuple[str, ...]
    mark: str = ""
    shade: int = 1


@dataclass(frozen=True)
class Cell:
    """A well of the picture; `kind` is filled, control, none (gets nothing here) or empty."""

    kind: str
    text: str = ""
    note: str = ""
    mark: str = ""
    shade: int = 0


@dataclass(frozen=True)
class Grid:
    """The picture of a plate.

    Attributes:
        wells: How many the plate has.
        columns: Headings of the columns.
        rows: Heading and cells of each row.
        even: Headings of the rows and columns whose wells all take the same.
    """

    wells: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    even: frozenset[str] = frozenset()

    @property
    def long(self) -> bool:
        """Whether a text needs smaller letters."""
        return any(len(cell.text) > _SHORT for _, cells in self.rows for cell in cells)


def shares(amounts: Mapping[str, Amount], wells: int, *, named: bool = False) -> list[Share]:
    """Return which wells of a plate get the same, from the least amount to the most.

    Args:
        amounts: What each well gets.
        wells: How many the plate has.
        named: Every amount gets a letter; else those that two wells share, of more than 26 the most
            shared ones.
    """
    together: dict[Amount, list[str]] = {}
    for well in column_major(wells):
        if well in amounts:
            together.setdefault(amounts[well], []).append(well)
    ordered = sorted(together, key=lambda amount: (amount.key, amount.text, amount.note))
    marks = _marks([len(together[amount]) for amount in ordered], named)
    last = max(len(ordered) - 1, 1)
    return [
        Share(amount, tuple(together[amount]), mark, 1 + place * (_SHADES - 1) // last)
        for place, (amount, mark) in enumerate(zip(ordered, marks, strict=True))
    ]


def _marks(counts: Sequence[int], named: bool) -> list[str]:
    if named:
        letters = ["", *_LETTERS[: -(-len(counts) // len(_LETTERS)) - 1]]
        return [first + second for first in letters for second in _LETTERS][: len(counts)]
    shared = [place for place, count in enumerate(counts) if count > 1]
    chosen = sorted(shared, key=lambda place: (-counts[place], place))[: len(_LETTERS)]
    marks = [""] * len(counts)
    for letter, place in zip(_LETTERS, sorted(chosen), strict=False):
        marks[place] = letter
    return marks


def amounts_grid(parts: Sequence[Share], filled: Iterable[str], wells: int) -> Grid:
    """Return the picture of a plate with the amounts in its wells.

    `filled` are the plate's wells that are not empty. Where a well has no room for an amount, those
    with a letter stand as their letters.
    """
    cells = dict.fromkeys(filled, Cell("none"))
    named = any(part.mark and len(part.amount.text) > _LONGEST_TEXT[wells] for part in parts)
    for part in parts:
        text, mark = (part.mark, "") if named and part.mark else (part.amount.text, part.mark)
        made = Cell("filled", text, part.amount.note, mark, part.shade)
        cells |= dict.fromkeys(part.wells, made)
    if len(parts) == 1 and set(filled) == set(parts[0].wells):
        return _grid(cells, wells)
    even = frozenset(line for _, lines in even_lines(parts, filled, wells) for line in lines)
    return replace(_grid(cells, wells), even=even)


def names_grid(names: Mapping[str, tuple[str, str]], wells: int) -> Grid:
    """Return the picture of a plate with names in its wells; `names` gives role and name."""
    return _grid(
        {
            well: Cell("control" if role == "control" else "filled", name)
            for well, (role, name) in names.items()
        },
        wells,
    )


def _grid(cells: Mapping[str, Cell], wells: int) -> Grid:
    rows, columns = shape(wells)
    empty = Cell("empty")
    return Grid(
        wells,
        tuple(str(column + 1) for column in range(columns)),
        tuple(
            (
                row_name(row),
                tuple(cells.get(well_name(row, column), empty) for column in range(columns)),
            )
            for row in range(rows)
        ),
    )


def even_lines(
    parts: Sequence[Share], filled: Iterable[str], wells: int
) -> list[tuple[Share, list[str]]]:
    """Return the rows and columns whose filled wells all take one share, share by share."""
    share_of = {well: place for place, part in enumerate(parts) for well in part.wells}
    full = set(filled)
    rows, columns = shape(wells)
    lines = {row_name(r): [well_name(r, c) for c in range(columns)] for r in range(rows)}
    lines |= {str(c + 1): [well_name(r, c) for r in range(rows)] for c in range(columns)}
    found: dict[int, list[str]] = {}
    for line, names in lines.items():
        taken = {share_of.get(well, -1) for well in names if well in full}
        count = sum(well in full for well in names)
        if count >= _LEAST_LINE and len(taken) == 1 and -1 not in taken:
            found.setdefault(taken.pop(), []).append(line)
    return [(parts[place], found[place]) for place in sorted(found)]


def multichannel_hint(parts: Sequence[Share], filled: Sequence[str], wells: int, unit: str) -> str:
    """Return where a multichannel pipette saves work, as a sentence; empty where it does not."""
    if len(parts) == 1 and len(parts[0].wells) == len(filled) >= _LEAST_LINE:
        return (
            f"Every filled well takes {_said(parts[0].amount, unit)}: a multichannel or repeating "
            "pipette can do it."
        )
    said = []
    for part, lines in even_lines(parts, filled, wells):
        rows = [line for line in lines if not line.isdigit()]
        columns = [line for line in lines if line.isdigit()]
        named = [
            f"{word if len(names) == 1 else f'{word}s'} {enumerated(names)}"
            for word, names in (("row", rows), ("column", columns))
            if names
        ]
        said.append(f"{' and '.join(named)}: {_said(part.amount, unit)} in every filled well")
    return f"Multichannel pipette: {'; '.join(said)}." if said else ""


def _said(amount: Amount, unit: str) -> str:
    return " ".join(text for text in (amount.text, unit, amount.note) if text)


def runs(drawn: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the sources of dispenses one after the other, each with the wells that it is for.

    `drawn` gives source and well of each dispense, in order.
    """
    found: list[tuple[str, list[str]]] = []
    for source, well in drawn:
        if not found or found[-1][0] != source:
            found.append((source, []))
        found[-1][1].append(well)
    return [
        (source, wells[0] if wells[0] == wells[-1] else f"{wells[0]} to {wells[-1]}")
        for source, wells in found
    ]


# Volumes in µL that common pipettes of one channel are made for (nominal ranges, ISO 8655-2).
_PIPETTES = (
    ("P2", 2.0),
    ("P20", 20.0),
    ("P200", 200.0),
    ("P1000", 1000.0),
    ("P5000", 5000.0),
    ("P10000", 10000.0),
)
LEAST_BY_HAND_UL = 0.2


def pipettes(volumes: Iterable[float]) -> list[str]:
    """Return which pipettes a sheet takes and for what, from the smallest.

    `volumes` has the greatest single dispense of each well, in µL.
    """
    groups: dict[str, list[float]] = {}
    for volume in sorted(volumes):
        groups.setdefault(_pipette(volume), []).append(volume)
    return [
        f"{name} for {counted(len(group), 'well')} ({_range(group)} µL)"
        for name, group in groups.items()
    ]


def _pipette(volume_ul: float) -> str:
    if volume_ul < LEAST_BY_HAND_UL:
        return "no hand pipette"
    return next((name for name, most in _PIPETTES if volume_ul <= most), "measuring cylinder")


def _range(volumes: Sequence[float]) -> str:
    least, most = (f"{volume:.10g}" for volume in (volumes[0], volumes[-1]))
    return least if least == most else f"{least} to {most}"
