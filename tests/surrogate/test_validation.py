from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.surrogate.training import Recipe
from labloop.surrogate.validation import cross_validate, grouped_folds, relative_error, scores


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.integers(2, 10))
def test_identical_rows_share_a_fold_and_folds_are_filled(kinds, folds):
    X = np.array(kinds, dtype=float)[:, None]
    fold = grouped_folds(X, folds, seed=0)
    for kind in set(kinds):
        assert len(set(fold[X[:, 0] == kind])) == 1
    assert set(fold) == set(range(min(folds, len(set(kinds)))))


def test_perfect_predictions_score_perfectly():
    Y = np.arange(12.0).reshape(6, 2)
    Y[0, 1] = np.nan
    table = scores(Y, np.nan_to_num(Y), np.array([0, 0, 0, 1, 1, 1]))
    assert table["r2"].tolist() == [1.0, 1.0]
    assert table["mse"].tolist() == [0.0, 0.0]
    assert table["relative_error"].tolist() == [0.0, 0.0]
    assert table["spearman"].tolist() == pytest.approx([1.0, 1.0])
    assert table["rows"].tolist() == [6, 5]


def test_knowing_only_the_source_earns_no_r2():
    Y = np.array([[1.0], [3.0], [101.0], [103.0]])
    source = np.array([0, 0, 1, 1])
    table = scores(Y, np.array([[2.0], [2.0], [102.0], [102.0]]), source)
    assert table.loc[0, "r2"] == pytest.approx(0.0)


def test_relative_error_survives_zeros_and_is_taken_in_the_lab_s_units():
    Y = np.array([[0.0], [2.0]])
    assert relative_error(Y, Y + 0.5)[0] == pytest.approx(0.5)
    table = scores(np.log(Y + 1), np.log(Y + 1.5), np.zeros(2, int), untransform=np.expm1)
    assert table.loc[0, "relative_error"] == pytest.approx(0.5)


def test_cross_validation_predicts_each_row_from_the_other_folds(lines):
    result = cross_validate(
        lines.X, lines.Y, lines.source, layers=3, members=2, folds=3, recipe=Recipe(epochs=40)
    )
    assert list(result.scores.columns) == ["r2", "mse", "relative_error", "spearman", "rows"]
    assert (result.scores["r2"] > 0.5).all()
    assert np.isfinite(result.predicted).all()
    assert result.scores["rows"].tolist() == (~np.isnan(lines.Y)).sum(axis=0).tolist()


def test_one_row_of_a_second_source_is_predicted_but_cannot_spoil_the_scores(lines):
    first = lines.source == 0
    X, Y = lines.X[first], lines.Y[first] + 1000.0
    arguments = {"layers": 3, "members": 2, "folds": 3, "recipe": Recipe(epochs=40)}
    source = np.zeros(len(X), dtype=int)
    source[1] = 1
    result = cross_validate(X, Y, source, **arguments)
    assert (result.scores["r2"] > 0.3).all()
    assert result.scores["rows"].tolist() == ((~np.isnan(Y)).sum(axis=0) - 1).tolist()
    assert np.abs(result.predicted[1] - Y[1]).max() < 5.0


def test_held_out_values_do_not_reach_their_own_prediction(lines):
    arguments = {"layers": 3, "members": 2, "folds": 3, "recipe": Recipe(epochs=2)}
    before = cross_validate(lines.X, lines.Y, lines.source, **arguments)
    held = before.fold == 0
    changed = lines.Y.copy()
    changed[held] = np.where(np.isnan(changed[held]), np.nan, 77.0)
    after = cross_validate(lines.X, changed, lines.source, **arguments)
    assert np.allclose(before.predicted[held], after.predicted[held])


def test_one_formula_cannot_be_validated():
    with pytest.raises(RefusedError) as caught:
        cross_validate(np.ones((3, 2)), np.ones((3, 1)), np.zeros(3, int))
    assert str(caught.value) == (
        "Cross-validation needs at least two different formulas with a measured response."
    )
