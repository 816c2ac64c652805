"""Rounds: what was proposed, where it stands on the plates, how it is dispensed, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from labloop.errors import RefusedError
from labloop.store.database import Store, Writing
from labloop.store.definitions import ids_of
from labloop.store.events import to_json
from labloop.store.values import NOW, number, plain, whole


class Proposal(NamedTuple):
    """A formula chosen for a round, and by which strategy; `candidate` is the user's label."""

    formula: int
    origin: str
    acquisition: float | None = None
    candidate: str | None = None


class Prediction(NamedTuple):
    """What was expected of a formula when it was proposed, in the response's unit."""

    formula: int
    response: str
    mean: float
    sd: float


class Well(NamedTuple):
    """A well of a round; `role` is formula, control or empty; `id` is given by the store."""

    plate: int
    well: str
    role: str
    formula: int | None = None
    replicate: int | None = None
    id: int | None = None


class Dispense(NamedTuple):
    """One liquid move of `ticks` × `increment_ul` µL into a well; concentration None: diluent."""

    plate: int
    well: str
    stock: str
    stock_concentration: float | None
    source_plate: int | None
    source_well: str | None
    ticks: int
    increment_ul: float


@dataclass(frozen=True)
class Round:
    """A round as it stands; `known_event` is the last event that it was proposed from."""

    number: int
    state: str
    seed: int
    settings: dict[str, Any]
    definition: int
    model: int | None
    known_event: int
    event: int


def add_round(
    writing: Writing,
    *,
    seed: int,
    settings: Mapping[str, Any],
    definition: int,
    known_event: int,
    model: int | None,
    proposals: Sequence[Proposal],
    predictions: Sequence[Prediction],
    wells: Sequence[Well],
    dispenses: Sequence[Dispense],
) -> int:
    """Store a proposed round and return its number, which is never given again.

    Proposals are in order of rank, wells in order of the layout, dispenses in the robot's order.
    `definition` and `model` are ids, `known_event` the last event that the proposal knew of.
    """
    last = writing.store.rows("SELECT coalesce(max(number), 0) FROM round")[0][0]
    this = int(last) + 1
    writing.insert(
        "round",
        "number, seed, settings, definition, model, known_event, event",
        [
            (
                this, whole(seed, "seed"), to_json(settings), definition, model,
                whole(known_event, "known_event"), writing.event,
            )
        ],
    )  # fmt: skip
    writing.insert("round_state", "round, state, event", [(this, "proposed", writing.event)])
    _add_proposals(writing, this, proposals, predictions)
    _add_plates(writing, this, wells, dispenses)
    writing.detail["round"] = this
    return this


def _add_proposals(
    writing: Writing,
    this: int,
    proposals: Sequence[Proposal],
    predictions: Sequence[Prediction],
) -> None:
    writing.insert(
        "proposal",
        "round, formula, rank, origin, acquisition, candidate",
        [
            (this, plain(p.formula), rank, p.origin, number(p.acquisition, "acquisition"),
             plain(p.candidate))
            for rank, p in enumerate(proposals, start=1)
        ],
    )  # fmt: skip
    names = list(dict.fromkeys(p.response for p in predictions))
    response = dict(zip(names, ids_of(writing.store, "response", names), strict=True))
    writing.insert(
        "prediction",
        "round, formula, response, mean, sd",
        [
            (
                this,
                plain(p.formula),
                response[p.response],
                number(p.mean, "mean"),
                number(p.sd, "sd"),
            )
            for p in predictions
        ],
    )


def _add_plates(
    writing: Writing, this: int, wells: Sequence[Well], dispenses: Sequence[Dispense]
) -> None:
    writing.insert_numbered(
        "well",
        "round, plate, well, role, formula, replicate",
        [(this, *map(plain, well[:5])) for well in wells],
    )
    writing.insert(
        "dispense",
        "round, position, plate, well, stock, stock_concentration, source_plate, source_well, "
        "ticks, increment_ul",
        [
            (
                this, position, plain(d.plate), d.well, d.stock,
                number(d.stock_concentration, "stock_concentration"),
                plain(d.source_plate), d.source_well, whole(d.ticks, "ticks"),
                number(d.increment_ul, "increment_ul"),
            )
            for position, d in enumerate(dispenses, start=1)
        ],
    )  # fmt: skip


def mark_exported(writing: Writing, round_number: int) -> None:
    """Note that a round's files were written; raises RefusedError for an abandoned round.

    A round that was exported or recorded before stays what it is.
    """
    state = read_round(writing.store, round_number).state
    if state == "abandoned":
        raise RefusedError(f"round {round_number} was abandoned and cannot be exported")
    writing.detail["round"] = round_number
    if state == "proposed":
        _change_state(writing, round_number, "exported")


