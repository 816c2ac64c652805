"""The one or two stocks more with which a robot would reach the rest of a component's range.

Every concentration that a person would make is tried, alone and in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labloop.definition import Component
from labloop.space.levels import ROUNDING_ERROR, Floats, Volumes
from labloop.space.reach import wanted

_Bools = npt.NDArray[np.bool_]

_FIGURES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_DILUTIONS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_STRONGER = 100.0  # times the strongest stock, where even that misses the top of the range
_ENOUGH = 0.95
_WORTH = 0.02
_AS_GOOD = 0.005
_APART = 2.0
_SLACK = 1e-9


@dataclass(frozen=True)
class ExtraStocks:
    """Stocks that a component lacks.

    Attributes:
        stocks: None, one or two concentrations in the component's unit, first the one that helps
            most alone.
        reach: Share of the component's scale that is made within 2 % without them, with the first,
            with both.
    """

    stocks: tuple[float, ...]
    reach: tuple[float, ...]


def extra_stocks(component: Component, volumes: Volumes, most: int) -> ExtraStocks:
    """Return the stocks that bring the reach of a component to 95 %, or as high as any do.

    Of the stocks that do, the nearest in strength to one that is there is taken, since a weaker
    one needs more of the well. A second one is added where one does not suffice and the second
    adds 2 % of the scale; none is where it would add less than that itself. No stock is stronger
    than the component's `solubility`, or, where that is not given, than its strongest stock,
    unless the top of its range is out of reach.

    Args:
        component: A component that has stocks.
        volumes: What the well and the robot allow.
        most: Volume in ticks that an extra stock may take of a well.
    """
    values = wanted(component, volumes)
    if not len(values):
        return ExtraStocks((), (1.0,))
    known = np.asarray(component.stocks, dtype=float)
    there: _Bools = np.any(_made(component, values, known, volumes), axis=1)
    before = float(there.mean())
    top_missing = not there[-1] and values[-1] > known.max() * volumes.capacity / _ticks_of(volumes)
    candidates = _candidates(component, values, volumes, most, top_missing)
    if before >= _ENOUGH or not len(candidates):
        return ExtraStocks((), (before,))
    limited = replace(volumes, capacity=min(most, volumes.capacity))
    gained = _made(component, values, candidates, limited) & ~there[:, None]
    far = np.abs(np.log10(known / candidates[:, None])).min(axis=1)
    alone = gained.mean(axis=0)
    first = _nearest(alone, _ENOUGH - before, far)
    if alone[first] < _WORTH:
        return ExtraStocks((), (before,))
    counts = gained.astype(np.float64)
    both = alone[:, None] + alone[None, :] - counts.T @ counts / len(values)
    pair = _nearest(both.ravel(), _ENOUGH - before, np.maximum.outer(far, far).ravel())
    one, two = divmod(pair, len(candidates))
    if before + alone[first] >= _ENOUGH or both[one, two] - alone[first] < _WORTH:
        return ExtraStocks((float(candidates[first]),), (before, float(before + alone[first])))
    one, two = (one, two) if alone[one] >= alone[two] else (two, one)
    return ExtraStocks(
        (float(candidates[one]), float(candidates[two])),
        (before, float(before + alone[one]), float(before + both[one, two])),
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


def _made(component: Component, values: Floats, stocks: Floats, volumes: Volumes) -> _Bools:
    """Return (values, stocks) whether each stock alone makes each concentration within 2 %."""
    per_tick = stocks * volumes.increment_ul / volumes.well_ul
    low, high = (0.0, np.inf) if component.fixed is not None else component.ends
    fewest, most = np.ceil(low / per_tick - _SLACK), np.floor(high / per_tick + _SLACK)
    ticks = np.clip(np.rint(values[:, None] / per_tick), fewest, most).astype(np.int64)
    error = np.abs(ticks * per_tick / values[:, None] - 1)
    fine = (error <= ROUNDING_ERROR + _SLACK) & (ticks > 0) & volumes.can_dispense(ticks)
    return np.asarray(fine)


def _candidates(
    component: Component, values: Floats, volumes: Volumes, most: int, top_missing: bool
) -> Floats:
    """Return concentrations to try.

    Those near a stock that is there are left out: the two would make the levels between each
    other's, but none further down.
    """
    known = np.asarray(component.stocks, dtype=float)
    weakest = values[0] * _ticks_of(volumes) / max(most, 1)
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


def _nearest(gains: Floats, enough: float, far: Floats) -> int:
    """Return the number of the nearest that gains enough, or nearly as much as the best."""
    least = min(enough, gains.max() - _AS_GOOD)
    return int(np.where(gains >= least, far, np.inf).argmin())


def _ticks_of(volumes: Volumes) -> float:
    """Return the whole well's volume in ticks, inoculum included."""
    return volumes.well_ul / volumes.increment_ul
