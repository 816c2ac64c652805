"""Results of a round into the store: of its wells, or of its formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.compositions import add_rows, file_of, mapped_rows, results_of_row
from labloop.campaign.correcting import Comparison, Placed, compare
from labloop.campaign.matching import positions, refuse_other_formulas, results_of_round
from labloop.campaign.opening import checked_text, open_table
from labloop.campaign.recorded import Recorded, round_of_event, store_planned
from labloop.campaign.rounds import control_names
from labloop.definition import Definition
from labloop.errors import RefusedError, RejectedError
from labloop.store import Writing
from labloop.tables import MeasuredRows, Table, read_results
from labloop.tables.columns import ColumnMatch, match_columns
from labloop.tables.joining import Layout

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 20


def record(
    writing: Writing,
    definition: Definition,
    table: pd.DataFrame | str | Path,
    number: int | None,
    *,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    map: pd.DataFrame | str | Path | None = None,  # noqa: A002
    correct: bool = False,
    reason: str | None = None,
    **reading: Any,
) -> Recorded:
    """Store measured results; see `Campaign.record`."""
    reason = _correction_reason(correct=correct, reason=reason)
    read = open_table(definition, table, **reading)
    again = _corrected_since(writing, read, number) if correct else None
    file = file_of(writing, read, "results") if again is None else again
    ignore = tuple(ignore)
    if map is not None:
        _refuse_of_own(correct=correct, number=number)
        rows = mapped_rows(definition, read, map, columns, ignore)
        return add_rows(writing, definition, read, rows, file, source=None)
    match, _ = match_columns(
        read,
        definition.components,
        definition.responses,
        columns=columns,
        ignore=ignore,
        aliases=definition.aliases,
    )
    if number is None:
        number = _waiting_round(writing, definition, match)
    names = {} if number is None else control_names(writing.store, number)
    layout = None if number is None else _layout(writing, number, names)
    if layout is not None and read.is_plate and reading.get("instrument") is None:
        _refuse_another_size(read, layout)
    found = read_results(
        read,
        definition.components,
        definition.responses,
        layout=layout,
        columns=columns,
        ignore=ignore,
        aliases=definition.aliases,
    )
    if found.key == "composition":
        _refuse_of_round(read, number)
        _refuse_of_own(correct=correct, number=None)
        return add_rows(writing, definition, read, found, file, source=None)
    assert number is not None
    refuse_other_formulas(writing, definition, read, match, found, number)
    placed = _placed(writing, definition, read, match, found, names, number)
    known = results_of_round(writing.store, number)
    compared = compare(placed, known, correct=correct, reason=reason)
    _refuse_others(read, number, compared)
    if again is not None and not compared.planned:  # nothing was corrected since: refused
        store.add_file(writing, read.sha256, read.source, "results")
    if reason is not None:
        writing.detail["reason"] = reason
    return _store_of_round(writing, read, found, compared, file, number)


def _store_of_round(
    writing: Writing,
    read: Table,
    found: MeasuredRows,
    compared: Comparison,
    file: int,
    number: int,
) -> Recorded:
    """Store what a file brings for a round, and say what became of the rest of it."""
    store_planned(writing, compared.planned, file)
    store.mark_recorded(writing, number)
    return Recorded(
        source=read.source,
        round=number,
        formulas=0,
        entries=tuple(each.entry for each in compared.planned),
        known=len(compared.known),
        known_of=tuple(dict.fromkeys(each.place for each in compared.known)),
        absent=found.absent,
        ignored=found.ignored,
        filled=found.filled,
        read_as=found.read_as,
        unused=read.unused,
        blanks=found.blanks,
    )


def _corrected_since(writing: Writing, read: Table, number: int | None) -> int | None:
    """Return the id of a file that was recorded for this round before, None for another file.

    What corrected it may have been wrong: then the same file corrects that.
    """
    known = store.file_by_hash(writing.store, read.sha256)
    if known is None or number is None:
        return None
    if round_of_event(writing, known.event) != number:
        return None
    writing.detail["files"] = [{"name": read.source, "sha256": read.sha256}]
    return known.id


def _correction_reason(*, correct: bool, reason: str | None) -> str | None:
    if reason is None:
        return None
    if not correct:
        raise RefusedError(
            "A reason is of a correction; give --correct with it, or leave --reason out."
        )
    return checked_text(reason, "The reason")


def _refuse_of_own(*, correct: bool, number: int | None) -> None:
    if number is not None:
        raise RefusedError(
            "A map is of the lab's own plates, not of a round, whose wells labloop knows; leave "
            "out --map, or --round."
        )
    if correct:
        raise RefusedError(
            "Only results of a round are corrected well by well. Of formulas of the lab's own, "
            "take the wrong file back with `labloop exclude --file`, and record the right one."
        )


def _refuse_of_round(read: Table, number: int | None) -> None:
    if number is not None:
        read.reject(
            [
                f'{read.title}: no column "well" or "formula" says which results are those of '
                f"round {number}; add one, or leave --round out to record formulas of the "
                "lab's own"
            ]
        )


def _refuse_another_size(read: Table, layout: Layout) -> None:
    """Refuse a plate of letters and numbers that is not of the round's size: A1 is not A1 then."""
    plates = {plate for plate, _ in layout}
    wells, usual = len(set(read.columns[read.names.index("well")])), len(layout) // len(plates)
    if wells != usual:
        read.reject(
            [
                f"{read.title}: it has a plate of {wells} wells, and the round is on plates of "
                f"{usual}; is this the file of another round? If the reader read a part of the "
                "plate, say where it stands with an [[instrument]] in campaign.toml"
            ]
        )


