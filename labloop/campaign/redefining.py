"""A campaign.toml replaced by another text, checked whole before anything changes.

It works on the folder alone, for a campaign whose campaign.toml is broken cannot be opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labloop import store
from labloop.campaign.folders import replace_text
from labloop.campaign.knowledge import refuse_lost_meaning
from labloop.definition import Definition, parse, read_text
from labloop.errors import DefinitionError, RefusedError
from labloop.space import FormulaSpace
from labloop.store import Store


def redefine(
    folder: str | Path, text: str, *, was: str | None = None, dry_run: bool = False
) -> Definition:
    """Put a new text in the place of a campaign's definition, whole or not at all.

    Args:
        folder: The campaign's, even one whose campaign.toml cannot be read any more.
        text: Of the new campaign.toml; its ends of lines become line feeds.
        was: The text that it was made from; None to replace whatever there is.
        dry_run: Check everything and write nothing.

    Returns:
        The definition that the text is.

    Raises:
        DefinitionError: The text has problems, or leaves no formula.
        RefusedError: Stored results would lose their meaning, campaign.toml is not `was` any more,
            there is no campaign, its database cannot be opened, or the file not written to.
        BusyError: Another program writes to the campaign for longer than is waited.
    """
    folder = Path(folder)
    toml = folder / "campaign.toml"
    if not toml.is_file():
        raise RefusedError(
            f'There is no campaign in "{folder}" (no campaign.toml); '
            "check the name, or make one with `labloop init`."
        )
    text = _as_file(text)
    definition = parse(text)
    FormulaSpace.of(definition)
    with _alone(folder / "campaign.db") as opened:
        if opened is not None:
            refuse_lost_meaning(opened, definition)
        if was is not None and _present(toml) != _as_file(was):
            raise RefusedError(
                f'"{toml}" was changed by somebody else meanwhile, so it was left as it is; look '
                "at it as it is now, and make your changes again."
            )
        if not os.access(toml, os.W_OK):
            raise RefusedError(f'"{toml}" is read-only; allow writing to it.')
        if not dry_run:
            # through a link to the file itself, as an editor writes
            replace_text(toml.resolve(), text)
    return definition


def _as_file(text: str) -> str:
    """Return a text as the file keeps it: a browser ends its lines in its own way."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        problem = f"a character is not text; remove it (at line {line}, column 1)"
        raise DefinitionError("The definition is not UTF-8 text.", [problem]) from None
    return text


def _present(toml: Path) -> str | None:
    """Return the text of the file, None where it is none."""
    try:
        return read_text(toml)
    except DefinitionError:
        return None


@contextmanager
def _alone(database: Path) -> Iterator[Store | None]:
    """Open a campaign's database and keep all other writers waiting; None where there is none.

    So nothing that loses its meaning comes in between the check and the replacement, and of two
    that replace the same text the second sees the first's.
    """
    if not database.exists():
        yield None
        return
    with store.open_store(database) as opened, opened.writing("redefine", keep=False):
        yield opened
