"""Where a campaign stands, and what to do next; without pandas or torch, for it is asked often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labloop import store
from labloop.campaign.subject import PRETRAINED, subject_of
from labloop.definition import Definition
from labloop.errors import DefinitionError
from labloop.space import FormulaSpace
from labloop.store import Counts, Store, Waiting
from labloop.worklists import WORKLISTS


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands.

    Attributes:
        name: Of the campaign.
        counts: How much there is of everything.
        rounds: (number, state) of each round.
        pending: How many formulas wait for results.
        waiting: Round → what waits in its wells, where a round is recorded in part.
        next: The next command to type, and why, as (command, reason).
    """

    name: str
    counts: Counts
    rounds: tuple[tuple[int, str], ...]
    pending: int
    waiting: dict[int, Waiting]
    next: tuple[str, str]


def standing(opened: Store, definition: Definition, folder: Path) -> Standing:
    """Return where a campaign stands."""
    counts = store.read_counts(opened)
    rounds = tuple((r.number, r.state) for r in store.read_rounds(opened))
    waiting = _asked_for(store.pending_wells(opened), definition.response_names)
    return Standing(
        name=definition.name,
        counts=counts,
        rounds=rounds,
        pending=len(store.pending_formulas(opened)),
        waiting=waiting,
        next=_next(opened, definition, counts, rounds, waiting, quoted(folder)),
    )


def _asked_for(found: dict[int, Waiting], responses: Sequence[str]) -> dict[int, Waiting]:
    """Leave out responses that campaign.toml has no longer."""
    asked = {
        number: Waiting(each.wells, {r: n for r, n in each.waiting.items() if r in responses})
        for number, each in found.items()
    }
    return {number: each for number, each in asked.items() if each.waiting}


def quoted(folder: Path) -> str:
    """Return a folder as a shell takes it."""
    plain = all(character.isalnum() or character in "/\\:._-" for character in str(folder))
    return str(folder) if plain else f'"{folder}"'


def _fits(opened: Store, definition: Definition) -> bool:
    """Whether the pretrained network was trained for the definition as it is now."""
    model = store.latest_model(opened, PRETRAINED)
    subject = subject_of(definition, FormulaSpace.of(definition))
    return model is not None and model.metadata.get("subject") == subject


def _next(
    opened: Store,
    definition: Definition,
    counts: Counts,
    rounds: tuple[tuple[int, str], ...],
    waiting: dict[int, Waiting],
    folder: str,
) -> tuple[str, str]:
    last_history = store.last_history_event(opened)
    if last_history and counts.models.get(PRETRAINED, 0) < last_history:
        return f"labloop pretrain {folder}", "the history was not learned yet"
    try:
        if last_history and not _fits(opened, definition):
            return (
                f"labloop pretrain {folder}",
                "campaign.toml changed since the history was learned",
            )
    except DefinitionError:
        return f"labloop check {folder}", "campaign.toml leaves no formula"
    open_rounds = [(number, state) for number, state in rounds if state in ("proposed", "exported")]
    if open_rounds:
        number, state = open_rounds[0]
        if state == "proposed":
            kind = definition.robot.kind if definition.robot.kind in WORKLISTS else "manual"
            return (
                f"labloop export {folder} --to {kind} --round {number} --out round-{number}",
                f"round {number} was proposed",
            )
        return (
            f"labloop record {folder} results.csv --round {number}",
            f"round {number} waits for its results",
        )
    last = rounds[-1][0] if rounds else 0
    if last in waiting:
        wells, absent = waiting[last]
        whole = [name for name, count in absent.items() if count == wells]
        if whole:
            return (
                f"labloop record {folder} results.csv --round {last}",
                f"round {last} waits for its {' and '.join(whole)}",
            )
    if not counts.sources and not counts.own_measurements and not rounds:
        return (
            f"labloop history {folder} earlier.csv --source NAME",
            "if there are earlier results; else go on with labloop propose",
        )
    return f"labloop propose {folder}", "everything known was learned or will be"
