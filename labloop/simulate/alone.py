"""Each way of finding formulas alone, and the patent's plate of thirds.

Where a trial has a pool, its formulas alone are chosen: spread over the pool, nearest to mixtures,
or of the best prediction.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from labloop.definition import ProposalSettings
from labloop.proposal.acquisition import Score, moments_of, score_of, value_of
from labloop.proposal.candidates import GRID, KEPT, LATIN_HYPERCUBE, MIXING
from labloop.proposal.grid import CHUNK, permuted_grid
from labloop.proposal.mixing import mix
from labloop.proposal.pool import Pool, best_of, free, thinned
from labloop.proposal.space_filling import space_filling
from labloop.simulate.loop import known, learned, transferred
from labloop.simulate.trial import Plate, Propose, SoFar, Trial
from labloop.space.levels import Floats, LevelNumbers
from labloop.surrogate import Surrogate, fit

_PARENTS = 24
_INCUMBENTS = 64
_MIXTURES = 50  # for each seat: most are nearly what was measured, once parents are alike
_PATENT_SHARE = 0.7  # of the components, kept for the patent's networks


def by_chance(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the choice of formulas at random."""
    del settings, seed

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        rng = np.random.default_rng(seed)
        if so_far.left is None:
            levels = trial.space.sample(count, rng)
        else:
            levels = so_far.left[rng.permutation(len(so_far.left))[:count]]
        return Plate(levels, np.full(len(levels), "random"))

    return propose


