from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from labloop.campaign import journey as room
from labloop.campaign.journey import journey_of
from labloop.campaign.rounds import definition_of
from labloop.errors import RefusedError
from labloop.store import read_round


def gathered(campaign, number=1):
    stored = read_round(campaign.store, number)
    return journey_of(campaign.store, definition_of(campaign.store, stored), number)


def test_a_journey_has_the_formulas_of_campaign_and_history(recorded):
    journey = gathered(recorded)
    shown = recorded.round(1).formulas
    names = recorded.definition.component_names
    np.testing.assert_allclose(
        journey.amounts.loc[shown.index, names].astype(float), shown[names].astype(float)
    )
    assert set(journey.amounts.index).isdisjoint(journey.sources.index)
    assert journey.encoded.index.tolist() == [*journey.amounts.index, *journey.sources.index]
    assert journey.encoded.loc[shown.index].to_numpy().min() >= 0.0
    assert journey.encoded.loc[shown.index].to_numpy().max() <= 1.0


def test_a_journey_tells_of_each_round_how_far_the_history_was_followed(recorded):
    journey = gathered(recorded)
    assert list(journey.trust.columns) == [
        "round", "response", "b", "b_sd", "history_share", "text",
    ]  # fmt: skip
    assert journey.trust["response"].tolist() == list(recorded.definition.response_names)
    assert (journey.trust["round"] == 1).all()


def test_a_journey_has_the_scores_of_the_round_s_network(recorded, monkeypatch):
    left_out = {
        "of": 9, "sources": ["CHO-S"], "responses": ["titre"], "source": [0], "response": [0],
        "formula": [3], "measured": [1.5], "predicted": [1.25],
    }  # fmt: skip
    scores = [{"response": "titre", "r2": 0.5, "plain_r2": None}]
    known = {"scores": scores, "left_out": left_out}
    monkeypatch.setattr(room, "_metadata", lambda opened, model: known)
    journey = gathered(recorded)
    assert journey.scores.loc["titre", "r2"] == 0.5
    assert np.isnan(journey.scores.loc["titre", "plain_r2"])
    assert journey.left_out.to_numpy().tolist() == [["CHO-S", 3, "titre", 1.5, 1.25]]
    assert journey.left_out_of == 9


def test_of_a_long_history_the_same_part_is_shown(recorded, monkeypatch):
    monkeypatch.setattr(room, "MOST_HISTORY", 10)
    journey = gathered(recorded)
    assert len(journey.sources) == 10
    assert journey.sources.equals(gathered(recorded).sources)


def test_without_history_there_is_nothing_of_it(fresh):
    fresh.propose(formulas=4, seed=1)
    journey = gathered(fresh)
    assert len(journey.amounts) >= 4
    assert [len(each) for each in (journey.sources, journey.trust, journey.left_out)] == [0, 0, 0]
    assert len(journey.scores) == 0


def test_a_round_that_is_not_there_is_refused(fresh):
    with pytest.raises(RefusedError):
        journey_of(fresh.store, fresh.definition, 7)


def test_it_is_gathered_without_torch():
    code = "import sys, labloop.campaign.journey; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
