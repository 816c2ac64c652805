"""Files of a declared instrument: the blocks that campaign.toml names, and nothing else.

A block that is not in the file as declared is refused with its sheet, its cell and what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labloop.tables.blocks import (
    Place,
    block_area,
    block_name,
    read_columns,
    read_grid,
    read_list,
    table_area,
)
from labloop.tables.cells import Area, Sheet
from labloop.tables.grids import PLATES, cells
from labloop.tables.headers import joined_header
from labloop.tables.numbers import quoted
from labloop.tables.plates import Part
from labloop.tables.table import reject

if TYPE_CHECKING:
    from labloop.definition.models import Instrument


def read_blocks(
    instrument: Instrument,
    sheet_of: Callable[[str | None, Place], Sheet],
    merged: Callable[[Sheet], tuple[Area, ...]],
    plate: str | None,
    source: str,
) -> tuple[list[Part], list[str]]:
    """Return the parts that an instrument's blocks hold, and what of their sheets they leave.

    `sheet_of` gives the sheet of a block by its name (None: the only one with content), `merged`
    its merged cells. Raises RejectedError.
    """
    _check_plates(instrument, plate, source)
    parts: list[Part] = []
    areas: list[tuple[Sheet, Area]] = []
    for number, block in enumerate(instrument.blocks, start=1):
        place = Place(instrument.name, number)
        sheet = sheet_of(block.sheet, place)
        area, whole = block_area(block, sheet, place)
        of = block.plate if block.plate is not None else plate
        if block.form == "grid":
            parts.append(read_grid(block, sheet, area, whole, place).part(block_name(block), of))
        elif block.form == "list":
            parts.append(read_list(block, sheet, area, whole, place, of))
        else:
            rows = table_area(block, sheet, area, whole, place)
            header = joined_header(sheet, rows, block.header_rows, merged(sheet))
            parts += read_columns(block, sheet, rows, header, place, of)
            areas.append((sheet, rows))
            continue
        areas.append((sheet, parts[-1].area))
    _check_shapes(parts, source)
    return parts, outside(areas, instrument)


def read_table_block(
    instrument: Instrument,
    sheet_of: Callable[[str | None, Place], Sheet],
    merged: Callable[[Sheet], tuple[Area, ...]],
    plate: str | None,
    source: str,
) -> tuple[Sheet, Area, list[str]] | None:
    """Return the sheet, the cells with the header, and the joined header of an instrument's table.

    None if the instrument has another block as well, or none of a table. Raises RejectedError where
    there is no such table.
    """
    if len(instrument.blocks) != 1 or instrument.blocks[0].form != "table":
        return None
    _check_plates(instrument, plate, source)
    [block] = instrument.blocks
    place = Place(instrument.name, 1)
    sheet = sheet_of(block.sheet, place)
    area, whole = block_area(block, sheet, place)
    rows = table_area(block, sheet, area, whole, place)
    header = joined_header(sheet, rows, block.header_rows, merged(sheet))
    return sheet, rows, header


def _check_plates(instrument: Instrument, plate: str | None, source: str) -> None:
    """Refuse a plate named twice, and blocks of which only some say their plate."""
    named = [block.plate is not None for block in instrument.blocks]
    if plate is not None and any(named):
        reject(
            source,
            [
                f"{source}: instrument {quoted(instrument.name)} says which plate each block is "
                "of; leave out --plate"
            ],
        )
    if any(named) and not all(named):
        number = 1 + named.index(False)
        reject(
            source,
            [
                f"{source}: {Place(instrument.name, number)} in campaign.toml names no plate, "
                "while others do; name the plate of each"
            ],
        )


def _check_shapes(parts: Sequence[Part], source: str) -> None:
    """Refuse grids of one plate that have different sizes."""
    sizes: dict[str | None, Part] = {}
    for part in parts:
        shape = part.area.bottom - part.area.top, part.area.right - part.area.left
        if shape not in PLATES or len(part.wells) != PLATES[shape]:
            continue
        first = sizes.setdefault(part.plate, part)
        if len(first.wells) != len(part.wells):
            reject(
                source,
                [
                    f"{source}: {first.region} has {len(first.wells)} wells and {part.region} has "
                    f"{len(part.wells)}, and they are said to be of one plate; name their plates "
                    "in campaign.toml"
                ],
            )


def outside(areas: Sequence[tuple[Sheet, Area]], instrument: Instrument) -> list[str]:
    """Say how many cells of the sheets that were read stand outside the blocks."""
    of_sheet: dict[Sheet, list[Area]] = {}
    for sheet, area in areas:
        of_sheet.setdefault(sheet, []).append(area)
    found = []
    for sheet, own in of_sheet.items():
        number = sum(
            not any((row, column) in area for area in own) for row, column, _ in sheet.filled()
        )
        if number:
            what = f"{cells(number)} outside the blocks of instrument {quoted(instrument.name)}"
            found.append(what if sheet.name is None else f"sheet {quoted(sheet.name)}: {what}")
    return found
