"""What was taken from a file or left out, in words: one text for the terminal and the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labloop.campaign.recorded import Entry, Excluded, Recorded, shown_value
from labloop.report.numbers import counted

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 12  # wells that a sentence names before it only counts them
_OPTIONAL = ("plate", "well", "replaces", "reason")


def where_of(recorded: Recorded) -> str:
    """Return what results are of: a round, or formulas that labloop never proposed."""
    return f"round {recorded.round}" if recorded.round else "formulas of the lab's own"


def recorded_sentences(recorded: Recorded, where: str, *, dry_run: bool) -> list[str]:
    """Return what was taken from a file, and what was not."""
    verb = "Would record" if dry_run else "Recorded"
    new = f", {recorded.formulas} new formulas" if recorded.formulas else ""
    measurements = counted(recorded.measurements, "measurement")
    said = [f"{verb} {measurements} of {where} from {recorded.source}{new}."]
    if recorded.without_value:
        said.append(
            f"{recorded.without_value} of them have no value (missing, below or above the range)."
        )
    if recorded.corrected:
        said.append(f"{recorded.corrected} of them replace what was recorded.")
    if recorded.known:
        are = "result is" if recorded.known == 1 else "results are"
        said.append(
            f"{recorded.known} {are} there already with the same values, and not stored again: "
            f"{_some(recorded.known_of)}."
        )
    blanks = "Stored as blanks" if recorded.round else "Not stored"
    told: dict[str, tuple[str, ...]] = {
        "Nothing was said of": _some_of(recorded.absent),
        f"{blanks}, for these wells hold no formula": _some_of(recorded.blanks),
        "Not stored, for the map does not have these formulas": recorded.unmapped,
        "Read as": recorded.read_as,
        "Taken at their fixed value": recorded.filled,
        "Columns not used": recorded.ignored,
        "Not used of the file": recorded.unused,
    }
    said += [f"{what}: {', '.join(names)}." for what, names in told.items() if names]
    return said


def excluded_sentences(excluded: Excluded, *, dry_run: bool) -> list[str]:
    """Return what was left out of all that is learned, or taken back into it."""
    verb = "take back the exclusion of" if excluded.undo else "exclude"
    if not dry_run:
        verb = "Took back the exclusion of" if excluded.undo else "Excluded"
    of_round = f" of round {excluded.round}" if excluded.round else ""
    said = [
        f"{'Would ' if dry_run else ''}{verb} {counted(len(excluded.entries), 'measurement')}"
        f"{of_round}{'' if excluded.undo else '; the values are kept'}."
    ]
    if excluded.left:
        why = "Not excluded" if excluded.undo else "Excluded already"
        said.append(f"{why}: {_some(excluded.left)}.")
    if excluded.without_result:
        said.append(f"Without a result: {_some(excluded.without_result)}.")
    return said


def entries_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return every measurement as a reader wants it; columns that say nothing are left out."""
    import pandas as pd

    columns: dict[str, list[object]] = {
        "plate": [entry.plate for entry in entries],
        "well": [entry.well for entry in entries],
        "formula": [entry.formula for entry in entries],
        "response": [entry.response for entry in entries],
        "value": [shown_value(entry) for entry in entries],
        "status": [entry.status for entry in entries],
        "replaces": [None if e.replaces is None else str(e.replaces) for e in entries],
        "reason": [entry.reason for entry in entries],
    }
    shown = {
        name: pd.Series(values, dtype=object)
        for name, values in columns.items()
        if name not in _OPTIONAL or any(value is not None for value in values)
    }
    return pd.DataFrame(shown)


def _some_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first of many names, and how many more there are."""
    more = len(names) - _NAMED
    return (*names[:_NAMED], *([f"{more} more"] if more > 0 else []))


def _some(names: Sequence[str]) -> str:
    return ", ".join(_some_of(names))
