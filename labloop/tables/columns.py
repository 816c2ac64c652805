"""Which column of a table is which component, response or key; nothing is silently dropped.

A column is matched by its exact name, else by its name without regard to case, spaces and
underscores, each also with a unit in brackets behind it (`glucose [mM]`, `glucose (g/L)`). A column
that fits nothing is a problem, unless the user said to ignore it or it is one of the columns that
lab tables carry along (`NOTES`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from labloop.errors import did_you_mean
from labloop.tables.numbers import NumberStyle, parse_numbers, quoted
from labloop.tables.table import Table
from labloop.units import UnitError, canonical, conversion_factor, is_unit

if TYPE_CHECKING:
    from labloop.definition import Component, Response

KEYS: Final = ("well", "plate", "formula", "replicate")
NOTES: Final = frozenset(
    {"round", "role", "origin", "note", "notes", "comment", "name", "label", "condition"}
)

_WITH_UNIT: Final = re.compile(r"(?P<name>.+?)\s*(?:\[(?P<square>[^][]*)\]|\((?P<round>[^()]*)\))")


@dataclass(frozen=True)
class ColumnMatch:
    """Where each component, response and key stands in a table.

    `components[j]` and `responses[k]` are column numbers of the table, from 0, or None where the
    table has no such column; the factors turn the file's unit into the campaign's. `keys` has the
    columns of well, plate, formula and replicate that exist. `ignored` names the columns that are
    not used.
    """

    components: tuple[int | None, ...]
    component_factors: tuple[float, ...]
    responses: tuple[int | None, ...]
    response_factors: tuple[float, ...]
    keys: dict[str, int]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class _Target:
    """A thing of the campaign that a column can stand for."""

    kind: str  # component, response or key
    at: int
    name: str


def match_columns(
    table: Table,
    components: Sequence[Component],
    responses: Sequence[Response],
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
) -> tuple[ColumnMatch, list[str]]:
    """Return what each column of the table is, and the problems met.

    `columns` maps names of the file to names of the campaign (or to well, plate, formula,
    replicate) and comes before any likeness; `ignore` lists columns of the file to leave out.
    What must be present is the caller's to say.
    """
    targets = [_Target("component", at, each.name) for at, each in enumerate(components)]
    targets += [_Target("response", at, each.name) for at, each in enumerate(responses)]
    named = {target.name for target in targets}
    targets += [_Target("key", at, key) for at, key in enumerate(KEYS) if key not in named]
    finder = _Finder(targets)
    columns, ignore = dict(columns or {}), set(ignore)
    problems = _unknown_in_file(table, [*columns, *ignore])
    found: dict[_Target, int] = {}
    factors: dict[_Target, float] = {}
    ignored: list[str] = []
    for at, name in enumerate(table.names):
        if name in ignore:
            ignored.append(name)
            continue
        target, unit = finder.find(columns.get(name, name), unit_of=name)
        if target is None:
            if name not in columns and _carried_along(table, at):
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
                factors[target] = _factor(target, unit, components, responses)
            except UnitError as error:
                problems.append(f"{table.column(at)}: {error}")
    return _collect(found, factors, len(components), len(responses), ignored), problems


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


class _Finder:
    """Finds the target that a column's name means."""

    def __init__(self, targets: Sequence[_Target]) -> None:
        self.targets = targets
        self._exact = {target.name: target for target in targets}
        folds = [fold(target.name) for target in targets]
        self._folded = {
            name: target
            for name, target in zip(folds, targets, strict=True)
            if folds.count(name) == 1
        }

    def find(self, name: str, unit_of: str) -> tuple[_Target | None, str | None]:
        """Return the target of a name and the unit in the header `unit_of`, if it has one."""
        whole = self._exact.get(name) or self._folded.get(fold(name))
        bare, unit = split_unit(unit_of)
        if whole is not None:
            # A name that itself ends in brackets, such as "titre (g/L)", states its own unit; what
            # stands in brackets behind a name that the user mapped need not be a unit at all.
            return whole, unit if name != unit_of and is_unit(unit or "") else None
        if name != unit_of:
            return None, None
        return (self._exact.get(bare) or self._folded.get(fold(bare))) if unit else None, unit

    @property
    def names(self) -> list[str]:
        return [target.name for target in self.targets if target.kind != "key"]


def fold(name: str) -> str:
    """Return a name without regard to case, spaces and underscores."""
    return re.sub(r"[\s_]+", "", unicodedata.normalize("NFKC", name).casefold())


def split_unit(header: str) -> tuple[str, str | None]:
    """Split `glucose [mM]` or `glucose (g/L)` into name and unit; no brackets, no unit."""
    match = _WITH_UNIT.fullmatch(header)
    if match is None:
        return header, None
    return match["name"], (match["square"] if match["square"] is not None else match["round"])


def _factor(
    target: _Target,
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
            return conversion_factor(unit, response.unit)
    except UnitError as error:
        raise UnitError(f"{target.name}: {error}") from error
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


def _unknown(table: Table, at: int, wanted: str | None, finder: _Finder) -> str:
    """Say that a column is no component or response, and what to do."""
    known = ", ".join(finder.names)
    name = table.names[at]
    if wanted is not None:
        hint = did_you_mean(wanted, finder.names) or ";"
        return f"{table.column(at)}: the campaign has no {quoted(wanted)}{hint} it has {known}"
    if not name:
        return (
            f"{table.title}, column {table.positions[at]}: it has cells but no name; "
            "name it in the header (of merged cells only the first has the text)"
        )
    bare, _ = split_unit(name)
    hint = did_you_mean(bare, finder.names) or ";"
    return (
        f"{table.column(at)}: no component or response has that name{hint} the campaign has "
        f"{known}; name it with --columns {quoted(name + '=…')} or leave it out with "
        f"--ignore {quoted(name)}"
    )


def _collect(
    found: Mapping[_Target, int],
    factors: Mapping[_Target, float],
    n_components: int,
    n_responses: int,
    ignored: Sequence[str],
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
    )
