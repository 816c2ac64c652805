"""Plates of letters and numbers found in a sheet, strictly: what is no whole plate is refused.

A plate's header is the numbers 1 to n beside one another; the letters A, B … stand below one
another in the column to the left, from the row after. Rows and columns are those of a real plate.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from labloop.tables.cells import Area, Cell, Sheet, as_text, count, region, spot
from labloop.tables.numbers import NumberStyle, is_number, quoted
from labloop.tables.plates import Part
from labloop.tables.table import reject
from labloop.wells import SHAPES, parse_well, row_name, well_name

PLATES: Final = {SHAPES[wells]: wells for wells in (24, 48, 96, 384, 1536)}
_LEAST: Final = min(columns for _, columns in PLATES)
# What readers and spreadsheets write in the corner and says nothing of the values; "<>" is Tecan's.
_NO_TITLES: Final = frozenset(
    {"<>", "/", "\\", "#", "row", "rows", "column", "columns", "row/column", "rows/columns"}
    | {"row/col", "well", "wells", "plate", "replicate", "unnamed:0"}
)
# Readers write these just above a plate; they never say what was measured.
_CIRCUMSTANCE: Final = re.compile(
    r"(?:(?:start|end) ?)?(?:date|time)\b|(?:(?:actual|set) ?)?temperature\b", re.IGNORECASE
)
# Tecan's i-control names a reading so, some lines above its plate: settings stand between.
_LABEL: Final = re.compile(r"label:\s*\S", re.IGNORECASE)
# So many wells beside or below one another are a list of wells, not a remark that names one.
_LISTED: Final = 6
_NUMBERED: Final = re.compile(
    r'1(?:[.,]0+)?[ "]*([\t;,])'
    + r"\1".join(rf'[ "]*0*{n}(?:[.,]0+)?[ "]*' for n in range(2, _LEAST + 1))
)

_AS_INSTRUMENT: Final = (
    "declare how it is read as an [[instrument]] in campaign.toml, for --instrument"
)
_WHOLE: Final = (
    "give all rows and columns of the plate, blank where nothing was measured, or a row a well "
    'with columns "well" and what was measured'
)


@dataclass(frozen=True, eq=False)
class Grid:
    """A whole plate in a sheet; `area` has its header and letters, `used` also the title's cell."""

    sheet: Sheet
    area: Area
    title: str
    title_at: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of wells."""
        return self.area.bottom - self.area.top, self.area.right - self.area.left

    @property
    def region(self) -> str:
        """The plate's cells, without the file."""
        return region(self.sheet.name, self.area)

    @property
    def is_blank(self) -> bool:
        """Whether no well holds anything, as on a form that was not filled in."""
        rows, columns = self.shape
        return all(
            self.sheet.at(self.area.top + 1 + row, self.area.left + 1 + column) == ""
            for row in range(rows)
            for column in range(columns)
        )

    def part(self, name: str, plate: str | None = None) -> Part:
        """Return the wells with what stands in them, row by row."""
        rows, columns = self.shape
        wells = [(row, column) for row in range(rows) for column in range(columns)]
        places = tuple(
            (self.area.top + 1 + row, self.area.left + 1 + column) for row, column in wells
        )
        return Part(
            name=name,
            sheet=self.sheet,
            area=self.area,
            plate=plate,
            wells=tuple(well_name(row, column) for row, column in wells),
            values=tuple(self.sheet.at(*place) for place in places),
            places=places,
        )


def may_hold_grid(text: str) -> bool:
    """Return whether a CSV text can hold a plate at all: a line with 1 to 6 beside one another."""
    return _NUMBERED.search(text) is not None


def find_grids(sheet: Sheet) -> tuple[list[Grid], list[str]]:
    """Return the whole plates of a sheet in reading order, and what looks like one and is none."""
    areas, problems = [], []
    for row, left, columns in _headers(sheet):
        letters = 0
        while as_text(sheet.at(row + 1 + letters, left)).upper() == row_name(letters):
            letters += 1
        if not letters:
            continue
        if (letters, columns) in PLATES:
            areas.append(Area(row, left, row + letters, left + columns))
            continue
        rows = "row A" if letters == 1 else f"rows A to {row_name(letters - 1)}"
        problems.append(
            f"{spot(sheet.source, sheet.name, row, left)}: columns 1 to {columns} with {rows} are "
            f"no whole plate (of {_sizes()} wells); {_WHOLE}"
        )
    by_row = _by_row(areas)
    return [_titled(sheet, area, by_row) for area in areas], problems


def from_grids(
    sheets: Sequence[Sheet],
    *,
    plate: str | None,
) -> tuple[list[Part], list[str]] | None:
    """Return the plates of a file's sheets, and what of the sheets they leave unused.

    None if there is no plate. Raises RejectedError for what looks like a plate and is none, and
    where it is not certain which values are meant.
    """
    found = [find_grids(sheet) for sheet in sheets]
    whole = [grid for each, _ in found for grid in each]
    grids = [grid for grid in whole if not grid.is_blank]
    problems = [problem for _, each in found for problem in each]
    source = sheets[0].source
    if problems:
        reject(source, problems)
    if not whole:
        return None
    if not grids:
        where = "; ".join(grid.region for grid in whole)
        reject(source, [f"{source}: no cell of its plates holds anything ({where})"])
    sizes = sorted({PLATES[grid.shape] for grid in grids})
    if len(sizes) > 1:
        which = "; ".join(f"{PLATES[grid.shape]} in {grid.region}" for grid in grids)
        problems.append(
            f"{source}: it has plates of different sizes ({which}); {_remedy(sheets[0])}"
        )
    problems += _same_titles(source, grids)
    unused = []
    for sheet, (own, _) in zip(sheets, found, strict=True):
        outside = list(_outside(sheet, own))
        listed = _listed_wells(outside)
        if listed is not None:
            problems.append(
                f"{spot(source, sheet.name, *listed)}: a list of wells begins here, and a plate "
                f"stands in {grids[0].region}; {_remedy(sheet)}"
            )
        if outside:
            unused.append(_unused(sheet, len(outside), has_grid=bool(own)))
    unused += [f"{grid.region}: a plate without values" for grid in whole if grid.is_blank]
    if problems:
        reject(source, problems)
    return [grid.part(grid.title, plate) for grid in grids], unused


