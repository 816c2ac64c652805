"""What of a range the stocks reach is told as shares of the component's scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import Component
from labloop.space.levels import Volumes, level_table
from labloop.space.reach import Reach, is_made, reach, wanted

# 200 µL wells; from 1 µL on in steps of 0.1
P20 = Volumes(increment_ul=0.1, well_ul=200.0, capacity=1800, minimum=10, maximum=200)


def component(**changes: Any) -> Component:
    given = {"name": "glucose", "unit": "mM", "low": 0.0, "high": 10.0, "stocks": [200.0]}
    return Component.model_validate(given | changes)


def reached(volumes: Volumes = P20, **changes: Any) -> Reach:
    return reach(level_table(component(**changes), volumes), volumes)


def test_the_low_end_is_out_of_reach_of_a_strong_stock() -> None:
    # 1 µL of 200 mM in 200 µL is 1 mM, made from 0.98 mM on; 2.5 µL, from which on half a tenth of
    # a µL is at most 2 %, are 2.5 mM
    found = reached()
    assert found.below == pytest.approx(0.098, abs=0.001)
    assert found.above == 0.0
    assert 2.3 < found.fine_from < 2.5
    assert found.worst_error == pytest.approx(0.05, abs=0.001)
    assert found.coarse == pytest.approx(0.005, abs=0.0001)
    assert found.share < 1 - found.below


def test_a_weak_stock_misses_the_top() -> None:
    found = reached(stocks=[10.0])  # 180 µL of it are 9 mM
    assert found.above == pytest.approx(1 - 9.18 / 10, abs=0.002)
    assert math.isnan(found.fine_from)
    assert found.worst_error == pytest.approx(0.1)


def test_shares_of_a_log_scale_are_shares_of_its_decades() -> None:
    found = reached(low=0.1, scale="log")
    assert found.below == pytest.approx(math.log(9.8) / math.log(100), abs=0.005)
    assert found.share < 0.5
    assert reached(low=0.1, scale="log", stocks=[200.0, 20.0]).share > 0.84


def test_a_log_scale_that_begins_at_zero_begins_at_the_least_dispense() -> None:
    table = level_table(component(scale="log"), P20)
    assert wanted(table.component, P20)[[0, -1]] == pytest.approx([1.0, 10.0])
    assert reach(table, P20).below == 0.0


def test_steps_and_levels_are_wanted_as_the_user_gives_them() -> None:
    assert reached(step=1.0) == Reach(1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = reached(levels=[0.0, 0.5, 5.0, 10.0])
    assert (found.share, found.below) == pytest.approx((2 / 3, 1 / 3))
    assert found.worst_error == pytest.approx(0.05)


@pytest.mark.parametrize("changes", [{"stocks": []}, {"choices": ["soy", "wheat"]}, {"fixed": 0.0}])
def test_what_needs_no_stock_is_reached(changes: dict[str, Any]) -> None:
    given = {"name": "x", "choices": changes["choices"]} if "choices" in changes else None
    made = Component.model_validate(given) if given else component(**changes)
    found = reach(level_table(made, P20), P20)
    assert (found.share, found.worst_error, found.below, found.above) == (1.0, 0.0, 0.0, 0.0)


def test_a_fixed_concentration_is_made_or_not() -> None:
    assert reached(fixed=5.0).share == 1.0
    assert reached(fixed=1.05, stocks=[200.0]).share == 0.0
    assert reached(fixed=1.05, stocks=[200.0]).worst_error == pytest.approx(0.05 / 1.05, abs=1e-6)


@given(
    stocks=st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=3, unique=True),
    low=st.sampled_from([0.0, 0.01, 1.0]),
    scale=st.sampled_from(["linear", "log"]),
)
def test_shares_add_up(stocks: list[float], low: float, scale: str) -> None:
    table = level_table(component(stocks=stocks, low=low, scale=scale), P20)
    if not (table.concentration > 0).any():
        return
    found = reach(table, P20)
    assert 0 <= found.share <= 1 - found.below - found.above + 1e-9
    values = wanted(table.component, P20)
    nearest = np.abs(table.concentration[None, :] / values[:, None] - 1).min(axis=1)
    assert found.share >= (nearest <= 0.02).mean() - 1e-9
    assert is_made(table, values, P20).mean() == found.share
