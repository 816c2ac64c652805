"""What people hand in, into the store: history, results, the lab's own formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.knowledge import Floats, as_amounts
from labloop.campaign.rounds import control_names, read_layout
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.store import Result, Writing
from labloop.tables import HistoryRows, MeasuredRows, Table, read_history, read_results, read_table
from labloop.tables.columns import match_columns, names_without_header
from labloop.tables.history import read_concentrations
from labloop.tables.numbers import Readings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Recorded:
    """What was taken from a table.

    Attributes:
        source: The file's name.
        round: The round that the results belong to, None for history and for adopted formulas.
        formulas: How many formulas were new to the campaign.
        measurements: How many measurements were stored.
        without_value: How many of them have a status instead of a value.
        absent: Wells or formulas of the round that the table says nothing of.
        ignored: Columns that were not used.
    """

    source: str
    round: int | None
    formulas: int
    measurements: int
    without_value: int
    absent: tuple[str, ...]
    ignored: tuple[str, ...]


def open_table(
    definition: Definition,
    table: pd.DataFrame | str | Path,
    *,
    header: bool = True,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
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
    """
    names = names_without_header(definition.components, definition.responses)
    return read_table(
        table, names=None if header else names, sheet=sheet, encoding=encoding, decimal=decimal
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
        read, definition.components, definition.responses, columns=columns, ignore=ignore
    )
    concentrations, _, more = read_concentrations(read, match, definition.components)
    if problems + more:
        read.reject(problems + more)
    index = table.index if isinstance(table, pd.DataFrame) else pd.Index(read.rows, name="row")
    return concentrations, index


def add_history(
    writing: Writing,
    definition: Definition,
    table: pd.DataFrame | str | Path,
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    **reading: Any,
) -> Recorded:
    """Store earlier results of another line; see `Campaign.add_history`."""
    if not source.strip():
        raise RefusedError("A source needs a name, such as the cell line's.")
    read = open_table(definition, table, **reading)
    rows = read_history(
        read, definition.components, definition.responses, columns=columns, ignore=ignore
    )
    return _add(writing, definition, rows, source=source, kind="history")


def record(
    writing: Writing,
    definition: Definition,
    table: pd.DataFrame | str | Path,
    number: int | None,
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    **reading: Any,
) -> Recorded:
    """Store measured results; see `Campaign.record`."""
    read = open_table(definition, table, **reading)
    if number is None:
        number = _waiting_round(writing, read, columns or {})
    layout = None if number is None else _layout(writing, number)
    rows = read_results(
        read,
        definition.components,
        definition.responses,
        layout=layout,
        columns=columns,
        ignore=ignore,
    )
    if rows.key == "composition":
        return _add(writing, definition, rows, source=None, kind="results")
    assert number is not None
    return _add_to_round(writing, definition, rows, number)


def _waiting_round(writing: Writing, table: Table, columns: Mapping[str, str]) -> int | None:
    """Return the one round that waits for results, if the table can belong to a round."""
    names = {columns.get(name, name).casefold() for name in table.names}
    if not names & {"well", "formula"}:
        return None
    known = store.read_rounds(writing.store)
    waiting = [r.number for r in known if r.state in ("proposed", "exported")]
    if len(waiting) > 1:
        listed = ", ".join(map(str, waiting))
        raise RefusedError(f"Rounds {listed} wait for results; say which with --round.")
    if not waiting and known:
        raise RefusedError(
            f"No round waits for results: round {known[-1].number} is {known[-1].state}; say which "
            "round with --round, or give the components' columns instead of wells."
        )
    return waiting[0] if waiting else None


def _layout(writing: Writing, number: int) -> dict[tuple[str, str], str | None]:
    """Return (plate, well) → formula as results files name it."""
    store.read_round(writing.store, number)
    return {
        (str(row.plate), str(row.well)): None if row.role == "empty" else str(row.formula)
        for row in read_layout(writing.store, number).itertuples(index=False)
    }


