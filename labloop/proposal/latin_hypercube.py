"""Formulas that fill the space evenly: a maximin Latin hypercube on the levels."""

from __future__ import annotations

import sys

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

if sys.version_info < (3, 12):
    from pyDOE2 import lhs
else:
    from pydoe import lhs

_ITERATIONS = 20
_MAXIMIN_ROWS = 1_000  # the distances of more pairs take too long
_TRIES = 10


def latin_hypercube(space: FormulaSpace, count: int, rng: np.random.Generator) -> LevelNumbers:
    """Return (count, components) level numbers of a Latin hypercube, maximin up to 1000 rows.

    Each component's table is cut into `count` strata of which each formula takes another. Formulas
    that break a constraint are mended by the smallest moves; those that cannot be are replaced.

    Source: McKay, Beckman and Conover (1979), Technometrics 21:239; design by pyDOE.
    """
    found: list[LevelNumbers] = []
    missing = count
    for _ in range(_TRIES):
        criterion = {}
        if 1 < missing <= _MAXIMIN_ROWS:
            criterion = {"criterion": "maximin", "iterations": _ITERATIONS}
        seed = int(rng.integers(2**31))
        points = lhs(len(space.tables), samples=missing, **criterion, **{_SEED: seed})
        levels, holds = space.mend(space.from_unit(np.asarray(points)), rng)
        found.append(levels[holds])
        missing -= int(holds.sum())
        if not missing:
            return np.concatenate(found)
    return np.concatenate([*found, space.sample(missing, rng)])


_SEED = "random_state" if sys.version_info < (3, 12) else "seed"
