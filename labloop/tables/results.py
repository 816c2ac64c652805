"""Measured results of a round: joined by plate and well, by formula, or by the composition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from labloop.tables import joining
from labloop.tables.columns import match_columns
from labloop.tables.history import read_responses, unused
from labloop.tables.numbers import Readings
from labloop.tables.table import Table

if TYPE_CHECKING:
    from labloop.definition import Component, Response


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """Results of rows that fit the round.

    `key` says what the rows are joined by. By well: `plates`, `wells` and `formulas` (what the
    layout holds there) have one entry a row. By formula: `formulas` has. By composition:
    `concentrations` (rows × components, campaign's units; choices by position) has, and `plates`
    and `wells` as `HistoryRows` has them. `readings` is rows × responses; `present[k]` says whether
    the file has response k. `absent` lists the wells with a formula, or the formulas, that the file
    says nothing of; `blanks` the wells without formula that a reader measured, whose formula is "";
    `ignored` the columns not used; `filled` the components taken at their fixed value; `read_as`
    what an alias told or whose unit was converted.
    """

    key: Literal["well", "formula", "composition"]
    readings: Readings
    present: tuple[bool, ...]
    rows: tuple[int | str, ...]
    source: str
    sha256: str
    plates: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    concentrations: npt.NDArray[np.float64] | None = None
    absent: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()


def read_results(
    table: Table,
    components: Sequence[Component],
    responses: Sequence[Response],
    *,
    layout: joining.Layout | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> MeasuredRows:
    """Return the measured rows of a table, joined by the first of these that it has.

    With a `layout` (that of the round being recorded): a column of wells; else a column of
    formulas. Without, or when it has neither column: columns of the components, for formulas that
    labloop never proposed. Raises RejectedError with every problem of the file.
    """
    match, problems = match_columns(
        table, components, responses, columns=columns, ignore=ignore, aliases=aliases
    )
    readings, unreadable = read_responses(table, match, responses)
    present = tuple(column is not None for column in match.responses)
    if layout is not None and "well" in match.keys:
        joined, more = joining.by_well(table, match, readings, layout)
    elif layout is not None and "formula" in match.keys:
        joined, more = joining.by_formula(table, match, layout)
    else:
        joined, more = joining.by_composition(
            table, match, components, has_round=layout is not None
        )
    problems += more + unreadable
    if problems:
        table.reject(problems)
    ignored = unused(table, match, joined.used)
    if joined.key != "composition":
        ignored += tuple(table.names[column] for column in match.components if column is not None)
    kept = joined.kept
    return MeasuredRows(
        key=joined.key,
        readings=Readings(readings.measured[kept], readings.statuses[kept], readings.limits[kept]),
        present=present,
        rows=tuple(table.rows[kept].tolist()),
        source=table.source,
        sha256=table.sha256,
        plates=joined.plates,
        wells=joined.wells,
        formulas=joined.formulas,
        concentrations=joined.concentrations,
        absent=joined.absent,
        ignored=ignored,
        filled=joined.filled,
        read_as=match.read_as,
        blanks=joined.blanks,
    )
