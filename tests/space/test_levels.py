"""Tables of levels: what the robot can make, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Component, Plate, Robot
from labloop.robots import ROBOTS
from labloop.space.levels import BY_HAND, ROUNDING_ERROR, TABLE_SIZE, Volumes, achieve, level_table

ECHO = Volumes.of(Plate(well_volume_ul=200.0, inoculum_ul=20.0), Robot(kind="echo525"))


def component(**fields):
    return Component.model_validate({"name": "glucose", "unit": "mM", **fields})


@st.composite
def volumes(draw):
    robot = Robot(kind=draw(st.sampled_from(sorted(ROBOTS))))
    ticks = draw(st.integers(200, 20_000))
    inoculum = draw(st.integers(0, ticks // 2))
    plate = Plate(
        well_volume_ul=ticks * robot.increment_ul, inoculum_ul=inoculum * robot.increment_ul
    )
    return Volumes.of(plate, robot)


@st.composite
def components(draw):
    high = draw(st.floats(1e-3, 1e3))
    fields = {"high": high, "low": draw(st.sampled_from([0.0, high / 10, high / 2]))}
    kind = draw(st.sampled_from(["range", "log", "step", "levels"]))
    if kind == "log":
        fields["scale"] = "log"
    elif kind == "step":
        fields["step"] = (high - fields["low"]) / draw(st.integers(1, 300))
    elif kind == "levels":
        fields["levels"] = list(np.linspace(fields["low"], high, draw(st.integers(2, 7))))
    factors = draw(st.lists(st.floats(1.0, 1e3), min_size=1, max_size=3, unique=True))
    return component(stocks=[high * factor for factor in factors], **fields)


def split(ticks, volumes):
    """The dispenses that make up a volume, as even as whole ticks can be."""
    parts = -(-ticks // volumes.maximum)
    return [ticks // parts + (part < ticks % parts) for part in range(parts)]


@settings(max_examples=150, deadline=None)
@given(components(), volumes())
def test_every_level_can_be_dispensed_and_lies_in_the_range(component, volumes):
    table = level_table(component, volumes)
    assert (np.diff(table.concentration) > 0).all()
    assert (table.concentration >= component.low * (1 - 1e-9)).all()
    assert (table.concentration <= component.high * (1 + 1e-9)).all()
    assert table.ticks.dtype.kind == "i"
    for concentration, stock, ticks in zip(
        table.concentration, table.stock, table.ticks, strict=True
    ):
        if stock == BY_HAND:
            assert (concentration, ticks) == (0.0, 0)
            continue
        assert ticks <= volumes.capacity
        dispenses = split(int(ticks), volumes)
        assert sum(dispenses) == ticks
        assert min(dispenses) >= volumes.minimum
        assert max(dispenses) <= volumes.maximum
        made = component.stocks[stock] * ticks * volumes.increment_ul / volumes.well_ul
        assert concentration == pytest.approx(made, rel=1e-11)


@settings(max_examples=150, deadline=None)
@given(components(), volumes())
def test_a_level_uses_the_strongest_stock_that_comes_within_two_percent(component, volumes):
    targets = np.linspace(component.low, component.high, 7)
    for target in targets[targets > 0]:
        table = achieve(component, np.array([target]), volumes)
        errors = {}
        for stock in component.stocks:
            per_tick = stock * volumes.increment_ul / volumes.well_ul
            ticks = np.rint(target / per_tick).astype(int)
            if ticks and volumes.can_dispense(np.array([ticks]))[0]:
                errors[stock] = abs(ticks * per_tick / target - 1)
        fine = [stock for stock, error in errors.items() if error <= ROUNDING_ERROR]
        if not errors:
            assert len(table) == 0
        elif fine:
            assert table.stock_concentration[0] == max(fine)
        else:
            used = table.stock_concentration[0]
            assert errors[used] == pytest.approx(min(errors.values()), abs=1e-12)


def test_zero_needs_no_stock_and_less_than_the_minimum_does_not_exist():
    limits = Robot(kind="ot2", min_dispense_ul=2.0)
    volumes = Volumes.of(Plate(well_volume_ul=200.0), limits)
    table = level_table(component(high=10.0, stocks=[1000.0]), volumes)
    assert table.concentration[0] == 0.0
    assert table.stock[0] == BY_HAND
    assert np.isnan(table.stock_concentration[0])
    # 2 µL of 1000 mM in 200 µL are 10 mM
    assert table.concentration.tolist() == [0.0, 10.0]


def test_a_weaker_stock_makes_the_low_levels():
    table = level_table(component(high=60.0, stocks=[1000.0, 100.0]), ECHO)
    used = table.stock_concentration
    assert used[1] == 100.0
    assert used[-1] == 1000.0
    assert table.concentration[-1] == 60.0


def test_the_ends_of_listed_levels_are_made_even_where_rounding_would_leave_the_range():
    # a tick is 0.7 mM, so that 60 mM would round to 60.2 and 10 mM to 9.8
    volumes = Volumes(increment_ul=1.0, well_ul=100.0, capacity=100, minimum=1, maximum=100)
    table = level_table(component(levels=[10, 30, 60], stocks=[70.0]), volumes)
    np.testing.assert_allclose(table.concentration, [10.5, 30.1, 59.5])


def test_levels_by_hand_are_what_the_user_says():
    assert level_table(component(levels=[60, 0, 10]), ECHO).concentration.tolist() == [0, 10, 60]
    stepped = level_table(component(low=0.1, high=1.0, step=0.1), ECHO).concentration
    assert stepped.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    free = level_table(component(high=60.0), ECHO)
    assert len(free) == TABLE_SIZE
    assert free.concentration[3] == 0.18
    assert not free.ticks.any()
    assert (free.stock == BY_HAND).all()


def test_a_log_scale_has_equal_ratios_and_keeps_its_zero():
    table = level_table(component(low=1.0, high=100.0, scale="log"), ECHO)
    ratios = table.concentration[1:] / table.concentration[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    with_zero = level_table(component(high=100.0, scale="log"), ECHO)
    assert with_zero.concentration[0] == 0.0
    ratios = with_zero.concentration[2:] / with_zero.concentration[1:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    assert with_zero.concentration[-1] == 100.0


def test_choices_are_numbers_without_a_volume_and_always_present():
    table = level_table(component(choices=["soy", "wheat"]), ECHO)
    assert table.concentration.tolist() == [0, 1]
    assert not table.ticks.any()
    assert table.present.all()


def test_a_fixed_component_has_one_level():
    table = level_table(component(fixed=25.0, stocks=[1000.0]), ECHO)
    assert table.concentration.tolist() == [25.0]
    assert level_table(component(fixed=0.0, stocks=[1000.0]), ECHO).concentration.tolist() == [0.0]


def test_stocks_too_strong_or_too_weak_make_an_empty_table():
    assert len(level_table(component(low=1.0, high=2.0, stocks=[1e9]), ECHO)) == 0
    assert len(level_table(component(low=1.0, high=2.0, stocks=[1e-3]), ECHO)) == 0


@settings(max_examples=100, deadline=None)
@given(components(), volumes(), st.lists(st.floats(0, 2e3), min_size=1, max_size=20))
def test_nearest_is_nearest(component, volumes, wanted):
    table = level_table(component, volumes)
    if not len(table):
        return
    numbers = table.nearest(np.array(wanted))
    assert numbers.dtype == np.uint16
    distance = np.abs(table.concentration[:, None] - np.array(wanted))
    chosen = np.abs(table.concentration[numbers] - np.array(wanted))
    np.testing.assert_allclose(chosen, distance.min(axis=0), atol=1e-9)
    own = np.arange(len(table))
    assert (table.nearest(table.concentration) == own).all()


def test_spread_levels_are_even_on_the_components_scale():
    linear = level_table(component(high=60.0), ECHO)
    assert linear.concentration[linear.spread(5)].tolist() == [0.0, 15.0, 30.0, 45.0, 60.0]
    log = level_table(component(low=1.0, high=10_000.0, scale="log"), ECHO)
    np.testing.assert_allclose(
        log.concentration[log.spread(5)], [1, 10, 100, 1000, 10_000], rtol=0.01
    )
    with_zero = level_table(component(high=1000.0, scale="log"), ECHO)
    np.testing.assert_allclose(
        with_zero.concentration[with_zero.spread(5)], [0, 1, 10, 100, 1000], rtol=0.01
    )
    listed = level_table(component(levels=[0, 1, 60]), ECHO)
    assert listed.spread(5).tolist() == [0, 1, 2]
    words = level_table(component(choices=list("abcdefg")), ECHO)
    assert words.spread(5).tolist() == list(range(7))


def test_places_are_even_in_concentration_however_fine_the_weak_stock_is():
    # the weak stock makes about half of the levels, all in the lowest tenth of the range
    volumes = Volumes.of(Plate(well_volume_ul=200.0), Robot(kind="biomek"))
    table = level_table(component(high=60.0, stocks=[1000.0, 100.0]), volumes)
    places = (np.arange(10_000) + 0.5) / 10_000
    made = table.concentration[table.at(places)]
    for tenth in np.linspace(6, 60, 10):
        assert abs((made <= tenth).mean() - tenth / 60) < 0.02
    assert table.at(np.array([0.0, 1.0])).tolist() == [0, len(table) - 1]


def test_places_give_equal_shares_to_listed_levels_and_choices():
    places = (np.arange(300) + 0.5) / 300
    for fields in ({"levels": [0, 1, 60]}, {"choices": ["a", "b", "c"]}, {"high": 2.0, "step": 1}):
        numbers = level_table(component(**fields), ECHO).at(places)
        assert np.bincount(numbers).tolist() == [100, 100, 100]
    assert level_table(component(fixed=3.0), ECHO).at(places).max() == 0
