"""Who fills the plate: reserved seats, then the best of all candidates for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labloop.definition import ProposalSettings
from labloop.proposal.acquisition import (
    Score,
    Surrogate,
    greedy,
    joint_values,
    moments_of,
    score_of,
)
from labloop.proposal.goals import Goals
from labloop.proposal.grid import CHUNK as GRID_CHUNK
from labloop.proposal.grid import permuted_grid
from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.local_moves import local_moves
from labloop.proposal.mixing import mix
from labloop.proposal.pool import Pool, ScoreLevels, best_of, near, thinned
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

LATIN_HYPERCUBE = "latin_hypercube"
MIXING = "mixing"
GRID = "permuted_grid"
LOCAL = "local_moves"
LISTED = "candidate_list"

FIRST_PLATE_FROM_HISTORY = 0.5  # share of a first plate that the history may choose
_KEEP = 512  # best of each strategy that go on to refinement
_LOCAL_COUNT = 20_000
_MIXING_COUNT = 5_000
_PARENTS = 24
_REFINEMENTS = 4
_REFINED_PARENTS = 256
_REFINED_CHILDREN = 6_144
_SHORTLIST = 1_000
_DRAWS = 512
_DIRECTIONS = 16
_INCUMBENTS = 64
_SPREAD_TRIES = 10
_CLUSTERED = 5_000
_LEFTOVERS = 10_000

Progress = Callable[[str, int, int], None]


def _silent(stage: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Known:
    """What the campaign knows when it chooses a plate.

    Attributes:
        measured: (n, components) concentrations of measured formulas.
        utility: (n,) how good each was, bigger is better.
        pending: (p, components) concentrations of formulas proposed but not measured yet.
        performers: (h, components) concentrations of the history's best formulas, best first, for
            the time before the campaign has its own.
    """

    measured: Floats
    utility: Floats
    pending: Floats
    performers: Floats


@dataclass(frozen=True, eq=False)
class Chosen:
    """The formulas of a plate.

    Attributes:
        levels: (n, components) level numbers.
        origin: (n,) which strategy made each.
        acquisition: (n,) what each added to the expected improvement when it was chosen, NaN where
            no surrogate was asked.
    """

    levels: LevelNumbers
    origin: npt.NDArray[np.str_]
    acquisition: Floats


def choose(
    space: FormulaSpace,
    surrogate: Surrogate | None,
    goals: Goals,
    known: Known,
    settings: ProposalSettings,
    count: int,
    seed: int,
    listed: LevelNumbers | None = None,
    progress: Progress = _silent,
) -> Chosen:
    """Choose the formulas of the next plate.

    Latin hypercube and mixing have their reserved seats; the acquisition gives the others to the
    best of all candidates. Without a surrogate the whole plate is a Latin hypercube; on a first
    plate, chosen from history alone, at least half of it is.

    Args:
        space: The formulas that can be made.
        surrogate: The model of the responses, None where nothing is known.
        goals: What is wanted of the responses.
        known: Formulas measured, pending and of the history.
        settings: Shares, candidates and levels.
        count: How many formulas to choose.
        seed: Makes the choice repeatable.
        listed: (n, components) level numbers of the only formulas that may be chosen; None for any.
        progress: Called with a stage's name, what is done and the total.
    """
    rng = np.random.default_rng(seed)
    if listed is not None:
        listed = listed[space.satisfied(listed)]
    taken = space.encode_concentrations(np.concatenate([known.measured, known.pending]))
    first_plate = not len(known.measured)
    share = settings.seats.latin_hypercube
    if surrogate is None:
        share = 1.0
    elif first_plate:
        share = max(share, 1.0 - FIRST_PLATE_FROM_HISTORY)
    filling = space_filling(space, round(share * count), taken, rng, listed)
    levels = [filling]
    origin = [LATIN_HYPERCUBE if listed is None else LISTED] * len(filling)
    acquisition = [np.nan] * len(filling)
    if surrogate is not None and len(filling) < count and (listed is None or len(listed)):
        taken = np.concatenate([taken, space.encode(filling)])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        incumbents = space.encode_concentrations(known.measured)
        if first_plate:
            incumbents = space.encode(filling if len(filling) else space.sample(64, rng))
        best = np.argsort(-known.utility, kind="stable")[:_INCUMBENTS]
        incumbents = incumbents[best] if len(best) else incumbents
        score = score_of(goals, moments_of(surrogate, incumbents), generator)
        pool = _candidates(space, surrogate, score, known, settings, rng, listed, progress)
        pool = pool.take(np.flatnonzero(_free(space, pool.levels, taken, listed)))
        pool = _shortened(space, pool, listed)
        pending = space.encode_concentrations(known.pending)
        seated = space.encode(filling[:0] if first_plate else filling)  # else incumbents already
        earlier = np.concatenate([incumbents, pending, seated])
        progress("choosing the plate", 0, 1)
        seats = round(settings.seats.mixing * count) if listed is None else 0
        picks, gains = _greedy_seats(
            space, surrogate, goals, pool, earlier, count - len(filling), seats, generator
        )
        levels.append(pool.levels[picks])
        origin += list(pool.origin[picks])
        acquisition += gains
        progress("choosing the plate", 1, 1)
    return Chosen(
        np.concatenate(levels), np.array(origin, dtype="U32"), np.array(acquisition, dtype=float)
    )


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

    free = np.unique(listed[_free(space, listed, taken, listed)], axis=0)
    if len(free) <= count:
        return free
    sample = rng.permutation(len(free))[:_CLUSTERED]
    codes = space.encode(free[sample])
    seed = int(rng.integers(2**31))
    centres = KMeans(count, n_init=1, random_state=seed).fit(codes).cluster_centers_
    rows = list(dict.fromkeys(pairwise_distances_argmin(centres, codes).tolist()))
    spare = [row for row in range(len(sample)) if row not in set(rows)]
    return free[sample[(rows + spare)[:count]]]


def _free(
    space: FormulaSpace, levels: LevelNumbers, taken: Floats, listed: LevelNumbers | None
) -> npt.NDArray[np.bool_]:
    """Whether formulas are new: not nearly a taken one, or of a user's list not exactly one."""
    if listed is None:
        return ~near(space, levels, taken)
    codes = np.round(space.encode(levels), 9)
    seen = {row.tobytes() for row in np.round(taken, 9) + 0.0}
    return np.array([row.tobytes() not in seen for row in codes + 0.0], dtype=bool)


