from __future__ import annotations

import numpy as np
import pytest

from labloop.errors import RefusedError
from labloop.surrogate.training import Recipe
from labloop.surrogate.validation import cross_validate

COLUMNS = ["r2", "plain_r2", "mse", "relative_error", "spearman", "rows"]
FAST = {"layers": 3, "members": 2, "folds": 3, "recipe": Recipe(epochs=2)}


def test_cross_validation_predicts_each_row_from_the_other_folds(lines):
    result = cross_validate(
        lines.X, lines.Y, lines.source, layers=3, members=2, folds=3, recipe=Recipe(epochs=40)
    )
    assert list(result.scores.columns) == COLUMNS
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
    before = cross_validate(lines.X, lines.Y, lines.source, **FAST)
    held = before.fold == 0
    changed = lines.Y.copy()
    changed[held] = np.where(np.isnan(changed[held]), np.nan, 77.0)
    after = cross_validate(lines.X, changed, lines.source, **FAST)
    assert np.allclose(before.predicted[held], after.predicted[held])


def test_near_copies_do_not_reach_one_another_s_prediction(lines):
    X, Y, source = (np.concatenate([each, each]) for each in (lines.X, lines.Y, lines.source))
    X[150:] += 0.01
    fold = cross_validate(X, Y, source, **FAST).fold
    np.testing.assert_array_equal(fold[:150], fold[150:])


def test_each_source_is_predicted_by_nets_that_saw_others_alone(lines):
    result = cross_validate(
        lines.X, lines.Y, lines.source + 5, layers=3, members=4, folds=2, recipe=Recipe(epochs=40)
    )
    table = result.scores_by_source
    assert list(table.columns) == ["source", "response", "r2", "plain_r2", "spearman", "rows"]
    assert table[["source", "response"]].to_numpy().tolist() == [[5, 0], [5, 1], [6, 0], [6, 1]]
    assert table["rows"].tolist() == [
        int((~np.isnan(lines.Y[lines.source == number, j])).sum())
        for number in (0, 1)
        for j in (0, 1)
    ]
    assert (table["r2"] > 0.2).all()
    assert (table["plain_r2"] > 0.5).all()


def test_a_source_too_small_to_score_has_no_score_but_is_learned_from(lines):
    source = lines.source.copy()
    source[:3] = 7
    table = cross_validate(lines.X, lines.Y, source, **FAST).scores_by_source
    small = table[table["source"] == 7]
    assert small[["r2", "plain_r2", "spearman"]].isna().all(axis=None)
    assert (small["rows"] <= 3).all()
    assert table[table["source"] != 7]["r2"].notna().all()


def test_a_response_that_no_other_source_has_is_not_scored_by_source(lines):
    Y = lines.Y.copy()
    Y[lines.source == 1, 1] = np.nan
    table = cross_validate(lines.X, Y, lines.source, **FAST).scores_by_source
    assert table["r2"].isna().tolist() == [False, True, False, True]
    assert table["rows"].tolist()[1] == 0


def test_one_source_is_not_left_out(lines):
    alone = cross_validate(lines.X, lines.Y, np.full(150, 3), **FAST)
    assert len(alone.scores_by_source) == 0


def test_more_sources_than_parts_are_all_left_out(lines):
    source = np.arange(150) // 10
    table = cross_validate(lines.X, lines.Y, source, **FAST).scores_by_source
    assert table["source"].unique().tolist() == list(range(15))
    assert table.loc[table["response"] == 0, "r2"].notna().all()


def test_nets_that_learned_too_little_score_below_the_forest():
    random = np.random.default_rng(0)
    X = random.integers(0, 2, (120, 8)).astype(float)
    Y = (X[:, :1] * X[:, 1:2] + X[:, 2:3]) * 10.0
    result = cross_validate(X, Y, np.zeros(120, int), **FAST)
    assert result.scores.loc[0, "plain_r2"] > 0.7 > result.scores.loc[0, "r2"]


def test_censored_values_are_learned_from_but_do_not_count(lines):
    censored = np.zeros(lines.Y.shape, dtype=np.int8)
    censored[:40, 0] = -1
    table = cross_validate(lines.X, lines.Y, lines.source, censored=censored, **FAST).scores
    assert table["rows"].tolist() == [110, int((~np.isnan(lines.Y[:, 1])).sum())]


def test_progress_is_shown_from_the_start_and_counts_folds_and_sources(lines):
    shown = []
    cross_validate(
        lines.X, lines.Y, lines.source, **FAST, progress=lambda *each: shown.append(each)
    )
    assert shown[0] == (0, 5)
    assert shown[-1] == (5, 5)
    assert shown == sorted(shown)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_progress_raises_ends_the_work(lines, jobs):
    import joblib

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with joblib.parallel_config(n_jobs=jobs), pytest.raises(KeyboardInterrupt):
        cross_validate(lines.X, lines.Y, lines.source, **FAST, progress=stop)


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(lines):
    import joblib

    alone = cross_validate(lines.X, lines.Y, lines.source, **FAST)
    with joblib.parallel_config(n_jobs=2):
        shared = cross_validate(lines.X, lines.Y, lines.source, **FAST)
    np.testing.assert_array_equal(alone.predicted, shared.predicted)
    assert alone.scores.equals(shared.scores)
    assert alone.scores_by_source.equals(shared.scores_by_source)


def test_one_formula_cannot_be_validated():
    with pytest.raises(RefusedError) as caught:
        cross_validate(np.ones((3, 2)), np.ones((3, 1)), np.zeros(3, int))
    assert str(caught.value) == (
        "Cross-validation needs at least two different formulas with a measured response; "
        "import more, or learn without it (`--folds 0`)."
    )
