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
    greedy,
    joint_values,
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


def moments(mean, variance, weights=None):
    experts, _, responses = mean.shape
    even = torch.full((experts, responses), 1 / experts, dtype=torch.float64)
    return Moments(even if weights is None else weights, mean, variance)


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


def test_joint_values_of_one_objective_are_the_values_themselves():
    candidates, known = draws(6, 4, 1), draws(6, 3, 1, seed=1)
    worth, best = joint_values(goals({"goal": "minimize"}), candidates, known, 16, random(0))
    torch.testing.assert_close(worth, -candidates[..., 0])
    torch.testing.assert_close(best, (-known[..., 0]).amax(dim=1))


def test_joint_values_count_only_what_meets_the_bounds():
    bounded = goals({}, {"goal": "at_most", "bound": 0.0})
    candidates = torch.tensor([[[3.0, 1.0], [2.0, -1.0]]], dtype=torch.float64)
    known = torch.tensor([[[9.0, 1.0], [1.0, -1.0], [0.5, -1.0]]], dtype=torch.float64)
    worth, best = joint_values(bounded, candidates, known, 16, random(0))
    assert worth.tolist() == [[-math.inf, 2.0]]
    assert best.tolist() == [1.0]
    none_met = torch.tensor([[[9.0, 1.0], [4.0, 1.0]]], dtype=torch.float64)
    _, best = joint_values(bounded, candidates, none_met, 16, random(0))
    assert best.tolist() == [4.0]


def test_joint_values_of_several_objectives_have_a_channel_a_draw_and_direction():
    worth, best = joint_values(goals({}, {}), draws(6, 4, 2), draws(6, 3, 2), 16, random(0))
    assert worth.shape == (96, 4)
    assert best.shape == (96,)
    assert (worth >= 0).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 4))
def test_greedy_comes_near_the_best_of_all_sets(seed, count):
    worth = draws(30, 7, seed=seed)
    best = draws(30, seed=seed + 1)
    allowed = torch.rand(7, generator=random(seed)) < 0.8

    def improvement(chosen):
        return float((worth[:, chosen].amax(dim=1) - best).clamp_min(0).mean())

    picks, gains, after = greedy(worth, best, count, allowed)
    possible = np.flatnonzero(allowed.numpy()).tolist()
    assert len(picks) == len(set(picks)) == min(count, len(possible))
    assert set(picks) <= set(possible)
    if not picks:
        return
    top = max(improvement(list(s)) for s in itertools.combinations(possible, len(picks)))
    assert improvement(picks) >= (1 - 1 / math.e) * top - 1e-12
    assert sum(gains) == pytest.approx(improvement(picks))
    assert improvement(picks[:1]) == pytest.approx(max(improvement([i]) for i in possible))
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(gains))
    torch.testing.assert_close(after, torch.maximum(best, worth[:, picks].amax(dim=1)))


def test_greedy_never_takes_what_misses_the_bounds_before_what_meets_them():
    worth = torch.tensor([[-math.inf, 1.0, 3.0], [-math.inf, 2.0, -math.inf]])
    picks, gains, _ = greedy(worth, torch.zeros(2), 3, torch.ones(3, dtype=torch.bool))
    assert picks == [1, 2, 0]
    assert gains == [1.5, 1.0, 0.0]


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