def _waiting_round(writing: Writing, definition: Definition, match: ColumnMatch) -> int | None:
    """Return the one round that waits for results, if the table can belong to a round."""
    if not match.keys.keys() & {"well", "formula"}:
        return None
    known = writing.store.rows("SELECT number, state FROM current_round ORDER BY number")
    waiting = [number for number, state in known if state in ("proposed", "exported")]
    if len(waiting) > 1:
        listed = ", ".join(map(str, waiting))
        raise RefusedError(f"Rounds {listed} wait for results; say which with --round.")
    if not waiting and known:
        number, state = known[-1]
        if state == "recorded" and _brings_what_is_missing(writing, definition, match, number):
            return int(number)
        raise RefusedError(
            f"No round waits for results: round {number} is {state}; say which "
            "round with --round, or, for formulas of the lab's own, give the components' columns "
            "and leave out wells and formulas with --ignore."
        )
    if waiting and "formula" not in match.keys:
        _refuse_two_meanings(writing, definition, match, waiting[0])
    return int(waiting[0]) if waiting else None


def _brings_what_is_missing(
    writing: Writing, definition: Definition, match: ColumnMatch, number: int
) -> bool:
    """Tell whether a table has only responses of which the round has nothing yet: no correction."""
    waiting = store.pending_wells(writing.store).get(number)
    if waiting is None:
        return False
    brought = [
        name
        for name, column in zip(definition.response_names, match.responses, strict=True)
        if column is not None
    ]
    return bool(brought) and all(waiting.waiting.get(name) == waiting.wells for name in brought)


def _refuse_two_meanings(
    writing: Writing, definition: Definition, match: ColumnMatch, waiting: int
) -> None:
    """Refuse a table that may as well be the rest of an earlier round: wells have no numbers."""
    for name, column in zip(definition.response_names, match.responses, strict=True):
        lacking = [] if column is None else _lacking(writing, name)
        if lacking:
            number, plate, plates = lacking[-1]
            what = name if plates == 1 else f"{name} of plate {plate}"
            raise RefusedError(
                f"Round {waiting} waits for results, and round {number} has no {what} yet; "
                "say which with --round."
            )


