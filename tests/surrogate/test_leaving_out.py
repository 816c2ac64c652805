from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labloop.surrogate.leaving_out import History, LeftOut, leave_out, predict_left_out
from labloop.surrogate.training import Recipe, silent

FOLDS = np.arange(150) % 3


@pytest.fixture
def past(lines) -> History:
    return History(
        lines.X, lines.Y, np.zeros(lines.Y.shape, np.int8), lines.source, np.arange(6),
        layers=3, members=2, feature_share=1.0, recipe=Recipe(epochs=2), seed=0,
    )  # fmt: skip


def test_what_a_left_out_source_measured_does_not_reach_its_prediction(past):
    garbled = past.Y.copy()
    garbled[past.source == 1] = 7.0
    pieces = [leave_out(each, past.source, (1,)) for each in (past, replace(past, Y=garbled))]
    assert pieces[0].rows.tolist() == np.flatnonzero(past.source == 1).tolist()
    np.testing.assert_array_equal(pieces[0].predicted, pieces[1].predicted)
    np.testing.assert_array_equal(pieces[0].plain, pieces[1].plain)
    assert not pieces[0].levelled.any()


def test_what_only_the_left_out_rows_have_measured_is_not_predicted(past):
    Y = past.Y.copy()
    Y[past.source == 0, 0] = np.nan
    piece = leave_out(replace(past, Y=Y), past.source, (1,))
    assert np.isnan(piece.predicted[:, 0]).all()
    assert np.isnan(piece.plain[:, 0]).all()
    assert np.isfinite(piece.predicted[:, 1]).all()


def test_rows_of_no_part_are_learned_from_alone(past):
    part = np.where(past.source == 1, 0, -1)
    _, by_part = predict_left_out(past, FOLDS, part, silent)
    assert np.isnan(by_part.predicted).all(axis=1).tolist() == (part == -1).tolist()


def test_folds_of_one_batch_learn_from_rows_of_their_own(past):
    garbled = past.Y.copy()
    garbled[FOLDS == 0] *= -50.0
    told, other = (leave_out(each, FOLDS, (0, 1)) for each in (past, replace(past, Y=garbled)))
    of_first = FOLDS[told.rows] == 0
    np.testing.assert_allclose(told.predicted[of_first], other.predicted[of_first])
    assert not np.isclose(told.predicted[~of_first], other.predicted[~of_first]).any()


def test_pieces_fall_into_place():
    piece = LeftOut(np.array([2, 0]), *np.array([[[5.0], [7.0]], [[1.0], [2.0]]]), np.ones((2, 1)))
    whole = LeftOut.joined([piece], (3, 1))
    np.testing.assert_array_equal(whole.predicted, [[7.0], [np.nan], [5.0]])
    np.testing.assert_array_equal(whole.plain, [[2.0], [np.nan], [1.0]])
    assert whole.levelled.tolist() == [[True], [False], [True]]
