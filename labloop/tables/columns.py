"""Which column of a table is which component, response or key; nothing is silently dropped.

A column is matched by its name or by an alias, as `naming` compares them, each also with a unit
behind it (`glucose [mM]`, `glucose (g/L)`). A column that fits nothing is a problem, unless the
user said to ignore it or it is one of the columns that lab tables carry along (`NOTES`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from labloop.errors import did_you_mean
from labloop.names import KEYS, fold
from labloop.tables.naming import Finder, Found, Target
from labloop.tables.numbers import NumberStyle, is_number, parse_numbers, quoted
from labloop.tables.table import Table
from labloop.units import UnitError, canonical, conversion_factor, is_unit

if TYPE_CHECKING:
    from labloop.definition import Component, Response

__all__ = [
    "KEYS",
    "NOTES",
    "ColumnMatch",
    "fold",
    "match_columns",
    "missing_component",
    "missing_responses",
    "names_without_header",
]

NOTES: Final = frozenset(
    {"round", "role", "origin", "note", "notes", "comment", "name", "label", "condition"}
)


@dataclass(frozen=True)
class ColumnMatch:
    """Where each component, response and key stands in a table.

    `components[j]` and `responses[k]` are column numbers of the table, from 0, or None where the
    table has no such column; the factors turn the file's unit into the campaign's. `keys` has the
    columns of well, plate, formula and replicate that exist. `ignored` names the columns that are
    not used. `read_as` says of each column that an alias told or whose unit is converted how it was
    read, such as '"D-Glucose [g/L]" as glucose, g/L in mM'; it should be shown.
    """

    components: tuple[int | None, ...]
    component_factors: tuple[float, ...]
    responses: tuple[int | None, ...]
    response_factors: tuple[float, ...]
    keys: dict[str, int]
    ignored: tuple[str, ...]
    read_as: tuple[str, ...] = ()


def match_columns(
    table: Table,
    components: Sequence[Component],
    responses: Sequence[Response],
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
    strangers: bool = False,
) -> tuple[ColumnMatch, list[str]]:
    """Return what each column of the table is, and the problems met.

    `columns` maps names of the file to names of the campaign (or to well, plate, formula,
    replicate) and comes before any likeness; `ignore` lists columns of the file to leave out;
    `aliases` are those of the definition. With `strangers` a column that fits nothing is one that
    is not used, instead of a problem. What must be present is the caller's to say. Raises
    RejectedError where a row of units stands below the header.
    """
    targets = [Target("component", at, each.name) for at, each in enumerate(components)]
    targets += [Target("response", at, each.name) for at, each in enumerate(responses)]
    named = {target.name for target in targets}
    targets += [Target("key", at, key) for at, key in enumerate(KEYS) if key not in named]
    finder = Finder(targets, aliases)
    columns, ignore = dict(columns or {}), set(ignore)
    problems = _unknown_in_file(table, [*columns, *ignore])
    found: dict[Target, int] = {}
    factors: dict[Target, float] = {}
    ignored: list[str] = []
    read_as: list[str] = []
    for at, name in enumerate(table.names):
        if name in ignore:
            ignored.append(name)
            continue
        meant = finder.find(name, columns.get(name))
        target = meant.target
        if target is None:
            if name not in columns and (strangers or _carried_along(table, at)):
                ignored.append(name or "(row numbers)")
            else:
                problems.append(_unknown(table, at, columns.get(name), finder))
        elif target in found:
            problems.append(
                f"{table.column(at)}: column {quoted(table.names[found[target]])} is already "
                f'{target.kind} "{target.name}"; leave one of them out with --ignore'
            )
        else:
            found[target] = at
            try:
                factors[target] = _factor(target, meant.unit, components, responses)
            except UnitError as error:
                problems.append(f"{table.column(at)}: {error}")
            else:
                unit = _unit_of(target, components, responses)
                read_as += _reading_of(name, meant, unit, factors[target])
    match = _collect(found, factors, len(components), len(responses), ignored, read_as)
    _refuse_units_below(table, match, components)
    return match, problems


def names_without_header(
    components: Sequence[Component], responses: Sequence[Response]
) -> list[str]:
    """Return the order of columns of a table without header: components, then responses."""
    return [each.name for each in components] + [each.name for each in responses]


def missing_component(table: Table, name: str) -> str:
    """Say that a table lacks a component's column, and what to do."""
    return (
        f'{table.title}: no column for component "{name}"; add a column {quoted(name)} (the same '
        f"number in every row where it did not vary, 0 for none), or say which column it is "
        f'with --columns "FILE NAME={name}"'
    )


def missing_responses(table: Table, names: Sequence[str]) -> str:
    """Say that a table has no column for any response, and what to do."""
    listed = ", ".join(map(quoted, names))
    return (
        f"{table.title}: no column for any response ({listed}); add one, or say which column it "
        f'is with --columns "FILE NAME={names[0]}"'
    )


