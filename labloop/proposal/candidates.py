"""The candidates of every strategy, scored once each, the best refined along the levels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labloop.definition import ProposalSettings
from labloop.proposal.grid import permuted_grid
from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.local_moves import local_moves
from labloop.proposal.mixing import mix
from labloop.proposal.pool import Pool, ScoreLevels, best_of
from labloop.proposal.refinement import refined
from labloop.proposal.repeats import Repeatable
from labloop.proposal.screening import screening
from labloop.proposal.stream import GridSource, ListSource, Progress, Source, best_of_parts
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

LATIN_HYPERCUBE = "latin_hypercube"
MIXING = "mixing"
GRID = "permuted_grid"
LOCAL = "local_moves"
LISTED = "candidate_list"

KEPT = 512  # best of each strategy that go on to refinement
SHORTLIST = 1_000
_LOCAL_COUNT = 20_000
_MIXING_COUNT = 5_000
_SPREAD_COUNT = 5_000
_PARENTS = 24
_REFINED_SCORINGS = 24_576


@dataclass(frozen=True, eq=False)
class Known:
    """What the campaign knows when it chooses a plate.

    Attributes:
        measured: (n, components) concentrations of measured formulas.
        utility: (n,) how good each was, bigger is better.
        pending: (p, components) concentrations of formulas proposed but not measured yet.
        performers: (h, components) concentrations of the history's best formulas, best first, for
            the time before the campaign has its own.
        repeatable: Which of the measured formulas may be measured again; None for none.
    """

    measured: Floats
    utility: Floats
    pending: Floats
    performers: Floats
    repeatable: Repeatable | None = None


def candidates(
    space: FormulaSpace,
    on_levels: ScoreLevels,
    known: Known,
    settings: ProposalSettings,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
    progress: Progress,
) -> Pool:
    """Return the best candidates of every strategy, refined; or the best of a user's list.

    Args:
        space: The formulas that can be made.
        on_levels: The score of (n, components) level numbers.
        known: Formulas measured and of the history, whose best are parents.
        settings: How many candidates, on how many levels.
        rng: Source of randomness.
        listed: (n, components) level numbers of the only formulas that may be chosen.
        progress: Called with a stage's name, what is done and the total.
    """
    if listed is not None:

        def some(count: int) -> LevelNumbers:
            return listed[rng.choice(len(listed), count, replace=False)]

        on_list = screening(space, on_levels, some, SHORTLIST, len(listed))
        source: Source = ListSource(listed)
        return best_of_parts(source, len(listed), LISTED, on_list, SHORTLIST, progress)

    def pilot(count: int) -> LevelNumbers:
        return next(permuted_grid(space, settings.grid_levels, count, rng))

    of = grid_size(space, settings.grid_levels, settings.candidates)
    on_grid = screening(space, on_levels, pilot, KEPT, of)
    seed = int(rng.integers(2**63))
    source = GridSource(space, settings.grid_levels, settings.candidates, seed)
    pools = [
        best_of_parts(source, of, GRID, on_grid, KEPT, progress),
        best_of([latin_hypercube(space, _SPREAD_COUNT, rng)], LATIN_HYPERCUBE, on_levels, KEPT),
    ]
    parents = _parents(known)
    if len(parents) >= 2:
        pools.append(best_of([mix(space, parents, _MIXING_COUNT, rng)], MIXING, on_levels, KEPT))
    if len(parents):
        near_parents, holds = space.mend(space.nearest(parents), rng)
        if holds.any():
            children, _ = local_moves(space, near_parents[holds], _LOCAL_COUNT, rng)
            pools.append(best_of([children], LOCAL, on_levels, KEPT))
    pool = Pool.joined(p for p in pools if len(p))
    return refined(space, pool, on_levels, _REFINED_SCORINGS, rng, progress)


def grid_size(space: FormulaSpace, grid_levels: int, count: int) -> int:
    """Return how many formulas a permuted grid of `count` has: the whole grid's if that is less."""
    whole = math.prod(len(levels) for levels in space.spread(grid_levels))
    return min(whole, count)


def _parents(known: Known) -> Floats:
    """Return (≤ 24, components) high performers, best first: the campaign's, else the history's."""
    if len(known.measured) < 2:
        return known.performers[:_PARENTS]
    return known.measured[np.argsort(-known.utility, kind="stable")[:_PARENTS]]
