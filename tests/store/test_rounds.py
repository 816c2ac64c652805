from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from labloop.errors import RefusedError
from labloop.store import (
    Dispense,
    Prediction,
    Proposal,
    Result,
    Well,
    add_formulas,
    add_measurements,
    add_round,
    campaign_formulas,
    last_event,
    pending_formulas,
    read_dispenses,
    read_layout,
    read_predictions,
    read_proposals,
    read_round,
    read_rounds,
)


def states(store, **known):
    return {r.number: r.state for r in read_rounds(store, **known)}


def test_a_round_comes_out_as_it_went_in(store, steps):
    model = steps.model(store)
    number = steps.propose(store, model)
    round_ = read_round(store, number)
    assert (round_.number, round_.state, round_.seed, round_.settings) == (
        1, "proposed", 1, {"formulas": 2}
    )  # fmt: skip
    assert (round_.definition, round_.model, round_.known_event, round_.event) == (1, model, 2, 3)
    assert read_proposals(store, number) == [
        Proposal(3, "mixing", 0.25, None),
        Proposal(2, "list", None, "row 7"),
    ]
    assert read_predictions(store, number) == [
        Prediction(3, "titre", 0.6, 0.2),
        Prediction(2, "titre", 0.4, 0.1),
    ]
    assert read_layout(store, number) == [
        Well(1, "B2", "formula", 3, 1, 1),
        Well(1, "A1", "control", 1, 1, 2),
        Well(1, "A2", "formula", 2, 1, 3),
        Well(1, "H12", "empty", None, None, 4),
    ]
    assert read_dispenses(store, number) == [
        Dispense(1, "B2", "water", None, 1, "A1", 180, 0.5),
        Dispense(1, "B2", "glucose", 1000.0, 1, "B1", 15, 0.5),
    ]


def test_numpy_scalars_are_stored_as_numbers(store, steps):
    with store.writing("propose") as writing:
        ids = np.array(add_formulas(writing, steps.components, [[1.0, "soy"]]))
        number = add_round(
            writing,
            seed=np.int64(7),
            settings={"seats": np.float64(0.1)},
            definition=1,
            known_event=np.int64(1),
            model=None,
            proposals=[Proposal(ids[0], "mixing", np.float32(0.5))],
            predictions=[Prediction(ids[0], "titre", np.float64(1.5), np.float32(0.5))],
            wells=[Well(np.int64(1), "A1", "formula", ids[0], np.int8(1))],
            dispenses=[
                Dispense(np.int64(1), "A1", "water", np.float64(1), np.int64(2), "B1", np.int64(3),
                         np.float64(0.1))
            ],
        )  # fmt: skip
    assert read_round(store, number).seed == 7
    assert read_round(store, number).settings == {"seats": 0.1}
    assert read_proposals(store, number)[0].acquisition == 0.5
    assert read_layout(store, number)[0][:5] == (1, "A1", "formula", int(ids[0]), 1)
    assert read_dispenses(store, number) == [Dispense(1, "A1", "water", 1.0, 2, "B1", 3, 0.1)]


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("predictions", [Prediction(1, "titre", float("nan"), 0.1)]),
        ("proposals", [Proposal(1, "mixing", float("inf"))]),
        ("seed", 1.5),
        ("wells", [Well(1, "A1", "empty", 1)]),
        ("wells", [Well(1, "A1", "formula", None)]),
        ("wells", [Well(1, "A1", "control", 1), Well(1, "A1", "control", 1)]),
        ("wells", [Well(1, "A1", "formula", 99)]),
        ("dispenses", [Dispense(1, "Q77", "water", None, 1, "A1", 3, 0.1)]),
        ("dispenses", [Dispense(1, "A1", "water", None, 1, "A1", 0, 0.1)]),
        ("known_event", 99),
    ],
)
def test_a_round_that_cannot_be_is_not_stored_at_all(store, what, value):
    round_ = {
        "seed": 1, "settings": {}, "definition": 1, "known_event": 1, "model": None,
        "proposals": [], "predictions": [], "wells": [Well(1, "A1", "control", 1)],
        "dispenses": [],
    }  # fmt: skip
    before = list(store.connection.iterdump())
    with (
        pytest.raises((ValueError, sqlite3.IntegrityError)),
        store.writing("propose") as writing,
    ):
        add_round(writing, **(round_ | {what: value}))
    assert list(store.connection.iterdump()) == before
    with store.writing("propose") as writing:
        assert add_round(writing, **round_) == 1


