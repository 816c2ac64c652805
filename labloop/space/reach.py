"""What of a component's range the robot can make from its stocks, and where the rest lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labloop.definition import Component
from labloop.space.levels import (
    ROUNDING_ERROR,
    Floats,
    LevelTable,
    Volumes,
    smallest_positive,
)

Bools = npt.NDArray[np.bool_]

_SLACK = 1e-9
# Both ends and one place in each stretch between them, each elsewhere in it: were they evenly
# apart, the steps of a volume would fall in with all of them or with none.
_COUNTS = np.arange(4000)
_EVEN = np.hstack([0.0, (_COUNTS + _COUNTS * 0.618034 % 1) / len(_COUNTS), 1.0])


@dataclass(frozen=True)
class Reach:
    """How much of a component's range its levels reach.

    Shares are shares of the component's scale: of its range, of its logarithm where the scale is
    log, or of the concentrations that the user lists.

    Attributes:
        share: Share that is made within 2 % of what is wanted.
        fine_from: Concentration from which on all is made within 2 %; NaN where the top is not.
        worst_error: The farthest that a wanted concentration is from the nearest level, as a share
            of the scale (of the concentration itself for a fixed one).
        below: Share that lies below the lowest level above zero, out of reach.
        above: Share that lies above the highest level, out of reach.
        gap: As `worst_error`, below the lowest level above zero only: half of what lies between
            zero and that level, or all of it from a low end above zero, which is out of reach.
        coarse: As `worst_error`, between the lowest and the highest level only.
    """

    share: float
    fine_from: float
    worst_error: float
    below: float
    above: float
    gap: float
    coarse: float


def wanted(component: Component, volumes: Volumes) -> Floats:
    """Return the concentrations above zero that stand for a component's range, in its unit.

    They are even on the component's scale; where the user lists levels, fixes one or gives a step,
    they are those. A log scale that begins at zero begins at the least that the robot can make.
    """
    low, high = component.ends
    if component.fixed is not None:
        values = np.array([component.fixed])
    elif component.levels is not None:
        values = np.array(sorted(component.levels), dtype=float)
    elif component.step is not None:
        values = np.arange(low, high + _SLACK * high, component.step)
    elif component.scale == "log":
        start = low or min(smallest_positive(component, volumes), high)
        values = start * (high / start) ** _EVEN
    else:
        values = low + (high - low) * _EVEN
    return np.asarray(values[values > 0])


def reach(table: LevelTable, volumes: Volumes) -> Reach:
    """Return what of its range a component's levels reach; everything without stocks."""
    component = table.component
    if component.choices is not None or not component.stocks:
        return Reach(1.0, table.component.ends[0], 0.0, 0.0, 0.0, 0.0, 0.0)
    values = wanted(component, volumes)
    if not len(values):
        return Reach(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    made = table.concentration[table.nearest(values)]
    good = is_made(table, values, volumes)
    nearest = _nearest(component, values, volumes)
    wanted_at = _places(component, values, values)
    error = np.fmin(
        np.abs(_places(component, made, values) - wanted_at),
        np.abs(_places(component, nearest, values) - wanted_at),
    )
    positive = table.concentration[table.concentration > 0]
    lowest, highest = (positive[0], positive[-1]) if len(positive) else (np.inf, np.inf)
    below, above = values < lowest * (1 - _SLACK), values > highest * (1 + _SLACK)
    inside = ~below & ~above
    bad = np.flatnonzero(~good)
    first = bad[-1] + 1 if len(bad) else 0
    return Reach(
        share=float(good.mean()),
        fine_from=float(values[first]) if first < len(values) else float("nan"),
        worst_error=float(error.max()),
        below=float((below & ~good).mean()),
        above=float((above & ~good).mean()),
        gap=float(error[below].max()) if below.any() else 0.0,
        coarse=float(error[inside].max()) if inside.any() else 0.0,
    )


def is_made(table: LevelTable, values: Floats, volumes: Volumes) -> Bools:
    """Return whether a level, or any volume of a stock, makes each concentration within 2 %."""
    stocks = np.asarray(table.component.stocks, dtype=float)
    levels = np.full((len(values), 1), np.nan)
    if len(table):
        levels = table.concentration[table.nearest(values)][:, None]
    _, made = ticks_of(table.component, values, stocks, volumes)
    return np.asarray(within_error(np.hstack([levels, made]), values).any(axis=1))


def ticks_of(
    component: Component, values: Floats, stocks: Floats, volumes: Volumes
) -> tuple[Floats, Floats]:
    """Return (values, stocks) the ticks of each stock alone that come nearest to each
    concentration, and what they make; NaN where they cannot be dispensed."""
    per_tick = stocks * volumes.increment_ul / volumes.well_ul
    low, high = (0.0, np.inf) if component.fixed is not None else component.ends
    fewest, most = np.ceil(low / per_tick - _SLACK), np.floor(high / per_tick + _SLACK)
    ticks = np.clip(np.rint(values[:, None] / per_tick), fewest, most).astype(np.int64)
    possible = (ticks > 0) & volumes.can_dispense(ticks)
    return ticks.astype(np.float64), np.where(possible, ticks * per_tick, np.nan)


def within_error(made: Floats, values: Floats) -> Bools:
    """Return whether (values, stocks) concentrations lie within 2 % of (values,) wanted ones."""
    return np.asarray(np.abs(made / values[:, None] - 1) <= ROUNDING_ERROR + _SLACK)


def _nearest(component: Component, values: Floats, volumes: Volumes) -> Floats:
    """Return the nearest that any stock makes of each concentration; NaN where none does."""
    _, made = ticks_of(component, values, np.asarray(component.stocks, dtype=float), volumes)
    distance = np.where(np.isnan(made), np.inf, np.abs(made - values[:, None]))
    return np.take_along_axis(made, distance.argmin(axis=1)[:, None], axis=1)[:, 0]


def _places(component: Component, concentrations: Floats, values: Floats) -> Floats:
    """Return where concentrations lie on the scale that `values` span, in units of its length."""
    if component.scale == "log" and component.fixed is None:
        start, end = np.log(values[0]), np.log(values[-1])
        logs = np.log(np.maximum(concentrations, values[0]))
        return np.asarray((logs - start) / ((end - start) or 1.0))
    low, high = component.ends
    length = (high - low) or high or 1.0
    return np.asarray((concentrations - low) / length)
