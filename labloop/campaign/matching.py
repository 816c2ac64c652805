"""Whether results belong to a round: what it has already, and whether its formulas are meant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labloop import store
from labloop.campaign.knowledge import as_amounts, as_concentrations
from labloop.campaign.rounds import control_names
from labloop.definition import Definition
from labloop.store import Measurement, Result, Store, Writing
from labloop.tables import MeasuredRows, Table
from labloop.tables.columns import ColumnMatch
from labloop.tables.history import read_concentrations

_TOLERANCE = 0.02  # of a component's range: targets in a file differ from what was achieved


@dataclass(frozen=True)
class Known:
    """What a round has results of.

    Attributes:
        in_wells: (well's id, response) → what was measured.
        of_formulas: (formula, response) that have a result in a well or without one.
        without_well: Those of them without a well.
    """

    in_wells: dict[tuple[int | None, str], Measurement]
    of_formulas: frozenset[tuple[int | None, str]]
    without_well: frozenset[tuple[int | None, str]]

    def has(self, result: Result) -> bool:
        """Whether the round has what a result, given with its formula, tells."""
        key = result.formula, result.response
        if result.well is None:
            return key in self.of_formulas
        earlier = self.in_wells.get((result.well, result.response))
        return key in self.without_well or (earlier is not None and earlier.status != "missing")


def results_of_round(opened: Store, number: int) -> Known:
    """Return what was recorded of a round, by well or by formula.

    A formula's results without a well (a control is on every plate) belong to the round that they
    were recorded for, which their event tells.
    """
    events = {e.sequence for e in store.read_events(opened) if e.detail.get("round") == number}
    measured = store.campaign_measurements(opened)
    in_wells = {(m.well_id, m.response): m for m in measured if m.round == number}
    without_well = frozenset(
        (m.formula, m.response)
        for m in measured
        if m.well_id is None and m.event in events and m.status != "missing"
    )
    found = {(m.formula, m.response) for m in in_wells.values() if m.status != "missing"}
    return Known(in_wells, without_well | found, without_well)


def refuse_other_formulas(
    writing: Writing,
    definition: Definition,
    table: Table,
    match: ColumnMatch,
    rows: MeasuredRows,
    number: int,
) -> None:
    """Reject a table whose components' columns tell of other formulas than the round's.

    A lab's own tables have wells too: without this, their results would become the round's.
    """
    columns = [j for j, column in enumerate(match.components) if column is not None]
    if not columns:
        return
    components = definition.components
    told, _, _ = read_concentrations(table, match, components)
    place = {str(label): row for row, label in enumerate(table.rows)}
    if len(place) < len(table):  # a frame whose labels repeat
        return
    formulas = store.campaign_formulas(writing.store, definition.component_names)
    row_of = dict(zip(formulas.ids, formulas.rows, strict=True))
    controls = control_names(writing.store, number)
    ids = [controls[name] if name in controls else int(name) for name in rows.formulas]
    held = as_concentrations([row_of[formula] for formula in ids], components)
    problems = []
    for k, label in enumerate(rows.rows):
        row = place[str(label)]
        for j in columns:
            component, says = components[j], told[row, j]
            slack = 0.0 if component.choices is not None else max(component.high, held[k, j])
            if not np.isnan(says) and abs(says - held[k, j]) > _TOLERANCE * slack:
                column = match.components[j]
                assert column is not None
                amounts = as_amounts(np.array([told[row], held[k]])[:, [j]], [component])
                problems.append(
                    f"{table.cell(row, column)}: formula {rows.formulas[k]} of round {number} has "
                    f"{_text(amounts[1][0])}, but the file says {_text(amounts[0][0])}; is this "
                    "the file of another round? If these are formulas of the lab's own, leave "
                    f"out the column of wells or formulas with --ignore"
                )
                break
    if problems:
        table.reject(problems)


def _text(amount: float | str) -> str:
    return amount if isinstance(amount, str) else f"{amount:g}"
