"""Between the unit cube, where others optimise, and the formulas that can be made."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers


def makeable(space: FormulaSpace, codes: Floats, rng: np.random.Generator) -> LevelNumbers:
    """Return the formulas that can be made nearest to (n, components) places in the unit cube.

    Components have to be linear ranges.
    """
    low = np.array([component.low for component in space.components])
    high = np.array([component.high for component in space.components])
    levels, holds = space.mend(space.nearest(low + codes * (high - low)), rng)
    if not holds.all():
        levels[~holds] = space.sample(int((~holds).sum()), rng)
    return levels


def equalities(space: FormulaSpace) -> list[tuple[Tensor, Tensor, float]]:
    """Return the totals with one value as BoTorch's equalities on the unit cube."""
    found: list[tuple[Tensor, Tensor, float]] = []
    for constraint in space.constraints:
        if constraint.kind != "total" or constraint.aim_lower != constraint.aim_upper:
            continue
        columns = [j for j, values in enumerate(constraint.values) if values is not None]
        ends = [(values[0], values[-1]) for values in constraint.values if values is not None]
        slopes = torch.tensor([last - first for first, last in ends], dtype=torch.float64)
        right = constraint.aim_lower - sum(float(first) for first, _ in ends)
        found.append((torch.tensor(columns), slopes, right))
    return found
