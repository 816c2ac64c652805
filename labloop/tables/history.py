"""Formulas with their results, by the columns of components and responses: history, own rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labloop.errors import did_you_mean
from labloop.tables.columns import (
    ColumnMatch,
    match_columns,
    missing_component,
    missing_responses,
)
from labloop.tables.numbers import Column, Readings, parse_numbers, parse_readings, quoted
from labloop.tables.places import read_places
from labloop.tables.table import Table

if TYPE_CHECKING:
    from labloop.definition import Component, Response

MOST = 1e30  # a larger number is a slip of the keyboard, and overflows single precision


@dataclass(frozen=True, eq=False)
class HistoryRows:
    """Measured formulas, one row each as in the file.

    `concentrations` is rows × components in the campaign's units; a component of choices holds the
    position of its choice. `readings` is rows × responses in the campaign's order and units;
    `present[k]` says whether the file had a column for response k. `filled` names the components
    that the file lacked and whose fixed value was taken, `ignored` the columns not used, `read_as`
    what an alias told or whose unit was converted; all should be shown. `rows` are the row numbers
    of the file.

    `plates` and `wells` (A1) say where each row was measured; empty where the file does not say,
    as a whole or with "" in a row. Without a column of plates the wells are those of plate "1".

    Rows that a map tells of (`mapped.read_mapped`) may be blanks, of wells that hold no formula or
    one that the map does not have: their concentrations are NaN. `blanks` names these wells,
    `unmapped` the formulas that the map does not have, `absent` what the map has and the readings
    have not.
    """

    concentrations: npt.NDArray[np.float64]
    readings: Readings
    present: tuple[bool, ...]
    filled: tuple[str, ...]
    ignored: tuple[str, ...]
    rows: tuple[int | str, ...]
    source: str
    sha256: str
    read_as: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def is_blank(self) -> npt.NDArray[np.bool_]:
        """(rows,) whether a row is of a well that holds no formula, or an unknown one."""
        return np.asarray(np.isnan(self.concentrations).any(axis=1))


def read_history(
    table: Table,
    components: Sequence[Component],
    responses: Sequence[Response],
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> HistoryRows:
    """Return the rows of a table that has a column for every component and for some response.

    Only components with a fixed value may be without a column. Wells and plates are kept where the
    table has them. Raises RejectedError with every problem of the file.
    """
    match, problems = match_columns(
        table, components, responses, columns=columns, ignore=ignore, aliases=aliases
    )
    concentrations, filled, more = read_concentrations(table, match, components)
    readings, unreadable = read_responses(table, match, responses)
    places, misplaced = read_places(table, match)
    problems += more + unreadable + misplaced
    if problems:
        table.reject(problems)
    return HistoryRows(
        concentrations=concentrations,
        readings=readings,
        present=tuple(column is not None for column in match.responses),
        filled=filled,
        ignored=unused(table, match, ("well", "plate")),
        rows=tuple(table.rows.tolist()),
        source=table.source,
        sha256=table.sha256,
        read_as=match.read_as,
        plates=places.plates,
        wells=places.wells,
    )


def read_concentrations(
    table: Table, match: ColumnMatch, components: Sequence[Component]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...], list[str]]:
    """Return concentrations (rows × components), names filled with fixed values, and problems."""
    concentrations = np.full((len(table), len(components)), np.nan)
    filled: list[str] = []
    problems: list[str] = []
    for at, component in enumerate(components):
        column = match.components[at]
        if column is not None:
            values, wrong = _component_values(table.columns[column], table, component)
            concentrations[:, at] = values * match.component_factors[at]
            problems += [f"{table.cell(row, column)}: {why}" for row, why in wrong.items()]
        elif component.fixed is not None:
            concentrations[:, at] = component.fixed
            filled.append(component.name)
        else:
            problems.append(missing_component(table, component.name))
    return concentrations, tuple(filled), problems


def read_responses(
    table: Table, match: ColumnMatch, responses: Sequence[Response]
) -> tuple[Readings, list[str]]:
    """Return readings (rows × responses) and problems; one response column is enough."""
    shape = (len(table), len(responses))
    readings = Readings(
        np.full(shape, np.nan), np.full(shape, "missing", dtype="U11"), np.full(shape, np.nan)
    )
    problems: list[str] = []
    for at, column in enumerate(match.responses):
        if column is None:
            continue
        found, wrong = parse_readings(table.columns[column], table.style)
        factor = match.response_factors[at]
        for row in np.flatnonzero(np.abs(found.measured) > MOST).tolist():
            wrong[row] = f"no measurement is as large as {found.measured[row]:g}"
        readings.measured[:, at] = found.measured * factor
        readings.limits[:, at] = found.limits * factor
        readings.statuses[:, at] = found.statuses
        problems += [
            f"{table.cell(row, column)}: {why}{'' if ';' in why else _REMEDY}"
            for row, why in wrong.items()
        ]
    if all(column is None for column in match.responses):
        problems.append(missing_responses(table, [each.name for each in responses]))
    return readings, problems


_REMEDY = "; write a number, or leave it blank, NA, <LOD or OVRFLW where there is none"


def unused(table: Table, match: ColumnMatch, used: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names of the columns that were not used, in the file's order of finding."""
    keys = [table.names[column] for key, column in match.keys.items() if key not in set(used)]
    return (*match.ignored, *keys)


def _component_values(
    column: Column, table: Table, component: Component
) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Return one component's concentrations as written, and what is wrong with which row."""
    if component.choices is not None:
        return _choices(column, component.choices)
    values, problems = parse_numbers(column, table.style)
    for row, why in problems.items():
        problems[row] = f"{why}; write 0 for none" if why == "the cell is blank" else why
    for huge in np.flatnonzero(values > MOST).tolist():
        problems[huge] = f"no concentration is as large as {values[huge]:g}"
    for negative in np.flatnonzero(values < 0.0).tolist():
        problems[negative] = f"a concentration cannot be negative ({values[negative]:g})"
    return values, dict(sorted(problems.items()))


def _choices(
    column: Column, choices: Sequence[str]
) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Return the positions of the choices that the cells name."""
    positions = {choice: float(at) for at, choice in enumerate(choices)}
    texts = [cell if isinstance(cell, str) else f"{cell:g}" for cell in column]
    values = np.array([positions.get(text, np.nan) for text in texts])
    problems = {
        int(row): (
            f"{quoted(texts[row])} is no choice{did_you_mean(texts[row], choices) or ';'} "
            f"the choices are {', '.join(choices)}"
        )
        for row in np.flatnonzero(np.isnan(values))
    }
    return values, problems
