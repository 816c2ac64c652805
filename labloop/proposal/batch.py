"""Who fills the plate: reserved seats, then the best of all candidates for each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labloop.definition import ProposalSettings
from labloop.proposal.acquisition import (
    Surrogate,
    greedy,
    joint_values,
    moments_of,
    score_of,
    value_of,
)
from labloop.proposal.candidates import (
    GRID,
    KEPT,
    LATIN_HYPERCUBE,
    LISTED,
    LOCAL,
    MIXING,
    SHORTLIST,
    Known,
    Progress,
    candidates,
)
from labloop.proposal.goals import Goals
from labloop.proposal.pool import Pool, apart, free, thinned
from labloop.proposal.space_filling import space_filling
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

__all__ = ["GRID", "LATIN_HYPERCUBE", "LISTED", "LOCAL", "MIXING", "Chosen", "Known", "choose"]

# Share of a first plate that the history may choose. On the virtual lab a quarter was as good as
# more where lines are alike and better where not; on pools of real formulas half was.
FROM_HISTORY = 0.25
FROM_HISTORY_LISTED = 0.5
_DRAWS = 512
_DIRECTIONS = 16
_INCUMBENTS = 64


def _silent(stage: str, done: int, total: int) -> None:
    pass


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
    best of all candidates. Without a surrogate the whole plate is a Latin hypercube; of a first
    plate, before anything was measured, the history chooses only a part, by its predictions.

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
        share = max(share, 1.0 - (FROM_HISTORY if listed is None else FROM_HISTORY_LISTED))
    filling = space_filling(space, round(share * count), taken, rng, listed)
    origin = [LATIN_HYPERCUBE if listed is None else LISTED] * len(filling)
    left = count - len(filling)
    seats = [Chosen(filling, np.array(origin, dtype="U32"), np.full(len(filling), np.nan))]
    if surrogate is not None and left and (listed is None or len(listed)):
        seats.append(
            _seated(space, surrogate, goals, known, settings, left, filling, rng, listed, progress)
        )
    return Chosen(
        np.concatenate([part.levels for part in seats]),
        np.concatenate([part.origin for part in seats]),
        np.concatenate([part.acquisition for part in seats]),
    )


def _seated(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    known: Known,
    settings: ProposalSettings,
    count: int,
    filling: LevelNumbers,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
    progress: Progress,
) -> Chosen:
    """Return the formulas that the surrogate chooses, beside a space filling that is seated."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    first_plate = not len(known.measured)
    pending = space.encode_concentrations(known.pending)
    filled = space.encode(filling)
    if first_plate:
        incumbents = filled if len(filled) else space.encode(space.sample(_INCUMBENTS, rng))
    else:
        best = np.argsort(-known.utility, kind="stable")[:_INCUMBENTS]
        incumbents = space.encode_concentrations(known.measured[best])
    acquisition = value_of if first_plate else score_of
    score = acquisition(goals, moments_of(surrogate, incumbents), generator)

    def on_levels(levels: LevelNumbers) -> Floats:
        return score(moments_of(surrogate, space.encode(levels))).numpy()

    pool = candidates(space, on_levels, known, settings, rng, listed, progress)
    taken = [space.encode_concentrations(known.measured), pending, filled]
    new = free(space, pool.levels, np.concatenate(taken), listed=listed is not None)
    pool = _shortened(space, pool.take(np.flatnonzero(new)), listed)
    if first_plate:
        pool = pool.top(count) if listed is not None else apart(space, pool, count)
    earlier = [incumbents, pending] if first_plate else [incumbents, pending, filled]
    progress("choosing the plate", 0, 1)
    mixing = 0 if listed is not None else round(settings.seats.mixing * (count + len(filling)))
    picks, gains = _greedy_seats(
        space, surrogate, goals, pool, np.concatenate(earlier), count, mixing, generator
    )
    progress("choosing the plate", 1, 1)
    return Chosen(pool.levels[picks], pool.origin[picks], np.array(gains, dtype=float))


def _shortened(space: FormulaSpace, pool: Pool, listed: LevelNumbers | None) -> Pool:
    """Return the best distinct candidates, keeping some of mixing for its reserved seats."""
    if listed is not None:
        return pool.top(SHORTLIST)
    best = thinned(space, pool, SHORTLIST)
    mixed = pool.take(np.flatnonzero(pool.origin == MIXING))
    return thinned(space, Pool.joined([best, thinned(space, mixed, KEPT // 4)]), 2 * SHORTLIST)


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


def _tensor(inputs: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(inputs))