def _lacking(writing: Writing, response: str) -> list[tuple[int, int, int]]:
    """Return (round, plate, number of plates) of recorded rounds without a result of a response."""
    return writing.store.rows(
        "SELECT p.round, p.plate, (SELECT max(plate) FROM well WHERE round = p.round) FROM "
        "(SELECT DISTINCT round, plate FROM well WHERE round IN "
        "(SELECT number FROM current_round WHERE state = 'recorded')) AS p WHERE NOT EXISTS "
        "(SELECT 1 FROM well AS w JOIN measurement AS m ON m.well = w.id "
        "OR (m.well IS NULL AND m.formula = w.formula) JOIN response AS r ON r.id = m.response "
        "WHERE w.round = p.round AND w.plate = p.plate AND r.name = ?) ORDER BY p.round",
        (response,),
    )


def _layout(writing: Writing, number: int, controls: Mapping[str, int]) -> Layout:
    """Return (plate, well) → formula as results files name it."""
    if store.read_round(writing.store, number).state == "abandoned":
        raise RefusedError(
            f"Round {number} was abandoned and takes no results; record them with a column a "
            "component instead of the wells."
        )
    name_of = {formula: name for name, formula in controls.items()}
    return {
        (str(well.plate), well.well): (
            None if well.formula is None else name_of.get(well.formula, str(well.formula))
        )
        for well in store.read_layout(writing.store, number)
    }


def _placed(
    writing: Writing,
    definition: Definition,
    table: Table,
    match: ColumnMatch,
    rows: MeasuredRows,
    controls: Mapping[str, int],
    number: int,
) -> list[Placed]:
    """Return the results of a table with their wells and formulas."""
    wells = {(str(w.plate), w.well): w for w in store.read_layout(writing.store, number)}
    columns = {
        name: column
        for name, column in zip(definition.response_names, match.responses, strict=True)
        if column is not None
    }
    several = len({plate for plate, _ in wells}) > 1
    placed = []
    for k, row in enumerate(positions(table, rows.rows)):
        plate, well, at = None, None, None
        name = rows.formulas[k]
        formula = controls.get(name) or (int(name) if name else None)
        if rows.key == "well":
            plate, well = rows.plates[k], rows.wells[k]
            at = wells[plate, well].id
        place = f"formula {name}" if well is None else f"{plate}:{well}" if several else well
        for result in results_of_row(rows.readings, rows.present, definition, k):
            column = columns[result.response]
            if row is None:
                cell, is_said = f"{table.title}, {result.response}", False
            else:
                cell, is_said = table.cell(row, column), _is_said(table, row, column)
            if at is not None and formula is None and result.status == "missing" and not is_said:
                continue  # an empty well of which nothing is said
            placed.append(
                Placed(
                    result=result._replace(well=at, formula=formula),
                    plate=plate,
                    well=well,
                    formula=name if name in controls else formula,
                    place=place,
                    cell=cell,
                    is_said=is_said,
                )
            )
    return placed


def _is_said(table: Table, row: int, column: int) -> bool:
    """Tell whether a cell holds anything, if only NA."""
    cell = table.columns[column][row]
    return bool(cell) if isinstance(cell, str) else not np.isnan(cell)


def _refuse_others(table: Table, number: int, compared: Comparison) -> None:
    """Reject a file whose values differ from what is known, unless it corrects them."""
    if compared.elsewhere:
        table.reject(compared.elsewhere)
    if not compared.differing:
        return
    count = len(compared.differing)
    listed = compared.differing[:_LISTED]
    if count > _LISTED:
        listed.append(f"(+{count - _LISTED} more)")
    others = "another value" if count == 1 else "other values"
    raise RejectedError(
        f"{table.title} was rejected: round {number} has {others} for {count} of its results "
        "already; nothing was changed. If the file is right, give --correct; else leave these "
        "out, or say with --round which round it is of:",
        listed,
    )
