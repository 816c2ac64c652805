"""Whether results belong to a round: what it has already, and whether its formulas are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labloop import store
from labloop.campaign.knowledge import as_amounts, as_concentrations
from labloop.campaign.recorded import Outcome, outcome_of
from labloop.campaign.rounds import control_names
from labloop.definition import Definition
from labloop.store import Measurement, Store, Writing
from labloop.tables import MeasuredRows, Table
from labloop.tables.columns import ColumnMatch
from labloop.tables.history import read_concentrations

_TOLERANCE = 0.02  # of a component's range: targets in a file differ from what was achieved


@dataclass(frozen=True)
class Known:
    """What a round has results of.

    Attributes:
        in_wells: (well's id, response) → what was measured.
        of_wells: (formula, response) → what was measured in its wells.
        without_well: (formula, response) → what was recorded without a well.
        hidden: Measurement's id → what an excluded one says.
    """

    in_wells: dict[tuple[int, str], Measurement]
    of_wells: dict[tuple[int | None, str], list[Measurement]]
    without_well: dict[tuple[int | None, str], list[Measurement]]
    hidden: dict[int, Outcome]

    def says(self, measured: Measurement) -> Outcome:
        """Return what a measurement says, also where it is excluded."""
        return self.hidden.get(measured.id) or outcome_of(measured)

    @cached_property
    def by_well(self) -> frozenset[str]:
        """The responses of which a result by well counts."""
        return frozenset(m.response for m in self.in_wells.values() if self.counts(m))

    def counts(self, measured: Measurement) -> bool:
        """Tell whether a measurement says something, and is not excluded."""
        return measured.id not in self.hidden and not self.is_silent(measured)

    def is_silent(self, measured: Measurement) -> bool:
        """Tell whether a measurement only says that there is none."""
        return self.says(measured).status == "missing"


def results_of_round(opened: Store, number: int) -> Known:
    """Return what was recorded of a round, by well or by formula."""
    in_wells = store.round_measurements(opened, number)
    without = store.measurements_without_well(opened, number)
    of_wells: dict[tuple[int | None, str], list[Measurement]] = {}
    without_well: dict[tuple[int | None, str], list[Measurement]] = {}
    for found, measured in ((of_wells, in_wells), (without_well, without)):
        for m in measured:
            found.setdefault((m.formula, m.response), []).append(m)
    return Known(
        in_wells={(m.well_id, m.response): m for m in in_wells if m.well_id is not None},
        of_wells=of_wells,
        without_well=without_well,
        hidden=excluded_outcomes(opened, [*in_wells, *without]),
    )


def excluded_outcomes(opened: Store, measured: Sequence[Measurement]) -> dict[int, Outcome]:
    """Return, by id, what those of the measurements say that are excluded.

    One beyond an unknown limit of the range has no value, without which the store excludes none: it
    is `missing` then, with the reason, and supersedes the one beyond the range.
    """
    ids = [
        m.id
        for m in measured
        if m.status == "excluded" or (m.status == "missing" and m.reason is not None)
    ]
    if not ids:
        return {}
    status = {m.id: m.status for m in measured}
    return {
        number: outcome_of(before)
        for number, before in store.superseded(opened, ids).items()
        if status[number] == "excluded"
        or (before.status in ("below_range", "above_range") and before.value is None)
    }


def positions(table: Table, labels: Sequence[int | str]) -> list[int | None]:
    """Return the rows of a table that have these labels; None where labels of a frame repeat."""
    place = {str(label): row for row, label in enumerate(table.rows)}
    if len(place) < len(table):
        return [None] * len(labels)
    return [place[str(label)] for label in labels]


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
    formulas = store.campaign_formulas(writing.store, definition.component_names)
    row_of = dict(zip(formulas.ids, formulas.rows, strict=True))
    controls = control_names(writing.store, number)
    problems = []
    for k, row in enumerate(positions(table, rows.rows)):
        name = rows.formulas[k]
        if row is None or not name:
            continue
        held = as_concentrations([row_of[controls.get(name) or int(name)]], components)[0]
        for j in columns:
            component, says = components[j], told[row, j]
            slack = 0.0 if component.choices is not None else max(component.high, held[j])
            if not np.isnan(says) and abs(says - held[j]) > _TOLERANCE * slack:
                column = match.components[j]
                assert column is not None
                amounts = as_amounts(np.array([told[row], held])[:, [j]], [component])
                problems.append(
                    f"{table.cell(row, column)}: formula {name} of round {number} has "
                    f"{_text(amounts[1][0])}, but the file says {_text(amounts[0][0])}; is this "
                    "the file of another round? If these are formulas of the lab's own, leave "
                    f"out the column of wells or formulas with --ignore"
                )
                break
    if problems:
        table.reject(problems)


def _text(amount: float | str) -> str:
    return amount if isinstance(amount, str) else f"{amount:g}"
