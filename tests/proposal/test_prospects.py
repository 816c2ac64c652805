"""What a plate and the space may bring, against functions whose answers are known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from labloop.definition import parse
from labloop.proposal import prospects as module
from labloop.proposal.candidates import Known
from labloop.proposal.goals import Goals
from labloop.proposal.prospects import prospects
from labloop.space import FormulaSpace

NONE = np.empty((0, 1))


class Lines:
    """Responses level + slope · the first column; the slopes are the quantiles of a normal."""

    def __init__(self, level, slope, sd):
        self.level, self.slope, self.sd = np.atleast_1d(level), np.atleast_1d(slope), sd

    def sample_functions(self, samples, *, seed=0):
        del seed
        normal = norm.ppf((np.arange(samples) + 0.5) / samples)
        slopes = self.slope + self.sd * normal[:, None]

        def values(X):
            return self.level + slopes[:, None] * X[None, :, :1]

        return SimpleNamespace(values=values, in_steps=np.zeros(samples, dtype=bool))


def case(*responses, components=1):
    definition = parse(
        {
            "name": "x",
            "component": [{"name": f"c{k}", "unit": "mM", "high": 1.0} for k in range(components)],
            "response": [{"name": f"r{k}", **each} for k, each in enumerate(responses)],
        }
    )
    return FormulaSpace.of(definition), Goals.of(definition.responses)


def outlook(surrogate, *responses, measured, at=0.0, plate=1.0, listed=None, noise=0.0):
    """Return the prospects of a plate of one formula, one known formula and measured values."""
    space, goals = case(*responses)
    known = Known(np.array([[at]]), np.zeros(1), NONE, NONE)
    log = np.array([each.get("transform") == "log" for each in responses])
    return prospects(
        space,
        surrogate,
        goals,
        known,
        np.asarray(measured, dtype=float).reshape(-1, len(responses)),
        log,
        np.full(len(responses), noise),
        space.nearest(np.array([[plate]])),
        None if listed is None else space.nearest(np.array(listed)[:, None]),
    )


def test_a_normal_gain_is_what_the_normal_says():
    found = outlook(Lines(10.0, 0.0, 2.0), {}, measured=[10.0, 9.0], noise=0.25)
    assert found.measure == "best"
    assert found.unit == pytest.approx(10.0)
    assert found.gain == pytest.approx(0.2 / math.sqrt(2 * math.pi), rel=0.02)
    assert found.gain_low == 0.0
    assert found.gain_high == pytest.approx(0.2 * norm.ppf(0.9), rel=0.03)
    assert found.chance == 0.5
    assert found.chance_of_step == pytest.approx(norm.sf(0.25), abs=1 / 128)
    assert found.better == found.chance_of_step  # the plate's formula is the best of the space
    assert found.potential < 0.002  # the middle of 128 functions
    assert found.met == 1.0
    assert found.noise == pytest.approx((0.05,))
    assert found.noise_of == ("best",)


def test_the_space_may_hold_what_the_plate_does_not():
    found = outlook(Lines(10.0, 4.0, 0.0), {}, measured=[10.0, 9.0], plate=0.1)
    assert found.gain == found.gain_low == found.gain_high == pytest.approx(0.04)
    assert (found.chance, found.chance_of_step, found.better) == (1.0, 0.0, 1.0)
    assert found.potential == pytest.approx(0.4)


def test_of_a_list_only_its_formulas_count():
    found = outlook(Lines(10.0, 4.0, 0.0), {}, measured=[10.0, 9.0], plate=0.1, listed=[0.1, 0.2])
    assert found.potential == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("goal", "slope", "share"), [("maximize", 0.2, math.expm1(0.2)), ("minimize", -0.2, 0.18127)]
)
def test_a_logarithm_gains_a_ratio(goal, slope, share):
    found = outlook(
        Lines(-3.0, slope, 0.0), {"goal": goal, "transform": "log"}, measured=[-3.0], noise=0.01
    )
    assert found.measure == "ratio"
    assert math.isnan(found.unit)
    assert found.gain == pytest.approx(share, rel=1e-4)
    assert found.noise == pytest.approx((math.sinh(0.1),))


@pytest.mark.parametrize(
    ("response", "level", "slope", "measured"),
    [
        ({}, -5.0, 4.0, [-5.0, 35.0]),  # below zero
        ({"goal": "minimize"}, 5.0, -4.0, [5.0, 45.0]),  # far below the range
        ({"goal": "near", "bound": 12.0}, 5.0, 4.0, [5.0, 45.0]),  # a distance
    ],
)
def test_where_a_share_of_the_best_says_nothing_it_is_one_of_the_range(
    response, level, slope, measured
):
    found = outlook(Lines(level, slope, 0.0), response, measured=measured, noise=4.0)
    assert (found.measure, found.unit) == ("range", 40.0)
    assert found.gain == pytest.approx(0.1)
    assert found.noise == pytest.approx((0.05,))


def test_only_formulas_that_meet_the_bounds_count():
    bounded = ({}, {"goal": "at_most", "bound": 5.5})
    measured = [[10.0, 5.0], [9.0, 5.0]]
    over = outlook(Lines([10.0, 5.0], [4.0, 1.0], 0.0), *bounded, measured=measured)
    assert (over.gain, over.chance, over.met) == (0.0, 0.0, 1.0)
    assert over.potential == pytest.approx(0.2, abs=0.01)  # up to where the bound is met
    within = outlook(Lines([10.0, 5.0], [4.0, 0.1], 0.0), *bounded, measured=measured)
    assert within.gain == pytest.approx(0.4)


def test_before_a_known_formula_meets_the_bounds_any_that_does_is_better():
    bounded = ({}, {"goal": "at_most", "bound": 5.0})
    measured = [[10.0, 6.0], [9.0, 6.0]]
    found = outlook(Lines([10.0, 6.0], [0.0, -1.5], 1.0), *bounded, measured=measured)
    assert found.met == 0.0
    assert found.chance == found.better == pytest.approx(norm.cdf(0.5), abs=1 / 128)
    assert all(map(math.isnan, (found.gain, found.gain_low, found.gain_high, found.potential)))


def test_functions_in_which_known_formulas_dominate_nothing_gain_a_finite_share():
    # in the worse half of the functions the known formula is beyond the corner of no use
    corner = [{"reference": 2.0}, {"reference": 2.0}]
    found = outlook(
        Lines([1.0, 1.0], [2.0, 2.0], 1.0), *corner, measured=[[2.0, 2.0], [1.0, 1.0]], at=0.5
    )
    assert found.met == 1.0
    assert all(map(math.isfinite, (found.gain, found.gain_low, found.gain_high, found.potential)))
    assert found.gain > 0.0


def test_several_objectives_gain_hypervolume():
    both = ({"reference": 1.0}, {"reference": 1.0})
    measured = [[2.0, 2.0], [1.5, 1.5]]
    none = outlook(Lines([2.0, 2.0], [-1.0, -1.0], 0.0), *both, measured=measured)
    assert (none.measure, none.gain, none.better) == ("hypervolume", 0.0, 0.0)
    found = outlook(Lines([2.0, 2.0], [1.0, 1.0], 0.0), *both, measured=measured, noise=0.01)
    assert found.gain == pytest.approx(3.0)  # a square of side 2 instead of 1
    assert found.potential == pytest.approx(3.0)
    assert found.chance == found.better == 1.0
    assert found.noise == pytest.approx((0.05, 0.05))
    assert found.noise_of == ("best", "best")


def test_without_measured_formulas_nothing_is_promised():
    space, goals = case({})
    known = Known(NONE, np.empty(0), np.array([[0.5]]), NONE)
    plate = space.nearest(np.array([[1.0]]))
    nothing = np.empty((0, 1)), np.array([False]), np.zeros(1)
    assert prospects(space, Lines(1.0, 1.0, 1.0), goals, known, *nothing, plate) is None


def test_equal_values_around_zero_give_no_scale():
    assert outlook(Lines(0.0, 1.0, 1.0), {}, measured=[0.0, 0.0]) is None
    near = {"goal": "near", "bound": 7.0}
    assert outlook(Lines(6.0, 1.0, 1.0), near, measured=[6.0]) is None


def test_what_is_pending_counts_as_known():
    space, goals = case({})
    known = Known(np.array([[0.0]]), np.zeros(1), np.array([[0.9]]), NONE)
    plate = space.nearest(np.array([[1.0]]))
    measured = np.array([[10.0], [9.0]]), np.array([False]), np.zeros(1)
    found = prospects(space, Lines(10.0, 1.0, 0.0), goals, known, *measured, plate)
    assert found.gain == pytest.approx(0.1 / 10.9)


class Mixed(Lines):
    """The same lines, of which the upper ones are of trees."""

    def __init__(self, share):
        super().__init__(10.0, 0.0, 2.0)
        self.share = share

    def sample_functions(self, samples, *, seed=0):
        lines = super().sample_functions(samples, seed=seed)
        lines.in_steps = np.arange(samples) >= (1.0 - self.share) * samples
        return lines


def test_functions_in_steps_count_for_the_plate_alone():
    half = outlook(Mixed(0.5), {}, measured=[10.0, 9.0], plate=0.5)
    none = outlook(Mixed(0.0), {}, measured=[10.0, 9.0], plate=0.5)
    assert (half.gain, half.chance) == (none.gain, none.chance)
    assert half.better == half.chance_of_step < none.better  # what the plate may do, the space can
    assert half.potential == 0.0


def test_where_nearly_all_functions_are_in_steps_they_count():
    most = outlook(Mixed(0.95), {}, measured=[10.0, 9.0], plate=0.5)
    none = outlook(Mixed(0.0), {}, measured=[10.0, 9.0], plate=0.5)
    assert (most.better, most.potential) == (none.better, none.potential)


class Peaks:
    """Functions of many components, each with its top of 1 at a place of its own."""

    def sample_functions(self, samples, *, seed=0):
        tops = np.random.default_rng(seed).random((samples, 1, 12))

        def values(X):
            return 1.0 - ((X[None] - tops) ** 2).mean(axis=-1, keepdims=True)

        return SimpleNamespace(values=values, in_steps=np.zeros(samples, dtype=bool))


def test_the_top_of_each_function_is_found_and_always_the_same():
    space, goals = case({}, components=12)
    rng = np.random.default_rng(0)
    levels = space.sample(6, rng)
    known = Known(space.concentrations(levels[:3]), np.zeros(3), np.empty((0, 12)), NONE)
    measured = np.array([[0.9], [0.8], [0.7]]), np.array([False]), np.zeros(1)
    found = [prospects(space, Peaks(), goals, known, *measured, levels[3:]) for _ in range(2)]
    assert found[0] == found[1]
    values = Peaks().sample_functions(module._FUNCTIONS).values(space.encode(levels[:3]))
    best = values.max(axis=(1, 2))
    left = np.median((1.0 - best) / np.median(best))
    assert 0.85 * left <= found[0].potential <= left


numbers = st.floats(-3, 3).map(lambda value: round(value, 2))
goals_of_one = st.sampled_from(
    [
        {},
        {"goal": "minimize"},
        {"transform": "log"},
        {"goal": "minimize", "transform": "log"},
        {"goal": "near", "bound": 1.0},
    ]
)


@settings(max_examples=25, deadline=None)
@given(goals_of_one, numbers, numbers, st.floats(0, 2), st.floats(0, 1), st.floats(0.01, 1))
def test_numbers_agree_with_one_another(response, level, slope, sd, plate, step):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SPREAD", 64)
        patch.setattr(module, "_CHILDREN", 64)
        patch.setattr(module, "_GENERATIONS", 1)

        def of(threshold):
            patch.setattr(module, "STEP", threshold)
            lines = Lines(level, slope, sd)
            return outlook(lines, response, measured=[level, level + 1.0], plate=plate)

        low, high = of(step), of(2 * step)
    for found in (low, high):
        assert 0 <= found.chance_of_step <= found.chance <= 1
        assert found.chance_of_step <= found.better <= 1
        assert 0 <= found.gain_low <= found.gain_high
        assert found.gain >= 0
        assert found.potential >= 0
    assert high.better <= low.better
    assert high.chance_of_step <= low.chance_of_step
    assert (high.gain, high.chance, high.potential) == (low.gain, low.chance, low.potential)
