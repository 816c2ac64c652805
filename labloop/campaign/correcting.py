"""Results beside what a round has already: which are new, known, or another value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isclose

from labloop.campaign.matching import Known
from labloop.campaign.recorded import Entry, Outcome, Planned, outcome_of
from labloop.store import Correction, Measurement, Result

_SAME = 1e-9  # relative: conversions of units lose the last digits


@dataclass(frozen=True)
class Placed:
    """A result of a file, with the well and formula that it is of.

    Attributes:
        result: By the ids of its well (None where the file gives only the formula) and formula.
        plate: Of the round, as text; None without well.
        well: Such as A1; None without well.
        formula: As results files name it; None for a blank.
        place: What messages call the well, or the formula.
        cell: The cell of the file, for messages.
        is_said: Whether the cell says that there is no value (NA), instead of being blank.
    """

    result: Result
    plate: str | None
    well: str | None
    formula: int | str | None
    place: str
    cell: str
    is_said: bool


@dataclass
class Comparison:
    """What comes of the results of a file: what to store, what is known, what differs."""

    planned: list[Planned] = field(default_factory=list)
    known: list[Placed] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def compare(
    placed: Sequence[Placed], known: Known, *, correct: bool, reason: str | None
) -> Comparison:
    """Return what comes of the results of a file for a round.

    A value replaces what was recorded as missing; with `correct` it replaces another value. A blank
    cell says nothing of what is known already; NA does, to `correct`. A well that is excluded stays
    so when its value is corrected.
    """
    compared = Comparison()
    left = {key: list(rows) for key, rows in known.without_well.items()}
    of_wells = {
        key: [m for m in rows if not known.is_silent(m)] for key, rows in known.of_wells.items()
    }
    later: list[Placed] = []
    for each in placed:
        result = each.result
        key = result.formula, result.response
        if result.well is not None:
            earlier = known.in_wells.get((result.well, result.response))
            others = [] if result.formula is None else left.get(key, [])
            if _is_elsewhere(each, others, known, compared):
                continue
            if earlier is None:
                compared.planned.append(_new(each))
            else:
                _beside(each, earlier, known, compared, correct=correct, reason=reason)
        elif not _is_elsewhere(each, of_wells.get(key, []), known, compared):
            same = _same_as(result, left.get(key, []), known)
            if same is None:
                later.append(each)
            else:
                left[key].remove(same)
                compared.known.append(each)
    # replicates without well have no order: those that differ are compared when equal ones are out
    for each in later:
        rest = left.get((each.result.formula, each.result.response), [])
        if rest:
            rest.sort(key=lambda m: not known.is_silent(m))
            _beside(each, rest.pop(0), known, compared, correct=correct, reason=reason)
        elif each.result.status == "missing" and (
            known.without_well.get((each.result.formula, each.result.response))
        ):
            continue
        elif known.without_well.get((each.result.formula, each.result.response)) and not correct:
            compared.differing.append(
                f"{each.cell}: {each.place} has no result {outcome_of(each.result)} of "
                f"{each.result.response}"
            )
        else:
            compared.planned.append(_new(each))
    return compared


def _is_elsewhere(
    each: Placed, others: list[Measurement], known: Known, compared: Comparison
) -> bool:
    """Settle a result whose formula is known the other way, by well or without; else False.

    What is excluded is no obstacle: it was taken back for the right results to be recorded. But one
    well that was left out does not count after all because a file by formula has its value too.
    """
    others = [m for m in others if not known.is_silent(m)]
    counting = [m for m in others if known.counts(m)]
    if not counting and (each.well is not None or each.result.response not in known.by_well):
        return False
    same = _same_as(each.result, others, known)
    if not counting and same is None:
        return False
    if same is not None:
        compared.known.append(each)
    elif each.result.status != "missing":
        by, how = ("formula", "formula") if each.well is not None else ("well", "well")
        compared.elsewhere.append(
            f"{each.cell}: {each.result.response} of formula {each.formula} was recorded by {by}; "
            f"correct it by {how}"
        )
    return True


def _same_as(result: Result, rows: Sequence[Measurement], known: Known) -> Measurement | None:
    said = outcome_of(result)
    return next(
        (m for m in rows if said.status != "missing" and is_same(known.says(m), said)), None
    )


def is_same(one: Outcome, other: Outcome) -> bool:
    """Tell whether two measurements say the same."""
    if one.status != other.status or (one.value is None) != (other.value is None):
        return False
    if one.value is None or other.value is None:
        return True
    return isclose(one.value, other.value, rel_tol=_SAME)


def _beside(
    each: Placed,
    earlier: Measurement,
    known: Known,
    compared: Comparison,
    *,
    correct: bool,
    reason: str | None,
) -> None:
    """Settle a result of which there is one already."""
    said, before = outcome_of(each.result), known.says(earlier)
    if said.status == "missing" and (not correct or not each.is_said):
        return
    if is_same(before, said):
        if said.status != "missing":
            compared.known.append(each)
        return
    if before.status == "missing":
        compared.planned.append(_replacing(each, earlier, said, None))
    elif not correct:
        compared.differing.append(f"{each.cell}: {each.place} has {before}, the file says {said}")
    else:
        said = said._replace(reason=reason)
        excluded = None
        if earlier.id in known.hidden:
            excluded = excluded_as(said, earlier.reason)
        compared.planned.append(_replacing(each, earlier, said, excluded))


def excluded_as(said: Outcome, reason: str | None) -> Outcome | None:
    """Return what a measurement is when it is excluded; None where there is nothing to exclude."""
    if said.status == "missing":
        return None
    status = "missing" if said.value is None else "excluded"
    return Outcome(said.value, status, reason)


def _new(each: Placed) -> Planned:
    return Planned(_entry(each, outcome_of(each.result), None), each.result)


def _replacing(
    each: Placed, earlier: Measurement, said: Outcome, excluded: Outcome | None
) -> Planned:
    entry = _entry(each, excluded or said, outcome_of(earlier))
    return Planned(entry, Correction(earlier.id, *said), excluded)


def _entry(each: Placed, said: Outcome, replaces: Outcome | None) -> Entry:
    return Entry(
        plate=each.plate,
        well=each.well,
        formula=each.formula,
        response=each.result.response,
        value=said.value,
        status=said.status,
        reason=said.reason,
        replaces=replaces,
    )
