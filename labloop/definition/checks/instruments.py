"""What is wrong with the declared instruments and their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Block, Instrument, Response
from labloop.errors import did_you_mean

_CELLS = re.compile(r"[A-Za-z]{1,3}[1-9][0-9]{0,6}(:[A-Za-z]{1,3}[1-9][0-9]{0,6})?")
_FORMULA = "formula"


def instrument_problems(
    instruments: tuple[Instrument, ...],
    responses: tuple[Response, ...],
    aliases: Mapping[str, str],
) -> Iterator[str]:
    """Yield what is wrong with [[instrument]]."""
    names = [response.name for response in responses]
    seen: set[str] = set()
    for instrument in instruments:
        place = f'[[instrument]] "{instrument.name}"'
        problem = bad_name(instrument.name)
        if problem:
            yield f"{place}, name: {problem}"
        if instrument.name in seen:
            yield f"{place}, name: is already taken by another instrument; choose another"
        seen.add(instrument.name)
        if instrument.encoding is not None and not _is_encoding(instrument.encoding):
            yield (
                f'{place}, encoding: no encoding is called "{instrument.encoding}"; '
                "try latin-1 or gbk"
            )
        if instrument.decimal not in (None, ".", ","):
            yield f'{place}, decimal: must be "." or "," (got "{instrument.decimal}")'
        if not instrument.blocks:
            yield f"{place}: [[instrument.block]] is missing; say what the file holds and where"
        for word in instrument.words:
            if not word.strip():
                yield f"{place}, words: a blank cell is missing already; remove the empty word"
        for number, block in enumerate(instrument.blocks, start=1):
            where = f"{place}, [[instrument.block]] number {number}"
            yield from _block_problems(where, block, names, aliases)


def _block_problems(
    where: str, block: Block, responses: list[str], aliases: Mapping[str, str]
) -> Iterator[str]:
    if block.form == "table":
        if block.holds:
            yield f"{where}, holds: a table's header says what it holds; remove it"
        if block.unit is not None:
            yield f"{where}, unit: a table's header says its units; remove it"
    elif not block.holds:
        yield f'{where}, holds: is missing; name a response, or "{_FORMULA}"'
    elif aliases.get(block.holds, block.holds) not in (*responses, _FORMULA):
        hint = did_you_mean(block.holds, [*responses, _FORMULA])
        yield f'{where}, holds: there is no response "{block.holds}"{hint}'
    elif block.holds == _FORMULA and block.unit is not None:
        yield f"{where}, unit: names of formulas have no unit; remove it"
    if block.header_rows > 1 and block.form != "table":
        yield f'{where}, header_rows: goes with form = "table"; remove it'
    if block.cells is not None and not _CELLS.fullmatch(block.cells):
        yield (
            f'{where}, cells: must be a cell or a range such as A1 or A1:M9 (got "{block.cells}")'
        )
    for key in ("sheet", "plate"):
        text = getattr(block, key)
        if text is not None and not text.strip():
            yield f"{where}, {key}: must not be empty; remove it"


def _is_encoding(name: str) -> bool:
    import codecs

    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return True