def _candidates(
    space: FormulaSpace,
    surrogate: Surrogate,
    score: Score,
    known: Known,
    settings: ProposalSettings,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
    progress: Progress,
) -> Pool:
    """Return the best candidates of every strategy, refined by moves along the levels."""

    def on_levels(levels: LevelNumbers) -> Floats:
        return score(moments_of(surrogate, space.encode(levels))).numpy()

    if listed is not None:
        chunks = np.array_split(listed, max(1, len(listed) // GRID_CHUNK))
        return best_of(_watched(chunks, len(listed), progress), LISTED, on_levels, _SHORTLIST)
    grid = permuted_grid(space, settings.grid_levels, settings.candidates, rng)
    pools = [
        best_of(_watched(grid, settings.candidates, progress), GRID, on_levels, _KEEP),
        best_of([space.sample(_MIXING_COUNT, rng)], LATIN_HYPERCUBE, on_levels, _KEEP),
    ]
    parents = _parents(known)
    if len(parents) >= 2:
        pools.append(best_of([mix(space, parents, _MIXING_COUNT, rng)], MIXING, on_levels, _KEEP))
    if len(parents):
        near_parents, holds = space.mend(space.nearest(parents), rng)
        if holds.any():
            children, _ = local_moves(space, near_parents[holds], _LOCAL_COUNT, rng)
            pools.append(best_of([children], LOCAL, on_levels, _KEEP))
    return _refined(space, Pool.joined(p for p in pools if len(p)), on_levels, rng, progress)


def _refined(
    space: FormulaSpace,
    pool: Pool,
    on_levels: ScoreLevels,
    rng: np.random.Generator,
    progress: Progress,
) -> Pool:
    """Return the pool with the children of its best; a child has its parent's origin."""
    for generation in range(_REFINEMENTS):
        progress("refining the best", generation, _REFINEMENTS)
        parents = pool.top(_REFINED_PARENTS)
        children, parent = local_moves(space, parents.levels, _REFINED_CHILDREN, rng)
        born = Pool(children, parents.origin[parent], on_levels(children))
        pool = Pool.joined([pool, born.top(4 * _KEEP)])
    progress("refining the best", _REFINEMENTS, _REFINEMENTS)
    return pool


def _shortened(space: FormulaSpace, pool: Pool, listed: LevelNumbers | None) -> Pool:
    """Return the best distinct candidates, keeping some of mixing for its reserved seats."""
    if listed is not None:
        return pool.top(_SHORTLIST)
    best = thinned(space, pool, _SHORTLIST)
    mixed = pool.take(np.flatnonzero(pool.origin == MIXING))
    return thinned(space, Pool.joined([best, thinned(space, mixed, _KEEP // 4)]), 2 * _SHORTLIST)


def _greedy_seats(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    pool: Pool,
    earlier: Floats,
    count: int,
    mixing_seats: int,
    generator: torch.Generator,
) -> tuple[npt.NDArray[np.int64], list[float]]:
    """Choose from the shortlist by joint draws: mixing's own seats first, then the best of all."""
    from botorch.sampling import IIDNormalSampler

    inputs = np.concatenate([space.encode(pool.levels), earlier])
    draws_count = _DRAWS if goals.is_linear else _DRAWS // 4
    seed = int(torch.randint(2**31, (1,), generator=generator))
    sampler = IIDNormalSampler(torch.Size([draws_count]), seed=seed)
    with torch.no_grad():
        draws = sampler(surrogate.posterior(_tensor(inputs)))
    n = len(pool)
    worth, best = joint_values(goals, draws[:, :n], draws[:, n:], _DIRECTIONS, generator)
    mixed = torch.from_numpy(pool.origin == MIXING)
    picks, gains, best = greedy(worth, best, min(mixing_seats, count), mixed)
    allowed = torch.ones(n, dtype=torch.bool)
    allowed[picks] = False
    more, more_gains, _ = greedy(worth, best, count - len(picks), allowed)
    return np.array([*picks, *more], dtype=np.int64), [*gains, *more_gains]


def _parents(known: Known) -> Floats:
    """Return (≤ 24, components) high performers, best first: the campaign's, else the history's."""
    if len(known.measured) < 2:
        return known.performers[:_PARENTS]
    return known.measured[np.argsort(-known.utility, kind="stable")[:_PARENTS]]


def _watched(
    chunks: Iterable[LevelNumbers], total: int, progress: Progress
) -> Iterator[LevelNumbers]:
    """Yield the chunks, telling how many candidates have passed."""
    done = 0
    for levels in chunks:
        progress("scoring candidates", done, total)
        yield levels
        done += len(levels)
    progress("scoring candidates", total, total)


def _tensor(inputs: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(inputs))
