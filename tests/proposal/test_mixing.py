"""Mixtures lie between their parents."""

from __future__ import annotations

import numpy as np

from labloop.proposal.mixing import mix


def test_mixtures_stay_in_the_hull_of_their_parents_up_to_rounding(free):
    rng = np.random.default_rng(0)
    parents = rng.random((6, 4))
    table = free.concentrations(mix(free, parents, 500, rng))
    directions = rng.normal(size=(200, 4))
    # a point is in the hull where no direction reaches beyond all parents
    reach = (parents @ directions.T).max(axis=0)
    rounding = 0.0005 * np.abs(directions).sum(axis=1) + 1e-9
    assert (table @ directions.T <= reach + rounding).all()
    assert len(np.unique(table, axis=0)) > 450


def test_two_parents_make_a_line(free):
    parents = np.array([[0.0, 0.0, 0.2, 1.0], [1.0, 0.5, 0.2, 0.0]])
    table = free.concentrations(mix(free, parents, 300, np.random.default_rng(0)))
    np.testing.assert_allclose(table[:, 1], table[:, 0] / 2, atol=1e-3)
    np.testing.assert_allclose(table[:, 3], 1 - table[:, 0], atol=1.1e-3)
    np.testing.assert_allclose(table[:, 2], 0.2)
    assert np.histogram(table[:, 0], bins=4, range=(0, 1))[0].min() > 40


def test_better_parents_count_for_more(free):
    parents = np.eye(4)
    table = free.concentrations(mix(free, parents, 2_000, np.random.default_rng(0)))
    shares = table.mean(axis=0)
    assert (np.diff(shares) < 0).all()


def test_a_choice_comes_from_one_parent(space_of):
    space = space_of([{"name": "a", "high": 1.0}, {"name": "f", "choices": list("wxyz")}])
    parents = np.array([[0.0, 0.0], [1.0, 3.0]])
    table = space.concentrations(mix(space, parents, 200, np.random.default_rng(0)))
    assert set(table[:, 1]) == {0.0, 3.0}
