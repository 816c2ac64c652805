"""The best candidates made better along their levels: by coordinate moves, or as generations.

Where there are many components coordinate moves climb much faster, and what they reach is better in
truth. Where there are few, both reach the top; then all that climbed would stand there, while
generations of children also fill its surroundings, which makes the better plate.
"""

from __future__ import annotations

import numpy as np

from labloop.proposal.local_moves import local_moves, moved_levels, take_up
from labloop.proposal.pool import Pool, ScoreLevels
from labloop.proposal.stream import Progress
from labloop.space import FormulaSpace
from labloop.space.constraints import Bools
from labloop.space.levels import Floats, Ints, LevelNumbers

_MANY_COMPONENTS = 16
_CLIMBERS = 64  # of the best candidates, how many climb
_PARENTS = 256
_GENERATIONS = 4
_KEPT_CHILDREN = 2_048  # best of a generation that join the pool
_MOST_COLUMNS = 64  # components tried in one sweep
_SHARES = (0.25, 0.5, 0.75, 1.0)  # of the moves that gain, the best that are made together
_KEPT = 512  # best trials of a sweep that join the pool
_LEAST_GAIN = 1e-3  # mean rise of the score in a sweep below which it is not worth another


def refined(
    space: FormulaSpace,
    pool: Pool,
    on_levels: ScoreLevels,
    scorings: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Pool:
    """Return the pool with what moves along the levels make of its best.

    Each formula keeps the origin of what it was made from.

    Args:
        space: The formulas that can be made.
        pool: Candidates with their scores.
        on_levels: The score of (n, components) level numbers.
        scorings: How many formulas may be scored at most.
        rng: Source of randomness.
        progress: Called with the stage's name, what is done and the total.
    """
    many = int((space.counts > 1).sum()) >= _MANY_COMPONENTS
    better = climbed if many else bred
    return better(space, pool, on_levels, scorings, rng, progress)


def bred(
    space: FormulaSpace,
    pool: Pool,
    on_levels: ScoreLevels,
    scorings: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Pool:
    """Return the pool with some generations of children of its best; arguments as of `refined`."""
    for generation in range(_GENERATIONS):
        progress("refining the best", generation, _GENERATIONS)
        parents = pool.top(_PARENTS)
        children, parent = local_moves(space, parents.levels, scorings // _GENERATIONS, rng)
        born = Pool(children, parents.origin[parent], on_levels(children))
        pool = Pool.joined([pool, born.top(_KEPT_CHILDREN)])
    progress("refining the best", _GENERATIONS, _GENERATIONS)
    return pool


def climbed(
    space: FormulaSpace,
    pool: Pool,
    on_levels: ScoreLevels,
    scorings: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Pool:
    """Return the pool with what coordinate moves make of its best.

    In a sweep each formula tries a move of each component by itself, all scored at once; then the
    quarter, half, three quarters and all of the moves that gain are made together, and the best of
    all that was tried becomes the formula. Sweeps end where they hardly gain.
    Arguments as of `refined`.
    """
    best = pool.top(_CLIMBERS)
    varying = np.flatnonzero(space.counts > 1)
    width = min(len(varying), _MOST_COLUMNS)
    done, tried = 0, [pool]
    while done + len(best) * (width + len(_SHARES)) <= scorings:
        progress("refining the best", done, scorings)
        columns = rng.permuted(np.tile(varying, (len(best), 1)), axis=1)[:, :width]
        moves, single = _single(space, best, columns, on_levels, rng)
        gain = single.score.reshape(columns.shape) - best.score[:, None]
        together = _together(space, best, columns, moves, gain, on_levels, rng)
        done += len(single) + len(together)
        tried += [single.top(_KEPT), together]
        before = best.score
        best = _best_of_each(len(best), [best, single, together])
        if np.mean(best.score - before) < _LEAST_GAIN:
            break
    progress("refining the best", scorings, scorings)
    joined = Pool.joined(tried)
    return joined.take(np.flatnonzero(joined.score > -np.inf))


def _single(
    space: FormulaSpace,
    best: Pool,
    columns: Ints,
    on_levels: ScoreLevels,
    rng: np.random.Generator,
) -> tuple[LevelNumbers, Pool]:
    """Return (n, moves) the level each move aims at, and (n · moves) formulas with one move each.

    Args:
        space: The formulas that can be made.
        best: n formulas.
        columns: (n, moves) which component each move is of.
        on_levels: The score of level numbers.
        rng: Source of randomness.
    """
    count, width = columns.shape
    rows, flat = np.arange(count * width), columns.ravel()
    trials = np.repeat(best.levels, width, axis=0)
    aims = moved_levels(space, trials[rows, flat], rows, flat, rng)
    trials[rows, flat] = aims
    moved = np.zeros(trials.shape, dtype=bool)
    moved[rows, flat] = True
    return aims.reshape(columns.shape), _scored(space, best, trials, moved, on_levels, rng)


def _together(
    space: FormulaSpace,
    best: Pool,
    columns: Ints,
    aims: LevelNumbers,
    gain: Floats,
    on_levels: ScoreLevels,
    rng: np.random.Generator,
) -> Pool:
    """Return (n · shares) formulas that make several of the moves that gain.

    Args:
        space: The formulas that can be made.
        best: n formulas.
        columns: (n, moves) which component each move is of.
        aims: (n, moves) which level it aims at.
        gain: (n, moves) what the move alone gains.
        on_levels: The score of level numbers.
        rng: Source of randomness.
    """
    rank = (-gain).argsort(axis=1, kind="stable").argsort(axis=1)
    gaining = (gain > 0).sum(axis=1)
    count = np.ceil(gaining[:, None] * np.array(_SHARES)).astype(np.int64)
    rows, _, which = np.nonzero(rank[:, None, :] < count[:, :, None])
    made = np.nonzero(rank[:, None, :] < count[:, :, None])[1] + rows * len(_SHARES)
    trials = np.repeat(best.levels, len(_SHARES), axis=0)
    moved = np.zeros(trials.shape, dtype=bool)
    trials[made, columns[rows, which]] = aims[rows, which]
    moved[made, columns[rows, which]] = True
    return _scored(space, best, trials, moved, on_levels, rng)


def _scored(
    space: FormulaSpace,
    best: Pool,
    trials: LevelNumbers,
    moved: Bools,
    on_levels: ScoreLevels,
    rng: np.random.Generator,
) -> Pool:
    """Return the trials mended and scored; those that cannot be mended score minus infinity."""
    take_up(space, trials, moved, rng)
    levels, holds = space.mend(trials, rng)
    score = np.full(len(levels), -np.inf)
    if holds.any():
        score[holds] = on_levels(levels[holds])
    return Pool(levels, np.repeat(best.origin, len(levels) // len(best)), score)


def _best_of_each(count: int, pools: list[Pool]) -> Pool:
    """Return the best formula of each of `count` groups; pools hold the groups one after another.

    The first of equals is taken, so that nothing moves without a gain.
    """
    score = np.concatenate([pool.score.reshape(count, -1) for pool in pools], axis=1)
    d = pools[0].levels.shape[1]
    levels = np.concatenate([pool.levels.reshape(count, -1, d) for pool in pools], axis=1)
    first = score.argmax(axis=1)
    group = np.arange(count)
    return Pool(levels[group, first], pools[0].origin, score[group, first])
