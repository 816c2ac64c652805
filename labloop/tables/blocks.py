"""The blocks of an instrument's file: grids, lists of wells, tables; each read as declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from labloop.tables.cells import Area, Cell, Sheet, as_text, count, parse_area, shown, spot
from labloop.tables.grids import PLATES, Grid, find_grids
from labloop.tables.numbers import quoted
from labloop.tables.plates import PLATE, WELL, Part
from labloop.tables.table import reject
from labloop.wells import parse_well, row_name

if TYPE_CHECKING:
    from labloop.definition.models import Block

_LIST_REMEDY: Final = (
    "a list is two columns without header: correct its cells in campaign.toml, or the file"
)
_GIVE_CELLS: Final = "say which cells of the sheet it is in campaign.toml"


@dataclass(frozen=True)
class Place:
    """A block of an instrument, for messages."""

    instrument: str
    number: int

    def __str__(self) -> str:
        return f"block {self.number} of instrument {quoted(self.instrument)}"


def block_area(block: Block, sheet: Sheet, place: Place) -> tuple[Area, bool]:
    """Return the cells that a block names, and whether it names both corners.

    Without `cells` it is all that the sheet holds.
    """
    if block.cells is not None:
        area, whole = parse_area(block.cells)
        return area, whole
    filled = list(sheet.filled())
    if not filled:
        _refuse(sheet, None, "it is empty", place)
    columns = [column for _, column, _ in filled]
    return Area(filled[0][0], min(columns), filled[-1][0], max(columns)), True


def read_grid(block: Block, sheet: Sheet, area: Area, whole: bool, place: Place) -> Grid:
    """Return the plate of letters and numbers that a block names, or the only one of its sheet."""
    if block.cells is None:
        grids, problems = find_grids(sheet)
        if problems:
            reject(sheet.title, problems)
        if len(grids) != 1:
            where = ": " + "; ".join(grid.region for grid in grids) if grids else ""
            what = f"it has {len(grids)} plates{where}" if grids else "it has no plate"
            _refuse(sheet, None, f"{what}, and one is expected", place, _GIVE_CELLS)
        return grids[0]
    if not whole:
        area = _plate_at(sheet, area)
    shape = area.bottom - area.top, area.right - area.left
    for column in range(1, shape[1] + 1):
        at = area.top, area.left + column
        _expect(sheet, at, count(sheet.at(*at)) == column, f"the column number {column}", place)
    for row in range(shape[0]):
        at = area.top + 1 + row, area.left
        letter = row_name(row) if row < 52 else "?"
        _expect(sheet, at, as_text(sheet.at(*at)).upper() == letter, f"the letter {letter}", place)
    if shape not in PLATES:
        _refuse(
            sheet,
            (area.top, area.left),
            f"cells {area} hold {shape[0]} rows and {shape[1]} columns of wells, as no plate has "
            "(the header and the letters are part of the cells)",
            place,
        )
    return Grid(sheet, area, block.holds)


def _plate_at(sheet: Sheet, corner: Area) -> Area:
    """Return the plate that begins at a corner, at least one row and column of it."""
    rows = columns = 0
    while count(sheet.at(corner.top, corner.left + columns + 1)) == columns + 1:
        columns += 1
    while rows < 52 and (
        as_text(sheet.at(corner.top + rows + 1, corner.left)).upper() == row_name(rows)
    ):
        rows += 1
    return Area(corner.top, corner.left, corner.top + max(rows, 1), corner.left + max(columns, 1))


def _expect(sheet: Sheet, at: tuple[int, int], fits: bool, expected: str, place: Place) -> None:
    if not fits:
        _refuse(sheet, at, f"{_found(sheet.at(*at))} where {expected} should be", place)


def _found(cell: Cell) -> str:
    return "the cell is blank" if cell == "" else f"found {shown(cell)}"


def read_list(
    block: Block, sheet: Sheet, area: Area, whole: bool, place: Place, plate: str | None
) -> Part:
    """Return a list of wells and values, two columns without header."""
    if not whole:
        area = Area(area.top, area.left, _end(sheet, area, area.left + 1), area.left + 1)
    if area.right != area.left + 1:
        if block.cells is not None:
            what = f"cells {area} are not two columns"
            _refuse(sheet, (area.top, area.left), f"{what}, well and value", place)
        beyond = next(
            ((row, column) for row, column, _ in sheet.filled() if column > area.left + 1),
            (area.top, area.left),
        )
        what = f"{_found(sheet.at(*beyond))} where only the columns of well and value should be"
        _refuse(sheet, beyond, what, place, _GIVE_CELLS)
    wells: list[str] = []
    rows: list[int] = []
    problems = []
    last = sheet.numbers[-1] if sheet.numbers else area.top
    for row in range(area.top, min(area.bottom, last) + 1):
        cell, value = sheet.at(row, area.left), sheet.at(row, area.left + 1)
        if cell == "" and value == "":
            continue
        well = parse_well(cell) if isinstance(cell, str) else None
        if well is None:
            problems.append(
                f"{spot(sheet.source, sheet.name, row, area.left)}: {_found(cell)} where a well, "
                f"such as B7, should be, read as {place}; {_LIST_REMEDY}"
            )
            continue
        wells.append(well)
        rows.append(row)
    if problems:
        reject(sheet.title, problems)
    if not wells:
        _refuse(sheet, (area.top, area.left), "no wells are listed here", place)
    places = tuple((row, area.left + 1) for row in rows)
    return Part(
        name=block_name(block),
        sheet=sheet,
        area=area,
        plate=plate,
        wells=tuple(wells),
        values=tuple(sheet.at(*at) for at in places),
        places=places,
    )


def _end(sheet: Sheet, area: Area, right: int) -> int:
    """Return the last row from the area's top on in which its columns hold something."""
    row = area.top
    while any(sheet.at(row + 1, column) != "" for column in range(area.left, right + 1)):
        row += 1
    return row


