"""Formulas and their amounts: narrow in the database, rows of a matrix outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labloop.store.database import Store, Writing
from labloop.store.definitions import ids_of
from labloop.store.values import NOW, plain

Amount = float | str | None


@dataclass(frozen=True)
class Formulas:
    """n formulas by d components, by id.

    `rows` is n × d: concentrations in the components' units, the chosen name for a component with
    choices, None where the formula has no amount of the component on record.
    """

    ids: list[int]
    sources: list[str | None]
    names: list[str | None]
    rows: list[list[Amount]]


def add_formulas(
    writing: Writing,
    components: Sequence[str],
    rows: Iterable[Iterable[Any]],
    *,
    source: str | None = None,
    names: Sequence[str | None] | None = None,
) -> list[int]:
    """Store formulas and return their ids, in order.

    `rows` is n × d (lists or an array), one column for each of `components`; see `Formulas`.
    `source` names the history that they come from, None for the campaign's own; `names` are those
    of named control formulas. Raises KeyError for a component that the definition does not have,
    ValueError for an amount that is neither a finite number nor a name.
    """
    matrix = [list(row) for row in rows]
    names = [None] * len(matrix) if names is None else names
    home = None if source is None else _source(writing, source)
    ids = writing.insert_numbered(
        "formula",
        "source, name, event",
        [(home, name, writing.event) for _, name in zip(matrix, names, strict=True)],
    )
    columns = ids_of(writing.store, "component", components)
    writing.insert(
        "amount", "formula, component, concentration, choice", _amounts(ids, columns, matrix)
    )
    writing.count("formulas", len(ids))
    return ids


def _amounts(
    ids: Sequence[int], columns: Sequence[int], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[int, int, float | None, str | None]]:
    for formula, row in zip(ids, rows, strict=True):
        for component, amount in zip(columns, row, strict=True):
            value = plain(amount)
            if isinstance(value, str):
                yield formula, component, None, value
            elif isinstance(value, (int, float)) and value - value == 0:  # neither NaN nor infinite
                yield formula, component, value, None
            elif value is not None:
                raise ValueError(f"an amount must be a finite number or a name (got {value!r})")


def _source(writing: Writing, name: str) -> int:
    known = writing.store.rows("SELECT id FROM source WHERE name = ?", (name,))
    if known:
        return int(known[0][0])
    return writing.insert_numbered("source", "name, event", [(name, writing.event)])[0]


def campaign_formulas(store: Store, components: Sequence[str], *, up_to: int = NOW) -> Formulas:
    """Return the campaign's own formulas as they stood after the event `up_to`.

    The columns are those of `components`; KeyError for one that the campaign never had.
    """
    return _read(store, components, "f.source IS NULL AND f.event <= ?", (up_to,))


def history_formulas(
    store: Store, components: Sequence[str], *, source: str | None = None, up_to: int = NOW
) -> Formulas:
    """Return the formulas of one source, or of all, as they stood after the event `up_to`."""
    if source is None:
        return _read(store, components, "f.source IS NOT NULL AND f.event <= ?", (up_to,))
    home = ids_of(store, "source", [source])[0]
    return _read(store, components, "f.source = ? AND f.event <= ?", (home, up_to))


def named_formulas(store: Store, *, up_to: int = NOW) -> dict[str, int]:
    """Return name → id of the campaign's named formulas, the newest of each up to an event."""
    return dict(
        store.rows(
            "SELECT name, max(id) FROM formula WHERE name IS NOT NULL AND source IS NULL "
            "AND event <= ? GROUP BY name ORDER BY max(id)",
            (up_to,),
        )
    )


def _read(
    store: Store, components: Sequence[str], where: str, parameters: Sequence[Any]
) -> Formulas:
    # a component that campaign.toml has only just got is not in the store yet
    known = dict(store.rows("SELECT name, id FROM component"))
    columns = {known[name]: k for k, name in enumerate(components) if name in known}
    found = store.rows(
        "SELECT f.id, s.name, f.name FROM formula AS f LEFT JOIN source AS s ON s.id = f.source "
        f"WHERE {where} ORDER BY f.id",
        parameters,
    )
    rows: list[list[Amount]] = [[None] * len(components) for _ in found]
    row_of = {formula: row for (formula, _, _), row in zip(found, rows, strict=True)}
    for formula, component, amount in store.rows(
        "SELECT a.formula, a.component, coalesce(a.concentration, a.choice) "
        f"FROM formula AS f JOIN amount AS a ON a.formula = f.id WHERE {where}",
        parameters,
    ):
        if component in columns:
            row_of[formula][columns[component]] = amount
    return Formulas(
        ids=[formula for formula, _, _ in found],
        sources=[source for _, source, _ in found],
        names=[name for _, _, name in found],
        rows=rows,
    )


def last_history_event(store: Store, *, up_to: int = NOW) -> int:
    """Return the last event, of those until `up_to`, that added to any source; 0 for none."""
    rows = store.rows(
        "SELECT coalesce(max(m.event), 0) FROM formula AS f CROSS JOIN measurement AS m "
        "ON m.formula = f.id WHERE f.source IS NOT NULL AND m.event <= ?",
        (up_to,),
    )
    return int(rows[0][0])
