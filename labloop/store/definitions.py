"""Every version of campaign.toml that was used, and the components and responses they name."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from labloop.errors import RefusedError
from labloop.store.database import Store, Writing
from labloop.store.values import NOW


def use_definition(
    writing: Writing,
    text: str,
    components: Iterable[tuple[str, str]],
    responses: Iterable[tuple[str, str]],
) -> int:
    """Return the id of this text of campaign.toml, stored if it is new, with the names in it.

    `components` and `responses` are (name, unit). A name keeps its unit for the whole campaign:
    RefusedError for another unit, because the stored numbers would change their meaning.
    """
    added = _add_names(writing, "component", components)
    added |= _add_names(writing, "response", responses)
    if added:
        from labloop.store.migrations import rebuild_views

        rebuild_views(writing.store.connection)
    digest = sha256(text.encode("utf-8")).hexdigest()
    known = writing.store.rows("SELECT id FROM definition WHERE sha256 = ?", (digest,))
    if known:
        return int(known[0][0])
    writing.detail["definition"] = digest
    return writing.insert_numbered(
        "definition", "sha256, text, event", [(digest, text, writing.event)]
    )[0]


def _add_names(writing: Writing, table: str, names: Iterable[tuple[str, str]]) -> bool:
    units = dict(writing.store.rows(f"SELECT name, unit FROM {table}"))
    new = []
    for name, unit in names:
        if units.setdefault(name, unit) != unit:
            was = f"was in {units[name]}" if units[name] else "had no unit"
            becomes = f"be in {unit}" if unit else "be without"
            raise RefusedError(
                f'the {table} "{name}" {was} until now and cannot {becomes}; '
                f"put the old unit back, or give the {table} another name"
            )
        new.append((name, unit, writing.event))
    known = {name for (name,) in writing.store.rows(f"SELECT name FROM {table}")}
    new = [row for row in new if row[0] not in known]
    writing.insert_numbered(table, "name, unit, event", new)
    return bool(new)


def definition_text(store: Store, definition: int) -> str:
    """Return the text of campaign.toml that a round (its `definition`) was made with."""
    return str(store.rows("SELECT text FROM definition WHERE id = ?", (definition,))[0][0])


def read_components(store: Store, *, up_to: int = NOW) -> dict[str, str]:
    """Return name → unit of every component that the campaign had had after the event `up_to`, in
    order of arrival."""
    return _units(store, "component", up_to)


def read_responses(store: Store, *, up_to: int = NOW) -> dict[str, str]:
    """Return name → unit of every response that the campaign had had after the event `up_to`, in
    order of arrival."""
    return _units(store, "response", up_to)


def _units(store: Store, table: str, up_to: int) -> dict[str, str]:
    return dict(
        store.rows(f"SELECT name, unit FROM {table} WHERE event <= ? ORDER BY id", (up_to,))
    )


def ids_of(store: Store, table: str, names: Iterable[str]) -> list[int]:
    """Return the ids of components, responses or sources by name; raises KeyError for unknown."""
    known = dict(store.rows(f"SELECT name, id FROM {table}"))
    return [known[name] for name in names]