def test_a_round_goes_from_proposed_to_recorded_and_the_past_is_known(store, steps):
    steps.propose(store)
    proposed = last_event(store)
    steps.export(store, 1)
    exported = last_event(store)
    steps.export(store, 1)
    steps.record(store, 1)
    steps.export(store, 1)
    assert states(store) == {1: "recorded"}
    assert states(store, up_to=exported) == {1: "exported"}
    assert states(store, up_to=proposed) == {1: "proposed"}
    assert states(store, up_to=proposed - 1) == {}


def test_a_round_can_be_recorded_without_export(store, steps):
    steps.propose(store)
    steps.record(store, 1)
    steps.record(store, steps.propose(store), "more.csv")
    assert states(store) == {1: "recorded", 2: "recorded"}


def test_an_abandoned_round_keeps_its_number_and_takes_nothing(store, steps):
    steps.propose(store)
    steps.abandon(store, 1)
    assert steps.propose(store) == 2
    assert states(store) == {1: "abandoned", 2: "proposed"}
    before = list(store.connection.iterdump())
    for step, message in [
        (steps.export, "round 1 was abandoned and cannot be exported"),
        (steps.abandon, "round 1 was abandoned already"),
        (
            steps.record,
            "round 1 was abandoned and takes no results; "
            "record them with a column a component instead of the wells",
        ),
    ]:
        with pytest.raises(RefusedError) as caught:
            step(store, 1)
        assert str(caught.value) == message
    assert list(store.connection.iterdump()) == before


def test_a_round_with_results_cannot_be_abandoned(store, steps):
    steps.record(store, steps.propose(store))
    with pytest.raises(RefusedError) as caught:
        steps.abandon(store, 1)
    assert str(caught.value) == "round 1 has results and cannot be abandoned"


def test_a_round_that_is_not_there(store, steps):
    with pytest.raises(RefusedError) as caught:
        read_round(store, 1)
    assert str(caught.value) == "there is no round 1; nothing was proposed yet"
    steps.propose(store)
    with pytest.raises(RefusedError) as caught:
        steps.export(store, 7)
    assert str(caught.value) == "there is no round 7; the last one is round 1"


@pytest.mark.parametrize("state", ["proposed", "exported", "abandoned"])
def test_the_table_itself_refuses_a_change_that_cannot_be(store, steps, state):
    steps.record(store, steps.propose(store))
    with pytest.raises(sqlite3.IntegrityError, match="cannot change its state so"):
        store.connection.execute("INSERT INTO round_state VALUES (1, 1, ?)", (state,))


def test_formulas_are_pending_until_they_are_measured_or_given_up(store, steps):
    steps.propose(store)
    steps.propose(store)
    steps.export(store, 2)
    known = last_event(store)
    assert pending_formulas(store) == [2, 3, 4, 5]
    with store.writing("record") as writing:
        add_measurements(writing, [Result("titre", 1.0, formula=4)])
    assert pending_formulas(store) == [2, 3, 5], "measured by formula"
    steps.abandon(store, 1)
    assert pending_formulas(store) == [5]
    steps.record(store, 2)
    assert pending_formulas(store) == []
    assert pending_formulas(store, up_to=known) == [2, 3, 4, 5]


def test_a_formula_that_is_proposed_again_is_pending_again(store, steps):
    steps.record(store, steps.propose(store))
    with store.writing("propose") as writing:
        add_round(
            writing, seed=2, settings={}, definition=1, known_event=3, model=None,
            proposals=[Proposal(2, "mixing")], predictions=[],
            wells=[Well(1, "A1", "formula", 2, 1)], dispenses=[],
        )  # fmt: skip
    assert pending_formulas(store) == [2]
    assert len(campaign_formulas(store, ["glucose"]).ids) == 4
