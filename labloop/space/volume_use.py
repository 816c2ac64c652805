"""How much of a well the components take, and how many formulas do not fit it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labloop.space.formula_space import FormulaSpace
from labloop.space.levels import Floats


@dataclass(frozen=True, eq=False)
class VolumeUse:
    """What formulas take of a well beside the inoculum, volumes in µL.

    Attributes:
        room: What stocks and diluent may fill.
        high: (components,) volume of each component's highest level.
        usual: (components,) volume of each component in random formulas, on average.
        fits: Share of random formulas whose stocks fit the well.
    """

    room: float
    high: Floats
    usual: Floats
    fits: float


def volume_use(space: FormulaSpace, count: int, rng: np.random.Generator) -> VolumeUse:
    """Return what `count` random formulas that meet all constraints but the volume take."""
    tick = space.volumes.increment_ul
    others = tuple(each for each in space.constraints if each.kind != "volume")
    free = FormulaSpace(space.tables, others, space.volumes)
    levels, meets = free.mend(free.from_unit(rng.random((count, len(space.tables)))), rng)
    levels = levels[meets]
    columns = [table.ticks[levels[:, j]] for j, table in enumerate(space.tables)]
    return VolumeUse(
        room=space.volumes.capacity * tick,
        high=np.array([table.ticks[-1] * tick for table in space.tables]),
        usual=np.array([ticks.mean() * tick if len(ticks) else 0.0 for ticks in columns]),
        fits=float(space.satisfied(levels).mean()) if len(levels) else 0.0,
    )
