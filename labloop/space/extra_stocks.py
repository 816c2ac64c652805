"""The one or two stocks more with which a robot would reach the rest of a component's range.

Every concentration that a person would make is tried, alone and in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labloop.definition import Component
from labloop.space.levels import Floats, LevelTable, Volumes
from labloop.space.reach import is_made, ticks_of, wanted, within_error

_FIGURES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_DILUTIONS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_STRONGER = 100.0  # times the strongest stock, where even that misses the top of the range
ENOUGH = 0.95
"""Share of a component's scale that is enough to reach."""

_WORTH = 0.02
_AS_GOOD = 0.005
_APART = 2.0
_SLACK = 1e-9


@dataclass(frozen=True)
class ExtraStocks:
    """Stocks that a component lacks.

    Attributes:
        stocks: None, one or two concentrations in the component's unit, the stronger first.
        reach: Share of the component's scale that is made within 2 % without them, with the first,
            with both.
    """

    stocks: tuple[float, ...]
    reach: tuple[float, ...]


def extra_stocks(table: LevelTable, volumes: Volumes, *, most: float, spare: float) -> ExtraStocks:
    """Return the stocks that bring the reach of a component to 95 %, or as high as any do.

    Of the stocks that do, the nearest in strength to one that is there is taken, since a weaker
    one needs more of the well. Two are taken where one does not suffice and the second adds 2 % of
    the scale: of the pairs that reach most, the one of the most even factors. None is where it
    would add less than that itself. No stock is stronger than the component's `solubility`, or,
    where that is not given, than its strongest stock, unless the top of its range is out of reach.

    Args:
        table: The levels of a component that has stocks.
        volumes: What the well and the robot allow.
        most: Volume in ticks that an extra stock may take of a well.
        spare: Volume in ticks that the extra stocks may take of a formula on average.
    """
    component = table.component
    values = wanted(component, volumes)
    there = is_made(table, values, volumes)
    before = float(there.mean()) if len(values) else 1.0
    if before >= ENOUGH:
        return ExtraStocks((), (before,))
    candidates = _candidates(component, values, volumes, most, not there[-1])
    if not len(candidates):
        return ExtraStocks((), (before,))
    limited = replace(volumes, capacity=int(min(most, volumes.capacity)))
    ticks, made = ticks_of(component, values, candidates, limited)
    gained = (within_error(made, values) & ~there[:, None]).astype(np.float64)
    alone, both = _gains(gained, gained * ticks, spare)
    far = np.abs(np.log10(np.asarray(component.stocks) / candidates[:, None])).min(axis=1)
    first = _nearest(alone, ENOUGH - before, far)
    steps = _steps(far, candidates)
    one, two = divmod(_nearest(both.ravel(), np.inf, steps.ravel()), len(candidates))
    if before + alone[first] >= ENOUGH or both[one, two] < max(alone[first], 0.0) + _WORTH:
        chosen = [first] if alone[first] >= _WORTH else []
        shares = [before + alone[number] for number in chosen]
    else:
        chosen = [max(one, two), min(one, two)]
        shares = [before + gained[:, chosen[0]].mean(), before + both[one, two]]
    return ExtraStocks(
        tuple(float(candidates[number]) for number in chosen),
        (before, *(float(share) for share in shares)),
    )


def _gains(gained: Floats, ticks: Floats, spare: float) -> tuple[Floats, Floats]:
    """Return what each stock (n,) and each pair (n, n) adds, -inf where it takes too much.

    What both of a pair make is made of the stronger, which comes later.

    Args:
        gained: (values, n) 1 where a stock makes what none makes that is there.
        ticks: (values, n) what it takes for that, 0 elsewhere.
        spare: What may be taken on average.
    """
    count = len(gained)
    alone, taken = gained.mean(axis=0), ticks.mean(axis=0)
    both = alone[:, None] + alone[None, :] - gained.T @ gained / count
    of_weaker = ticks.T @ gained / count  # what the row's stock takes where the column's does too
    taken_by_both = taken[:, None] + taken[None, :] - np.triu(of_weaker, 1)
    taken_by_both = np.triu(taken_by_both, 1)
    taken_by_both += taken_by_both.T
    np.fill_diagonal(taken_by_both, taken)
    return (
        np.where(taken <= spare, alone, -np.inf),
        np.where(taken_by_both <= spare, both, -np.inf),
    )


def stronger_stock(component: Component) -> float | None:
    """Return the strongest stock that a person would make of a component and that dissolves.

    None where the campaign gives no `solubility`, or one that is not well above what is there.
    """
    if component.solubility is None or not component.stocks:
        return None
    strongest = max(component.stocks)
    figures = _figures(strongest * 1.2, component.solubility)
    return float(figures.max()) if len(figures) else None


def _candidates(
    component: Component, values: Floats, volumes: Volumes, most: float, top_missing: bool
) -> Floats:
    """Return concentrations to try.

    Those near a stock that is there are left out: the two would make the levels between each
    other's, but none further down.
    """
    known = np.asarray(component.stocks, dtype=float)
    weakest = values[0] * volumes.well_ul / (max(most, 1) * volumes.increment_ul)
    strongest = known.max() * (_STRONGER if top_missing else 1.0)
    if component.solubility is not None:
        strongest = component.solubility
    diluted = (known[:, None] / _DILUTIONS).ravel()
    tried = np.concatenate([_figures(weakest, strongest), diluted])
    tried = np.unique([float(f"{each:.6g}") for each in tried])
    tried = tried[(tried >= weakest * (1 - _SLACK)) & (tried <= strongest * (1 + _SLACK))]
    apart = np.abs(np.log(known / tried[:, None])).min(axis=1)
    return np.asarray(tried[apart >= np.log(_APART) - _SLACK])


def _figures(low: float, high: float) -> Floats:
    """Return the figures that a person would make from low to high."""
    if low > high:
        return np.empty(0)
    decades = np.arange(np.floor(np.log10(low)), np.floor(np.log10(high)) + 1)
    figures = (10.0 ** decades[:, None] * _FIGURES).ravel()
    return np.asarray(figures[(figures >= low * (1 - _SLACK)) & (figures <= high * (1 + _SLACK))])


def _steps(far: Floats, stocks: Floats) -> Floats:
    """Return (n, n) the largest factor, as a logarithm, from a stock to the next stronger or weaker
    that a pair leaves on the way from what is there: the least where the factors are alike."""
    between = np.abs(np.log10(stocks[:, None] / stocks))
    first = np.maximum(far[:, None], np.minimum(far, between))
    return np.asarray(np.minimum(first, first.T))


def _nearest(gains: Floats, enough: float, far: Floats) -> int:
    """Return the number of the nearest that gains enough, or nearly as much as the best."""
    if not np.isfinite(gains).any():
        return 0
    least = min(enough, gains.max() - _AS_GOOD)
    return int(np.where(gains >= least, far, np.inf).argmin())
