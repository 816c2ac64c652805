"""Refined candidates climb, stay feasible, keep origins and stop at their number of scorings."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.proposal.pool import Pool
from labloop.proposal.refinement import bred, climbed, refined


def towards(space, goal):
    """A score with its top where the encoded formula equals `goal` in every column."""

    def score(levels):
        scored.append(len(levels))
        return -((space.encode(levels) - goal) ** 2).sum(axis=1)

    scored: list[int] = []
    return score, scored


def start_of(space, score, count=200):
    levels = space.sample(count, np.random.default_rng(3))
    return Pool(levels, np.array([f"s{row % 2}" for row in range(count)]), score(levels))


def made(space, goal=0.3, scorings=4_000, seed=0, better=refined):
    score, scored = towards(space, goal)
    pool = start_of(space, score)
    scored.clear()
    rng = np.random.default_rng(seed)
    refined_pool = better(space, pool, score, scorings, rng, lambda *_: None)
    return pool, refined_pool, score, sum(scored)


def test_it_climbs_to_the_top_of_a_smooth_score(space_of):
    space = space_of([{"name": f"c{number}", "high": 1.0} for number in range(20)])
    pool, better, _, _ = made(space, scorings=20_000)
    assert pool.score.max() < -0.5
    assert better.score.max() > -0.02


def test_a_mixture_is_climbed_although_its_parts_depend_on_one_another(mixture):
    pool, better, _, _ = made(mixture, goal=np.array([0.5, 0.3, 0.2, 0.0, 0.0]))
    assert pool.score.max() < -0.005
    assert better.score.max() > -0.0005


@pytest.mark.parametrize("how", [climbed, bred])
@pytest.mark.parametrize("which", ["free", "hard", "mixture"])
def test_all_is_feasible_and_scored_and_the_pool_remains(which, how, request):
    space = request.getfixturevalue(which)
    pool, better, score, _ = made(space, better=how)
    assert len(better) > len(pool)
    np.testing.assert_array_equal(better.levels[: len(pool)], pool.levels)
    assert better.levels.dtype == np.uint16
    assert space.satisfied(better.levels).all()
    np.testing.assert_allclose(better.score, score(better.levels))
    assert set(better.origin) == {"s0", "s1"}


def test_no_more_is_scored_than_asked(hard):
    for scorings in (0, 500, 3_000):
        *_, used = made(hard, scorings=scorings)
        assert used <= scorings


def test_where_nothing_can_gain_it_stops(free):
    rng = np.random.default_rng(0)
    calls = []

    def flat(levels):
        calls.append(len(levels))
        return np.zeros(len(levels))

    pool = start_of(free, flat)
    calls.clear()
    climbed(free, pool, flat, 100_000, rng, lambda *_: None)
    assert sum(calls) <= 64 * (4 + 4)


def test_it_repeats_itself_with_its_seed_only(hard):
    one, again, other = (made(hard, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.levels, again.levels)
    np.testing.assert_array_equal(one.score, again.score)
    assert one.levels.shape != other.levels.shape or (one.levels != other.levels).any()
