"""Which stocks more would bring a range into reach, and which would not fit the well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import Component
from labloop.space.extra_stocks import ExtraStocks, extra_stocks, stronger_stock
from labloop.space.levels import Volumes, level_table
from labloop.space.reach import reach

P20 = Volumes(increment_ul=0.1, well_ul=200.0, capacity=2000, minimum=10, maximum=200)
MANTIS = Volumes(increment_ul=0.1, well_ul=200.0, capacity=2000, minimum=1, maximum=10_000)
ECHO = Volumes(increment_ul=0.025, well_ul=200.0, capacity=8000, minimum=1, maximum=200)
ROOMY = {"most": 1000.0, "spare": 1000.0}


def component(**changes: Any) -> Component:
    given = {"name": "glucose", "unit": "mM", "low": 0.0, "high": 10.0, "stocks": [400.0]}
    return Component.model_validate(given | changes)


def suggested(
    volumes: Volumes = P20, most: float = 1000.0, spare: float = 1000.0, **changes: Any
) -> ExtraStocks:
    return extra_stocks(level_table(component(**changes), volumes), volumes, most=most, spare=spare)


def out_of_reach(volumes: Volumes, *stocks: float) -> float:
    """Return what of two decades is out of reach of stocks given in times of the strongest, whose
    5 µL make the highest concentration of thirty components in 200 µL."""
    two_decades = component(low=0.1, scale="log", stocks=[400.0 * each for each in stocks])
    return 1 - reach(level_table(two_decades, volumes), volumes).share


def test_two_decades_of_thirty_components_want_a_second_stock() -> None:
    assert out_of_reach(P20, 1.0) == pytest.approx(0.72, abs=0.01)
    assert out_of_reach(P20, 1.0, 0.1) == pytest.approx(0.22, abs=0.01)
    assert out_of_reach(P20, 1.0, 0.1, 0.01) < 0.06
    assert out_of_reach(MANTIS, 1.0, 0.1, 0.01) == 0.0
    assert out_of_reach(ECHO, 1.0, 0.1) < 0.01


def test_one_stock_is_suggested_where_one_suffices() -> None:
    found = suggested(low=0.1)
    assert len(found.stocks) == 1
    assert found.reach[0] < 0.95 <= found.reach[1]
    better = reach(level_table(component(low=0.1, stocks=[400.0, *found.stocks]), P20), P20)
    assert better.share == pytest.approx(found.reach[1])


def test_a_second_one_is_added_where_one_does_not_suffice() -> None:
    found = suggested(low=0.1, scale="log", most=200.0)
    assert len(found.stocks) == 2
    assert found.stocks[0] > found.stocks[1]
    before, with_one, with_both = found.reach
    assert before < with_one < with_both
    stocks = [400.0, *found.stocks]
    better = reach(level_table(component(low=0.1, scale="log", stocks=stocks), P20), P20)
    assert with_both <= better.share < with_both + 0.01  # the stocks may take more than promised


def test_two_are_as_far_apart_as_a_person_would_make_them_and_reach_most() -> None:
    found = suggested(low=0.1, scale="log", stocks=[1000.0])
    assert found.stocks == (100.0, 10.0)
    assert found.reach[-1] > 0.99


def test_a_person_can_make_what_is_suggested() -> None:
    figures = {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}
    for stocks in ([400.0], [380.0], [1000.0, 300.0]):
        for stock in suggested(low=0.1, scale="log", stocks=stocks).stocks:
            mantissa = float(f"{stock:.3e}".split("e")[0])
            simple = [each / by for each in stocks for by in (2, 5, 10, 20, 50, 100)]
            assert mantissa in figures or any(abs(stock / s - 1) < 1e-5 for s in simple)


def test_nothing_is_suggested_where_the_range_is_reached() -> None:
    assert suggested(low=4.0, step=1.0) == ExtraStocks((), (1.0,))
    assert suggested(low=4.0).stocks == ()  # 98 %


def test_no_room_in_the_well_no_stock() -> None:
    found = suggested(low=0.1, scale="log", spare=0.0)
    assert found.stocks == ()
    assert len(found.reach) == 1


def test_a_stronger_stock_only_where_the_top_is_missed_and_it_dissolves() -> None:
    weak: dict[str, Any] = {"high": 60.0, "stocks": [50.0]}
    found = suggested(**weak)
    assert found.stocks[0] > 50.0
    assert found.reach[1] > 0.95
    assert suggested(**weak, solubility=50.0).stocks == ()
    assert max(suggested(low=0.1, solubility=1000.0).stocks) < 400.0


def test_stronger_stocks_are_what_dissolves() -> None:
    assert stronger_stock(component(solubility=1300.0)) == 1000.0
    assert stronger_stock(component(solubility=401.0)) is None
    assert stronger_stock(component()) is None
    assert stronger_stock(component(stocks=[], solubility=10.0)) is None


@given(
    stocks=st.lists(st.floats(20.0, 2000.0), min_size=1, max_size=2, unique=True),
    scale=st.sampled_from(["linear", "log"]),
    most=st.floats(50.0, 1800.0),
    spare=st.floats(0.0, 500.0),
)
def test_what_is_promised_is_reached_and_fits(
    stocks: list[float], scale: str, most: float, spare: float
) -> None:
    given: dict[str, Any] = {"low": 0.1, "scale": scale, "stocks": stocks}
    before = level_table(component(**given), P20)
    if len(before) < 2:
        return
    found = suggested(most=most, spare=spare, **given)
    assert list(found.reach) == sorted(found.reach)
    after = level_table(component(**(given | {"stocks": [*stocks, *found.stocks]})), P20)
    assert reach(after, P20).share >= found.reach[-1] - 1e-9
