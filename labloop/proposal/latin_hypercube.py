"""Formulas that fill the space evenly: a maximin Latin hypercube on the levels."""

from __future__ import annotations

import sys

import numpy as np

from labloop.proposal.stratified import stratified
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

if sys.version_info < (3, 12):
    from pyDOE2 import lhs
else:
    from pydoe import lhs

_ITERATIONS = 20
_MAXIMIN_ROWS = 1_000  # the distances of more pairs take too long
_SEED = "random_state" if sys.version_info < (3, 12) else "seed"


def latin_hypercube(space: FormulaSpace, count: int, rng: np.random.Generator) -> LevelNumbers:
    """Return (count, components) level numbers of a Latin hypercube, maximin up to 1000 rows.

    Each component's table is cut into `count` strata of which each formula takes another. Where
    that breaks a constraint the strata are those of feasible formulas, and formulas that still
    break one are mended by the smallest moves; those that cannot be are replaced.

    Source: McKay, Beckman and Conover (1979), Technometrics 21:239; design by pyDOE.
    """
    maximin = 1 < count <= _MAXIMIN_ROWS
    criterion = {"criterion": "maximin", "iterations": _ITERATIONS} if maximin else {}
    seed = int(rng.integers(2**31))
    points = lhs(len(space.tables), samples=count, **criterion, **{_SEED: seed})
    levels = space.from_unit(np.asarray(points))
    if space.satisfied(levels).all():
        return levels
    designs = stratified(space, count, _ITERATIONS if maximin else 1, rng)
    mended, holds = space.mend(designs.reshape(-1, len(space.tables)), rng)
    mended, holds = mended.reshape(designs.shape), holds.reshape(designs.shape[:2])
    whole = np.flatnonzero(holds.sum(axis=1) == holds.sum(axis=1).max())
    best = max(whole, key=lambda number: _least_distance(space, mended[number])) if maximin else 0
    found: LevelNumbers = mended[best][holds[best]]
    if len(found) == count:
        return found
    return np.concatenate([found, space.sample(count - len(found), rng)])


def _least_distance(space: FormulaSpace, levels: LevelNumbers) -> float:
    """Return the distance of the two formulas that are nearest to each other, for n ≥ 2."""
    from scipy.spatial.distance import pdist

    return float(pdist(space.encode(levels)).min())
