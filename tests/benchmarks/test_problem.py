"""A pool is split into own and tested rows; concentrations are encoded by the pool's range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.problem import Problem, encoded


def problem(rows: int) -> Problem:
    rng = np.random.default_rng(0)
    return Problem(
        "small", "test", rng.random((5, 3)), rng.random((5, 1)), np.zeros(5, int),
        rng.random((rows, 3)), rng.random((rows, 1)),
    )  # fmt: skip


@given(st.integers(1, 1000))
def test_sizes_leave_enough_for_testing(rows: int) -> None:
    for size in problem(rows).sizes:
        assert size <= 0.6 * rows
        assert rows - size >= max(20, 0.3 * rows)


@given(st.integers(0, 30), st.integers(0, 20), st.integers(0, 5))
def test_own_and_tested_rows_are_the_pool_and_grow_by_adding(
    size: int, more: int, seed: int
) -> None:
    each = problem(60)
    own = each.own_rows(size, seed)
    assert sorted([*own, *each.tested_rows(own)]) == list(range(60))
    assert set(own) <= set(each.own_rows(size + more, seed))


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_pool_spans_zero_to_one_and_the_history_may_lie_outside(logarithmic: bool) -> None:
    pool = np.array([[0.0, 5.0], [1.0, 5.0], [3.0, 5.0]])
    history = np.array([[6.0, 1.0]])
    X, X_pool = encoded(history, pool, logarithmic=logarithmic)
    np.testing.assert_allclose([X_pool[:, 0].min(), X_pool[:, 0].max()], [0, 1])
    assert X[0, 0] > 1
    # What the pool does not vary is scaled by both.
    np.testing.assert_allclose(X_pool[:, 1], 1)
    np.testing.assert_allclose(X[:, 1], 0)
