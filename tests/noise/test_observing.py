"""Wells to observations: corrections that hold, and what must not depend on order or scale."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.noise import Wells, observe

SHAPE = (8, 12)


def wells(values, formulas, plates=None, *, statuses=None, limits=None, placed=True):
    values = np.asarray(values, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    n = len(values)
    plates = np.zeros(n, dtype=int) if plates is None else np.asarray(plates)
    place = np.zeros(n, dtype=int)
    for plate in np.unique(plates):
        place[plates == plate] = np.arange((plates == plate).sum())
    return Wells(
        values=values,
        statuses=np.full(values.shape, "ok")
        if statuses is None
        else np.array(statuses).reshape(values.shape),
        limits=np.full(values.shape, np.nan)
        if limits is None
        else np.array(limits, dtype=float).reshape(values.shape),
        formulas=np.asarray(formulas),
        plates=plates,
        rows=place // 12 if placed else np.full(n, -1),
        columns=place % 12 if placed else np.full(n, -1),
        shapes=np.tile(SHAPE, (int(plates.max(initial=-1)) + 1, 1)),
    )


def campaign(seed=0, *, plates=4, offset=0.0, gain=0.0, edge=0.0, noise=0.05):
    """Return wells of plates with 2 controls × 4 wells and 44 formulas a plate in duplicate."""
    rng = np.random.default_rng(seed)
    own = 44 * plates
    formulas = np.repeat(np.arange(own), 2)
    formulas = rng.permutation(formulas).reshape(plates, 88)
    formulas = np.concatenate([formulas, np.tile(np.repeat([own, own + 1], 4), (plates, 1))], 1)
    formulas = rng.permuted(formulas, axis=1).reshape(-1)
    plate = np.repeat(np.arange(plates), 96)
    truth = 10 * np.exp(0.5 * rng.normal(size=own + 2))
    row, column = np.divmod(np.tile(np.arange(96), plates), 12)
    outer = (row == 0) | (row == 7) | (column == 0) | (column == 11)
    values = truth[formulas] * (1 - edge * outer) * (1 + noise * rng.normal(size=len(formulas)))
    values = (
        offset * rng.normal(size=plates)[plate]
        + values * np.exp(gain * rng.normal(size=plates))[plate]
    )
    return wells(values, formulas, plate), truth


def error(found, truth):
    """Return the relative error of formulas less the offset and gain that all share."""
    design = np.column_stack([np.ones(len(truth)), truth]) / truth[:, None]
    ratio = found.means[:, 0] / truth
    return float(np.std(ratio - design @ np.linalg.lstsq(design, ratio, rcond=None)[0]))


def raw(measured):
    return observe(measured, plates=False, positions=False, outliers=False)


@pytest.mark.parametrize(
    "effects", [{"offset": 3.0}, {"gain": 0.3}, {"edge": 0.35}, {"gain": 0.3, "edge": 0.35}]
)
def test_effects_of_plates_and_places_are_taken_out(effects):
    measured, truth = campaign(**effects)
    corrected = error(observe(measured), truth)
    assert corrected < 0.042  # noise of two replicates: 0.035
    assert corrected < 0.8 * error(raw(measured), truth)


def test_a_campaign_without_effects_stays_as_it_was_read():
    measured, truth = campaign()
    found = observe(measured)
    assert error(found, truth) < 1.03 * error(raw(measured), truth)
    assert found.connected.all()
    assert not found.flagged.any()


def test_a_documented_change_of_gain_is_found():
    measured, _ = campaign(plates=4, noise=0.03)
    values = measured.values * np.where(measured.plates == 3, 0.28, 1.0)[:, None]
    found = observe(dataclasses.replace(measured, values=values))
    assert found.gain[:, 0] == pytest.approx([1, 1, 1, 0.28], rel=0.04)
    assert (found.gain_error[:, 0] < 0.04).all()
    levels = [found.corrected[(measured.formulas == 176) & (measured.plates == k)].mean()
              for k in range(4)]  # fmt: skip
    assert np.std(levels) < 0.05 * np.mean(levels)


def test_a_new_plate_hardly_moves_what_was_known():
    measured, _ = campaign(plates=5, offset=2.0)
    old = measured.plates < 4
    first = wells(measured.values[old], measured.formulas[old], measured.plates[old])
    before, after = observe(first), observe(measured)
    own = before.formulas[before.wells[:, 0] == 2]
    moved = [
        after.means[after.formulas == f, 0] - before.means[before.formulas == f, 0] for f in own
    ]
    assert np.median(np.abs(moved)) < 1.0


def test_a_plate_with_nothing_in_common_is_left_alone():
    measured, _ = campaign(offset=3.0)
    other = wells(np.arange(10.0), 1000 + np.arange(10) // 2, np.full(10, 4))
    joined = wells(
        np.vstack([measured.values, other.values]),
        np.append(measured.formulas, other.formulas),
        np.append(measured.plates, other.plates),
    )
    found = observe(joined, positions=False)
    assert found.connected[:, 0].tolist() == [True] * 4 + [False]
    assert (found.offset[4, 0], found.gain[4, 0]) == (0.0, 1.0)
    assert found.corrected[-10:, 0].tolist() == list(range(10))
    assert found.offset_error[4, 0] > found.offset_error[:4, 0].max()


def test_wells_far_from_their_replicates_are_named_where_replicates_can_tell():
    rng = np.random.default_rng(3)
    formulas = np.append(np.repeat(np.arange(20), 3), [90, 90])
    values = 10 + 0.1 * rng.normal(size=62)
    values[4], values[60:] = 15.0, [5.0, 15.0]
    found = observe(wells(values, formulas, placed=False))
    assert np.flatnonzero(found.flagged[:, 0]).tolist() == [4]
    assert found.scores[4, 0] > 20
    assert found.means[1, 0] == pytest.approx(10, abs=0.3)
    assert found.wells[1, 0] == 2
    # Of two that disagree neither is named: their error says that nothing is known.
    assert found.means[-1, 0] == 10.0
    assert found.standard_errors[-1, 0] > 3
    assert np.median(found.standard_errors[:-1]) < 0.15
    kept = observe(wells(values, formulas, placed=False), outliers=False)
    assert not kept.flagged.any()


def test_limits_are_never_numbers():
    rng = np.random.default_rng(4)
    formulas = np.append(np.repeat(np.arange(20), 3), [50, 50, 50, 60, 60, 70, 70, 80, 80, 80])
    values = 10 + rng.normal(size=70)
    values[60:] = [2.0, 2.4, np.nan, np.nan, np.nan, 3.0, np.nan, np.nan, np.nan, 5.0]
    statuses = ["ok"] * 62 + ["below_range"] * 3 + ["ok", "below_range"]
    statuses += ["below_range", "above_range", "ok"]
    limits = np.full(70, np.nan)
    limits[[62, 63, 64, 67, 68]] = [1.0, 0.5, 0.7, 1.0, 20.0]
    found = observe(
        wells(values, formulas, statuses=statuses, limits=limits, placed=False), outliers=False
    )
    mixed, below, unknown, both = found.means[-4:, 0]
    assert found.censored[-4:, 0].tolist() == [0, -1, 0, 0]
    assert mixed < 2.2
    assert (below, found.wells[-3, 0]) == (pytest.approx(0.6), 2)
    assert found.standard_errors[-3, 0] > 0
    assert math.isnan(unknown)
    assert math.isnan(both)


def test_a_limit_that_is_no_surprise_tells_nothing():
    rng = np.random.default_rng(5)
    values, formulas = (
        10 + 0.1 * rng.normal(size=62),
        np.append(np.repeat(np.arange(20), 3), [9, 9]),
    )
    values[61] = np.nan
    limits = np.full(62, np.nan)
    limits[61] = 50.0
    found = observe(
        wells(values, formulas, statuses=["ok"] * 61 + ["below_range"], limits=limits, placed=False)
    )
    assert found.means[9, 0] == pytest.approx(values[formulas == 9][:-1].mean())
    assert not found.flagged.any()


@settings(max_examples=4, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1e-12, 1.0, 1e12]))
def test_order_of_wells_names_of_plates_and_scale_do_not_matter(random, scale):
    measured, _ = campaign(plates=2, offset=2.0, edge=0.2)
    before = measured.values.copy()
    order = np.array(random.sample(range(len(measured.formulas)), len(measured.formulas)))
    renamed = np.array(random.sample(range(2), 2))
    other = Wells(
        values=measured.values[order] * scale,
        statuses=measured.statuses[order],
        limits=measured.limits[order],
        formulas=measured.formulas[order],
        plates=renamed[measured.plates[order]],
        rows=measured.rows[order],
        columns=measured.columns[order],
        shapes=measured.shapes,
    )
    one, two = observe(measured), observe(other)
    np.testing.assert_allclose(two.means, scale * one.means, rtol=1e-4)
    np.testing.assert_allclose(two.standard_errors, scale * one.standard_errors, rtol=1e-2)
    np.testing.assert_allclose(two.corrected, scale * one.corrected[order], rtol=1e-4)
    np.testing.assert_array_equal(two.flagged, one.flagged[order])
    np.testing.assert_array_equal(measured.values, before)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_nothing_breaks_it_and_known_means_have_known_errors(drawn):
    n = drawn.draw(st.integers(0, 40))
    numbers = st.one_of(
        st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0, 1e12, -1e12, 1e-9, math.nan])
    )
    values = np.array(drawn.draw(st.lists(numbers, min_size=n, max_size=n)))
    formulas = np.array(drawn.draw(st.lists(st.integers(-1, 5), min_size=n, max_size=n)), int)
    plates = np.sort(np.array(drawn.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), int))
    kinds = st.sampled_from(["ok", "ok", "ok", "below_range", "above_range", "missing", "excluded"])
    statuses = np.array(drawn.draw(st.lists(kinds, min_size=n, max_size=n)), dtype=str)
    limits = np.where(np.arange(n) % 3 > 0, 1.0, np.nan)
    measured = wells(values, formulas, plates, statuses=statuses, limits=limits)
    found = observe(measured)
    assert found.formulas.tolist() == sorted({f for f in formulas.tolist() if f >= 0})
    known = np.isfinite(found.means)
    assert ((found.wells > 0) == known).all()
    assert not (found.standard_errors[known] < 0).any()
    if np.isfinite(found.replicate_sd).all():
        assert np.isfinite(found.standard_errors[known]).all()
    assert np.isnan(found.standard_errors[~known]).all()
    assert np.isfinite(found.offset).all()
    assert (found.gain > 0).all()
    assert not found.flagged[measured.statuses == "excluded"].any()
    np.testing.assert_array_equal(measured.values.reshape(-1), values)


def test_arrays_that_do_not_fit_together_are_refused():
    measured, _ = campaign(plates=1)
    with pytest.raises(ValueError, match="formulas must have one entry a well"):
        dataclasses.replace(measured, formulas=measured.formulas[:-1])
    with pytest.raises(ValueError, match="plates must be below the number of shapes"):
        dataclasses.replace(measured, plates=measured.plates + 1)
    with pytest.raises(ValueError, match="limits must have the shape of values"):
        dataclasses.replace(measured, limits=measured.limits[:, :0])


def one_control(seed, *, plates=8, gain=0.0, bad=1.0, noise=0.05):
    """Return plates of 96 wells that one control connects; it may go wrong on the last."""
    rng = np.random.default_rng(seed)
    own = 46 * plates
    formulas = np.concatenate([
        rng.permutation(np.append(np.repeat(np.arange(46) + 46 * k, 2), [own] * 4))
        for k in range(plates)
    ])  # fmt: skip
    plate = np.repeat(np.arange(plates), 96)
    truth = 10 * np.exp(0.5 * rng.normal(size=own + 1))
    values = truth[formulas] * (1 + noise * rng.normal(size=len(formulas)))
    values *= np.exp(gain * rng.normal(size=plates))[plate]
    values[(formulas == own) & (plate == plates - 1)] *= bad
    return wells(values, formulas, plate), truth


@pytest.mark.parametrize("seed", range(3))
def test_one_control_in_common_tells_plates(seed):
    measured, truth = one_control(seed, gain=0.2)
    assert error(observe(measured), truth) < 0.7 * error(raw(measured), truth)


@pytest.mark.parametrize("seed", range(3))
def test_one_control_in_common_leaves_quiet_plates_alone(seed):
    measured, truth = one_control(seed)
    assert error(observe(measured), truth) < 1.05 * error(raw(measured), truth)


@pytest.mark.parametrize("seed", range(3))
def test_a_single_control_that_went_wrong_moves_its_plate_by_half_at_most(seed):
    measured, truth = one_control(seed, bad=0.7)
    found, on_plate = observe(measured), np.arange(46 * 7, 46 * 8)
    moved = found.means[on_plate, 0] / raw(measured).means[on_plate, 0]
    assert np.median(np.abs(np.log(moved))) < 0.6 * -np.log(0.7)
    covered = np.abs(found.means - truth[:, None]) < 2 * found.standard_errors
    assert covered[on_plate].mean() > 0.8


def test_responses_are_observed_each_by_itself():
    measured, _ = campaign(plates=2, gain=0.2)
    both = np.hstack([measured.values, measured.values[::-1]])
    two = dataclasses.replace(
        measured,
        values=both,
        statuses=np.full(both.shape, "ok"),
        limits=np.full(both.shape, np.nan),
    )
    turned = dataclasses.replace(two, values=both[:, ::-1])
    one, other = observe(two), observe(turned)
    np.testing.assert_array_equal(one.means, other.means[:, ::-1])
    np.testing.assert_array_equal(one.means[:, :1], observe(measured).means)
    np.testing.assert_array_equal(one.standard_errors, other.standard_errors[:, ::-1])
