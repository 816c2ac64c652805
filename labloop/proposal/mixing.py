"""Formulas between good ones: random convex combinations of high performers."""

from __future__ import annotations

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

MOST_PARENTS = 4


def mix(space: FormulaSpace, parents: Floats, count: int, rng: np.random.Generator) -> LevelNumbers:
    """Return level numbers of mixtures of high performers at random ratios.

    Each mixture has two to four parents; better parents are drawn more often (weights fall as
    1/rank). Ratios are uniform on the simplex. A choice is taken from one parent; a component with
    a log scale is blended on that scale, unless a total counts its concentration.

    Args:
        space: The formulas that can be made.
        parents: (n, components) concentrations of high performers, best first, n ≥ 2.
        count: How many mixtures to make; fewer are returned where constraints leave no room.
        rng: Source of randomness.

    Returns:
        (≤ count, components) level numbers that satisfy the constraints.
    """
    n = len(parents)
    most = min(MOST_PARENTS, n)
    log_weight = -np.log(np.arange(1, n + 1))
    # the largest of log-weight plus Gumbel noise draws parents without replacement
    order = np.argsort(-(log_weight + rng.gumbel(size=(count, n))), axis=1)[:, :most]
    ratios = rng.exponential(size=(count, most))
    ratios *= np.arange(most) < rng.integers(2, most + 1, size=(count, 1))
    ratios /= ratios.sum(axis=1, keepdims=True)
    mixed = np.einsum("np,npd->nd", ratios, parents[order])
    for j, component in enumerate(space.components):
        if component.choices is not None:
            mixed[:, j] = parents[order[:, 0], j]
    blended = space.nearest(mixed)
    for j in _logarithmic(space):
        table = space.tables[j]
        places = table.places[table.nearest(parents[:, j])]
        blended[:, j] = table.at((ratios * places[order]).sum(axis=1))
    levels, holds = space.mend(blended, rng)
    return levels[holds]


def _logarithmic(space: FormulaSpace) -> list[int]:
    """Return the components with a log scale of which no total counts the concentration."""
    totals = [constraint for constraint in space.constraints if constraint.kind == "total"]
    return [
        j
        for j, component in enumerate(space.components)
        if component.scale == "log" and component.varies
        if all(constraint.values[j] is None for constraint in totals)
    ]
