"""Wells to observations: exact arithmetic, pooling, and what is unknown stays NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labloop.noise import observations

numbers = st.floats(-1e6, 1e6, allow_nan=False)
wells = st.integers(1, 30)


def column(*values):
    return np.array(values, dtype=float)[:, None]


def test_mean_and_pooled_error_of_few_replicates():
    found = observations(column(1.0, 3.0, 10.0, 14.0, 5.0), np.array([7, 7, 2, 2, 9]))
    assert found.formulas.tolist() == [2, 7, 9]
    assert found.means[:, 0].tolist() == [12.0, 2.0, 5.0]
    assert found.wells[:, 0].tolist() == [2, 2, 1]
    # pooled variance: (2 + 8) / 2 degrees of freedom
    assert found.replicate_sd[0] == pytest.approx(math.sqrt(5.0))
    expected = [math.sqrt(2.5), math.sqrt(2.5), math.sqrt(5.0)]
    assert found.standard_errors[:, 0] == pytest.approx(expected)
    assert found.prior_wells[0] == math.inf


def test_single_wells_have_means_and_an_unknown_error():
    found = observations(column(1.0, 2.0), np.array(["a", "b"]))
    assert found.means[:, 0].tolist() == [1.0, 2.0]
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(found.replicate_sd).all()


def test_constant_replicates_have_no_error():
    found = observations(column(*[0.1 + 0.2] * 12), np.repeat(np.arange(4), 3))
    assert found.standard_errors[:, 0].tolist() == [0.0] * 4
    assert found.replicate_sd[0] == 0.0


def test_only_ok_and_finite_values_count():
    statuses = np.array([["ok"], ["ok"], ["excluded"], ["above_range"], ["ok"], ["missing"]])
    values = column(1.0, 3.0, 100.0, 4.0, np.nan, np.nan)
    found = observations(values, np.array([0, 0, 0, 1, 1, 1]), statuses)
    assert found.means[0, 0] == 2.0
    assert found.wells[:, 0].tolist() == [2, 0]
    assert np.isnan(found.means[1, 0])
    assert np.isnan(found.standard_errors[1, 0])


def test_usual_errors_are_those_of_a_mean_whose_wells_show_no_spread():
    random = np.random.default_rng(0)
    formulas = np.repeat(np.arange(30), 3)
    values = np.repeat(random.uniform(1, 50, (30, 1)), 3, axis=0) * random.normal(1, 0.1, (90, 1))
    found = observations(values, formulas)
    one, four = (found.usual_errors(column(2.0, np.nan), np.array([[k], [k]])) for k in (1, 4))
    single = observations(np.vstack([values, [[2.0]]]), np.append(formulas, 99))
    assert one[0, 0] == pytest.approx(single.standard_errors[-1, 0])
    assert one[0, 0] == pytest.approx(2 * four[0, 0])
    assert np.isnan(one[1, 0])


def test_responses_do_not_touch_each_other():
    values = np.array([[1.0, 50.0], [2.0, np.nan], [4.0, 70.0], [8.0, 90.0]])
    formulas = np.array([0, 0, 1, 1])
    both = observations(values, formulas)
    for k in range(2):
        alone = observations(values[:, [k]], formulas)
        np.testing.assert_array_equal(both.means[:, [k]], alone.means)
        np.testing.assert_array_equal(both.standard_errors[:, [k]], alone.standard_errors)


def test_error_in_proportion_to_the_signal_is_seen():
    signal = np.linspace(1.0, 100.0, 60)
    ripple = np.where(np.arange(180) % 3 == 0, -1.0, np.where(np.arange(180) % 3 == 1, 0.0, 1.0))
    values = np.repeat(signal, 3) * (1.0 + 0.05 * ripple)
    found = observations(values[:, None], np.repeat(np.arange(60), 3))
    assert found.relative_sd[0] == pytest.approx(0.05, rel=0.01)
    assert found.standard_errors[-1, 0] > 20 * found.standard_errors[0, 0]


def test_one_mishap_does_not_spoil_the_errors_of_the_others():
    rng = np.random.default_rng(1)
    formulas = np.repeat(np.arange(40), 3)
    values = 5.0 + 0.1 * rng.standard_normal(120)
    values[0] = 500.0
    found = observations(values[:, None], formulas)
    assert found.standard_errors[0, 0] > 50.0
    assert np.median(found.standard_errors[1:, 0]) < 0.2


@given(st.data())
def test_means_lie_within_their_wells_and_errors_are_not_negative(drawn):
    n = drawn.draw(wells)
    values = drawn.draw(arrays(np.float64, (n, 2), elements=numbers | st.just(math.nan)))
    formulas = drawn.draw(arrays(np.int64, n, elements=st.integers(0, 9)))
    found = observations(values, formulas)
    assert found.formulas.tolist() == sorted(set(formulas.tolist()))
    for at, formula in enumerate(found.formulas):
        for k in range(2):
            mine = values[formulas == formula, k]
            mine = mine[np.isfinite(mine)]
            assert found.wells[at, k] == len(mine)
            if len(mine):
                slack = 1e-9 * (1.0 + np.abs(mine).max())
                assert mine.min() - slack <= found.means[at, k] <= mine.max() + slack
            else:
                assert np.isnan(found.means[at, k])
    errors = found.standard_errors
    assert (np.isnan(errors) | (errors >= 0.0)).all()
    assert np.isfinite(errors[(found.wells > 0) & ~np.isnan(found.replicate_sd)]).all()


@given(st.data())
def test_the_order_of_wells_does_not_matter(drawn):
    n = drawn.draw(wells)
    values = drawn.draw(arrays(np.float64, (n, 1), elements=numbers))
    formulas = drawn.draw(arrays(np.int64, n, elements=st.integers(0, 9)))
    order = np.array(drawn.draw(st.permutations(range(n))))
    one, other = observations(values, formulas), observations(values[order], formulas[order])
    np.testing.assert_allclose(one.means, other.means, rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(one.wells, other.wells)


def test_arrays_must_fit_together():
    with pytest.raises(ValueError, match="formulas have one entry a well"):
        observations(np.zeros((3, 1)), np.zeros(2))
    with pytest.raises(ValueError, match="statuses must have the shape of values"):
        observations(np.zeros((2, 1)), np.zeros(2), np.array(["ok", "ok"]))


def test_one_formula_that_failed_does_not_widen_the_errors_of_the_others():
    rng = np.random.default_rng(2)
    truth = rng.normal(1.0, 0.3, 30)
    control = np.ones(8) + rng.normal(0.0, 0.05, 8)
    values = np.concatenate([np.repeat(truth, 2) + rng.normal(0.0, 0.05, 60), control])
    formulas = np.concatenate([np.repeat(np.arange(1, 31), 2), np.zeros(8, dtype=int)])
    sound = observations(values[:, None], formulas).standard_errors[1:, 0]
    values[-4:] = 0.0
    failed = observations(values[:, None], formulas)
    assert np.median(failed.standard_errors[1:, 0]) < 1.6 * np.median(sound)
    assert failed.standard_errors[0, 0] > 0.15  # the control itself is unknown
