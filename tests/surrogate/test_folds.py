from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.surrogate.folds import NEAR, WHOLE, dealt, grouped_folds, near_groups

UNCUT = 10**9


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.integers(2, 10))
@settings(deadline=None)
def test_identical_rows_share_a_fold_and_folds_are_filled(kinds, folds):
    X = np.array(kinds, dtype=float)[:, None]
    fold = grouped_folds(X, folds, seed=0)
    for kind in set(kinds):
        assert len(set(fold[X[:, 0] == kind])) == 1
    assert set(fold) == set(range(min(folds, len(set(kinds)))))


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2), min_size=1, max_size=40))
@settings(deadline=None)
def test_rows_share_a_group_where_a_chain_of_near_rows_joins_them(places):
    X = np.array(places) * NEAR * 0.6
    joined = (np.abs(X[:, None] - X).max(axis=2) < NEAR).astype(int)
    for _ in X:
        joined = (joined @ joined > 0).astype(int)
    group = near_groups(X, UNCUT)
    np.testing.assert_array_equal(group[:, None] == group, joined > 0)


def test_two_percent_in_one_column_makes_another_formula():
    X = np.array([[0.5, 0.5], [0.5 + NEAR, 0.5], [0.5, 0.5 + 0.9 * NEAR]])
    group = near_groups(X, UNCUT)
    assert group[0] == group[2] != group[1]


@given(st.integers(10, 200), st.integers(1, 30))
@settings(deadline=None)
def test_a_long_chain_is_cut_into_pieces_of_neighbours(rows, most):
    X = np.linspace(0, 0.001 * rows, rows)[:, None]
    group = near_groups(X, most)
    assert np.bincount(group).max() <= most
    assert (np.diff(group) != 0).sum() == group.max()


def test_identical_rows_are_never_parted():
    X = np.repeat([[0.1], [0.115]], 50, axis=0)
    group = near_groups(X, most=10)
    assert sorted(np.bincount(group)) == [50, 50]


def test_a_short_table_keeps_its_near_copies_together():
    X = np.repeat(np.linspace(0, 1, 5), 4)[:, None] + np.tile(np.arange(4) * 1e-3, 5)[:, None]
    assert WHOLE >= 4
    fold = grouped_folds(X, 10, seed=0).reshape(5, 4)
    assert (fold == fold[:, :1]).all()
    assert sorted(fold[:, 0]) == [0, 1, 2, 3, 4]


def test_two_clouds_of_near_copies_that_touch_are_one_group():
    random = np.random.default_rng(0)
    X = random.random((400, 8))
    X[:100], X[100:200] = X[0], X[0] + 0.01
    X[:200] += 1e-4 * random.random((200, 8))
    group = near_groups(X, UNCUT)
    assert len(set(group[:200])) == 1
    assert len(set(group)) == 201


@pytest.mark.parametrize("digits", [1, 2])
def test_folds_of_a_grid_are_about_equal(digits):
    X = np.random.default_rng(0).random((2000, 2)).round(digits)
    size = np.bincount(grouped_folds(X, 10, seed=0))
    assert len(size) == 10
    assert size.max() < 2 * size.min()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.integers(1, 10))
@settings(deadline=None)
def test_parts_differ_by_no_more_than_the_largest_group(sizes, parts):
    part = dealt(np.array(sizes), parts, seed=0)
    filled = np.bincount(part, weights=sizes)
    assert len(filled) == min(parts, len(sizes))
    assert filled.max() - filled.min() <= max(sizes)
