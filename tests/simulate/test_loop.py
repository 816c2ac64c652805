"""The loop on trial counts what was measured again as campaigns do: as one formula."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labloop.simulate.loop import pooled
from labloop.simulate.trial import SoFar


def so_far(rows, values):
    levels = np.array(rows, dtype=np.uint16).reshape(len(rows), 2)
    return SoFar(levels, np.array(values, dtype=float).reshape(len(rows), 1), None)


def test_what_was_measured_twice_is_one_formula_with_the_mean():
    levels, Y, times = pooled(so_far([[3, 1], [0, 2], [3, 1]], [1.0, 5.0, 2.0]))
    assert levels.tolist() == [[3, 1], [0, 2]]
    assert Y.tolist() == [[1.5], [5.0]]
    assert times.tolist() == [2, 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True, max_size=12))
def test_without_repeats_everything_stays_as_it_was(rows):
    values = np.arange(len(rows)) / 7
    levels, Y, times = pooled(so_far(rows, values))
    assert levels.tolist() == [list(row) for row in rows]
    np.testing.assert_array_equal(Y[:, 0], values)
    assert (times == 1).all()
    assert levels.dtype == np.uint16
