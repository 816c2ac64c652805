"""What the stocks of a component cannot make, and the stocks that would."""

from __future__ import annotations

from collections.abc import Sequence

from labloop.definition import Component
from labloop.plain import plain
from labloop.space.extra_stocks import extra_stocks
from labloop.space.levels import LevelTable, Volumes, level_table, smallest_positive


def problems(table: LevelTable, volumes: Volumes) -> list[str]:
    """Return why a component's levels are of no use, if they are, and which stocks would help."""
    component = table.component
    if len(table) >= (2 if component.varies else 1):
        return []
    least = smallest_positive(component, volumes)
    most = max(component.stocks) * volumes.capacity * volumes.increment_ul / volumes.well_ul
    low, high = component.ends
    wanted = f"{plain(low)} to {plain(high)}" if low < high else plain(low)
    stocks = _missing(table, volumes)
    if stocks:
        remedy = f"{_added(stocks, component)}, which {_made(component, stocks, volumes)}"
    else:
        remedy = f"add a {'stronger' if most < low else 'weaker'} stock"
    return [
        f'[[component]] "{component.name}", stocks: from {_listed(component.stocks)} '
        f"{component.unit} the robot makes {plain(least)} to {plain(most)} {component.unit} in a "
        f"well, not {wanted}; {remedy}"
    ]


def refusal(component: Component, wanted: float, volumes: Volumes) -> str:
    """Say that one concentration cannot be made, and what would help."""
    fixed = component.model_copy(update={"fixed": wanted, "levels": None, "step": None})
    stocks = _missing(level_table(fixed, volumes), volumes)
    remedy = _added(stocks, component) if stocks else "add a stock"
    return (
        f"{plain(wanted)} {component.unit} of {component.name} cannot be made from its stocks "
        f"({_listed(component.stocks)} {component.unit}); {remedy} or change the formula."
    )


def _missing(table: LevelTable, volumes: Volumes) -> tuple[float, ...]:
    """Return the stocks that a component lacks, where others leave half of the well."""
    half = volumes.capacity / 2
    return extra_stocks(table, volumes, most=half, spare=half).stocks


def _added(stocks: Sequence[float], component: Component) -> str:
    listed = " and ".join(plain(stock) for stock in stocks)
    return f"add {'a stock' if len(stocks) == 1 else 'stocks'} of {listed} {component.unit}"


def _made(component: Component, stocks: Sequence[float], volumes: Volumes) -> str:
    """Say what of the range the stocks make by themselves."""
    made = level_table(component.model_copy(update={"stocks": tuple(stocks)}), volumes)
    positive = made.concentration[made.concentration > 0]
    verb = "makes" if len(stocks) == 1 else "make"
    low, high = plain(positive[0]), plain(positive[-1])
    return f"{verb} {low} to {high}" if low != high else f"{verb} {low}"


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(plain(number) for number in numbers)
