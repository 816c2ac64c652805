"""Who fills the plate: reserved seats, then the best of all candidates for each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
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
from labloop.proposal.chosen import Chosen
from labloop.proposal.exploration import EXPLORATION, exploring
from labloop.proposal.goals import Goals
from labloop.proposal.joint import Joint, Shortlist, seat
from labloop.proposal.pool import Pool, ScoreLevels, apart, free, thinned
from labloop.proposal.repeats import REPLICATE, again
from labloop.proposal.space_filling import space_filling
from labloop.proposal.stream import Progress
from labloop.proposal.topping_up import topped_up
from labloop.proposal.wishes import granted, has_wishes, score_alone
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers
from labloop.space.narrowing import Part
from labloop.space.prices import prices

__all__ = ["GRID", "LATIN_HYPERCUBE", "LISTED", "LOCAL", "MIXING", "Chosen", "Known", "choose"]

# Share of a first plate that the history may choose. On the virtual lab a quarter was as good as
# more where lines are alike and better where not; on pools of real formulas half was.
FROM_HISTORY = 0.25
FROM_HISTORY_LISTED = 0.5
# Of the reserved share: on measured pools a quarter of each plate found fewer of the best than a
# tenth, in free spaces, whose best lie beyond what is known, it found better ones.
SPREAD_LISTED = 0.4
_INCUMBENTS = 64


def _silent(stage: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class _Task:
    """What a plate is chosen from and for; see `choose`."""

    space: FormulaSpace
    goals: Goals
    known: Known
    settings: ProposalSettings
    count: int
    rng: np.random.Generator
    listed: LevelNumbers | None
    progress: Progress

    @property
    def first_plate(self) -> bool:
        """Whether nothing was measured yet."""
        return not len(self.known.measured)

    @cached_property
    def taken(self) -> Floats:
        """Encoded formulas that may not come again; for a list, as the list would have them."""
        earlier = np.concatenate([self.known.measured, self.known.pending])
        if self.listed is not None:
            return self.space.encode(self.space.nearest(earlier))
        return self.space.encode_concentrations(earlier)

    @cached_property
    def pending(self) -> Floats:
        """Encoded formulas that wait for their results."""
        return self.space.encode_concentrations(self.known.pending)

    def price_of(self, levels: LevelNumbers) -> Floats:
        """Return what wells of (n, components) level numbers cost."""
        each = prices(self.space.components, self.space.concentrations(levels))
        return (self.settings.well_price or 0.0) + each


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
    plate, before anything was measured, the history chooses only a part, by its predictions. At
    last, known formulas may take the places of the least useful new ones.

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
        part, plain = _narrowed(space, surrogate, goals, known, settings, rng, listed)
        chosen = choose(part.space, surrogate, goals, known, plain, count, seed, progress=progress)
        return replace(chosen, levels=part.in_whole(chosen.levels))
    if listed is not None:
        listed = listed[space.satisfied(listed)]
    task = _Task(space, goals, known, settings, count, rng, listed, progress)
    plate = _spread(task, informed=surrogate is not None)
    if surrogate is None or (listed is not None and not len(listed)):
        return plate
    plate = _explored(task, surrogate, plate)
    if len(plate) < count:
        plate = _seated(task, surrogate, plate)
    return _repeated(task, surrogate, plate)


def _narrowed(
    space: FormulaSpace,
    surrogate: Surrogate | None,
    goals: Goals,
    known: Known,
    settings: ProposalSettings,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
) -> tuple[Part, ProposalSettings]:
    """Return the part of the space that grants the wishes, and settings without them."""
    if listed is not None:
        raise RefusedError(
            "[proposal], shared and most_stocks: the plate cannot be narrowed where candidates "
            "are listed; leave the wishes or the list out."
        )
    score = None
    if surrogate is not None:
        score = score_alone(space, surrogate, goals, known, settings, rng)
    part = granted(space, score, settings, rng)
    return part, settings.model_copy(update={"shared": (), "most_stocks": None})


def _spread(task: _Task, *, informed: bool) -> Chosen:
    """Return the formulas that fill the space, or represent the list, whatever is predicted."""
    share = task.settings.seats.latin_hypercube
    if task.listed is not None:
        share *= SPREAD_LISTED
    if not informed:
        share = 1.0
    elif task.first_plate:
        history = FROM_HISTORY if task.listed is None else FROM_HISTORY_LISTED
        share = max(share, 1.0 - history)
    count = round(share * task.count)
    levels = space_filling(task.space, count, task.taken, task.rng, task.listed)
    return Chosen.new(levels, LATIN_HYPERCUBE if task.listed is None else LISTED, np.nan)


def _explored(task: _Task, surrogate: Surrogate, plate: Chosen) -> Chosen:
    """Return the plate with the formulas of the exploration's seats."""
    seats = min(round(task.settings.seats.exploration * task.count), task.count - len(plate))
    if not seats:
        return plate
    filled = task.space.encode(plate.levels)
    coming = np.concatenate([filled, task.pending])
    taken = np.concatenate([task.taken, filled])
    levels = exploring(task.space, surrogate, seats, taken, coming, task.rng, task.listed)
    return plate.then(Chosen.new(levels, EXPLORATION, np.nan))


