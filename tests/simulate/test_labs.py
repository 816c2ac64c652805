"""Labs from a campaign: which results stand for the new line, and what their trials answer."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from labloop.errors import RefusedError
from labloop.proposal.goals import Goals
from labloop.simulate.anywhere import HISTORY, Virtual, with_best
from labloop.simulate.replay import replay
from labloop.simulate.results import parted, wanted_responses

from .conftest import TITRE, VIABILITY, results

YIELD = {"name": "yield", "goal": "maximize", "reference": 0.5}
COLOUR = {"name": "colour", "goal": "near", "bound": 5.0}


def replayed(campaign, source=None):
    played, past = parted(campaign.store, campaign.definition, source)
    goals = Goals.of(wanted_responses(campaign.definition))
    trial = replay(campaign.space, goals, campaign.definition.surrogate, played, past)
    return trial, played, past


# -- whose results -------------------------------------------------------------------------------


def test_the_campaigns_own_results_are_played_where_there_are_enough(campaign_of):
    _, played, past = replayed(campaign_of(own=25, a=30, b=22))
    assert (played.name, len(played.Y)) == ("the campaign's own", 25)
    assert past.names == ("A", "B")
    assert np.bincount(past.source).tolist() == [30, 22]


def test_else_the_largest_source_is_and_the_campaigns_own_are_history(campaign_of):
    _, played, past = replayed(campaign_of(own=5, a=22, b=30))
    assert (played.name, len(played.Y)) == ("the source B", 30)
    assert past.names == ("A", "the campaign's own")
    assert np.bincount(past.source).tolist() == [22, 5]


def test_a_named_source_is_played(campaign_of):
    _, played, past = replayed(campaign_of(own=25, a=22, b=30), "A")
    assert (played.name, past.names) == ("the source A", ("B", "the campaign's own"))


def test_an_unknown_source_is_refused(campaign_of):
    with pytest.raises(RefusedError) as error:
        replayed(campaign_of(a=22, b=22), "a")
    assert str(error.value) == (
        'There is no source "a" in the history (there is: A, B); did you mean "A"?'
    )


def test_too_few_formulas_are_refused(campaign_of):
    with pytest.raises(RefusedError) as error:
        replayed(campaign_of(own=1))
    assert str(error.value) == (
        "A backtest on real results takes 20 formulas of which every response was measured, and "
        "there is 1 of the campaign's own; name a larger source with --source, or take a virtual "
        "lab with --lab moderate."
    )


# -- replays ---------------------------------------------------------------------------------------


def test_a_replay_answers_what_was_measured_at_the_very_concentrations(campaign_of):
    trial, played, _ = replayed(campaign_of(b=30))
    made = trial.space.concentrations(trial.pool)
    order = [int(np.abs(played.concentrations - row).sum(axis=1).argmin()) for row in made]
    np.testing.assert_allclose(made, played.concentrations[order])
    np.testing.assert_allclose(trial.truth(trial.pool), played.Y[order])
    assert (made[:, 0] > 10.0).any()  # outside of what the campaign itself could make


def test_a_replay_is_on_the_models_scale(campaign_of):
    trial, _, _ = replayed(campaign_of(a=30))
    means = results(30, 1).groupby(["glucose", "iron", "zinc", "flour"], sort=False)
    natural = means[["titre", "viability"]].mean().to_numpy()
    answers = trial.truth(trial.pool)
    np.testing.assert_allclose(np.sort(np.exp(answers[:, 0])), np.sort(natural[:, 0]))
    np.testing.assert_allclose(np.sort(answers[:, 1]), np.sort(natural[:, 1]))


def test_the_optimum_meets_all_bounds(campaign_of):
    trial, played, _ = replayed(campaign_of(a=40))
    met = played.Y[:, 1] >= 80.0
    assert not met.all()
    assert trial.optimum == played.Y[met, 0].max()


def test_of_several_objectives_the_whole_pool_has_all_of_the_hypervolume(campaign_of):
    from labloop.simulate.backtest import _found

    high = {**VIABILITY, "goal": "maximize"}
    del high["bound"]
    trial, _, _ = replayed(campaign_of(a=30, responses=(TITRE, high)))
    everything = _found(trial, trial.pool, [set(), set()])
    assert everything["hypervolume"] == pytest.approx(1.0)
    assert 0.0 < _found(trial, trial.pool[:10], [set(), set()])["hypervolume"] < 1.0


def test_history_never_holds_what_is_played(campaign_of):
    trial, _, past = replayed(campaign_of(own=25, a=30))
    codes = {row.tobytes() for row in trial.space.encode(trial.pool).round(9)}
    assert len(past.Y) == 30
    assert not codes & {row.tobytes() for row in trial.X_history.round(9)}


# -- virtual labs ----------------------------------------------------------------------------------


@pytest.fixture
def virtual(campaign_of):
    def make(*responses):
        campaign = campaign_of(responses=responses)
        wanted = wanted_responses(campaign.definition)
        return Virtual(campaign.space, wanted, campaign.definition.surrogate, "moderate")

    return make


def test_a_virtual_line_is_the_same_for_the_same_seed_and_in_a_worker(virtual):
    lab = virtual()
    one, other = lab(3), pickle.loads(pickle.dumps(lab))(3)
    levels = lab.space.sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(one.truth(levels), other.truth(levels))
    np.testing.assert_array_equal(one.Y_history, other.Y_history)
    assert not np.allclose(one.truth(levels), lab(4).truth(levels))
    assert len(one.X_history) == HISTORY


def test_virtual_answers_meet_bounds_and_references_of_the_campaign(virtual):
    lab = virtual(TITRE, VIABILITY, YIELD, COLOUR)
    trial = lab(1)
    levels = lab.space.sample(2000, np.random.default_rng(0))
    Y = trial.truth(levels)
    assert 0.2 < (Y[:, 1] >= 80.0).mean() < 0.45
    assert 0.7 < (Y[:, 2] > 0.5).mean() < 0.95
    assert (Y[:, 3] < 5.0).any()
    assert (Y[:, 3] > 5.0).any()
    assert abs(np.median(Y[:, 0])) < 0.3  # the logarithm of about 1


def test_measuring_errs_by_some_percent(virtual):
    trial = virtual()(1)
    levels = trial.space.sample(500, np.random.default_rng(0))
    error = trial.measure(levels, np.random.default_rng(1)) - trial.truth(levels)
    assert 0.03 < error[:, 0].std() < 0.15  # of a logarithm, the relative error


def test_the_optimum_is_at_least_what_random_formulas_reach(virtual):
    trial = virtual()(1)
    levels = trial.space.sample(5000, np.random.default_rng(9))
    Y = torch.from_numpy(trial.truth(levels))
    best = trial.goals.values(Y)[trial.goals.met(Y), 0].max()
    assert trial.optimum >= float(best) - 0.02


def test_bounds_that_nothing_meets_leave_the_optimum_unknown(virtual):
    trial = virtual({"name": "titre"}, {**VIABILITY, "bound": 1e6})(1)
    impossible = Goals.of(wanted_responses_with_bound(1e12))
    from dataclasses import replace

    assert np.isnan(with_best(replace(trial, goals=impossible), np.random.default_rng(0)).optimum)


def wanted_responses_with_bound(bound):
    from labloop.definition import Response

    made = [{"name": "titre"}, {**VIABILITY, "bound": bound}]
    return [Response.model_validate(each) for each in made]
