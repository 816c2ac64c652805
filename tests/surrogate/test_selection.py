from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_the_ranking_comes_with_its_uncertainty():
    X, Z, component = table()
    ranking = select_components(X, Z, component, share=0.5, seed=1).ranking
    assert list(ranking.columns) == [
        "information", "information_low", "information_high", "kept", "kept_share", 0, 1,
    ]  # fmt: skip
    assert (ranking["information_low"] <= ranking["information"]).all()
    assert (ranking["information"] <= ranking["information_high"]).all()
    assert ranking.loc[[1, 3], "kept_share"].tolist() == [1.0, 1.0]
    assert ranking.loc[[0, 2], "kept_share"].max() < 0.2
    assert ranking.loc[4, "information_high"] == 0


def test_information_is_that_of_the_table():
    X = np.tile([0.0, 0.0, 1.0, 1.0], 2000)[:, None]
    Z = np.tile([0.0, 1.0], 4000)[:, None]
    apart = select_components(X, Z, np.arange(1), share=1.0, seed=0).ranking
    same = select_components(X, 3.0 * X, np.arange(1), share=1.0, seed=0).ranking
    assert apart.loc[0, "information"] == 0.0
    assert same.loc[0, "information"] == pytest.approx(np.log(2), abs=1e-3)


@given(st.integers(60, 400), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_noise_tells_less_than_a_copy(rows, seed):
    random = np.random.default_rng(seed)
    Z = random.normal(size=(rows, 1))
    X = np.column_stack([random.random(rows), Z[:, 0]])
    ranking = select_components(X, Z, np.arange(2), share=0.5, seed=0).ranking
    assert ranking.index[0] == 1
    assert np.isfinite(ranking.to_numpy(float)).all()


def test_choices_that_hardly_repeat_tell_nothing():
    random = np.random.default_rng(0)
    Z = random.normal(size=(60, 1))
    X = np.column_stack([np.eye(60), Z[:, 0] > 0.5])
    component = np.repeat([0, 1], [60, 1])
    ranking = select_components(X, Z, component, share=0.5, seed=0).ranking
    assert ranking.index.tolist() == [1, 0]
    assert ranking.loc[0, "information"] == 0.0


def test_halves_are_drawn_from_each_source():
    # A source of two rows: each half holds one of them, so the component always varies.
    X = np.r_[np.zeros(200), 1.0, 1.0][:, None]
    Z = np.r_[np.zeros(200), 5.0, 5.0][:, None]
    source = np.r_[np.zeros(200, int), 1, 1]
    ranking = select_components(X, Z, np.arange(1), source=source, share=1.0, seed=0).ranking
    assert ranking.loc[0, "information_low"] > 0
