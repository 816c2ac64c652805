from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from labloop.surrogate.forest import (
    TREES,
    Grove,
    left_out_mean,
    own_forest,
    source_forest,
)

finite = st.floats(-5, 5)
unknown_too = st.one_of(finite, st.just(float("nan")))


def steps(n, seed=0):
    X = np.random.default_rng(seed).random((n, 3))
    return X, np.where(X[:, 0] > 0.5, 1.0, -1.0) + np.where(X[:, 1] > 0.3, 0.5, 0.0)


def test_each_row_has_trees_that_never_saw_it_and_these_predict_steps():
    X, y = steps(200)
    forest = own_forest(X, y, np.ones(200), seed=0)
    assert forest.seen.shape == (TREES, 200)
    assert forest.seen.any(0).all()
    assert not forest.seen.all(0).any()
    values = torch.as_tensor(forest.values(X))
    out = left_out_mean(values, torch.as_tensor(forest.seen))[:, 0].numpy()
    assert 1.0 - ((out - y) ** 2).mean() / y.var() > 0.8


def test_a_row_moves_only_the_trees_that_saw_it():
    X, y = steps(40)
    moved = y.copy()
    moved[7] += 10.0
    one, two = (own_forest(X, each, np.ones(40), seed=3) for each in (y, moved))
    assert np.array_equal(one.seen, two.seen)
    blind = ~one.seen[:, 7]
    assert np.array_equal(one.values(X)[:, blind], two.values(X)[:, blind])
    assert not np.array_equal(one.values(X)[:, ~blind], two.values(X)[:, ~blind])


def test_rows_of_no_weight_teach_nothing():
    X, y = steps(60)
    X = np.concatenate([X, X[:1]])
    weights = np.append(np.ones(60), 1e-12)
    at_it = own_forest(X, np.append(y, 1e3), weights, seed=0).values(X[:1])
    assert abs(np.median(at_it) - y[0]) < 0.5


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_forest_on_any_number_of_threads(threads):
    X, y = steps(50)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        own = own_forest(X, y, np.ones(50), seed=5).values(X)
        both = source_forest(X, np.column_stack([y, -y]), seed=5).values(X)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(own, own_forest(X, y, np.ones(50), seed=5).values(X))
    assert np.array_equal(both, source_forest(X, np.column_stack([y, -y]), seed=5).values(X))
    assert np.allclose(both[..., 0], -both[..., 1])


def test_left_out_mean_leaves_out_who_saw_the_row():
    values = torch.tensor([[[1.0], [5.0]], [[2.0], [4.0]], [[3.0], [3.0]]])
    seen = torch.tensor([[True, False, True], [False, False, True]])
    out = left_out_mean(values, seen)[:, 0]
    assert out[:2].tolist() == [5.0, 3.0]
    assert torch.isnan(out[2])


def test_trees_of_the_history_stand_in_where_own_rows_are_too_few():
    X, y = steps(30)
    forest = own_forest(np.column_stack([X, y]), y, np.ones(30), seed=0)
    grove = Grove((forest, None), level=np.array([9.0, 1.0]), gain=np.array([9.0, -2.0]))
    prior = np.column_stack([y, y])
    source = np.random.default_rng(1).random((30, TREES, 2)).astype(np.float32)
    values = grove.values(X, prior, source)
    assert np.array_equal(values[..., 0], forest.values(np.column_stack([X, y]))[..., 0])
    assert np.allclose(values[..., 1], 1.0 - 2.0 * source[..., 1], atol=1e-6)


def moments_of(values):
    values = values.astype(np.float64)
    return values.mean(1), values.var(1, ddof=1)


def test_moments_are_those_of_the_trees():
    X, y = steps(60)
    source = source_forest(X, np.column_stack([y, np.sin(5.0 * X[:, 1])]), seed=0)
    wanted = moments_of(source.values(X))
    assert np.allclose(source.moments(X), wanted, rtol=0, atol=1e-12)


def test_trees_that_agree_have_no_variance():
    X, _ = steps(60)
    mean, variance = own_forest(X, np.full(60, 1e4), np.ones(60), seed=0).moments(X)
    assert (mean == 1e4).all()
    assert (variance == 0.0).all()


@pytest.mark.parametrize("grown", [(0, 1), (0,), (1,), ()])
def test_moments_are_those_of_the_trees_that_stand_in_too(grown):
    X, y = steps(60)
    prior = np.column_stack([y, X[:, 2]])
    forests = tuple(
        own_forest(np.column_stack([X, prior[:, j]]), np.cos(4.0 * X[:, j]), np.ones(60), seed=j)
        if j in grown else None
        for j in range(2)
    )  # fmt: skip
    grove = Grove(forests, level=np.array([0.5, -1.0]), gain=np.array([0.8, 2.0]))
    source = source_forest(X, prior, seed=0)
    found = grove.moments(X, prior, source.moments(X))
    wanted = moments_of(grove.values(X, prior, source.values(X)))
    assert np.allclose(found, wanted, rtol=0, atol=1e-5)
