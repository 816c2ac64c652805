"""A file of a declared instrument, opened and read block by block."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labloop.errors import RejectedError
from labloop.tables import text, workbook
from labloop.tables.asked import Asked
from labloop.tables.blocks import Place
from labloop.tables.cells import Area, Sheet, region
from labloop.tables.instruments import outside, read_blocks, read_table_block
from labloop.tables.numbers import quoted
from labloop.tables.plates import Part, as_table
from labloop.tables.table import Table, reject
from labloop.tables.tidy import as_columns, checked, of_plate, with_comma

if TYPE_CHECKING:
    from labloop.definition.models import Instrument


def read_book(book: workbook.Book, asked: Asked) -> Table:
    """Return what the blocks of an instrument hold in a workbook."""
    assert asked.instrument is not None
    if asked.sheet is not None and all(block.sheet for block in asked.instrument.blocks):
        reject(
            asked.source,
            [
                f"{asked.source}: instrument {quoted(asked.instrument.name)} says which sheets it "
                "is read from; leave out --sheet"
            ],
        )
    read: dict[str, Sheet] = {}

    def sheet_of(name: str | None, place: Place) -> Sheet:
        wanted = asked.sheet if name is None else name
        title = _only_sheet(book, place) if wanted is None else book.find(wanted)
        if title not in read:
            read[title] = book.read(title)
        return read[title]

    def merged(sheet: Sheet) -> tuple[Area, ...]:
        return book.merged(sheet.name) if sheet.name is not None else ()

    table = read_table_block(asked.instrument, sheet_of, merged, asked.plate, asked.source)
    if table is not None:
        sheet, area, header = table
        book.refuse_uncomputed(sheet, [area])
        digest = asked.digest([region(sheet.name, area)])
        return _of_block(sheet, area, header, digest, asked, _others(book, read))
    parts, unused = read_blocks(asked.instrument, sheet_of, merged, asked.plate, asked.source)
    return plates_of_book(book, parts, [*unused, *_others(book, read)], asked)


def _others(book: workbook.Book, read: Container[str]) -> list[str]:
    """Say which sheets no block was read from."""
    others = [title for title in book.titles if title not in read]
    plural = "sheet" if len(others) == 1 else "sheets"
    return [f"{plural} {workbook.listed(others)}"] if others else []


def _only_sheet(book: workbook.Book, place: Place) -> str:
    titles = book.filled()
    if len(titles) > 1:
        reject(
            book.source,
            [
                f"{book.source}: {len(titles)} sheets have content ({workbook.listed(titles)}), "
                f"and {place} in campaign.toml names none; name one there, or with --sheet"
            ],
        )
    return titles[0]


def read_text(content: str, asked: Asked) -> Table:
    """Return what the blocks of an instrument hold in a CSV file.

    The separator is the first under which all blocks fit; without one the file is refused for what
    the separator that splits it most leaves unfit.
    """
    assert asked.instrument is not None
    splits = text.split_loosely(content) or {",": text.parse_rows(content, asked.source)[:2]}
    failures: list[tuple[int, RejectedError]] = []
    for separator, (rows, numbers) in splits.items():
        sheet = Sheet(asked.source, None, rows, numbers)
        try:
            return with_comma(_read_rows(sheet, asked.instrument, asked), separator)
        except RejectedError as error:
            failures.append((sum(map(len, rows)), error))
    raise max(failures, key=lambda failure: failure[0])[1]


def _read_rows(sheet: Sheet, instrument: Instrument, asked: Asked) -> Table:
    def sheet_of(name: str | None, place: Place) -> Sheet:
        if name is not None:
            reject(
                sheet.source,
                [
                    f"{sheet.source}: a CSV file has no sheets, and {place} in campaign.toml names "
                    f"{quoted(name)}; give it the workbook"
                ],
            )
        return sheet

    table = read_table_block(instrument, sheet_of, lambda _: (), asked.plate, asked.source)
    if table is not None:
        return _of_block(*table, asked.digest([region(None, table[1])]), asked)
    parts, unused = read_blocks(instrument, sheet_of, lambda _: (), asked.plate, asked.source)
    digest = asked.digest([part.region for part in parts])
    return as_table(parts, digest=digest, style=asked.style, unused=unused, sheet=None)


def _of_block(
    sheet: Sheet,
    area: Area,
    header: Sequence[str],
    digest: str,
    asked: Asked,
    others: Sequence[str] = (),
) -> Table:
    """Return the table of an instrument that has nothing but a table; `area` has its header."""
    assert asked.instrument is not None
    [block] = asked.instrument.blocks
    top = area.top + block.header_rows
    columns = range(area.left, area.right + 1)
    numbers = [
        number
        for number in sheet.numbers
        if top <= number <= area.bottom and any(sheet.at(number, at) != "" for at in columns)
    ]
    cells = as_columns(
        [[sheet.at(number, at) for at in columns] for number in numbers], len(header)
    )
    kept = [at for at, name in enumerate(header) if name or any(cell != "" for cell in cells[at])]
    table = checked(
        Table(
            source=sheet.source,
            names=tuple(header[at] for at in kept),
            columns=tuple(cells[at] for at in kept),
            positions=tuple(area.left + at for at in kept),
            rows=np.array(numbers, dtype=np.int64),
            sha256=digest,
            sheet=sheet.name,
            style=asked.style,
            is_plate=True,
            unused=(*outside([(sheet, area)], asked.instrument), *others),
        )
    )
    return of_plate(table, block.plate if block.plate is not None else asked.plate)


def plates_of_book(
    book: workbook.Book, parts: Sequence[Part], unused: Sequence[str], asked: Asked
) -> Table:
    """Return the table of parts of a workbook; raises RejectedError for uncomputed formulas."""
    sheets = list(dict.fromkeys(part.sheet for part in parts))
    for sheet in sheets:
        book.refuse_uncomputed(sheet, [part.area for part in parts if part.sheet is sheet])
    names = [sheet.name for sheet in sheets if sheet.name is not None]
    return as_table(
        parts,
        digest=asked.digest([part.region for part in parts]),
        style=asked.style,
        unused=unused,
        sheet=names[0] if len(names) == 1 else None,
    )
