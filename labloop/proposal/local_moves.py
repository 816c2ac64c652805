"""Formulas near good ones: mutations along the levels and crossovers."""

from __future__ import annotations

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

_SMALL_STEP = 0.1  # standard deviation of a small move, as a share of a component's table
_LARGE_MOVES = 0.2  # share of mutated components that jump anywhere instead


def local_moves(
    space: FormulaSpace, parents: LevelNumbers, count: int, rng: np.random.Generator
) -> tuple[LevelNumbers, np.ndarray]:
    """Return mutations and crossovers of good formulas.

    Half of the children take each component from one of two parents; all have a few components, at
    least one, moved along their levels, by a small step or to anywhere in the table.

    Args:
        space: The formulas that can be made.
        parents: (n, components) level numbers, n ≥ 1.
        count: How many children to make.
        rng: Source of randomness.

    Returns:
        (≤ count, components) level numbers that satisfy the constraints, and the number of each
        one's (first) parent.
    """
    d = len(space.tables)
    first = rng.integers(len(parents), size=count)
    second = rng.integers(len(parents), size=count)
    crossed = (rng.random(count) < 0.5)[:, None] & (rng.random((count, d)) < 0.5)
    children = np.where(crossed, parents[second], parents[first]).astype(np.int64)
    rate = np.minimum(1.0, rng.choice([1.0, 2.0, 4.0], size=(count, 1)) / d)
    moved = rng.random((count, d)) < rate
    varying = np.flatnonzero(space.counts > 1)
    moved[np.arange(count), rng.choice(varying, size=count)] = True
    step = rng.normal(scale=_SMALL_STEP, size=(count, d)) * space.counts
    step = np.where(np.abs(step) < 1, np.where(step < 0, -1, 1), np.rint(step)).astype(np.int64)
    jump = rng.random((count, d)) < _LARGE_MOVES
    stepped = children + step
    stepped = np.where((stepped < 0) | (stepped >= space.counts), children - step, stepped)
    target = np.where(jump, space.from_unit(rng.random((count, d))), stepped)
    children = np.where(moved, np.clip(target, 0, space.counts - 1), children)
    levels, holds = space.mend(children.astype(np.uint16), rng)
    return levels[holds], first[holds]