def _seated(task: _Task, surrogate: Surrogate, plate: Chosen) -> Chosen:
    """Return the plate with the formulas that the surrogate chooses on its other seats."""
    space, listed, rng = task.space, task.listed, task.rng
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    incumbents = _incumbents(task, plate)
    score = _acquisition(task, surrogate, incumbents, generator)
    found = candidates(space, score, task.known, task.settings, rng, listed, task.progress)
    taken = np.concatenate([task.taken, space.encode(plate.levels)])
    new = free(space, found.levels, taken, listed=listed is not None)
    found = found.take(np.flatnonzero(new))
    task.progress("choosing the plate", 0, 1)
    best, gains = _best_together(
        task, surrogate, plate, _shortened(task, found, plate), incumbents, generator
    )
    taken = np.concatenate([taken, space.encode(best.levels)])
    rest = topped_up(space, found, taken, task.count - len(plate) - len(best), rng, listed)
    task.progress("choosing the plate", 1, 1)
    added = Pool.joined([best, rest]) if len(rest) else best
    gains = np.concatenate([gains, np.zeros(len(rest))])
    before = replace(plate, acquisition=gains[: len(plate)])
    return before.then(Chosen.new(added.levels, added.origin, gains[len(plate) :]))


def _incumbents(task: _Task, plate: Chosen) -> Floats:
    """Return encoded formulas to improve on; before anything was measured, feasible ones."""
    space = task.space
    if not task.first_plate:
        best = np.argsort(-task.known.utility, kind="stable")[:_INCUMBENTS]
        return space.encode_concentrations(task.known.measured[best])
    return space.encode(plate.levels if len(plate) else space.sample(_INCUMBENTS, task.rng))


def _acquisition(
    task: _Task, surrogate: Surrogate, incumbents: Floats, generator: torch.Generator
) -> ScoreLevels:
    """Return the score of level numbers, each formula alone."""
    acquisition = value_of if task.first_plate else score_of
    score = acquisition(task.goals, moments_of(surrogate, incumbents), generator)

    def on_levels(levels: LevelNumbers) -> Floats:
        gain = score(moments_of(surrogate, task.space.encode(levels))).numpy()
        return gain if task.settings.well_price is None else gain - np.log(task.price_of(levels))

    return on_levels


def _shortened(task: _Task, found: Pool, plate: Chosen) -> Pool:
    """Return the best distinct candidates, keeping some of mixing for its reserved seats.

    On a first plate they are as many as its seats: predictions rank, and joint draws say nothing.
    """
    left = task.count - len(plate)
    if task.listed is not None:
        return found.top(SHORTLIST).top(left) if task.first_plate else found.top(SHORTLIST)
    best = thinned(task.space, found, SHORTLIST)
    mixed = found.take(np.flatnonzero(found.origin == MIXING))
    short = Pool.joined([best, thinned(task.space, mixed, KEPT // 4)])
    short = thinned(task.space, short, 2 * SHORTLIST)
    return apart(task.space, short, left) if task.first_plate else short


def _best_together(
    task: _Task,
    surrogate: Surrogate,
    plate: Chosen,
    short: Pool,
    incumbents: Floats,
    generator: torch.Generator,
) -> tuple[Pool, Floats]:
    """Return those of a shortlist that add most to each other and to what is on the plate.

    With them comes what each on the plate, then each of them, adds.
    """
    filled, codes = task.space.encode(plate.levels), task.space.encode(short.levels)
    inputs = np.concatenate([filled, codes, incumbents, task.pending])
    with torch.no_grad():
        posterior = surrogate.posterior(torch.from_numpy(inputs))
    joint = Joint(task.goals, posterior, len(filled) + len(short), task.first_plate, generator)
    shortlist = Shortlist(
        codes,
        short.score,
        short.origin == MIXING,
        None if task.settings.well_price is None else task.price_of(short.levels),
    )
    mixing = 0 if task.listed is not None else round(task.settings.seats.mixing * task.count)
    picks, gains = seat(joint.draw, len(plate), shortlist, mixing, task.count - len(plate))
    return short.take(np.array(picks, dtype=np.int64)), np.array(gains, dtype=float)


def _repeated(task: _Task, surrogate: Surrogate, plate: Chosen) -> Chosen:
    """Return the plate with known formulas in place of its last, where those are worth more."""
    most, repeatable = round(task.settings.repeats * task.count), task.known.repeatable
    if not most or repeatable is None:
        return plate
    rows, levels = again(
        task.space,
        surrogate,
        task.goals,
        task.known.measured,
        repeatable,
        plate.levels,
        most,
        int(task.rng.integers(2**31)),
        task.listed,
    )
    kept = plate.first(len(plate) - len(rows))
    return kept.then(replace(Chosen.new(levels, REPLICATE, np.nan), repeated=rows))
