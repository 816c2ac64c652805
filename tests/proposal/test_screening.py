from __future__ import annotations

import numpy as np
import pytest
import torch

from labloop.proposal.screening import (
    FEWEST_SCREENED,
    LEAST_SHARE,
    PILOT,
    Screened,
    learned_screen,
    screening,
)

COLUMNS = 6
MILLION = 1_000_000


@pytest.fixture(scope="module")
def formulas():
    return np.random.default_rng(0).integers(5, size=(120_000, COLUMNS)) / 4.0


def bowl(X):
    return -((X - 0.6) ** 2).sum(axis=1) + 0.5 * X[:, 0] * X[:, 1]


def waves(X):
    """Return no quadratic function, but one that a quadratic ranks fairly."""
    return np.log(X[:, 0] + 0.1) + np.sin(3.0 * X[:, 1]) + X[:, 2] * np.sqrt(X[:, 3]) - X[:, 4] ** 3


def needles(X):
    """Return a score whose best formulas are ruled by what the others know nothing of."""
    return np.where((X[:, 5] == 1.0) & (X[:, 4] == 0.0) & (X[:, 3] == 0.5), 9.0, 0.0) + bowl(X)


def test_a_quadratic_score_is_screened_without_loss(formulas):
    score = bowl(formulas)
    screen = learned_screen(formulas[:PILOT], score[:PILOT], 512, MILLION)
    passes = screen.passes(formulas[PILOT:])
    assert LEAST_SHARE / 2 < passes.mean() < 3 * LEAST_SHARE
    best = np.argsort(-score[PILOT:])[:50]
    assert passes[best].all()


def test_the_best_of_another_score_pass(formulas):
    score = waves(formulas)
    screen = learned_screen(formulas[:PILOT], score[:PILOT], 512, MILLION)
    passes = screen.passes(formulas[PILOT:])
    assert passes.mean() < 0.25
    best = np.argsort(-score[PILOT:])[:200]
    assert passes[best].all()


@pytest.mark.parametrize("bend", [np.exp, lambda s: 5.0 * s - 3.0, np.cbrt])
def test_only_ranks_count(formulas, bend):
    score = np.round(waves(formulas[:PILOT]), 6)
    one = learned_screen(formulas[:PILOT], score, 512, MILLION)
    other = learned_screen(formulas[:PILOT], bend(score), 512, MILLION)
    assert np.array_equal(one.passes(formulas), other.passes(formulas))


def test_no_screen_where_the_score_is_noise_or_nothing(formulas):
    noise = np.random.default_rng(1).random(PILOT)
    assert learned_screen(formulas[:PILOT], noise, 512, MILLION) is None
    assert learned_screen(formulas[:PILOT], np.zeros(PILOT), 512, MILLION) is None


def test_no_screen_where_the_best_are_not_like_the_many(formulas):
    assert learned_screen(formulas[:PILOT], needles(formulas[:PILOT]), 512, MILLION) is None


def test_more_pass_the_more_are_kept(formulas):
    score = waves(formulas[:PILOT])
    shares = [
        learned_screen(formulas[:PILOT], score, keep, MILLION).passes(formulas).mean()
        for keep in (8, 512, 4096)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_columns_that_do_not_vary_say_nothing(formulas):
    score = bowl(formulas[:PILOT])
    pilot = formulas[:PILOT].copy()
    pilot[:, 3] = 0.25
    screen = learned_screen(pilot, score, 512, MILLION)
    moved = formulas.copy()
    moved[:, 3] = 1.0 - moved[:, 3]
    assert np.array_equal(screen.passes(formulas), screen.passes(moved))


def test_a_screen_is_the_same_on_any_number_of_threads(formulas):
    score = waves(formulas[:PILOT])
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            screen = learned_screen(formulas[:PILOT], score, 512, MILLION)
            found.append(screen.values(formulas))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_of_many_columns_the_strongest_have_products(formulas, monkeypatch):
    monkeypatch.setattr("labloop.proposal.screening._PRODUCTS", 3)
    score = bowl(formulas) - 0.2 * formulas[:, 3:].sum(axis=1)
    screen = learned_screen(formulas[:PILOT], score[:PILOT], 512, MILLION)
    assert int((screen.curvature != 0.0).sum()) == COLUMNS + 3
    best = np.argsort(-score[PILOT:])[:50]
    assert screen.passes(formulas[PILOT:])[best].all()


@pytest.fixture
def space(space_of):
    return space_of(
        [{"name": f"c{k}", "levels": [0.0, 1.0, 2.0, 3.0, 4.0]} for k in range(COLUMNS)]
    )


def test_only_formulas_that_pass_are_scored_exactly(space):
    rng = np.random.default_rng(4)
    asked = []

    def score(levels):
        asked.append(len(levels))
        return bowl(space.encode(levels))

    on_stream = screening(space, score, lambda count: space.sample(count, rng), 512, MILLION)
    assert isinstance(on_stream, Screened)
    levels = space.sample(30_000, rng)
    answer = on_stream(levels)
    exact = bowl(space.encode(levels))
    passed = np.isfinite(answer)
    assert asked == [PILOT, passed.sum()]
    assert 0 < passed.mean() < 0.25
    assert np.array_equal(answer[passed], exact[passed])
    assert (answer[~passed] == -np.inf).all()
    assert passed[np.argsort(-exact)[:15]].all()


def test_a_chunk_of_which_nothing_passes_is_not_scored(space):
    rng = np.random.default_rng(5)
    exact = screening(
        space, lambda levels: bowl(space.encode(levels)),
        lambda count: space.sample(count, rng), 512, MILLION,
    )  # fmt: skip

    def refuse(levels):
        raise AssertionError

    screened = Screened(space, refuse, exact.screen)
    worst = np.zeros((3, COLUMNS), dtype=np.uint16)
    assert (screened(worst) == -np.inf).all()


def test_short_streams_and_scarce_pilots_are_scored_exactly(space):
    def score(levels):
        return np.zeros(len(levels))

    def refuse(count):
        raise AssertionError

    assert screening(space, score, refuse, 512, FEWEST_SCREENED - 1) is score
    few = space.sample(100, np.random.default_rng(0))
    assert screening(space, score, lambda count: few, 512, MILLION) is score
