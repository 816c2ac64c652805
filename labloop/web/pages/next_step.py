"""The next step of a campaign as a link: what `labloop status` says as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from labloop.web.visit import address

if TYPE_CHECKING:
    from labloop.campaign.standing import Standing


class NextStep(NamedTuple):
    """Words on a button, why, where it leads and the command that does the same."""

    words: str
    why: str
    to: str
    command: str


def next_step(name: str, standing: Standing) -> NextStep:
    """Return what to do next."""
    command, why = standing.next
    words = command.split()
    number = _number(words)
    pages: dict[str, tuple[str, tuple[object, ...]]] = {
        "history": ("Import earlier results", ("history",)),
        "pretrain": ("Learn from the history", ("history",)),
        "check": ("Mend the definition", ("definition",)),
        "propose": ("Propose the next round", ("propose",)),
        "export": (f"Get the files of round {number}", ("rounds", number)),
        "record": (f"Hand in the results of round {number}", ("rounds", number, "results")),
    }
    said, place = pages[words[1]]
    anchor = "#files" if words[1] == "export" else ""
    return NextStep(said, why, address("campaigns", name, *place) + anchor, command)


def _number(words: list[str]) -> int | None:
    return int(words[words.index("--round") + 1]) if "--round" in words else None