def _factor(
    target: Target,
    unit: str | None,
    components: Sequence[Component],
    responses: Sequence[Response],
) -> float:
    """Return the factor from the header's unit to the campaign's; raises UnitError."""
    if unit is None or target.kind == "key":
        return 1.0
    unit = unit.strip()
    try:
        if target.kind == "component":
            component = components[target.at]
            canonical(unit)
            return conversion_factor(unit, component.unit, component.molar_mass)
        response = responses[target.at]
        if fold(unit) == fold(response.unit):
            return 1.0
        # a response in % is rarely a weight in volume: viability, confluence, purity
        if is_unit(unit) and is_unit(response.unit) and "%" not in (unit, response.unit):
            with suppress(UnitError):  # of mass and molar, which a response has no molar mass for
                return conversion_factor(unit, response.unit)
    except UnitError as error:
        raise UnitError(f"{target.name}: {error}") from error
    if not response.unit:
        raise UnitError(
            f"{target.name}: the column is in {quoted(unit)}, the campaign says no unit; add "
            f"unit = {quoted(unit)} to the response in campaign.toml, or rename the column"
        )
    raise UnitError(
        f"{target.name}: the column is in {quoted(unit)}, the campaign wants "
        f"{quoted(response.unit)}; convert the numbers and rename the column"
    )


def _carried_along(table: Table, at: int) -> bool:
    """Return whether a column may stand unused: a well-known one, or row numbers without name."""
    name = table.names[at]
    if name and not name.startswith("Unnamed: "):  # as pandas calls a column without a name
        return fold(name) in NOTES or fold(name) in KEYS
    numbers, problems = parse_numbers(table.columns[at], NumberStyle())
    if problems:
        return False
    steps = np.diff(numbers)
    return bool((steps == 1.0).all()) and float(numbers[0]) in (0.0, 1.0)


def _unknown_in_file(table: Table, names: Sequence[str]) -> list[str]:
    """Say which names that the user gave for columns of the file are not there."""
    return [
        f"{table.title}: it has no column {quoted(name)}{did_you_mean(name, table.names) or ';'} "
        f"its columns are {', '.join(filter(None, table.names))}"
        for name in names
        if name not in table.names
    ]


def _unit_of(target: Target, components: Sequence[Component], responses: Sequence[Response]) -> str:
    """Return the campaign's unit of a target, empty where it has none."""
    if target.kind == "key":
        return ""
    return (components if target.kind == "component" else responses)[target.at].unit


def _reading_of(header: str, meant: Found, unit: str, factor: float) -> list[str]:
    """Say how a header was read, unless it was read as it stands."""
    converted = f", {meant.unit} in {unit}" if meant.unit and factor != 1.0 else ""
    if meant.target is None or (meant.alias is None and not converted):
        return []
    return [f"{quoted(header)} as {meant.target.name}{converted}"]


def _refuse_units_below(table: Table, match: ColumnMatch, components: Sequence[Component]) -> None:
    """Reject a table whose first row holds the units of the columns instead of values."""
    wanted = [
        at
        for at, component in zip(match.components, components, strict=True)
        if at is not None and component.choices is None
    ]
    wanted += [at for at in match.responses if at is not None]
    first = {at: table.columns[at][0] for at in wanted if table.columns[at][0] != ""}
    if any(is_number(cell, table.style) for cell in first.values()):
        return
    units = {at: text for at, cell in first.items() if is_unit(text := cell.strip("[]() "))}
    if units:
        at, unit = next(iter(units.items()))
        listed = ", ".join(dict.fromkeys(units.values()))
        table.reject(
            [
                f"{table.row(0)}: it holds units ({listed}) where values should be; write each "
                f"unit behind its name, such as {quoted(f'{table.names[at]} [{unit}]')}, and "
                "remove the row"
            ]
        )


def _unknown(table: Table, at: int, wanted: str | None, finder: Finder) -> str:
    """Say that a column is no component or response, and what to do."""
    known = ", ".join(finder.names)
    name = table.names[at]
    if wanted is not None:
        hint = finder.hint(wanted) or ";"
        return f"{table.column(at)}: the campaign has no {quoted(wanted)}{hint} it has {known}"
    if not name:
        return (
            f"{table.title}, column {table.positions[at]}: it has cells but no name; "
            "name it in the header (of merged cells only the first has the text)"
        )
    return (
        f"{table.column(at)}: no component or response has that name{finder.hint(name) or ';'} "
        f"the campaign has {known}; name it with --columns {quoted(name + '=…')}, for all files "
        f"under [aliases] in campaign.toml, or leave it out with --ignore {quoted(name)}"
    )


def _collect(
    found: Mapping[Target, int],
    factors: Mapping[Target, float],
    n_components: int,
    n_responses: int,
    ignored: Sequence[str],
    read_as: Sequence[str],
) -> ColumnMatch:
    at = {
        (target.kind, target.at): (column, factors.get(target, 1.0))
        for target, column in found.items()
    }
    nowhere = (None, 1.0)
    parts = [at.get(("component", each), nowhere) for each in range(n_components)]
    measured = [at.get(("response", each), nowhere) for each in range(n_responses)]
    return ColumnMatch(
        components=tuple(column for column, _ in parts),
        component_factors=tuple(factor for _, factor in parts),
        responses=tuple(column for column, _ in measured),
        response_factors=tuple(factor for _, factor in measured),
        keys={target.name: column for target, column in found.items() if target.kind == "key"},
        ignored=tuple(ignored),
        read_as=tuple(read_as),
    )
