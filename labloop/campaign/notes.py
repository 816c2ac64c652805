"""What people write down beside the numbers: notes on a round, or on the whole campaign."""

from __future__ import annotations

from dataclasses import dataclass

from labloop import store
from labloop.errors import RefusedError
from labloop.store import Store, Writing

ACTION = "note"
LONGEST = 10_000


@dataclass(frozen=True)
class Note:
    """A note, as the event log keeps it.

    Attributes:
        event: Its number in the event log.
        at: When it was written: UTC, ISO 8601.
        who: Login name of who wrote it.
        round: The round that it is on; None for the whole campaign.
        text: As it was typed, each end of line a line feed.
    """

    event: int
    at: str
    who: str
    round: int | None
    text: str


def add_note(writing: Writing, text: str, number: int | None) -> None:
    """Write a note, on a round or (None) on the campaign, into the event of this transaction.

    Raises RefusedError for a text that is empty, too long or no text, and where there is no such
    round.
    """
    if number is not None:
        store.read_round(writing.store, number)
    writing.detail.update({"round": number, "text": checked_text(text)})


def checked_text(text: str) -> str:
    """Return a note's text without the blanks around it, each end of line a line feed.

    Raises RefusedError where nothing is left, or more than 10,000 characters.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise RefusedError("The note is empty; write what is to be remembered.")
    if len(text) > LONGEST:
        raise RefusedError(
            f"A note has at most {LONGEST:,} characters (got {len(text):,}); "
            "shorten it, or write several."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RefusedError(
            f"Character {error.start + 1} of the note is not text; write it again."
        ) from None
    return text


def read_notes(opened: Store, number: int | None) -> tuple[Note, ...]:
    """Return the notes of a round, or (None) all of them; the newest last.

    Raises RefusedError where there is no such round.
    """
    if number is not None:
        store.read_round(opened, number)
    notes = (
        Note(event.sequence, event.at, event.who, event.detail["round"], event.detail["text"])
        for event in store.read_events(opened)
        if event.action == ACTION
    )
    return tuple(note for note in notes if number is None or note.round == number)
