"""Results that are left out with a reason: kept, not counted, and taken back when wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labloop import store
from labloop.campaign.correcting import excluded_as
from labloop.campaign.matching import Known, excluded_outcomes, results_of_round
from labloop.campaign.opening import checked_text
from labloop.campaign.recorded import (
    Entry,
    Excluded,
    Outcome,
    Planned,
    outcome_of,
    round_of_event,
    store_planned,
)
from labloop.campaign.rounds import control_names
from labloop.definition import Definition
from labloop.errors import RefusedError, did_you_mean
from labloop.store import Correction, Measurement, Writing
from labloop.wells import parse_well

_SHORTEST_HASH = 8


def exclude_wells(
    writing: Writing,
    definition: Definition,
    number: int,
    wells: Sequence[str],
    reason: str | None,
    *,
    plate: int | str | None,
    response: str | None,
    undo: bool,
) -> Excluded:
    """Exclude what was measured in wells of a round, or take that back."""
    reason = _checked_reason(reason, undo=undo)
    _check_response(definition, response)
    store.read_round(writing.store, number)
    chosen = _wells_of_round(writing, number, wells, plate)
    controls = {formula: name for name, formula in control_names(writing.store, number).items()}
    measured = [
        m
        for m in store.round_measurements(writing.store, number)
        if m.well_id in chosen and response in (None, m.response)
    ]
    writing.detail["round"] = number
    found = _change(writing, measured, reason, controls, undo=undo)
    seen = {(m.plate, m.well) for m in measured if _has_result(m)}
    without = tuple(
        well.well for well in chosen.values() if (well.plate, well.well) not in seen and not undo
    )
    what = "results" if response is None else f"results of {response}"
    _refuse_nothing(found, f"{', '.join(w.well for w in chosen.values())} of round {number}", what)
    return Excluded(number, found.entries, undo, found.left, without)


def exclude_source(
    writing: Writing,
    definition: Definition,
    reason: str | None,
    *,
    source: str | None,
    file: str | None,
    response: str | None,
    undo: bool,
) -> Excluded:
    """Exclude all that came from a source of history, from a file, or from a file of a source."""
    reason = _checked_reason(reason, undo=undo)
    _check_response(definition, response)
    if source is not None:
        _check_source(writing, source)
        measured = store.history_measurements(writing.store, source=source)
        writing.detail["source"] = source
    if file is not None:
        found = _file(writing, file)
        of_file = store.file_measurements(writing.store, found.id)
        kept = None if source is None else {m.id for m in measured}
        measured = [m for m in of_file if kept is None or m.id in kept]
        writing.detail["file"] = found.name
        number = round_of_event(writing, found.event)
        if number is not None:
            writing.detail["round"] = number
    measured = [m for m in measured if response in (None, m.response)]
    changed = _change(writing, measured, reason, {}, undo=undo)
    what = "results" if response is None else f"results of {response}"
    _refuse_nothing(changed, f'"{file if file is not None else source}"', what)
    return Excluded(None, changed.entries, undo, changed.left)


def _checked_reason(reason: str | None, *, undo: bool) -> str | None:
    if reason is None:
        if undo:
            return None
        raise RefusedError("Say why with --reason; it is kept with what is excluded.")
    return checked_text(reason, "The reason")


def _check_response(definition: Definition, response: str | None) -> None:
    known = definition.response_names
    if response is not None and response not in known:
        hint = did_you_mean(response, known) or f"; it is one of {', '.join(known)}."
        raise RefusedError(f'There is no response "{response}"{hint}')


def _check_source(writing: Writing, source: str) -> None:
    known = [name for (name,) in writing.store.rows("SELECT name FROM source ORDER BY id")]
    if source not in known:
        has = f"the history is of {', '.join(known)}" if known else "there is no history"
        hint = did_you_mean(source, known) or f"; {has}."
        raise RefusedError(f'There is no source "{source}"{hint}')


def _file(writing: Writing, wanted: str) -> store.File:
    """Return the file of a name, or of the beginning of its hash."""
    known = store.read_files(writing.store)
    found = [f for f in known if f.name == wanted]
    if not found and len(wanted) >= _SHORTEST_HASH:
        found = [f for f in known if f.sha256.startswith(wanted.lower())]
    if not found:
        hint = did_you_mean(wanted, [f.name for f in known]) or "; `labloop log` names them."
        raise RefusedError(f'No file "{wanted}" was recorded{hint}')
    if len(found) > 1:
        listed = ", ".join(f"{f.sha256[:_SHORTEST_HASH]} (event {f.event})" for f in found)
        raise RefusedError(
            f'Several files are called "{wanted}"; name the one by its hash: {listed}.'
        )
    return found[0]


def _wells_of_round(
    writing: Writing, number: int, wells: Sequence[str], plate: int | str | None
) -> dict[int, store.Well]:
    """Return id → well; raises RefusedError for wells that the round does not have."""
    layout = store.read_layout(writing.store, number)
    plates = list(dict.fromkeys(str(well.plate) for well in layout))
    at = {(str(well.plate), well.well): well for well in layout}
    if not wells:
        raise RefusedError("Say which wells with --well, or which --source or --file.")
    chosen = {}
    for text in wells:
        of, name = _place(text, None if plate is None else str(plate))
        if name is None:
            raise RefusedError(f'"{text}" is no well; wells are written as A1 or A01.')
        if of is None and len(plates) > 1:
            raise RefusedError(
                f"Round {number} has plates {', '.join(plates)}; say which with --plate."
            )
        of = plates[0] if of is None else of
        if of not in plates:
            raise RefusedError(f"Round {number} has no plate {of}; it has {', '.join(plates)}.")
        well = at.get((of, name))
        if well is None or well.id is None:
            raise RefusedError(f"Round {number} has nothing in well {name} of plate {of}.")
        chosen[well.id] = well
    return chosen


def _place(text: str, plate: str | None) -> tuple[str | None, str | None]:
    """Return plate and well of `B7`, or of `2:B7` as messages name wells; None where unknown."""
    of, colon, well = text.rpartition(":")
    of = of.strip()
    if not colon:
        return plate, parse_well(text)
    if plate is not None and of != plate.strip():
        raise RefusedError(f'"{text}" is a well of plate {of}, and --plate says {plate}.')
    return of, parse_well(well)


@dataclass(frozen=True)
class _Changed:
    """What a change of statuses came to; `left` are wells that it did not concern."""

    entries: tuple[Entry, ...]
    left: tuple[str, ...]
    undo: bool


def _change(
    writing: Writing,
    measured: Sequence[Measurement],
    reason: str | None,
    controls: Mapping[int, str],
    *,
    undo: bool,
) -> _Changed:
    """Store exclusions, or what excluded measurements said before."""
    hidden = excluded_outcomes(writing.store, measured)
    planned, left = [], []
    for m in measured:
        outcome: Outcome | None
        if undo:
            outcome = hidden.get(m.id)
            is_left = outcome is None and m.status != "missing"
        else:
            outcome = None if m.id in hidden else excluded_as(outcome_of(m), reason)
            is_left = m.id in hidden
        if outcome is not None:
            entry = _entry(m, outcome, controls)
            planned.append((m.file, Planned(entry, Correction(m.id, *outcome))))
        elif is_left:
            left.append(m.well or m.well_label or f"formula {m.formula}")
    if undo:
        _refuse_counted_twice(writing, [m for m in measured if m.id in hidden])
    for file in dict.fromkeys(file for file, _ in planned):
        store_planned(writing, [each for of, each in planned if of == file], file)
    if reason is not None:
        writing.detail["reason"] = reason
    if undo:
        writing.detail["undo"] = True
    return _Changed(tuple(each.entry for _, each in planned), tuple(dict.fromkeys(left)), undo)


def _refuse_counted_twice(writing: Writing, measured: Sequence[Measurement]) -> None:
    """Refuse to take back what was recorded the other way since, by well or by formula."""
    rounds: dict[int, Known] = {}
    for m in measured:
        number = m.round if m.well_id is not None else round_of_event(writing, m.event)
        if number is None or m.formula is None:
            continue
        if number not in rounds:
            rounds[number] = results_of_round(writing.store, number)
        known, key = rounds[number], (m.formula, m.response)
        by_well = m.well_id is None
        others = (known.of_wells if by_well else known.without_well).get(key, [])
        since = next((other for other in others if known.counts(other)), None)
        if since is None:
            continue
        name = next((f.name for f in store.read_files(writing.store) if f.id == since.file), None)
        first = "it" if name is None else f'"{name}" with `labloop exclude --file`'
        raise RefusedError(
            f"{m.response} of formula {m.formula} was recorded by "
            f"{'well' if by_well else 'formula'} since, so both would count; exclude {first} "
            "first, or leave this excluded."
        )


def _has_result(measured: Measurement) -> bool:
    return measured.status != "missing" or measured.reason is not None


def _entry(m: Measurement, outcome: Outcome, controls: Mapping[int, str]) -> Entry:
    formula: int | str | None = m.formula
    if m.formula is not None and m.formula in controls:
        formula = controls[m.formula]
    return Entry(
        plate=m.plate_label if m.plate is None else str(m.plate),
        well=m.well_label if m.well is None else m.well,
        formula=formula,
        response=m.response,
        value=outcome.value,
        status=outcome.status,
        reason=outcome.reason,
        replaces=outcome_of(m),
    )


def _refuse_nothing(changed: _Changed, where: str, what: str) -> None:
    """Raise RefusedError where nothing changed."""
    if changed.entries:
        return
    if changed.undo:
        raise RefusedError(f"Nothing is excluded of the {what} of {where}; nothing was changed.")
    if changed.left:
        raise RefusedError(
            f"The {what} of {where} are excluded already; take that back with --undo to give "
            "another reason."
        )
    raise RefusedError(f"There are no {what} of {where} to exclude.")