def latin_hypercube(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return Latin hypercubes: every plate fills the space, away from the earlier ones."""
    del settings, seed

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        seats = _Seats(trial, so_far, np.random.default_rng(seed))
        seats.spread(count)
        return seats.plate()

    return propose


def mixing(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return mixtures of the best formulas measured, of the history's before there are any.

    The first plate is a Latin hypercube where there is no history.
    """
    del settings, seed

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        seats = _Seats(trial, so_far, np.random.default_rng(seed))
        seats.mixed(count)
        return seats.plate()

    return propose


def grid(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the best of the permuted grid in the surrogate's ranking, refined by nothing.

    Ranked as the loop ranks: by expected improvement, before anything was measured by predicted
    mean. The first plate is a Latin hypercube where there is no history.
    """
    pretrained = learned(trial, seed) if len(trial.X_history) else None

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        seats = _Seats(trial, so_far, np.random.default_rng(seed))
        if pretrained is None and not len(so_far.levels):
            seats.spread(count)
        else:
            surrogate = transferred(trial, pretrained, so_far)
            seats.ranked(surrogate, settings, count, improving=bool(len(so_far.levels)))
        return seats.plate()

    return propose


def patent(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the patent's plate: a third each of Latin hypercube, mixing and ranked grid.

    The grid is ranked by what networks trained and transferred as in the patent predict. Without
    history they learn from the measured formulas alone, and the first plate is a Latin hypercube.
    """
    recipe = {"transfer": "patent", "feature_share": _PATENT_SHARE}
    trial = replace(trial, nets=trial.nets.model_copy(update=recipe))
    pretrained = learned(trial, seed) if len(trial.X_history) else None

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        seats = _Seats(trial, so_far, np.random.default_rng(seed))
        if pretrained is None and not len(so_far.levels):
            seats.spread(count)
            return seats.plate()
        third = count // 3
        seats.spread(third)
        seats.mixed(third)
        if pretrained is not None:
            surrogate = transferred(trial, pretrained, so_far)
        else:
            surrogate = _own_nets(trial, so_far, seed)
        seats.ranked(surrogate, settings, count - 2 * third, improving=False)
        return seats.plate()

    return propose


def _own_nets(trial: Trial, so_far: SoFar, seed: int) -> Surrogate:
    """Return the patent's networks that know of the measured formulas alone."""
    X = trial.space.encode(so_far.levels)
    alone = replace(trial, X_history=X, Y_history=so_far.Y, source=np.zeros(len(X), dtype=np.int64))
    return fit(learned(alone, seed), X[:0], so_far.Y[:0], transfer="patent")


class _Seats:
    """A plate that is being filled: new formulas only, none of them nearly the same."""

    def __init__(self, trial: Trial, so_far: SoFar, rng: np.random.Generator) -> None:
        self.trial, self.so_far, self.rng = trial, so_far, rng
        self.levels = np.empty((0, len(trial.space.tables)), dtype=np.uint16)
        self.origin: list[str] = []

    def plate(self) -> Plate:
        """Return what was seated."""
        return Plate(self.levels, np.array(self.origin, dtype="U32"))

    def spread(self, count: int) -> None:
        """Seat formulas that fill the space, or the pool."""
        left, taken = self.so_far.left, self._taken()
        self._seat(space_filling(self.trial.space, count, taken, self.rng, left), LATIN_HYPERCUBE)

    def mixed(self, count: int) -> None:
        """Seat mixtures of high performers, or the pool's formulas nearest to them."""
        before = len(self.levels)
        if len(parents := self._parents()) >= 2:
            mixtures = mix(self.trial.space, parents, _MIXTURES * count, self.rng)
            if self.so_far.left is not None:
                mixtures = self._nearest_left(mixtures)
            self._seat(self._new(mixtures, np.zeros(len(mixtures)), count), MIXING)
        self.spread(count - (len(self.levels) - before))

    def ranked(
        self, surrogate: Surrogate, settings: ProposalSettings, count: int, *, improving: bool
    ) -> None:
        """Seat the best of the permuted grid, or of the pool."""
        space, left = self.trial.space, self.so_far.left
        if left is None:
            rows = permuted_grid(space, settings.grid_levels, settings.candidates, self.rng)
        else:
            rows = iter(np.array_split(left, max(1, len(left) // CHUNK)))
        score = self._score(surrogate, improving)

        def on_levels(levels: LevelNumbers) -> Floats:
            return score(moments_of(surrogate, space.encode(levels))).numpy()

        keep = max(KEPT, 4 * count) if left is None else len(left)
        best = best_of(rows, GRID, on_levels, keep)
        before = len(self.levels)
        if len(best):
            self._seat(self._new(best.levels, best.score, count), GRID)
        self.spread(count - (len(self.levels) - before))

    def _score(self, surrogate: Surrogate, improving: bool) -> Score:
        trial, so_far = self.trial, self.so_far
        if len(so_far.levels):
            order = np.argsort(-known(trial, so_far).utility, kind="stable")[:_INCUMBENTS]
            incumbents = so_far.levels[order]
        elif so_far.left is not None:
            incumbents = so_far.left[self.rng.permutation(len(so_far.left))[:_INCUMBENTS]]
        else:
            incumbents = trial.space.sample(_INCUMBENTS, self.rng)
        generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        moments = moments_of(surrogate, trial.space.encode(incumbents))
        return (score_of if improving else value_of)(trial.goals, moments, generator)

    def _parents(self) -> Floats:
        """Return (≤ 24, components) high performers, best first: measured ones, else history's."""
        now = known(self.trial, self.so_far)
        order = np.argsort(-now.utility, kind="stable")
        order = order[np.isfinite(now.utility[order])]
        own = now.measured[order[:_PARENTS]]
        return own if len(own) >= 2 else now.performers[:_PARENTS]

    def _nearest_left(self, levels: LevelNumbers) -> LevelNumbers:
        from scipy.spatial import cKDTree

        left, space = self.so_far.left, self.trial.space
        assert left is not None
        open_ = left[free(space, left, self._taken(), listed=True)]
        if not len(open_):
            return open_
        _, rows = cKDTree(space.encode(open_)).query(space.encode(levels))
        _, first = np.unique(rows, return_index=True)
        return open_[np.asarray(rows)[np.sort(first)]]

    def _new(self, levels: LevelNumbers, score: Floats, count: int) -> LevelNumbers:
        """Return up to `count` formulas that are new, best first."""
        space, listed = self.trial.space, self.so_far.left is not None
        new = free(space, levels, self._taken(), listed=listed)
        pool = Pool(levels[new], np.full(int(new.sum()), "", dtype="U32"), score[new])
        return pool.top(count).levels if listed else thinned(space, pool, count).levels

    def _taken(self) -> Floats:
        return self.trial.space.encode(np.concatenate([self.so_far.levels, self.levels]))

    def _seat(self, levels: LevelNumbers, origin: str) -> None:
        self.levels = np.concatenate([self.levels, levels])
        self.origin += [origin] * len(levels)
