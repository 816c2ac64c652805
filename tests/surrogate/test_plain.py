from __future__ import annotations

import numpy as np

from labloop.surrogate.plain import forest_predictions


def test_a_forest_learns_steps_and_leaves_out_missing_values():
    random = np.random.default_rng(0)
    X = random.integers(0, 2, (200, 6)).astype(float)
    Z = np.column_stack([X[:, 0] * X[:, 1], X[:, 2]])
    Z[::2, 1] = np.nan
    asked = np.eye(6)[[2]] + np.eye(6)[[0]] + np.eye(6)[[1]]
    predicted = forest_predictions(X, Z, asked, seed=0)
    assert np.abs(predicted - 1.0).max() < 0.1


def test_nothing_known_is_not_predicted():
    Z = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 5.0]])
    predicted = forest_predictions(np.arange(6.0).reshape(3, 2), Z, np.ones((4, 2)), seed=0)
    assert np.isfinite(predicted[:, 0]).all()
    assert np.isnan(predicted[:, 1]).all()


def test_the_same_seed_gives_the_same_forest():
    random = np.random.default_rng(0)
    X, Z = random.random((40, 3)), random.random((40, 1))
    one, other = (forest_predictions(X, Z, X, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one, other)
