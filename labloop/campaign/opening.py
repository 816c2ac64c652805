"""Tables opened as a campaign reads them, and the formulas that they hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labloop.campaign.knowledge import Floats
from labloop.definition import Definition
from labloop.errors import RefusedError, did_you_mean
from labloop.tables import Table, read_table
from labloop.tables.columns import match_columns, names_without_header
from labloop.tables.history import read_concentrations

if TYPE_CHECKING:
    import pandas as pd

    from labloop.definition.models import Instrument

LONGEST_TEXT = 500
"""Characters of a reason or of a source's name."""

_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def open_table(
    definition: Definition,
    table: pd.DataFrame | str | Path,
    *,
    header: bool = True,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    instrument: str | None = None,
    plate: str | None = None,
) -> Table:
    """Read a table.

    Args:
        definition: The campaign's; names the columns of a table without header.
        table: A frame, or the path of a CSV or Excel file.
        header: False for a table without header line: the components, then the responses, in the
            definition's order.
        sheet: Sheet of a workbook.
        encoding: Of a CSV file that is not UTF-8.
        decimal: Decimal mark, "." or ",".
        instrument: Name of the [[instrument]] in campaign.toml that says where what stands.
        plate: The plate that all of the file is of.

    Raises:
        RefusedError: campaign.toml has no such instrument.
        RejectedError: The file cannot be read.
    """
    names = names_without_header(definition.components, definition.responses)
    return read_table(
        table,
        names=None if header else names,
        sheet=sheet,
        encoding=encoding,
        decimal=decimal,
        instrument=None if instrument is None else _instrument(definition, instrument),
        plate=None if plate is None else checked_text(plate, "The name of a plate"),
    )


def _instrument(definition: Definition, name: str) -> Instrument:
    known = {instrument.name: instrument for instrument in definition.instruments}
    if name in known:
        return known[name]
    has = f"; it has {', '.join(known)}" if known else ""
    raise RefusedError(
        f'campaign.toml has no [[instrument]] "{name}"{did_you_mean(name, known) or has}; declare '
        "it there, or leave --instrument out."
    )


def read_formulas(
    definition: Definition,
    table: pd.DataFrame | str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    **reading: Any,
) -> tuple[Floats, pd.Index]:
    """Return the (n, components) concentrations of a table of formulas, and its rows' labels."""
    import pandas as pd

    read = open_table(definition, table, **reading)
    match, problems = match_columns(
        read,
        definition.components,
        definition.responses,
        columns=columns,
        ignore={*ignore, *_not_of_formulas(definition, table, read)},
        aliases=definition.aliases,
    )
    concentrations, _, more = read_concentrations(read, match, definition.components)
    if problems + more:
        read.reject(problems + more)
    index = table.index if isinstance(table, pd.DataFrame) else pd.Index(read.rows, name="row")
    return concentrations, index


def _not_of_formulas(
    definition: Definition, table: pd.DataFrame | str | Path, read: Table
) -> set[str]:
    """Return the columns of a table of formulas that say what labloop itself said of them.

    So what `Round.formulas` and `Campaign.best` return can be handed in again; a frame's index is
    its rows' labels, whatever its name.
    """
    told = {"acquisition", "candidate", "price"} | {
        f"{name}_{kind}"
        for name in definition.response_names
        for kind in ("mean", "sd", "sem", "wells")
    }
    if not isinstance(table, str | Path):
        told |= {str(name).strip() for name in table.index.names} - set(definition.component_names)
    return told & set(read.names)


def checked_text(text: str, what: str) -> str:
    """Return a text of the user's without blanks around it; `what` names it in messages.

    Any language is taken, on one line. Raises RefusedError for an empty text, one of more than
    500 characters, and characters that cannot be seen or that turn what follows around.
    """
    text = text.strip()
    if not text:
        raise RefusedError(f"{what} must not be empty.")
    if len(text) > LONGEST_TEXT:
        raise RefusedError(
            f"{what} has {len(text)} characters, more than {LONGEST_TEXT}; shorten it."
        )
    for at, character in enumerate(text, start=1):
        if unicodedata.category(character) in _UNSEEN or character in _TURNS:
            raise RefusedError(
                f"{what} must be one line of text that can be seen; its character {at} is "
                f"U+{ord(character):04X}."
            )
    return text
