"""Formulas spread over what is not known yet: over the space, or over a user's list."""

from __future__ import annotations

import numpy as np

from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.pool import Pool, free, near, thinned
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

_SPREAD_TRIES = 10
_CLUSTERED = 5_000
_LEFTOVERS = 10_000


def space_filling(
    space: FormulaSpace,
    count: int,
    taken: Floats,
    rng: np.random.Generator,
    listed: LevelNumbers | None = None,
) -> LevelNumbers:
    """Return formulas spread over the space, or over a list, away from (n, columns) taken ones.

    Args:
        space: The formulas that can be made.
        count: How many to return; fewer where a list or a small space has no more.
        taken: (n, columns) encoded formulas that may not come again.
        rng: Source of randomness.
        listed: (n, components) level numbers of the only formulas allowed.
    """
    if not count:
        return np.empty((0, len(space.tables)), dtype=np.uint16)
    if listed is not None:
        return _representatives(space, count, taken, rng, listed)
    found = np.empty((0, len(space.tables)), dtype=np.uint16)
    for _ in range(_SPREAD_TRIES):
        fresh = latin_hypercube(space, count - len(found), rng)
        codes = np.concatenate([taken, space.encode(found)])
        fresh = fresh[~near(space, fresh, codes)]
        none = np.zeros(len(fresh))
        distinct = thinned(space, Pool(fresh, np.full(len(fresh), ""), none), count)
        found = np.concatenate([found, distinct.levels])
        if len(found) >= count:
            return found[:count]
    return np.concatenate([found, _leftovers(space, count - len(found), taken, found, rng)])


def _leftovers(
    space: FormulaSpace,
    count: int,
    taken: Floats,
    found: LevelNumbers,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Return up to `count` new formulas of a space that has hardly any left."""
    some = np.unique(space.sample(_LEFTOVERS, rng), axis=0)
    some = rng.permutation(some[~near(space, some, np.concatenate([taken, space.encode(found)]))])
    none = np.zeros(len(some))
    return thinned(space, Pool(some, np.full(len(some), ""), none), count).levels


def _representatives(
    space: FormulaSpace,
    count: int,
    taken: Floats,
    rng: np.random.Generator,
    listed: LevelNumbers,
) -> LevelNumbers:
    """Return the listed formulas nearest to the centres of as many clusters of the list."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin
    from threadpoolctl import threadpool_limits

    left = np.unique(listed[free(space, listed, taken, listed=True)], axis=0)
    if len(left) <= count:
        return left
    sample = rng.permutation(len(left))[:_CLUSTERED]
    codes = space.encode(left[sample])
    seed = int(rng.integers(2**31))
    with threadpool_limits(1):  # several threads would add up in an order of their own
        centres = KMeans(count, n_init=1, random_state=seed).fit(codes).cluster_centers_
    rows = list(dict.fromkeys(pairwise_distances_argmin(centres, codes).tolist()))
    spare = [row for row in range(len(sample)) if row not in set(rows)]
    return left[sample[(rows + spare)[:count]]]