def table_area(block: Block, sheet: Sheet, area: Area, whole: bool, place: Place) -> Area:
    """Return the cells of a table with its header."""
    if not whole:
        right = area.left
        while any(sheet.at(area.top + row, right + 1) != "" for row in range(block.header_rows)):
            right += 1
        area = Area(area.top, area.left, _end(sheet, area, right), right)
    last = sheet.numbers[-1] if sheet.numbers else area.top
    area = Area(area.top, area.left, min(area.bottom, last), min(area.right, sheet.width))
    if area.bottom - area.top < block.header_rows or area.right < area.left:
        at = area.top, area.left
        _refuse(sheet, at, "found no rows below a header", place)
    return area


def read_columns(
    block: Block,
    sheet: Sheet,
    area: Area,
    header: Sequence[str],
    place: Place,
    plate: str | None,
) -> Iterator[Part]:
    """Yield the columns of a table with wells, to stand beside those of other blocks."""
    folded = [name.casefold() for name in header]
    if WELL not in folded or PLATE in folded:
        has = 'a column "plate"' if PLATE in folded else 'no column "well"'
        _refuse(
            sheet,
            (area.top, area.left),
            f"the table has {has}, so it cannot stand beside other blocks",
            place,
            "declare it as an instrument of its own",
        )
    if not any(name for name in folded if name != WELL):
        _refuse(sheet, (area.top, area.left), "the table has wells and no values", place)
    of_wells = area.left + folded.index(WELL)
    rows, wells = [], []
    problems = _nameless(sheet, area, header, block.header_rows)
    for row in range(area.top + block.header_rows, area.bottom + 1):
        if all(sheet.at(row, column) == "" for column in range(area.left, area.right + 1)):
            continue
        well = parse_well(as_text(sheet.at(row, of_wells)))
        if well is None:
            problems.append(
                f"{spot(sheet.source, sheet.name, row, of_wells)}: "
                f"{_found(sheet.at(row, of_wells))} where a well, such as B7, should be, read as "
                f"{place}; correct it in campaign.toml, or the file"
            )
            continue
        rows.append(row)
        wells.append(well)
    if problems:
        reject(sheet.title, problems)
    for at, name in enumerate(header):
        column = area.left + at
        if column == of_wells or not name:
            continue
        places = tuple((row, column) for row in rows)
        yield Part(
            name=name,
            sheet=sheet,
            area=Area(area.top, column, area.bottom, column),
            plate=plate,
            wells=tuple(wells),
            values=tuple(sheet.at(*each) for each in places),
            places=places,
        )


def _nameless(sheet: Sheet, area: Area, header: Sequence[str], header_rows: int) -> list[str]:
    """Say which columns of a table have cells and no name."""
    below = range(area.top + header_rows, area.bottom + 1)
    return [
        f"{spot(sheet.source, sheet.name, area.top, area.left + at)}: the column has cells but no "
        "name; name it in the header, or leave it out of the cells in campaign.toml"
        for at, name in enumerate(header)
        if not name and any(sheet.at(row, area.left + at) != "" for row in below)
    ]


def block_name(block: Block) -> str:
    """Return the name of a block's column: what it holds, with the unit where one is declared."""
    return block.holds if block.unit is None else f"{block.holds} [{block.unit}]"


def _refuse(
    sheet: Sheet,
    at: tuple[int, int] | None,
    what: str,
    place: Place,
    remedy: str = "correct it in campaign.toml, or the file",
) -> NoReturn:
    """Reject a file that is not as its instrument was declared."""
    where = sheet.title if at is None else spot(sheet.source, sheet.name, *at)
    reject(sheet.title, [f"{where}: {what}, read as {place}; {remedy}"])
