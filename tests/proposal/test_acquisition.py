"""The acquisition against BoTorch, brute force and the hypervolume."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.testing import MockModel, MockPosterior
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from labloop.definition import Response
from labloop.proposal.acquisition import (
    Moments,
    Scalarisations,
    log_probability_met,
    merit,
    score_of,
    value_of,
)
from labloop.proposal.goals import Goals


def goals(*responses):
    made = [
        Response.model_validate({"name": f"r{i}", **response})
        for i, response in enumerate(responses)
    ]
    return Goals.of(made)


def random(seed):
    return torch.Generator().manual_seed(seed)


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=random(seed), dtype=torch.float64)


def moments(mean, variance, weights=None, correlation=None):
    experts, _, responses = mean.shape
    even = torch.full((experts, responses), 1 / experts, dtype=torch.float64)
    return Moments(even if weights is None else weights, mean, variance, correlation)


def correlated(experts, n, responses, correlation, seed=0):
    """Moments of experts that differ, in shares that differ by response."""
    weights = torch.rand(experts, responses, generator=random(seed + 9), dtype=torch.float64) + 0.1
    matrix = torch.full((responses, responses), correlation, dtype=torch.float64)
    return moments(
        draws(1, n, responses, seed=seed) + 0.4 * draws(experts, n, responses, seed=seed + 1),
        0.2 + draws(experts, n, responses, seed=seed + 2).square(),
        weights / weights.sum(dim=0),
        matrix.fill_diagonal_(1.0),
    )


def sampled(of, count, seed=5):
    """Draws of (count, n, responses) and the experts that each follows."""
    shares, experts = of.scenarios(torch.arange(of.mean.shape[-1]))
    chosen = experts[torch.multinomial(shares, count, replacement=True, generator=random(seed))]
    responses = torch.arange(of.mean.shape[-1])
    root = torch.linalg.cholesky(of.correlation)
    normal = draws(count, *of.mean.shape[1:], seed=seed + 1) @ root.mT
    mean = of.mean[chosen, :, responses].transpose(1, 2)
    sd = of.variance.sqrt()[chosen, :, responses].transpose(1, 2)
    return mean + sd * normal, chosen


@pytest.mark.parametrize("correlation", [-0.45, 0.0, 0.6, 0.9])
def test_correlated_bounds_are_met_together_as_often_as_draws_meet_them(correlation):
    wanted = goals({}, {"goal": "at_least", "bound": 0.3}, {"goal": "at_most", "bound": 0.5})
    of = correlated(3, 40, 3, correlation)
    Y, _ = sampled(of, 40_000)
    seen = wanted.met(Y).double().mean(dim=0)
    torch.testing.assert_close(log_probability_met(wanted, of).exp(), seen, atol=0.02, rtol=0.0)
    alone = Moments(of.weights, of.mean, of.variance)
    wrong = (log_probability_met(wanted, alone).exp() - seen).abs().max()
    assert wrong > 0.05 or correlation == 0.0


@pytest.mark.parametrize("correlation", [-0.7, 0.8])
@pytest.mark.parametrize(
    "wanted",
    [
        goals({}, {"goal": "at_least", "bound": 0.3}),
        goals({"goal": "minimize"}, {"goal": "at_least", "bound": 0.3}),
        goals({"goal": "near", "bound": 0.3}, {"goal": "at_most", "bound": 0.3}),
    ],
    ids=["maximize", "minimize", "near"],
)
def test_one_objective_with_a_bound_is_scored_as_draws_say(wanted, correlation):
    of, known = correlated(2, 60, 2, correlation), correlated(2, 12, 2, correlation, seed=7)
    known = Moments(of.weights, known.mean, known.variance, of.correlation)
    score = score_of(wanted, known, random(0))(of).exp()
    Y, experts = sampled(of, 40_000)
    likely = log_probability_met(wanted, known).exp() >= 0.5
    best = wanted.values(known.mean[experts, :, torch.arange(2)].transpose(1, 2))[:, likely]
    gain = (wanted.values(Y)[..., 0] - best.amax(dim=(1, 2))[:, None]).clamp_min(0)
    seen = (gain * wanted.met(Y)).mean(dim=0)
    torch.testing.assert_close(score, seen, atol=0.02, rtol=0.1)


def test_two_objectives_with_a_bound_are_ranked_as_draws_rank_them():
    wanted = goals({}, {}, {"goal": "at_least", "bound": 0.0})
    of, known = correlated(2, 200, 3, 0.6), correlated(2, 12, 3, 0.6, seed=7)
    known = Moments(of.weights, known.mean, known.variance, of.correlation)
    score = score_of(wanted, known, random(0))(of)
    Y, experts = sampled(of, 8_000)
    likely = log_probability_met(wanted, known).exp() >= 0.5
    scalarise = Scalarisations.of(wanted, wanted.values(known.mean).flatten(0, 1), 8_000, random(1))
    best = wanted.values(known.mean[experts, :, torch.arange(3)].transpose(1, 2))[:, likely]
    gain = (scalarise(wanted.values(Y)) - scalarise(best).amax(dim=1)[:, None]).clamp_min(0)
    seen = (gain * wanted.met(Y)).mean(dim=0)
    assert seen[score.argmax()] > 0.7 * seen.max()
    best_20 = set(seen.argsort(descending=True)[:20].tolist())
    assert len(best_20 & set(score.argsort(descending=True)[:20].tolist())) >= 14


@pytest.mark.parametrize(
    "wanted", [goals({}), goals({"goal": "near", "bound": 0.0}), goals({}, {})]
)
def test_candidates_far_from_any_improvement_are_still_ordered(wanted):
    responses = int(wanted.objective.max()) + 1
    known = torch.zeros(1, 3, responses, dtype=torch.float64) + 0.01
    known[0, 1:] -= 5.0
    far = torch.tensor([-9.0, -8.0, -7.0, -6.0], dtype=torch.float64)
    mean = far[None, :, None].expand(1, 4, responses).clone()
    score = score_of(wanted, moments(known, torch.full_like(known, 0.01)), random(0))
    scores = score(moments(mean, torch.full_like(mean, 1e-4)))
    assert (scores.diff() > 0).all()
    assert scores.isfinite().all()


def test_any_number_of_candidates_is_scored_like_each_alone():
    for wanted in (goals({}, {"goal": "at_most", "bound": 0.5}), goals({}, {})):
        of = correlated(3, 2_500, 2, 0.5)
        score = score_of(wanted, of.rows(slice(0, 20)), random(0))
        together = score(of)
        torch.testing.assert_close(together[1_500:1_510], score(of.rows(slice(1_500, 1_510))))
        assert score(of.rows(slice(0, 0))).shape == (0,)


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_one_expert_is_scored_as_botorch_scores_it(goal):
    mean, variance = draws(1, 40, 1) * 5, draws(1, 40, 1, seed=1).square() + 1e-4
    variance[0, :5] = 1e-6  # far below the best, where the plain improvement is zero
    known = draws(1, 7, 1, seed=2) + 3
    incumbents = moments(known, torch.ones_like(known))
    score = score_of(goals({"goal": goal}), incumbents, random(0))(moments(mean, variance))
    best = known.max() if goal == "maximize" else known.min()
    posterior = MockPosterior(mean=mean[0][:, None], variance=variance[0][:, None])
    oracle = LogExpectedImprovement(MockModel(posterior), best, maximize=goal == "maximize")
    wanted = oracle(torch.zeros(40, 1, 1, dtype=torch.float64))
    torch.testing.assert_close(score, wanted, rtol=1e-8, atol=1e-8)
    assert score.min() < -50


def test_a_mixture_improves_as_its_experts_do_on_average():
    mean, variance = draws(3, 20, 1), draws(3, 20, 1, seed=1).square() + 0.1
    known = draws(3, 5, 1, seed=2)
    weights = torch.tensor([[0.5], [0.3], [0.2]], dtype=torch.float64)
    incumbents = moments(known, torch.ones_like(known), weights)
    score = score_of(goals({}), incumbents, random(0))(moments(mean, variance, weights))
    sd, gap = variance.sqrt().numpy(), (mean - known.amax(dim=1, keepdim=True)).numpy()
    each = gap * norm.cdf(gap / sd) + sd * norm.pdf(gap / sd)
    wanted = np.log((weights.numpy()[:, None] * each).sum(axis=0))[:, 0]
    np.testing.assert_allclose(score.numpy(), wanted, rtol=1e-6)


def test_a_bound_multiplies_the_improvement_by_the_probability_of_meeting_it():
    bounded = goals({}, {"goal": "at_least", "bound": 1.0})
    mean, variance = draws(1, 20, 2), draws(1, 20, 2, seed=1).square() + 0.1
    known = torch.tensor([[[5.0, -9.0], [0.5, 2.0], [0.2, 3.0]]], dtype=torch.float64)
    incumbents = moments(known, torch.full_like(known, 0.01))
    score = score_of(bounded, incumbents, random(0))(moments(mean, variance))
    # the formula worth 5 misses the bound, so 0.5 is the value to improve on
    sd, gap = variance[0, :, 0].sqrt().numpy(), mean[0, :, 0].numpy() - 0.5
    improvement = gap * norm.cdf(gap / sd) + sd * norm.pdf(gap / sd)
    met = norm.sf(1.0, mean[0, :, 1].numpy(), variance[0, :, 1].sqrt().numpy())
    np.testing.assert_allclose(score.numpy(), np.log(improvement * met), rtol=1e-6)


def test_near_a_target_means_a_small_distance():
    wanted = goals({"goal": "near", "bound": 7.0})
    known = torch.tensor([[[5.0], [9.5]]], dtype=torch.float64)
    score = score_of(wanted, moments(known, torch.ones_like(known)), random(0))
    mean = torch.tensor([[[4.0], [6.0], [7.0], [8.0], [10.0]]], dtype=torch.float64)
    scores = score(moments(mean, torch.full_like(mean, 0.01)))
    assert scores.argmax() == 2
    assert scores[1] == pytest.approx(scores[3].item(), abs=0.2)
    assert scores[[0, 4]].max() < scores[[1, 3]].min()


def test_several_objectives_prefer_what_dominates_more():
    known = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]], dtype=torch.float64)
    score = score_of(goals({}, {}), moments(known, torch.ones_like(known)), random(0))
    mean = torch.tensor([[[0.2, 0.2], [0.8, 0.8], [1.5, 1.5]]], dtype=torch.float64)
    scores = score(moments(mean, torch.full_like(mean, 1e-4)))
    assert (scores.diff() > 0).all()


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_best_scalar_is_proportional_to_the_hypervolume(objectives, seed):
    front = torch.rand(8, objectives, generator=random(seed), dtype=torch.float64) * 3 + 0.5
    wanted = goals(*({"reference": 0.25 * (j + 1)} for j in range(objectives)))
    scalarise = Scalarisations.of(wanted, front, 100_000, random(seed + 10))
    channels = scalarise(front.expand(100_000, *front.shape))
    # the orthant's share of the unit ball
    ball = math.pi ** (objectives / 2) / (2**objectives * math.gamma(objectives / 2 + 1))
    estimate = ball * float(channels.amax(dim=1).mean() * scalarise.scale.prod())
    exact = Hypervolume(wanted.reference).compute(front)
    assert estimate == pytest.approx(exact, rel=0.03)


def test_a_heavier_objective_counts_for_more():
    known = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    wanted = goals({"weight": 5.0, "reference": 0.0}, {"reference": 0.0})
    scalarise = Scalarisations.of(wanted, known, 2_000, random(0))
    points = torch.tensor([[1.0, 0.3], [0.3, 1.0]], dtype=torch.float64)
    first, second = scalarise(points.expand(2_000, 2, 2)).mean(dim=0)
    assert first > 1.5 * second


def test_merit_orders_measured_formulas():
    def order(wanted, Y):
        return merit(wanted, torch.tensor(Y, dtype=torch.float64)).argsort(descending=True).tolist()

    assert order(goals({}), [[1.0], [3.0], [2.0]]) == [1, 2, 0]
    assert order(goals({"goal": "minimize"}), [[1.0], [3.0], [2.0]]) == [0, 2, 1]
    assert order(goals({"goal": "near", "bound": 2.5}), [[1.0], [3.0], [2.2]]) == [2, 1, 0]


def test_merit_puts_missed_bounds_behind_and_missing_values_last():
    wanted = goals({}, {"goal": "at_least", "bound": 0.9})
    Y = torch.tensor(
        [[9.0, 0.1], [1.0, 0.9], [math.nan, 1.0], [2.0, 0.95], [8.0, 0.2], [3.0, math.nan]],
        dtype=torch.float64,
    )
    rank = merit(wanted, Y)
    assert rank[2] == -math.inf
    assert rank.argsort(descending=True).tolist() == [3, 1, 0, 4, 5, 2]
    assert merit(wanted, Y[2:3]).tolist() == [-math.inf]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_merit_never_ranks_a_formula_before_one_that_dominates_it(seed):
    Y = draws(12, 3, seed=seed)
    rank = merit(goals({}, {"goal": "minimize"}, {}), Y)
    better = Y * torch.tensor([1.0, -1.0, 1.0])
    for i, j in itertools.permutations(range(12), 2):
        if (better[i] > better[j]).all():
            assert rank[i] > rank[j]


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_what_a_first_plate_is_worth_does_not_depend_on_the_unit(unit):
    wanted = Goals.of(
        [
            Response.model_validate({"name": "titre"}),
            Response.model_validate({"name": "viability", "goal": "at_least", "bound": 90.0}),
        ]
    )
    generator = torch.Generator().manual_seed(1)
    mean = torch.rand(1, 40, 2, generator=generator, dtype=torch.float64)
    mean[..., 1] = 80 + 20 * mean[..., 1]
    variance = torch.full_like(mean, 4.0)
    weights = torch.ones(1, 2, dtype=torch.float64)

    def order(factor):
        scaled = mean * torch.tensor([factor, 1.0])
        moments = Moments(weights, scaled, variance)
        return value_of(wanted, moments, torch.Generator())(moments).argsort().tolist()

    assert order(unit) == order(1.0)
