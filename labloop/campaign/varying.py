"""Formulas in which one component, or two, are set to given amounts, and that can still be made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.constraints import Bools
from labloop.space.levels import Floats, Ints, LevelNumbers
from labloop.space.narrowing import part_of

_FINE, _COARSE = 17, 7  # amounts of a curve of a component that matters, and of any other
_MATTER = 6  # components a response that have fine curves
CELLS = 5  # amounts a side of a pair's surface
_PAIRS = 6  # a response
WORTH_PAIRING = 0.01
_ENOUGH = 0.5  # of the base formulas, for an amount to be shown


@dataclass(frozen=True, eq=False)
class Varied:
    """The base formulas at each of some settings of a few components.

    Attributes:
        components: (k,) numbers of the components that are set.
        levels: (a, k) level numbers that they are set to.
        formulas: (a, n, components) level numbers, the same n base formulas at every setting.
    """

    components: Ints
    levels: LevelNumbers
    formulas: LevelNumbers

    def __len__(self) -> int:
        return len(self.levels) if self.formulas.shape[1] else 0


def varied(
    space: FormulaSpace, base: LevelNumbers, components: Ints, levels: LevelNumbers
) -> Varied:
    """Return the base formulas (n, components) with components (k,) at each of (a, k) levels.

    Where that alone breaks a constraint, the other components give way by the smallest moves, as
    someone at the bench would let them: in a mixture the others share what one more takes. So what
    is shown there is the component's effect together with that of what makes room for it (Cox
    1971, Biometrika 58:155). Settings that fewer than half of the base formulas can take are left
    out, then base formulas that cannot take all the others.
    """
    formulas = np.repeat(base[None], len(levels), axis=0)
    formulas[:, :, components] = levels[:, None]
    possible = space.satisfied(formulas.reshape(-1, base.shape[1])).reshape(formulas.shape[:2])
    for place in np.flatnonzero(~possible.all(axis=1)):
        wrong = ~possible[place]
        formulas[place, wrong], possible[place, wrong] = _made_room(
            space, formulas[place, wrong], components
        )
    kept = possible.mean(axis=1) >= _ENOUGH
    rows = possible[kept].all(axis=0)
    return Varied(components, levels[kept], formulas[kept][:, rows])


def _made_room(
    space: FormulaSpace, formulas: LevelNumbers, components: Ints
) -> tuple[LevelNumbers, Bools]:
    """Mend formulas that agree in some components by moving only the others."""
    keep = [np.ones(count, dtype=bool) for count in space.counts]
    for j in components.tolist():
        keep[j] = np.arange(space.counts[j]) == formulas[0, j]
    part = part_of(space, keep)
    inside = formulas.copy()
    inside[:, components] = 0
    mended, holds = part.space.mend(inside, np.random.default_rng(0))
    return part.in_whole(mended), holds


def curve_settings(space: FormulaSpace, importance: Floats) -> list[tuple[Ints, LevelNumbers]]:
    """Return each component that varies with the levels of its curve, finer where it matters."""
    rank = np.argsort(np.argsort(-importance, axis=0, kind="stable"), axis=0)
    matter = set(np.flatnonzero(np.any(rank < _MATTER, axis=1)).tolist())
    return [
        (np.array([j]), table.spread(_FINE if j in matter else _COARSE)[:, None])
        for j, table in enumerate(space.tables)
        if len(table) > 1
    ]


def pair_settings(space: FormulaSpace, importance: Floats) -> list[tuple[Ints, LevelNumbers]]:
    """Return the pairs that may matter most for any response, with the cells of their grids.

    What is of a pair alone is part of the importance of both.
    """
    moving = np.flatnonzero(space.counts > 1).tolist()
    every = list(combinations(moving, 2))
    found: dict[tuple[int, int], None] = {}
    for of_response in importance.T:
        bound = np.array([min(of_response[i], of_response[j]) for i, j in every])
        best = np.argsort(-bound, kind="stable")[:_PAIRS].tolist()
        found |= {every[p]: None for p in best if bound[p] >= WORTH_PAIRING}
    middles = (np.arange(CELLS) + 0.5) / CELLS
    sides = [
        np.arange(len(t), dtype=np.uint16) if len(t) <= CELLS else np.unique(t.at(middles))
        for t in space.tables
    ]
    return [
        (
            np.array([i, j]),
            np.stack(np.meshgrid(sides[i], sides[j], indexing="ij"), -1).reshape(-1, 2),
        )
        for i, j in found
    ]
