"""What of a component's range the robot can make from its stocks, and where the rest lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labloop.definition import Component
from labloop.space.levels import (
    ROUNDING_ERROR,
    TABLE_SIZE,
    Floats,
    LevelTable,
    Volumes,
    smallest_positive,
)

_SLACK = 1e-9


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
        coarse: As `worst_error`, between the lowest and the highest level only.
    """

    share: float
    fine_from: float
    worst_error: float
    below: float
    above: float
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
        values = np.geomspace(start, high, TABLE_SIZE)
    else:
        values = np.linspace(low, high, TABLE_SIZE)
    return values[values > 0]


def reach(table: LevelTable, volumes: Volumes) -> Reach:
    """Return what of its range a component's levels reach; everything without stocks."""
    component = table.component
    if component.choices is not None or not component.stocks:
        return Reach(1.0, table.component.ends[0], 0.0, 0.0, 0.0, 0.0)
    values = wanted(component, volumes)
    if not len(values):
        return Reach(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    made = table.concentration[table.nearest(values)]
    good = is_made(table, values)
    error = np.abs(_places(component, made, values) - _places(component, values, values))
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
        coarse=float(error[inside].max()) if inside.any() else 0.0,
    )


def is_made(table: LevelTable, values: Floats) -> npt.NDArray[np.bool_]:
    """Return whether a level lies within 2 % of each concentration above zero."""
    made = table.concentration[table.nearest(values)]
    return np.asarray(np.abs(made / values - 1) <= ROUNDING_ERROR + _SLACK)


def _places(component: Component, concentrations: Floats, values: Floats) -> Floats:
    """Return where concentrations lie on the scale that `values` span, in units of its length."""
    if component.scale == "log" and component.fixed is None:
        start, end = np.log(values[0]), np.log(values[-1])
        logs = np.log(np.maximum(concentrations, values[0]))
        return np.asarray((logs - start) / ((end - start) or 1.0))
    low, high = component.ends
    length = (high - low) or high or 1.0
    return np.asarray((concentrations - low) / length)
