"""What happened in a campaign, in words; without pandas or torch, for it is read often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labloop import store
from labloop.report.numbers import counted, enumerated
from labloop.store import Event, Store

Detail = Mapping[str, Any]

_LONGEST_NOTE = 200  # characters of a note that a line of the log shows; its detail has all


@dataclass(frozen=True)
class Chronicle:
    """The event log.

    Attributes:
        events: Every event, oldest first.
        faults: A sentence for each event that is missing, altered or out of the chain.
    """

    events: tuple[Event, ...]
    faults: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Whether the log is whole."""
        if self.faults:
            return f"The log is not whole: {'; '.join(self.faults)}."
        return f"The log is whole: {counted(len(self.events), 'event')}."


def read_chronicle(opened: Store) -> Chronicle:
    """Return the event log, its chain of hashes verified."""
    return Chronicle(tuple(store.read_events(opened)), tuple(store.verify_events(opened)))


@dataclass(frozen=True)
class Soundness:
    """Whether a campaign's database is as labloop wrote it.

    Attributes:
        events: How many events it has.
        faults: A sentence for each fault of the file, its references and its chain of events.
    """

    events: int
    faults: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was found, and the remedy."""
        if self.faults:
            return (
                f"The database is not sound; put a backup in its place. {'; '.join(self.faults)}."
            )
        return f"The database is sound: {counted(self.events, 'event')}, chain whole."


def check_database(opened: Store) -> Soundness:
    """Look for faults of the file, of references between its rows and of the event log."""
    return Soundness(store.last_event(opened), tuple(store.check_store(opened)))


def in_words(event: Event) -> str:
    """Return what an event did, to be read after a name: `recorded 8 measurements of round 1`."""
    words = _WORDS.get(event.action, _other)
    # a file's name may hold what a terminal takes for a command
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words(event))


def _create(event: Event) -> str:
    del event
    return "made the campaign"


def _upgrade(event: Event) -> str:
    return "upgraded the database from schema {schema_from} to {schema_to}".format(**event.detail)


def _history(event: Event) -> str:
    detail = event.detail
    what = counted(detail.get("measurements", 0), "measurement")
    return f"imported {what} of {detail['source']}{_files(detail)}"


def _pretrain(event: Event) -> str:
    seed = event.detail.get("seed", 0)
    return f"trained the network on the history (seed {seed})"


def _propose(event: Event) -> str:
    return f"proposed round {event.detail['round']}"


def _export(event: Event) -> str:
    return f"wrote the files of round {event.detail['round']} for {event.detail['kind']}"


def _record(event: Event) -> str:
    return f"recorded {_measured(event.detail)}{_files(event.detail)}{_reason(event.detail)}"


def _exclude(event: Event) -> str:
    verb = "took back the exclusion of" if event.detail.get("undo") else "excluded"
    count = counted(event.detail.get("corrections", 0), "measurement")
    return f"{verb} {count}{_of_round(event.detail)}{_reason(event.detail)}"


def _abandon(event: Event) -> str:
    return f"gave up round {event.detail['round']}"


def _note(event: Event) -> str:
    number, text = event.detail["round"], " ".join(event.detail["text"].split())
    if len(text) > _LONGEST_NOTE:
        text = f"{text[: _LONGEST_NOTE - 1].rstrip()}…"
    return f"noted{'' if number is None else f' on round {number}'}: {text}"


def _other(event: Event) -> str:
    known = [f"{key} {value}" for key, value in event.detail.items()]
    return f"{event.action}{': ' if known else ''}{', '.join(known)}"


_WORDS: dict[str, Callable[[Event], str]] = {
    "create": _create,
    "upgrade": _upgrade,
    "history": _history,
    "pretrain": _pretrain,
    "propose": _propose,
    "export": _export,
    "record": _record,
    "exclude": _exclude,
    "abandon": _abandon,
    "note": _note,
}


def _measured(detail: Detail) -> str:
    new, corrected = detail.get("measurements", 0), detail.get("corrections", 0)
    counts = [counted(new, "measurement")] if new or not corrected else []
    counts += [counted(corrected, "correction")] if corrected else []
    if "round" in detail:
        return enumerated(counts) + _of_round(detail)
    formulas = detail.get("formulas", 0)
    return enumerated(counts) + (f" of {counted(formulas, 'new formula')}" if formulas else "")


def _of_round(detail: Detail) -> str:
    return f" of round {detail['round']}" if "round" in detail else ""


def _files(detail: Detail) -> str:
    names: Sequence[str] = [file["name"] for file in detail.get("files", ())]
    return f" from {enumerated(names)}" if names else ""


def _reason(detail: Detail) -> str:
    return f": {detail['reason']}" if detail.get("reason") else ""