def _remedy(sheet: Sheet) -> str:
    one_sheet = "" if sheet.name is None else "name one sheet with --sheet, or "
    return f"{one_sheet}{_AS_INSTRUMENT}"


def cells(number: int) -> str:
    """Return a number of cells as a message says it."""
    return "1 cell" if number == 1 else f"{number} cells"


def _unused(sheet: Sheet, number: int, *, has_grid: bool) -> str:
    what = f"{cells(number)} outside the grids" if has_grid else f"{cells(number)}, no grid"
    return what if sheet.name is None else f"sheet {quoted(sheet.name)}: {what}"


def _sizes() -> str:
    *first, last = map(str, PLATES.values())
    return f"{', '.join(first)} or {last}"


def _headers(sheet: Sheet) -> Iterator[tuple[int, int, int]]:
    """Yield row, column before the first number, and how many numbers, of each 1, 2, 3 … n."""
    for number, row in zip(sheet.numbers, sheet.rows, strict=True):
        at = 0
        while at + _LEAST <= len(row):
            length = _run(row, at)
            if length >= _LEAST and at > 0:
                yield number, at, length
            at += max(length, 1)


def _run(row: Sequence[Cell], start: int) -> int:
    """Return how many cells from `start` on count up from 1."""
    first = row[start]
    if first != 1.0 and (not isinstance(first, str) or first[:1] not in ("0", "1")):
        return 0
    length = 0
    while start + length < len(row) and count(row[start + length]) == length + 1:
        length += 1
    return length


def _by_row(areas: Iterable[Area]) -> dict[int, list[Area]]:
    """Return which areas each row of a sheet crosses."""
    found: dict[int, list[Area]] = {}
    for area in areas:
        for row in range(area.top, area.bottom + 1):
            found.setdefault(row, []).append(area)
    return found


def _titled(sheet: Sheet, area: Area, by_row: Mapping[int, Sequence[Area]]) -> Grid:
    """Return the plate with its title: of its corner, above it, of its sheet, or of the file."""
    corner = _title(sheet.at(area.top, area.left))
    if corner:
        return Grid(sheet, area, corner)
    nearest = None
    for at in range(bisect_left(sheet.numbers, area.top) - 1, -1, -1):
        row = sheet.numbers[at]
        others = by_row.get(row, ())
        if any(other.left <= area.right and area.left <= other.right for other in others):
            break
        above = [
            (column, cell)
            for column in range(area.left, area.right + 1)
            if (cell := sheet.at(row, column)) != ""
        ]
        if any(_CIRCUMSTANCE.match(as_text(cell)) for _, cell in above):
            continue
        texts = [each for each in above if not is_number(each[1], NumberStyle())]
        # A number alone, such as a wavelength, can be a title; a row of numbers is something else.
        named = texts or (above if len(above) == 1 else [])
        if named and _title(named[0][1]):
            found = Grid(sheet, area, _title(named[0][1]), (row, named[0][0]))
            if _LABEL.match(found.title):
                return found
            nearest = nearest or found
    return nearest or Grid(sheet, area, sheet.name or PurePath(sheet.source).stem)


def _title(cell: Cell) -> str:
    text = as_text(cell).rstrip(": ")
    return "" if text.casefold().replace(" ", "") in _NO_TITLES else text


def _same_titles(source: str, grids: Sequence[Grid]) -> list[str]:
    """Say which plates have the same title, so that nobody knows which is meant."""
    by_title: dict[str, list[Grid]] = {}
    for grid in grids:
        by_title.setdefault(grid.title, []).append(grid)
    return [
        f"{source}: {len(same)} plates are called {quoted(title)} "
        f"({'; '.join(grid.region for grid in same)}); {_remedy(same[0].sheet)}"
        for title, same in by_title.items()
        if len(same) > 1
    ]


def _outside(sheet: Sheet, grids: Sequence[Grid]) -> Iterator[tuple[int, int, Cell]]:
    """Yield the filled cells that belong to no plate of the sheet."""
    titles = {grid.title_at for grid in grids}
    by_row = _by_row(grid.area for grid in grids)
    for row, column, cell in sheet.filled():
        inside = any(area.left <= column <= area.right for area in by_row.get(row, ()))
        if not inside and (row, column) not in titles:
            yield row, column, cell


def _listed_wells(cells: Sequence[tuple[int, int, Cell]]) -> tuple[int, int] | None:
    """Return where a list of wells begins among cells, down a column or along a row."""
    rows: dict[int, list[tuple[int, int]]] = {}
    columns: dict[int, list[tuple[int, int]]] = {}
    for row, column, cell in cells:
        if isinstance(cell, str) and parse_well(cell) is not None:
            rows.setdefault(row, []).append((row, column))
            columns.setdefault(column, []).append((row, column))
    long = [each[0] for each in (*columns.values(), *rows.values()) if len(each) >= _LISTED]
    return min(long, default=None)
