"""Exploration: formulas that together lower the uncertainty over the space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labloop.proposal.exploration import exploring, most_telling
from labloop.proposal.pool import NEAR


def gaussian(covariance, count=4_000):
    root = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(len(covariance)))
    normal = torch.randn(
        count, len(covariance), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return (normal @ root.mT)[..., None]


def test_what_tells_of_many_comes_first_and_what_is_told_already_last():
    covariance = torch.eye(6, dtype=torch.float64)
    covariance[:4, :4] = 0.9
    covariance.fill_diagonal_(1.0)
    rows = most_telling(gaussian(covariance), 0, 3)
    assert rows[0] in range(4)
    assert set(rows[1:]) == {4, 5}
    rows = most_telling(gaussian(covariance), 1, 2)
    assert set(rows) == {3, 4}  # numbered without the formula that is measured in any case


def test_responses_count_alike_whatever_their_units():
    one = gaussian(torch.diag(torch.tensor([1.0, 4.0, 1.0], dtype=torch.float64)))
    other = gaussian(torch.diag(torch.tensor([1.0, 1.0, 9.0], dtype=torch.float64)))
    draws = torch.cat([one, other], dim=-1)
    scaled = draws * torch.tensor([1.0, 1000.0])
    assert most_telling(draws, 0, 3) == most_telling(scaled, 0, 3)


@pytest.mark.parametrize("which", ["free", "hard", "mixture"])
def test_exploring_formulas_are_new_apart_and_feasible(which, request, fake_surrogate):
    space = request.getfixturevalue(which)
    rng = np.random.default_rng(1)
    X = space.encode(space.sample(10, rng))
    surrogate = fake_surrogate(X, X[:, :1])
    levels = exploring(space, surrogate, 8, X, X[:0], np.random.default_rng(2), None)
    again = exploring(space, surrogate, 8, X, X[:0], np.random.default_rng(2), None)
    np.testing.assert_array_equal(levels, again)
    assert len(levels) == 8
    assert space.satisfied(levels).all()
    codes = np.concatenate([space.encode(levels), X])
    gaps = np.abs(codes[:8, None] - codes[None]).max(axis=-1) + 9.0 * np.eye(8, len(codes))
    assert gaps.min() >= NEAR * (1 - 1e-6)


def test_it_explores_where_nothing_was_measured(free, fake_surrogate):
    rng = np.random.default_rng(0)
    X = rng.random((40, 4)) * np.array([0.3, 1.0, 1.0, 1.0])
    levels = exploring(free, fake_surrogate(X, X[:, :1]), 6, X, X[:0], rng, None)
    assert (free.encode(levels)[:, 0] > 0.3).all()


def test_a_list_is_explored_within_the_list(hard, fake_surrogate):
    listed = hard.sample(30, np.random.default_rng(8))
    X = hard.encode(listed[:5])
    surrogate = fake_surrogate(X, X[:, :1])
    levels = exploring(hard, surrogate, 40, X, X[:0], np.random.default_rng(1), listed)
    left = {row.tobytes() for row in listed} - {row.tobytes() for row in listed[:5]}
    assert {row.tobytes() for row in levels} == left
