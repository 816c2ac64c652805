"""Seats that the shortlist cannot fill: from the other candidates, then from the whole space."""

from __future__ import annotations

import numpy as np

from labloop.proposal.candidates import LATIN_HYPERCUBE, LISTED
from labloop.proposal.joint import spaced
from labloop.proposal.pool import Pool, free, thinned
from labloop.proposal.space_filling import space_filling
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers


def topped_up(
    space: FormulaSpace,
    pool: Pool,
    taken: Floats,
    count: int,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
) -> Pool:
    """Return formulas for the seats that are left of a plate larger than its shortlist.

    The best of the pool that keep a distance come first; where they do not suffice, formulas that
    fill the space, or represent the list, follow.

    Args:
        space: The formulas that can be made.
        pool: All candidates that were kept.
        taken: (m, columns) encoded formulas that may not come again, those of the plate included.
        count: How many to return; fewer where a list or a small space has no more.
        rng: Source of randomness.
        listed: (n, components) level numbers of the only formulas allowed; None for any.
    """
    new = pool.take(np.flatnonzero(free(space, pool.levels, taken, listed=listed is not None)))
    distinct = thinned(space, new, len(new)) if listed is None else new.top(len(new))
    codes = space.encode(distinct.levels)
    found = distinct.take(
        np.array(
            spaced(codes, distinct.score, [], np.ones(len(distinct), dtype=bool), count),
            dtype=np.int64,
        )
    )
    missing = count - len(found)
    if not missing:
        return found
    codes = np.concatenate([taken, space.encode(found.levels)])
    levels = space_filling(space, missing, codes, rng, listed)
    origin = LATIN_HYPERCUBE if listed is None else LISTED
    spare = Pool(levels, np.full(len(levels), origin), np.full(len(levels), -np.inf))
    return Pool.joined([found, spare])
