"""Who fills the plate: reserved seats, then the best of all candidates for each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from labloop.definition import ProposalSettings
from labloop.errors import RefusedError
from labloop.proposal.acquisition import (
    Surrogate,
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
    candidates,
)
from labloop.proposal.exploration import EXPLORATION, exploring
from labloop.proposal.goals import Goals
from labloop.proposal.joint import Joint, Shortlist, seat
from labloop.proposal.pool import Pool, apart, free, thinned
from labloop.proposal.space_filling import space_filling
from labloop.proposal.stream import Progress
from labloop.proposal.topping_up import topped_up
from labloop.proposal.wishes import granted, has_wishes, score_alone
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers
from labloop.space.prices import prices

__all__ = ["GRID", "LATIN_HYPERCUBE", "LISTED", "LOCAL", "MIXING", "Chosen", "Known", "choose"]

# Share of a first plate that the history may choose. On the virtual lab a quarter was as good as
# more where lines are alike and better where not; on pools of real formulas half was.
FROM_HISTORY = 0.25
FROM_HISTORY_LISTED = 0.5
_INCUMBENTS = 64


def _silent(stage: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Chosen:
    """The formulas of a plate.

    Attributes:
        levels: (n, components) level numbers.
        origin: (n,) which strategy made each.
        acquisition: (n,) what each added to the expected improvement on the known formulas and on
            those before it, in the objective's unit on the model's scale (of several objectives in
            shares of the hypervolume); NaN where there is no surrogate.
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

    Raises:
        RefusedError: What is wanted of the plate as a whole cannot be had.
    """
    rng = np.random.default_rng(seed)
    if has_wishes(settings):
        if listed is not None:
            raise RefusedError(
                "[proposal], shared and most_stocks: the plate cannot be narrowed where candidates "
                "are listed; leave the wishes or the list out."
            )
        score = None
        if surrogate is not None:
            score = score_alone(space, surrogate, goals, known, settings, rng)
        part = granted(space, score, settings, rng)
        plain = settings.model_copy(update={"shared": (), "most_stocks": None})
        chosen = choose(part.space, surrogate, goals, known, plain, count, seed, progress=progress)
        return replace(chosen, levels=part.in_whole(chosen.levels))
    if listed is not None:
        listed = listed[space.satisfied(listed)]
    taken = _taken(space, known, listed)
    first_plate = not len(known.measured)
    share = settings.seats.latin_hypercube
    if surrogate is None:
        share = 1.0
    elif first_plate:
        share = max(share, 1.0 - (FROM_HISTORY if listed is None else FROM_HISTORY_LISTED))
    filling = space_filling(space, round(share * count), taken, rng, listed)
    origin = LATIN_HYPERCUBE if listed is None else LISTED
    spread = Chosen(filling, np.full(len(filling), origin), np.full(len(filling), np.nan))
    if surrogate is None or (listed is not None and not len(listed)):
        return spread
    spread = _explored(space, surrogate, known, settings, count, spread, taken, rng, listed)
    left = count - len(spread.levels)
    if not left:
        return spread
    return _seated(space, surrogate, goals, known, settings, left, spread, rng, listed, progress)


def _explored(
    space: FormulaSpace,
    surrogate: Surrogate,
    known: Known,
    settings: ProposalSettings,
    count: int,
    spread: Chosen,
    taken: Floats,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
) -> Chosen:
    """Return the formulas that fill the space and those of the exploration's seats."""
    seats = min(round(settings.seats.exploration * count), count - len(spread.levels))
    if not seats:
        return spread
    filled = space.encode(spread.levels)
    coming = np.concatenate([filled, space.encode_concentrations(known.pending)])
    taken = np.concatenate([taken, filled])
    levels = exploring(space, surrogate, seats, taken, coming, rng, listed)
    return Chosen(
        np.concatenate([spread.levels, levels]),
        np.concatenate([spread.origin, np.full(len(levels), EXPLORATION)]),
        np.full(len(spread.levels) + len(levels), np.nan),
    )


def _seated(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    known: Known,
    settings: ProposalSettings,
    count: int,
    spread: Chosen,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
    progress: Progress,
) -> Chosen:
    """Return the plate: the formulas that fill the space, then those that the surrogate chooses."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    first_plate = not len(known.measured)
    pending = space.encode_concentrations(known.pending)
    filled = space.encode(spread.levels)
    best = np.argsort(-known.utility, kind="stable")[:_INCUMBENTS]
    incumbents = space.encode_concentrations(known.measured[best])
    if first_plate:
        incumbents = filled if len(filled) else space.encode(space.sample(_INCUMBENTS, rng))
    acquisition = value_of if first_plate else score_of
    score = acquisition(goals, moments_of(surrogate, incumbents), generator)

    def price_of(levels: LevelNumbers) -> Floats:
        return (settings.well_price or 0.0) + prices(space.components, space.concentrations(levels))

    def on_levels(levels: LevelNumbers) -> Floats:
        gain = score(moments_of(surrogate, space.encode(levels))).numpy()
        return gain if settings.well_price is None else gain - np.log(price_of(levels))

    pool = candidates(space, on_levels, known, settings, rng, listed, progress)
    taken = np.concatenate([_taken(space, known, listed), filled])
    new = free(space, pool.levels, taken, listed=listed is not None)
    whole = pool.take(np.flatnonzero(new))
    pool = _shortened(space, whole, listed)
    if first_plate:
        pool = pool.top(count) if listed is not None else apart(space, pool, count)
    progress("choosing the plate", 0, 1)
    inputs = np.concatenate([filled, space.encode(pool.levels), incumbents, pending])
    with torch.no_grad():
        posterior = surrogate.posterior(torch.from_numpy(inputs))
    joint = Joint(goals, posterior, len(filled) + len(pool), first_plate, generator)
    mixing = 0 if listed is not None else round(settings.seats.mixing * (count + len(filled)))
    shortlist = Shortlist(
        space.encode(pool.levels),
        pool.score,
        pool.origin == MIXING,
        None if settings.well_price is None else price_of(pool.levels),
    )
    picks, gains = seat(joint.draw, len(filled), shortlist, mixing, count)
    levels = np.concatenate([spread.levels, pool.levels[picks]])
    taken = np.concatenate([taken, space.encode(pool.levels[picks])])
    rest = topped_up(space, whole, taken, count - len(picks), rng, listed)
    progress("choosing the plate", 1, 1)
    return Chosen(
        np.concatenate([levels, rest.levels]),
        np.concatenate([spread.origin, pool.origin[picks], rest.origin]),
        np.array([*gains, *(0.0 for _ in range(len(rest)))], dtype=float),
    )


def _taken(space: FormulaSpace, known: Known, listed: LevelNumbers | None) -> Floats:
    """Return encoded formulas that may not come again; for a list, as the list would have them."""
    earlier = np.concatenate([known.measured, known.pending])
    if listed is not None:
        return space.encode(space.nearest(earlier))
    return space.encode_concentrations(earlier)


def _shortened(space: FormulaSpace, pool: Pool, listed: LevelNumbers | None) -> Pool:
    """Return the best distinct candidates, keeping some of mixing for its reserved seats."""
    if listed is not None:
        return pool.top(SHORTLIST)
    best = thinned(space, pool, SHORTLIST)
    mixed = pool.take(np.flatnonzero(pool.origin == MIXING))
    return thinned(space, Pool.joined([best, thinned(space, mixed, KEPT // 4)]), 2 * SHORTLIST)
