"""What formulas are worth together, and how the seats of large plates are filled."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Response
from labloop.proposal.goals import Goals
from labloop.proposal.joint import Shortlist, greedy, joint_values, seat, spaced


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
    assert len(picks) == len(set(picks)) <= min(count, len(possible))
    assert set(picks) <= set(possible)
    if not picks:
        return
    top = max(improvement(list(s)) for s in itertools.combinations(possible, len(picks)))
    assert improvement(picks) >= (1 - 1 / math.e) * top - 1e-12
    assert sum(gains) == pytest.approx(improvement(picks))
    assert improvement(picks[:1]) == pytest.approx(max(improvement([i]) for i in possible))
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(gains))
    torch.testing.assert_close(after, torch.maximum(best, worth[:, picks].amax(dim=1)))


def test_greedy_stops_where_the_draws_tell_no_more():
    worth = torch.tensor([[-math.inf, 1.0, 3.0], [-math.inf, 2.0, -math.inf]])
    picks, gains, _ = greedy(worth, torch.zeros(2), 3, torch.ones(3, dtype=torch.bool))
    assert picks == [1]
    assert gains == [1.5]


def test_greedy_takes_what_adds_most_for_its_price():
    worth = torch.tensor([[4.0, 3.0, 0.5], [4.0, 3.0, 0.5], [0.5, 0.5, 2.0]])
    allowed = torch.ones(3, dtype=torch.bool)
    price = torch.tensor([8.0, 1.0, 1.0])
    assert greedy(worth, torch.zeros(3), 1, allowed)[0] == [0]
    picks, gains, _ = greedy(worth, torch.zeros(3), 1, allowed, price)
    assert picks == [1]
    assert gains == [pytest.approx(6.5 / 3)]


def shortlist(n, seed=0, reserved=None):
    rng = np.random.default_rng(seed)
    none = np.zeros(n, dtype=bool)
    return Shortlist(rng.random((n, 3)), rng.random(n), none if reserved is None else reserved)


def stream(n, count=16, seated=0):
    """New draws at every call: a few candidates are much better than the others."""
    generator = random(3)
    mean = torch.linspace(0, 1, n + seated, dtype=torch.float64)

    def draw():
        noise = torch.randn(count, n + seated, generator=generator, dtype=torch.float64)
        return mean + 0.5 * noise, torch.zeros(count, dtype=torch.float64)

    return draw


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 60), count=st.integers(1, 60), seats=st.integers(0, 10),
    seated=st.integers(0, 4), seed=st.integers(0, 99),
)  # fmt: skip
def test_all_seats_are_filled_once_and_reserved_ones_first(n, count, seats, seated, seed):
    reserved = np.random.default_rng(seed).random(n) < 0.3
    picks, gains = seat(
        stream(n, seated=seated), seated, shortlist(n, seed, reserved), seats, count
    )
    assert len(picks) == len(set(picks)) == min(count, n)
    assert len(gains) == seated + len(picks)
    assert min(gains) >= 0
    kept = min(seats, count, int(reserved.sum()))
    assert reserved[picks[:kept]].all()


def test_seats_that_no_draw_can_fill_go_to_the_best_scores_that_keep_a_distance():
    codes = np.array([[0.0], [0.01], [0.5], [0.52], [1.0]])
    score = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    flat = torch.zeros(8, 5, dtype=torch.float64)
    few = Shortlist(codes, score, np.zeros(5, dtype=bool))
    picks, gains = seat(lambda: (flat, torch.ones(8, dtype=torch.float64)), 0, few, 0, 4)
    assert picks[:3] == [0, 2, 4]
    assert len(set(picks)) == 4
    assert gains == [0.0] * 4


def test_what_is_taken_keeps_its_distance_too():
    codes = np.array([[0.0], [0.01], [0.5], [1.0]])
    score = np.array([5.0, 4.0, 3.0, 2.0])
    everyone = np.ones(4, dtype=bool)
    assert spaced(codes, score, [0], everyone, 2) == [2, 3]
    assert spaced(codes, score, [0], everyone, 9) == [2, 3, 1]
    assert spaced(codes, score, [], ~everyone, 2) == []


def test_a_plate_of_hundreds_gains_more_than_one_set_of_draws_can_tell():
    """One set of 64 draws has 64 best formulas at most; all later picks would be arbitrary."""
    n, count = 400, 200
    generator = random(0)
    root = draws(n, n, seed=1) / math.sqrt(n)
    mean = torch.linspace(-1.0, 1.0, n, dtype=torch.float64)

    def draw():
        normal = torch.randn(64, n, generator=generator, dtype=torch.float64)
        return mean + normal @ root, torch.zeros(64, dtype=torch.float64)

    candidates = Shortlist(np.random.default_rng(0).random((n, 4)), mean.numpy(), np.zeros(n, bool))
    picks, _ = seat(draw, 0, candidates, 0, count)
    fresh = mean + draws(4_000, n, seed=5) @ root
    one_set, best = draw()
    arbitrary, _, _ = greedy(one_set, best, count, torch.ones(n, dtype=torch.bool))
    arbitrary += [row for row in range(n) if row not in set(arbitrary)][: count - len(arbitrary)]
    assert fresh[:, picks].amax(dim=1).mean() > fresh[:, arbitrary].amax(dim=1).mean()
