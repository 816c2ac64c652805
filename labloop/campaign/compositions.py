"""Results of formulas given by what is in them, into the store: history, the lab's own plates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.knowledge import Floats, Ints, as_amounts
from labloop.campaign.matching import excluded_outcomes
from labloop.campaign.opening import checked_text, open_table
from labloop.campaign.recorded import Entry, Planned, Recorded, round_of_event, store_planned
from labloop.definition import Definition
from labloop.definition.checks.naming import bad_name
from labloop.errors import RefusedError
from labloop.store import Measurement, Result, Writing
from labloop.tables import HistoryRows, MeasuredRows, Table, read_history
from labloop.tables.mapped import read_mapped
from labloop.tables.numbers import Readings

if TYPE_CHECKING:
    import pandas as pd

_DIGITS = 9  # significant ones that two equal values share: conversions of units lose the last

_Said = tuple[int, str, str, float | None, str | None, str | None]
"""Formula, response, status, value, plate and well."""


def add_history(
    writing: Writing,
    definition: Definition,
    table: pd.DataFrame | str | Path,
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    map: pd.DataFrame | str | Path | None = None,  # noqa: A002
    **reading: Any,
) -> Recorded:
    """Store earlier results of another line; see `Campaign.add_history`."""
    source = _source_name(source)
    read = open_table(definition, table, **reading)
    file = file_of(writing, read, "history")
    if map is not None:
        rows = mapped_rows(definition, read, map, columns, ignore)
    else:
        rows = read_history(
            read,
            definition.components,
            definition.responses,
            columns=columns,
            ignore=ignore,
            aliases=definition.aliases,
        )
    return add_rows(writing, definition, read, rows, file, source=source)


def file_of(writing: Writing, read: Table, kind: str) -> int:
    """Store that a file was read and return its id; one that was wholly excluded is taken again.

    It may have been read with a wrong map or source. Raises RefusedError for any other file that
    was recorded before.
    """
    known = store.file_by_hash(writing.store, read.sha256)
    if known is not None and round_of_event(writing, known.event) is None:
        measured = store.file_measurements(writing.store, known.id)
        hidden = excluded_outcomes(writing.store, measured)
        told = [m for m in measured if m.status != "missing" or m.id in hidden]
        if told and all(m.id in hidden for m in told):
            writing.detail["files"] = [{"name": read.source, "sha256": read.sha256}]
            return known.id
    return store.add_file(writing, read.sha256, read.source, kind)


def _source_name(source: str) -> str:
    if not source.strip():
        raise RefusedError("A source needs a name, such as the cell line's.")
    source = checked_text(source, "The name of a source")
    problem = bad_name(source)
    if problem:
        raise RefusedError(f"The name of a source {problem}.")
    return source


def mapped_rows(
    definition: Definition,
    read: Table,
    contents: pd.DataFrame | str | Path,
    columns: Mapping[str, str] | None,
    ignore: Iterable[str],
) -> HistoryRows:
    """Return the rows of a table with the formulas that a map has for its wells or names."""
    return read_mapped(
        read,
        open_table(definition, contents),
        definition.components,
        definition.responses,
        columns=columns,
        ignore=ignore,
        aliases=definition.aliases,
    )


def add_rows(
    writing: Writing,
    definition: Definition,
    read: Table,
    rows: HistoryRows | MeasuredRows,
    file: int,
    *,
    source: str | None,
) -> Recorded:
    """Store rows given by their composition; equal compositions are one formula.

    Values that are there already, of the same formula and (where the file names wells) the same
    well, are copies of an earlier file's and are not stored again: tables grow by new rows, and by
    responses that were measured later, and are handed in anew. Raises RefusedError where there is
    nothing else.
    """
    assert rows.concentrations is not None
    full = np.flatnonzero(~np.isnan(rows.concentrations).any(axis=1))
    distinct, of_row = _distinct(rows.concentrations[full])
    names = definition.component_names
    amounts = as_amounts(distinct, definition.components)
    known = _known_compositions(writing, names, source)
    new = [k for k, row in enumerate(amounts) if tuple(row) not in known]
    added = store.add_formulas(writing, names, [amounts[k] for k in new], source=source)
    ids = dict(zip(new, added, strict=True))
    formula = [ids[k] if k in ids else known[tuple(row)] for k, row in enumerate(amounts)]
    earlier = _said_before(writing, source, set(formula) - set(added))
    known_places = {_of(each) for each in earlier}
    planned: list[Planned] = []
    copies: list[str] = []
    copied = 0
    for k, at in enumerate(full.tolist()):
        plate, well = _place(rows, at)
        results = [
            result._replace(formula=formula[of_row[k]], plate_label=plate, well_label=well)
            for result in results_of_row(rows.readings, rows.present, definition, at)
        ]
        fresh = _not_said_before(results, earlier, known_places)
        if len(fresh) < len(results):
            copies.append(f"row {rows.rows[at]}" if well is None else well)
            copied += len(results) - len(fresh)
        planned += [Planned(_entry(result), result) for result in fresh]
    if not planned and copies:
        where = f"the source {source}" if source else "the campaign"
        raise RefusedError(
            f"Every result of {rows.source} is in {where} already, with these very values, so "
            "nothing was changed. If they were measured again, add a column of wells, or of plates."
        )
    store_planned(writing, planned, file)
    return Recorded(
        source=rows.source,
        round=None,
        formulas=len(new),
        entries=tuple(each.entry for each in planned),
        known=copied,
        known_of=tuple(copies),
        absent=rows.absent,
        ignored=rows.ignored,
        filled=rows.filled,
        read_as=rows.read_as,
        unused=read.unused,
        blanks=rows.blanks,
        unmapped=getattr(rows, "unmapped", ()),
    )


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


def _place(rows: HistoryRows | MeasuredRows, at: int) -> tuple[str | None, str | None]:
    """Return what a row's plate and well are called; None where the file does not say."""
    plate = rows.plates[at] if rows.plates else ""
    well = rows.wells[at] if rows.wells else ""
    return plate or None, well or None