def _add(
    writing: Writing,
    definition: Definition,
    rows: HistoryRows | MeasuredRows,
    *,
    source: str | None,
    kind: str,
) -> Recorded:
    """Store rows given by their composition; equal compositions are one formula."""
    assert rows.concentrations is not None
    distinct, of_row = np.unique(rows.concentrations, axis=0, return_inverse=True)
    names = definition.component_names
    amounts = as_amounts(distinct, definition.components)
    known = _known_compositions(writing, names, source)
    file = store.add_file(writing, rows.sha256, rows.source, kind)
    new = [k for k, row in enumerate(amounts) if tuple(row) not in known]
    added = store.add_formulas(writing, names, [amounts[k] for k in new], source=source)
    ids = dict(zip(new, added, strict=True))
    formula = [ids[k] if k in ids else known[tuple(row)] for k, row in enumerate(amounts)]
    results = [
        result._replace(formula=formula[of_row.reshape(-1)[k]])
        for k, result in _results(rows.readings, rows.present, definition)
    ]
    store.add_measurements(writing, results, file=file)
    return _recorded(rows, None, len(new), results)


def _known_compositions(
    writing: Writing, names: Sequence[str], source: str | None
) -> dict[tuple[object, ...], int]:
    if source is None:
        stored = store.campaign_formulas(writing.store, names)
    else:
        stored = store.history_formulas(writing.store, names)
    return {
        tuple(row): formula
        for formula, row, of in zip(stored.ids, stored.rows, stored.sources, strict=True)
        if of == source
    }


def _add_to_round(
    writing: Writing, definition: Definition, rows: MeasuredRows, number: int
) -> Recorded:
    """Store results of a round's wells, or of its formulas where the wells are not said."""
    stored = store.read_round(writing.store, number)
    if stored.state == "abandoned":
        raise RefusedError(f"Round {number} was abandoned; its results cannot be recorded by well.")
    controls = control_names(writing.store, number)
    results = []
    if rows.key == "well":
        wells = {(str(w.plate), w.well): w.id for w in store.read_layout(writing.store, number)}
        for k, result in _results(rows.readings, rows.present, definition):
            results.append(result._replace(well=wells[rows.plates[k], rows.wells[k]]))
    else:
        for k, result in _results(rows.readings, rows.present, definition):
            name = rows.formulas[k]
            formula = controls[name] if name in controls else int(name)
            results.append(result._replace(formula=formula))
    _refuse_repeats(writing, number, stored.event, results, rows.source)
    file = store.add_file(writing, rows.sha256, rows.source, "results")
    store.add_measurements(writing, results, file=file)
    store.mark_recorded(writing, number)
    return _recorded(rows, number, 0, results)


def _refuse_repeats(
    writing: Writing, number: int, proposed: int, results: Sequence[Result], source: str
) -> None:
    """Refuse results that the round has already; a file seen before says so by itself."""
    of_well = {w.id: w.formula for w in store.read_layout(writing.store, number)}
    known = store.campaign_measurements(writing.store)
    measured_wells = {(m.well_id, m.response) for m in known if m.round == number}
    by_formula = {(m.formula, m.response) for m in known if m.round is None and m.event > proposed}
    in_wells = {(of_well[well], response) for well, response in measured_wells}
    repeats = set()
    for result in results:
        formula = result.formula if result.well is None else of_well[result.well]
        key = formula, result.response
        if result.well is None:
            taken = key in by_formula or key in in_wells
        else:
            taken = (result.well, result.response) in measured_wells or key in by_formula
        if taken:
            repeats.add(result.response)
    if repeats:
        listed = ", ".join(sorted(repeats))
        raise RefusedError(
            f"Round {number} has results for {listed} already, so {source} was not recorded and "
            "nothing was changed; leave out the wells and columns that are recorded."
        )


def _results(
    readings: Readings, present: Sequence[bool], definition: Definition
) -> list[tuple[int, Result]]:
    """Return (row, result) of every response that the table has a column for."""
    found = []
    for j, name in enumerate(definition.response_names):
        if not present[j]:
            continue
        for k, status in enumerate(readings.statuses[:, j].tolist()):
            value = readings.measured[k, j] if status == "ok" else readings.limits[k, j]
            number = None if status == "missing" or np.isnan(value) else float(value)
            found.append((k, Result(name, number, status)))
    return found


def _recorded(
    rows: HistoryRows | MeasuredRows, number: int | None, new: int, results: Sequence[Result]
) -> Recorded:
    return Recorded(
        source=rows.source,
        round=number,
        formulas=new,
        measurements=len(results),
        without_value=sum(result.status != "ok" for result in results),
        absent=getattr(rows, "absent", ()),
        ignored=rows.ignored,
    )
