from __future__ import annotations

import numpy as np

from labloop.surrogate.selection import select_components


def table(rows: int = 300):
    random = np.random.default_rng(0)
    X = random.random((rows, 6))
    choice = random.integers(0, 2, rows)
    X[:, 3], X[:, 4] = choice, 1 - choice
    X[:, 5] = 0.5
    Z = np.column_stack([np.sin(4 * X[:, 1]), choice + 0.1 * random.normal(size=rows)])
    return X, Z, np.array([0, 1, 2, 3, 3, 4])


def test_keeps_what_tells_most_and_the_columns_of_a_choice_together():
    X, Z, component = table()
    chosen = select_components(X, Z, component, share=0.5, seed=1)
    assert chosen.columns.tolist() == [1, 3, 4]
    assert set(chosen.ranking.index[:2]) == {1, 3}
    assert chosen.ranking["kept"].tolist() == [True, True, False, False, False]


def test_share_of_one_keeps_all_that_vary():
    X, Z, component = table()
    assert select_components(X, Z, component, share=1.0, seed=1).columns.tolist() == [0, 1, 2, 3, 4]


def test_the_same_seed_gives_the_same_ranking():
    X, Z, component = table()
    one = select_components(X, Z, component, share=0.7, seed=3).ranking
    assert one.equals(select_components(X, Z, component, share=0.7, seed=3).ranking)


def test_a_table_without_variation_keeps_something():
    chosen = select_components(np.ones((4, 2)), np.ones((4, 1)), np.arange(2), share=0.7, seed=0)
    assert len(chosen.columns) > 0


def test_missing_values_do_not_matter():
    X, Z, component = table()
    Z[::2, 0] = np.nan
    assert 1 in select_components(X, Z, component, share=0.5, seed=1).columns
