"""What the next plate and the space may bring by what is known now, before a plate is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labloop.campaign.learning import Learned
from labloop.campaign.proposing import choose_for, known_of, next_number
from labloop.campaign.prospecting import prospects_of
from labloop.proposal.advice import Prospects
from labloop.proposal.candidates import Known
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers
from labloop.store import Store

_PARENTS = 24
_CHILDREN = 384
_SPREAD = 128


@dataclass(frozen=True, eq=False)
class Ahead:
    """What the next plate will start from: what is known before it, and its seed."""

    known: Known
    seed: int


def ahead(opened: Store, learned: Learned, known_event: int) -> Ahead | None:
    """Return what a plate that would be proposed now starts from; None without measurements."""
    known = known_of(opened, learned, known_event)
    if learned.surrogate is None or not len(known.measured):
        return None
    return Ahead(known, next_number(opened, known_event))


def outlook(learned: Learned, start: Ahead) -> Prospects | None:
    """Return what a plate that would be proposed now may bring, and what the space holds.

    The plate is chosen as `propose` chooses it, but among five hundred candidates around the
    best known formulas and all over the space, without repeats and wishes: the real one is rather
    better. None where too little is known to say.
    """
    known, seed = start.known, start.seed
    definition = learned.definition
    plain = {"shared": (), "most_stocks": None, "repeats": 0.0}
    proposal = definition.proposal.model_copy(update=plain)
    plainly = replace(learned, definition=definition.model_copy(update={"proposal": proposal}))
    some = _candidates(learned.space, known, np.random.default_rng(seed))
    count = min(proposal.formulas, len(some))
    plate = choose_for(plainly, known, count, seed, some, _silent)
    return prospects_of(learned, known, plate.levels, None, seed) if len(plate) else None


def _candidates(space: FormulaSpace, known: Known, rng: np.random.Generator) -> LevelNumbers:
    from labloop.proposal.local_moves import local_moves

    best = known.measured[np.argsort(-known.utility, kind="stable")[:_PARENTS]]
    near, holds = space.mend(space.nearest(best), rng)
    parts = [space.some(_SPREAD, rng)]
    if holds.any() and (space.counts > 1).any():
        parts.append(local_moves(space, near[holds], _CHILDREN, rng)[0])
    return np.unique(np.concatenate(parts), axis=0)


def _silent(stage: str, done: int, total: int) -> None:
    pass
