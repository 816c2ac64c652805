"""Latin hypercubes under constraints.

A design over the components' whole ranges loses its strata when its formulas are pulled into the
constraints. Here the strata are those of each component among feasible formulas, each of about
equally many of them; then formulas exchange their levels of one component at a time, which leaves
every component's strata as they are, until few break a constraint. Only those are mended.
"""

from __future__ import annotations

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

_SAMPLE = 4_096  # feasible formulas that show what the strata of a component are
_SWEEPS = 30


def stratified(
    space: FormulaSpace, count: int, designs: int, rng: np.random.Generator
) -> LevelNumbers:
    """Return (designs, count, components) level numbers, stratified and nearly feasible.

    Of each component every design has one level from each of `count` strata of feasible formulas.

    Args:
        space: The formulas that can be made.
        count: How many formulas a design has.
        designs: How many designs to make.
        rng: Source of randomness.
    """
    levels = _strata(space, count, designs, rng)
    order = rng.random(levels.shape).argsort(axis=1)
    levels = np.take_along_axis(levels, order, axis=1)
    return _exchanged(space, levels, rng)


def _strata(
    space: FormulaSpace, count: int, designs: int, rng: np.random.Generator
) -> LevelNumbers:
    """Return (designs, count, components) a random level from each stratum, in ascending order."""
    feasible = np.sort(space.some(max(_SAMPLE, count), rng), axis=0)
    shape = (designs, count, len(space.tables))
    places = (np.arange(count)[None, :, None] + rng.random(shape)) / count
    rows = np.minimum((places * len(feasible)).astype(np.int64), len(feasible) - 1)
    levels = np.take_along_axis(feasible[None], rows.reshape(1, -1, shape[2]), axis=1)
    levels = levels.reshape(shape)
    bound = _bound(space)
    for j, table in enumerate(space.tables):
        if j not in bound:
            levels[:, :, j] = table.at(places[:, :, j])
    return levels


def _bound(space: FormulaSpace) -> list[int]:
    """Return the components that vary and that constraints speak of."""
    return [
        j
        for j, table in enumerate(space.tables)
        if len(table) > 1 and any(s.values[j] is not None for s in space.constraints)
    ]


def _exchanged(space: FormulaSpace, levels: LevelNumbers, rng: np.random.Generator) -> LevelNumbers:
    """Return the designs after exchanges of one component's levels within pairs of formulas.

    An exchange is made where the sum of both formulas' squared violations falls by it.
    """
    designs, count, _ = levels.shape
    flat = levels.reshape(designs * count, -1).copy()
    columns = _bound(space)
    worth = {
        j: np.stack([np.zeros(len(space.tables[j])) if v is None else v for v in _values(space, j)])
        for j in columns
    }
    totals = np.stack([constraint.sums(flat) for constraint in space.constraints])
    spread = sum(worth[j][:, flat[:, j]].std(axis=1) for j in columns) / max(1, len(columns))
    spread = np.where(spread > 0, spread, 1.0)
    violation = _violation(space, totals, spread)
    first = np.arange(designs)[:, None] * count
    for _ in range(_SWEEPS):
        for j in rng.permutation(columns):
            if not violation.any():
                return flat.reshape(levels.shape)
            pairs = rng.random((designs, count)).argsort(axis=1)[:, : count // 2 * 2] + first
            one, other = pairs[:, ::2].ravel(), pairs[:, 1::2].ravel()
            wrong = (violation[one] > 0) | (violation[other] > 0)
            one, other = one[wrong], other[wrong]
            change = worth[j][:, flat[other, j]] - worth[j][:, flat[one, j]]
            both = np.stack([totals[:, one] + change, totals[:, other] - change], axis=1)
            after = _violation(space, both, spread[:, None])
            better = after.sum(axis=0) < violation[one] + violation[other] - 1e-12
            pair = np.stack([one, other])[:, better]
            flat[pair, j] = flat[pair[::-1], j]
            totals[:, pair], violation[pair] = both[:, :, better], after[:, better]
    return flat.reshape(levels.shape)


def _values(space: FormulaSpace, column: int) -> list[Floats | None]:
    return [constraint.values[column] for constraint in space.constraints]


def _violation(space: FormulaSpace, totals: Floats, spread: Floats) -> Floats:
    """Return (…) squared violations of (constraints, …) sums, in spreads of one component."""
    miss = [constraint.miss(t) for constraint, t in zip(space.constraints, totals, strict=True)]
    return np.asarray(((np.stack(miss).T / spread.T) ** 2).T.sum(axis=0))
