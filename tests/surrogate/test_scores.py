from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.surrogate.scores import relative_error, scores, scores_by_source


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


@given(st.floats(0.1, 100.0), st.floats(-1e3, 1e3), st.sampled_from([-1.0, 1.0]))
@settings(deadline=None)
def test_a_source_is_scored_whatever_its_level_and_scale(scale, level, sign):
    random = np.random.default_rng(0)
    Y = random.random((30, 1))
    predicted = Y + 0.2 * random.random((30, 1))
    source = np.zeros(30, dtype=int)
    plain = scores_by_source(Y, predicted, predicted, source).loc[0]
    moved = scores_by_source(Y, sign * scale * predicted + level, predicted, source).loc[0]
    assert moved["r2"] == pytest.approx(plain["r2"] if sign > 0 else 0.0)
    assert moved["spearman"] == pytest.approx(sign * plain["spearman"])
    assert plain["r2"] == plain["plain_r2"] > 0.5


def test_a_source_of_four_rows_or_one_value_is_not_scored():
    source = np.repeat([0, 1, 2], [4, 6, 6])
    Y = np.arange(16.0)[:, None]
    Y[source == 1] = 7.0
    table = scores_by_source(Y, np.arange(16.0)[:, None], np.full((16, 1), np.nan), source)
    expected = pd.DataFrame(
        {
            "source": [0, 1, 2],
            "response": [0, 0, 0],
            "r2": [np.nan, np.nan, 1.0],
            "plain_r2": [np.nan] * 3,
            "spearman": [np.nan, np.nan, 1.0],
            "rows": [4, 6, 6],
        }
    )
    pd.testing.assert_frame_equal(table, expected)
