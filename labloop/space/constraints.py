"""Constraints as sums of table look-ups.

A total of concentrations, a count of present components and the volume of a well are all of one
form: each level of each component has a value, and a formula's values must add up to something
between a lower and an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from labloop.definition import Constraint
from labloop.space.levels import Floats, LevelNumbers, LevelTable, Volumes

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TableSum:
    """A bound on the sum over components of a value a level.

    Attributes:
        text: The constraint as a reader knows it.
        kind: What is summed.
        values: For each component the (levels,) values, or None where it plays no part.
        lower, upper: Bounds of the sum, rounding slack included.
        aim_lower, aim_upper: Bounds to mend towards; tighter where the slack is for rounding only.
        also: One sum above `upper` that is allowed as well: a well without any diluent.
    """

    text: str
    kind: Literal["total", "present", "volume"]
    values: tuple[Floats | None, ...]
    lower: float
    upper: float
    aim_lower: float
    aim_upper: float
    also: float | None = None

    def sums(self, levels: LevelNumbers) -> Floats:
        """Return the (n,) sums of formulas given as (n, components) level numbers."""
        total = np.zeros(len(levels))
        for column, values in enumerate(self.values):
            if values is not None:
                total += values[levels[:, column]]
        return total

    def holds(self, levels: LevelNumbers) -> Bools:
        """Return for (n, components) level numbers whether each formula satisfies the bound."""
        return np.asarray(self.miss(self.sums(levels)) == 0)

    def miss(self, total: Floats) -> Floats:
        """Return by how much (n,) sums lie outside the bounds, zero inside."""
        miss = np.maximum(np.maximum(self.lower - total, total - self.upper), 0.0)
        return miss if self.also is None else np.minimum(miss, np.abs(total - self.also))


def table_sums(
    constraints: Sequence[Constraint], tables: Sequence[LevelTable], volumes: Volumes
) -> tuple[TableSum, ...]:
    """Return the user's constraints and the volume of the well as sums over tables."""
    user = [
        _total(constraint, tables) if constraint.total is not None else _present(constraint, tables)
        for constraint in constraints
    ]
    return (*user, *_volume(tables, volumes))


def _total(constraint: Constraint, tables: Sequence[LevelTable]) -> TableSum:
    weights = constraint.total or {}
    values = tuple(
        weights[t.component.name] * t.concentration if t.component.name in weights else None
        for t in tables
    )
    lower, upper = constraint.bounds
    slack = 1e-9 * max(1.0, sum(float(np.abs(v).max()) for v in values if v is not None))
    if constraint.equals is not None:
        slack = max(slack, _finest_step(values, tables) / 2 * (1 - 1e-6))
    return TableSum(str(constraint), "total", values, lower - slack, upper + slack, lower, upper)


def _finest_step(values: Sequence[Floats | None], tables: Sequence[LevelTable]) -> float:
    """Return the step in which a sum can be settled by components of different steps.

    Half of it is the best that rounding to levels can promise of an equality; where all tables are
    multiples of one step, only exact sums lie that near. A component settles what coarser ones
    leave only as far as its range goes.
    """
    steps: list[tuple[float, float]] = []
    for column, table in zip(values, tables, strict=True):
        if column is not None and len(table) > 1:
            gaps = np.abs(np.diff(column))
            typical = gaps.min() if table.component.levels is not None else np.median(gaps)
            steps.append((float(typical), float(np.ptp(column))))
    left = 0.0
    for step, reach in sorted(((s, r) for s, r in steps if s > 0), reverse=True):
        left = max(step, left - reach) if left else step
    return left


def _present(constraint: Constraint, tables: Sequence[LevelTable]) -> TableSum:
    names = set(constraint.present or ())
    values = tuple(t.present.astype(float) if t.component.name in names else None for t in tables)
    lower, upper = constraint.bounds
    lower, upper = float(np.ceil(lower)), float(np.floor(upper))
    return TableSum(str(constraint), "present", values, lower, upper, lower, upper)


def _volume(tables: Sequence[LevelTable], volumes: Volumes) -> list[TableSum]:
    if not any(table.ticks.any() for table in tables):
        return []
    values = tuple(t.ticks.astype(float) if t.ticks.any() else None for t in tables)
    text = f"stocks fill at most {volumes.capacity * volumes.increment_ul:g} µL of the well"
    most, full = float(volumes.capacity - volumes.minimum), float(volumes.capacity)
    return [TableSum(text, "volume", values, -np.inf, most, -np.inf, most, also=full)]