def results_of_row(
    readings: Readings, present: Sequence[bool], definition: Definition, row: int
) -> list[Result]:
    """Return the results of one row: one for every response that the table has a column for."""
    found = []
    for j, name in enumerate(definition.response_names):
        if present[j]:
            status = str(readings.statuses[row, j])
            value = readings.measured[row, j] if status == "ok" else readings.limits[row, j]
            known = None if status == "missing" or np.isnan(value) else float(value)
            found.append(Result(name, known, status))
    return found


def _entry(result: Result) -> Entry:
    return Entry(
        plate=result.plate_label,
        well=result.well_label,
        formula=result.formula,
        response=result.response,
        value=result.value,
        status=result.status,
    )


def _said_before(writing: Writing, source: str | None, formulas: set[int]) -> Counter[_Said]:
    """Return what was measured of formulas outside the wells of rounds, exclusions left out.

    What was excluded counts as not there: a wrong file is excluded, and imported anew.
    """
    if not formulas:
        return Counter()
    if source is None:
        measured = store.campaign_measurements(writing.store)
    else:
        measured = store.history_measurements(writing.store, source=source)
    return Counter(
        _said(m, m.formula, m.plate_label, m.well_label)
        for m in measured
        if m.formula in formulas and m.well_id is None and m.status not in ("excluded", "missing")
    )


def _said(
    measured: Measurement | Result, formula: int | None, plate: str | None, well: str | None
) -> _Said:
    value = None if measured.value is None else float(f"{measured.value:.{_DIGITS}g}")
    return int(formula or 0), measured.response, measured.status, value, plate, well


def _of(said: _Said) -> tuple[object, ...]:
    """Return what was measured where: formula, response, plate and well."""
    formula, response, _, _, plate, well = said
    return formula, response, plate, well


def _not_said_before(
    results: Sequence[Result], earlier: Counter[_Said], known_places: Set[tuple[object, ...]]
) -> Sequence[Result]:
    """Return what a row says that is new, and take what is not out of `earlier`.

    A row is one that was there already only if it says nothing else of the responses measured then:
    one equal value of a new measurement is chance. Two rows of one file that say the same are
    replicates.
    """
    says = {
        _said(result, result.formula, result.plate_label, result.well_label): result
        for result in results
        if result.status != "missing"
    }
    again = [each for each in says if earlier[each]]
    fresh = [each for each in says if not earlier[each]]
    if not again or any(_of(each) in known_places for each in fresh):
        return results
    earlier.subtract(again)
    return [says[each] for each in fresh]
