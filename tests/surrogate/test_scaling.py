from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labloop.errors import RefusedError
from labloop.surrogate.scaling import (
    checked_inputs,
    checked_outputs,
    input_ranges,
    own_scales,
    source_scales,
    standard_variances,
    standardised,
)

values = st.floats(-1e12, 1e12) | st.just(float("nan"))


@given(hnp.arrays(float, (9, 2), elements=values))
def test_scales_are_finite_and_positive_whatever_the_responses(Y):
    source = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    scales = source_scales(Y, source)
    for array in (scales.level, scales.scale, scales.pooled_level, scales.pooled_scale):
        assert np.isfinite(array).all()
    assert (scales.scale > 0).all()
    assert (scales.pooled_scale > 0).all()
    Z = standardised(Y, source, scales)
    assert np.array_equal(np.isnan(Z), np.isnan(Y))


def test_each_source_has_its_own_level_and_scale():
    Y = np.array([[1.0], [3.0], [100.0], [300.0]])
    Z = standardised(Y, np.array([0, 0, 1, 1]), source_scales(Y, np.array([0, 0, 1, 1])))
    assert Z[:2] == pytest.approx(Z[2:])


@pytest.mark.parametrize("min_max", [False, True])
def test_a_source_without_values_takes_the_pooled_level_and_scale(min_max):
    Y = np.array([[900.0, 1.0], [1100.0, 2.0], [np.nan, 3.0]])
    scales = source_scales(Y, np.array([0, 0, 2]), min_max=min_max)
    assert scales.present.tolist() == [[True, True], [False, False], [False, True]]
    for absent in (1, 2):
        assert scales.level[absent, 0] == scales.pooled_level[0] == scales.level[0, 0] > 0
        assert scales.scale[absent, 0] == scales.pooled_scale[0] == scales.scale[0, 0]


def test_ranges_unite_the_rows_with_the_unit_box():
    low, high = input_ranges(np.array([[-0.5, 0.3], [0.2, 4.0]]))
    assert low.tolist() == [-0.5, 0.0]
    assert high.tolist() == [1.0, 4.0]


def test_no_own_value_takes_level_and_scale_from_the_history():
    level, scale = own_scales(np.full((3, 1), np.nan), np.array([7.0]), np.array([2.0]))
    assert (level[0], scale[0]) == (7.0, 2.0)


def test_five_own_values_leave_the_history_s_scale_behind():
    Y = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    level, scale = own_scales(Y, np.array([700.0]), np.array([200.0]))
    assert level[0] == pytest.approx(3.0)
    assert scale[0] == pytest.approx(Y.std(ddof=1))


@given(hnp.arrays(float, (3, 2), elements=values))
def test_a_response_that_the_history_lacks_is_scaled_as_without_history(Y):
    nothing = np.full(2, np.nan)
    without = own_scales(Y, nothing, nothing)
    partly = own_scales(Y, np.array([7.0, np.nan]), np.array([2.0, np.nan]))
    for one, other in zip(without, partly, strict=True):
        assert one[1] == other[1]


@given(hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1), elements=values))
def test_own_scales_are_finite_and_positive(Y):
    for prior in (np.full(Y.shape[1], np.nan), np.ones(Y.shape[1])):
        level, scale = own_scales(Y, prior, prior)
        assert np.isfinite(level).all()
        assert np.isfinite(scale).all()
        assert (scale > 0).all()


def test_inputs_that_are_not_numbers_are_refused_with_their_place():
    with pytest.raises(RefusedError) as caught:
        checked_inputs(np.array([[0.0, 1.0], [0.5, np.nan]]), "campaign")
    assert str(caught.value) == (
        "campaign: row 2, input column 2 is not a number; "
        "give every component of every formula a concentration."
    )


def test_infinite_outputs_are_refused_with_their_place():
    with pytest.raises(RefusedError) as caught:
        checked_outputs(np.array([[-np.inf]]), 1, "history")
    assert str(caught.value) == (
        "history: row 1, response 1 is infinite; "
        "leave the value out, or drop the log transform where values are zero."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e150, "history: the largest value of response 2 is 2e+150"),
        (3e-200, "history: the largest value of response 2 is 3e-200"),
    ],
)
def test_responses_that_cannot_be_squared_are_refused(value, text):
    with pytest.raises(RefusedError) as caught:
        checked_outputs([[1.0, value], [1e-200, 0.0]], 2, "history")
    assert str(caught.value) == f"{text}; give it in a unit that makes it less extreme."


def test_a_history_of_another_size_does_not_take_few_own_values_out_of_reach():
    Y = np.array([[0.0], [1e30]])
    level, scale = own_scales(Y, np.array([5.0]), np.array([1.0]))
    assert np.abs((Y - level) / scale).max() == pytest.approx(10 / np.sqrt(2))


def test_inputs_a_million_ranges_away_are_refused():
    assert checked_inputs([[-1e6, 1e6]], "campaign").tolist() == [[-1e6, 1e6]]
    with pytest.raises(RefusedError) as caught:
        checked_inputs([[0.5, 0.5], [0.5, -3e7]], "campaign")
    assert str(caught.value) == (
        "campaign: row 2, input column 2 lies 3e+07 times its component's range away; check the "
        "unit of its concentration."
    )


def test_variances_are_in_squared_scales_and_never_without_end():
    variance = np.array([[4.0, 0.0], [np.nan, -1.0], [np.inf, 1e300]])
    found = standard_variances(variance, np.array([2.0, 1e-30]))
    assert np.array_equal(found, [[1.0, 0.0], [np.nan, np.nan], [1e4, 1e4]], equal_nan=True)
