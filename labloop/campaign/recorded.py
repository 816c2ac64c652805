"""What was taken from a file, or would be: every measurement, and what was not stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from labloop import store
from labloop.store import Correction, Measurement, Result, Writing

if TYPE_CHECKING:
    import pandas as pd

_BOUND = {"below_range": "<", "above_range": ">"}


class Outcome(NamedTuple):
    """What a measurement says: its value (the limit, where it is out of range) and status."""

    value: float | None
    status: str
    reason: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            return self.status
        shown = f"{_BOUND.get(self.status, '')}{self.value:.10g}"
        return f"{shown} (excluded)" if self.status == "excluded" else shown


@dataclass(frozen=True)
class Entry:
    """One measurement that was stored, or would be.

    Attributes:
        plate: Of the round, or as the file of the lab's own plates names it; None if unknown.
        well: Such as A1; None if unknown.
        formula: Its id, or a control's name; None for a blank.
        response: Its name.
        value: In the response's unit; the limit of a value out of range; None if there is none.
        status: ok, below_range, above_range, missing or excluded.
        reason: Of a correction or an exclusion.
        replaces: What was known until now; None for what is new.
    """

    plate: str | None
    well: str | None
    formula: int | str | None
    response: str
    value: float | None
    status: str
    reason: str | None = None
    replaces: Outcome | None = None


@dataclass(frozen=True)
class Planned:
    """An entry with what stores it; `excluded` supersedes that, where a well stays excluded."""

    entry: Entry
    write: Result | Correction
    excluded: Outcome | None = None


@dataclass(frozen=True)
class Recorded:
    """What was taken from a table.

    Attributes:
        source: The file's name.
        round: The round that the results belong to, None for history and for adopted formulas.
        formulas: How many formulas were new to the campaign.
        entries: Every measurement that was stored, in the file's order.
        known: How many results are not new: the same values are there already.
        known_of: Their wells or formulas.
        absent: Wells or formulas of the round that the table says nothing of.
        ignored: Columns that were not used.
        filled: Components without a column, taken at their fixed value.
        read_as: Columns that were read through an alias, or whose unit was converted.
        unused: What of the file was not read.
        blanks: Wells that hold no formula and were measured; stored for a round, not for others.
        unmapped: Formulas that the map does not have, whose results were not stored.
    """

    source: str
    round: int | None
    formulas: int
    entries: tuple[Entry, ...]
    known: int = 0
    known_of: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()

    @property
    def measurements(self) -> int:
        """How many measurements were stored, corrections among them."""
        return len(self.entries)

    @property
    def without_value(self) -> int:
        """How many of them have a status instead of a value."""
        return sum(entry.status not in ("ok", "excluded") for entry in self.entries)

    @property
    def corrected(self) -> int:
        """How many of them replace what was known."""
        return sum(entry.replaces is not None for entry in self.entries)

    @property
    def table(self) -> pd.DataFrame:
        """Frame of the entries, a row a measurement."""
        return entries_frame(self.entries)


@dataclass(frozen=True)
class Excluded:
    """What was excluded, or taken back.

    Attributes:
        round: Whose wells; None for a source or a file.
        entries: Every measurement whose status changed.
        undo: Whether exclusions were taken back.
        left: Wells that were left as they are: excluded already, or (to undo) not excluded.
        without_result: Wells that have no result to exclude.
    """

    round: int | None
    entries: tuple[Entry, ...]
    undo: bool
    left: tuple[str, ...] = ()
    without_result: tuple[str, ...] = ()


def entries_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return a frame with the attributes of `Entry` as columns; what is replaced as text."""
    import pandas as pd

    columns = list(Entry.__dataclass_fields__)
    rows = [
        asdict(entry) | {"replaces": None if entry.replaces is None else str(entry.replaces)}
        for entry in entries
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"value": float, "formula": object})


def entries_values(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the entries in plain values for JSON; what is replaced with value and status."""
    return [
        asdict(entry) | {"replaces": None if entry.replaces is None else entry.replaces._asdict()}
        for entry in entries
    ]


def store_planned(writing: Writing, planned: Sequence[Planned], file: int | None) -> None:
    """Store what was planned: new measurements, then corrections."""
    new = [each.write for each in planned if isinstance(each.write, Result)]
    corrections = [each for each in planned if isinstance(each.write, Correction)]
    store.add_measurements(writing, new, file=file)
    ids = store.add_corrections(
        writing, [c.write for c in corrections if isinstance(c.write, Correction)], file=file
    )
    again = [
        Correction(number, *each.excluded)
        for number, each in zip(ids, corrections, strict=True)
        if each.excluded is not None
    ]
    if again:
        store.add_corrections(writing, again, file=file)
        writing.count("corrections", -len(again))


def outcome_of(measured: Measurement | Result) -> Outcome:
    """Return what a measurement says."""
    return Outcome(measured.value, measured.status, measured.reason)


def shown_value(entry: Entry) -> str:
    """Return an entry's value as a table shows it: a limit with its sign."""
    if entry.value is None:
        return "–"
    return f"{_BOUND.get(entry.status, '')}{entry.value:.10g}"


def round_of_event(writing: Writing, event: int) -> int | None:
    """Return the round that an event is of, None for one of no round."""
    rows = writing.store.rows(
        "SELECT json_extract(detail, '$.round') FROM event WHERE sequence = ?", (event,)
    )
    return None if not rows or rows[0][0] is None else int(rows[0][0])