def mark_recorded(writing: Writing, round_number: int) -> None:
    """Note that a round has results; raises RefusedError for an abandoned round.

    A round that has results already stays `recorded`: its results may come in several files.
    """
    state = read_round(writing.store, round_number).state
    if state == "abandoned":
        raise RefusedError(
            f"round {round_number} was abandoned and takes no results; "
            f"record them with a column a component instead of the wells"
        )
    writing.detail["round"] = round_number
    if state != "recorded":
        _change_state(writing, round_number, "recorded")


def abandon_round(writing: Writing, round_number: int) -> None:
    """Give a round up, its number stays taken; raises RefusedError where it has results."""
    state = read_round(writing.store, round_number).state
    if state == "recorded":
        raise RefusedError(f"round {round_number} has results and cannot be abandoned")
    if state == "abandoned":
        raise RefusedError(f"round {round_number} was abandoned already")
    writing.detail["round"] = round_number
    _change_state(writing, round_number, "abandoned")


def _change_state(writing: Writing, round_number: int, state: str) -> None:
    writing.insert("round_state", "round, state, event", [(round_number, state, writing.event)])


def read_rounds(store: Store, *, up_to: int = NOW) -> list[Round]:
    """Return every round, by number, each in the state that it had after the event `up_to`."""
    rows = store.rows(
        "SELECT number, (SELECT state FROM round_state WHERE round = number AND event <= :up_to "
        "ORDER BY event DESC LIMIT 1), seed, settings, definition, model, known_event, event "
        "FROM round WHERE event <= :up_to ORDER BY number",
        {"up_to": up_to},
    )
    return [
        Round(this, state, seed, json.loads(settings), *rest)
        for this, state, seed, settings, *rest in rows
    ]


def read_round(store: Store, round_number: int) -> Round:
    """Return one round; RefusedError for a wrong number, which says what the last is."""
    known = read_rounds(store)
    for round_ in known:
        if round_.number == round_number:
            return round_
    has = f"the last one is round {known[-1].number}" if known else "nothing was proposed yet"
    raise RefusedError(f"there is no round {round_number}; {has}")


def read_proposals(store: Store, round_number: int) -> list[Proposal]:
    """Return the proposals of a round, by rank."""
    rows = store.rows(
        "SELECT formula, origin, acquisition, candidate FROM proposal WHERE round = ? "
        "ORDER BY rank",
        (round_number,),
    )
    return [Proposal(*row) for row in rows]


def read_predictions(store: Store, round_number: int) -> list[Prediction]:
    """Return the predictions of a round, by the formula's rank."""
    rows = store.rows(
        "SELECT d.formula, r.name, d.mean, d.sd FROM prediction AS d "
        "JOIN response AS r ON r.id = d.response "
        "LEFT JOIN proposal AS p ON p.round = d.round AND p.formula = d.formula "
        "WHERE d.round = ? ORDER BY p.rank IS NULL, p.rank, d.formula, d.response",
        (round_number,),
    )
    return [Prediction(*row) for row in rows]


def read_layout(store: Store, round_number: int) -> list[Well]:
    """Return the wells of a round with their ids, in the order of the layout."""
    rows = store.rows(
        "SELECT plate, well, role, formula, replicate, id FROM well WHERE round = ? ORDER BY id",
        (round_number,),
    )
    return [Well(*row) for row in rows]


def read_dispenses(store: Store, round_number: int) -> list[Dispense]:
    """Return the dispenses of a round, in the robot's order."""
    rows = store.rows(
        "SELECT plate, well, stock, stock_concentration, source_plate, source_well, ticks, "
        "increment_ul FROM dispense WHERE round = ? ORDER BY position",
        (round_number,),
    )
    return [Dispense(*row) for row in rows]


def pending_formulas(store: Store, *, up_to: int = NOW) -> list[int]:
    """Return the formulas that were on their way after the event `up_to`: proposed or exported,
    nothing measured since."""
    rows = store.rows(
        "SELECT DISTINCT w.formula FROM (SELECT number, event FROM round AS r "
        "WHERE r.event <= :up_to AND ("
        "SELECT state FROM round_state AS s WHERE s.round = r.number AND s.event <= :up_to "
        "ORDER BY s.event DESC LIMIT 1) IN ('proposed', 'exported')) AS r "
        "CROSS JOIN well AS w ON w.round = r.number WHERE w.role = 'formula' "
        "AND NOT EXISTS (SELECT 1 FROM measurement AS m WHERE m.formula = w.formula "
        "AND m.event > r.event AND m.event <= :up_to) ORDER BY w.formula",
        {"up_to": up_to},
    )
    return [formula for (formula,) in rows]
