"""What people hand in, into the store: history, results, the lab's own formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.knowledge import Floats, Ints, as_amounts
from labloop.campaign.matching import refuse_other_formulas, results_of_round
from labloop.campaign.rounds import control_names, read_layout
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.store import Correction, Result, Writing
from labloop.tables import HistoryRows, MeasuredRows, Table, read_history, read_results, read_table
from labloop.tables.columns import fold, match_columns, names_without_header
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
        filled: Components without a column, taken at their fixed value.
    """

    source: str
    round: int | None
    formulas: int
    measurements: int
    without_value: int
    absent: tuple[str, ...]
    ignored: tuple[str, ...]
    filled: tuple[str, ...]


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
        read,
        definition.components,
        definition.responses,
        columns=columns,
        ignore={*ignore, *_not_of_formulas(definition, table, read)},
    )
    concentrations, _, more = read_concentrations(read, match, definition.components)
    if problems + more:
        read.reject(problems + more)
    index = table.index if isinstance(table, pd.DataFrame) else pd.Index(read.rows, name="row")
    return concentrations, index


def _not_of_formulas(
    definition: Definition, table: pd.DataFrame | str | Path, read: Table
) -> set[str]:
    """Return the columns of a table of formulas that say what labloop itself said of them.

    So what `Round.formulas` and `Campaign.best` return can be handed in again; a frame's index is
    its rows' labels, whatever its name.
    """
    told = {"acquisition", "candidate", "price"} | {
        f"{name}_{kind}"
        for name in definition.response_names
        for kind in ("mean", "sd", "sem", "wells")
    }
    if not isinstance(table, str | Path):
        told |= {str(name).strip() for name in table.index.names} - set(definition.component_names)
    return told & set(read.names)


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
    file = store.add_file(writing, read.sha256, read.source, "history")
    rows = read_history(
        read, definition.components, definition.responses, columns=columns, ignore=ignore
    )
    return _add(writing, definition, rows, file, source=source.strip())


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
    file = store.add_file(writing, read.sha256, read.source, "results")
    ignore = tuple(ignore)
    if number is None:
        number = _waiting_round(writing, read, columns or {}, ignore)
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
        if number is not None:
            read.reject(
                [
                    f'{read.title}: no column "well" or "formula" says which results are those of '
                    f"round {number}; add one, or leave --round out to record formulas of the "
                    "lab's own"
                ]
            )
        return _add(writing, definition, rows, file, source=None)
    assert number is not None
    match, _ = match_columns(
        read, definition.components, definition.responses, columns=columns, ignore=ignore
    )
    refuse_other_formulas(writing, definition, read, match, rows, number)
    return _add_to_round(writing, definition, rows, number, file)


def _waiting_round(
    writing: Writing, table: Table, columns: Mapping[str, str], ignore: Sequence[str]
) -> int | None:
    """Return the one round that waits for results, if the table can belong to a round."""
    names = {fold(columns.get(name, name)) for name in table.names if name not in ignore}
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
            "round with --round, or, for formulas of the lab's own, give the components' columns "
            "and leave out wells and formulas with --ignore."
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
    file: int,
    *,
    source: str | None,
) -> Recorded:
    """Store rows given by their composition; equal compositions are one formula."""
    assert rows.concentrations is not None
    distinct, of_row = _distinct(rows.concentrations)
    names = definition.component_names
    amounts = as_amounts(distinct, definition.components)
    known = _known_compositions(writing, names, source)
    new = [k for k, row in enumerate(amounts) if tuple(row) not in known]
    added = store.add_formulas(writing, names, [amounts[k] for k in new], source=source)
    ids = dict(zip(new, added, strict=True))
    formula = [ids[k] if k in ids else known[tuple(row)] for k, row in enumerate(amounts)]
    results = [
        result._replace(formula=formula[of_row[k]])
        for k, result in _results(rows.readings, rows.present, definition)
    ]
    store.add_measurements(writing, results, file=file)
    return _recorded(rows, None, len(new), results)


def _distinct(concentrations: Floats) -> tuple[Floats, Ints]:
    """Return the distinct rows in the order of their first, and (n,) which of them each row is."""
    _, first, of_row = np.unique(concentrations, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return concentrations[first[order]], np.argsort(order)[of_row.reshape(-1)]


def _known_compositions(
    writing: Writing, names: Sequence[str], source: str | None
) -> dict[tuple[object, ...], int]:
    if source is None:
        stored = store.campaign_formulas(writing.store, names)
    else:
        stored = store.history_formulas(writing.store, names)
    return {
        tuple(0.0 if amount is None else amount for amount in row): formula
        for formula, row, of in zip(stored.ids, stored.rows, stored.sources, strict=True)
        if of == source
    }


def _add_to_round(
    writing: Writing, definition: Definition, rows: MeasuredRows, number: int, file: int
) -> Recorded:
    """Store results of a round's wells, or of its formulas where the wells are not said.

    A result replaces, as a correction, what was recorded as missing; a cell without result says
    nothing of what is known already.
    """
    stored = store.read_round(writing.store, number)
    if stored.state == "abandoned":
        raise RefusedError(
            f"Round {number} was abandoned and takes no results; record them with a column a "
            "component instead of the wells."
        )
    known = results_of_round(writing.store, number)
    results, corrections, repeats = [], [], set()
    for result in _placed(writing, definition, rows, number):
        earlier = known.in_wells.get((result.well, result.response))
        if known.has(result):
            if result.status != "missing":
                repeats.add(result.response)
        elif earlier is None:
            results.append(result)
        elif result.status != "missing":
            corrections.append(Correction(earlier.id, result.value, result.status))
    if repeats:
        raise RefusedError(
            f"Round {number} has results for {', '.join(sorted(repeats))} already, so "
            f"{rows.source} was not recorded and nothing was changed; leave out the wells and "
            "columns that are recorded."
        )
    store.add_measurements(writing, results, file=file)
    store.add_corrections(writing, corrections, file=file)
    store.mark_recorded(writing, number)
    return _recorded(rows, number, 0, [*results, *corrections])


def _placed(
    writing: Writing, definition: Definition, rows: MeasuredRows, number: int
) -> list[Result]:
    """Return the results of a table with their wells and formulas."""
    found = _results(rows.readings, rows.present, definition)
    if rows.key == "well":
        wells = {(str(w.plate), w.well): w for w in store.read_layout(writing.store, number)}
        of_row = [wells[place] for place in zip(rows.plates, rows.wells, strict=True)]
        return [r._replace(well=of_row[k].id, formula=of_row[k].formula) for k, r in found]
    controls = control_names(writing.store, number)
    formulas = [controls[name] if name in controls else int(name) for name in rows.formulas]
    return [result._replace(formula=formulas[k]) for k, result in found]


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
    rows: HistoryRows | MeasuredRows,
    number: int | None,
    new: int,
    results: Sequence[Result | Correction],
) -> Recorded:
    return Recorded(
        source=rows.source,
        round=number,
        formulas=new,
        measurements=len(results),
        without_value=sum(result.status != "ok" for result in results),
        absent=getattr(rows, "absent", ()),
        ignored=rows.ignored,
        filled=rows.filled,
    )
