"""Formulas near good ones: mutations along the levels and crossovers."""

from __future__ import annotations

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.constraints import Bools
from labloop.space.levels import Ints, LevelNumbers

_SMALL_STEPS = (0.05, 0.1, 0.2)  # standard deviations of small moves, as shares of the scale
_LARGE_MOVES = 0.2  # share of mutated components that jump anywhere instead
_LEFT_OUT = 0.25  # share of mutated components that go, where a presence limit counts them


def local_moves(
    space: FormulaSpace, parents: LevelNumbers, count: int, rng: np.random.Generator
) -> tuple[LevelNumbers, np.ndarray]:
    """Return mutations and crossovers of good formulas.

    Half of the children take each component from one of two parents; all have a few components, at
    least one, moved on their scales, by a small step or to anywhere. Where a presence limit counts
    a component, it may go or, if absent, come at any level. What moves change of a total is, in
    half of the children, taken up by one other component; in the others mending shares it out.

    Args:
        space: The formulas that can be made.
        parents: (n, components) level numbers, n ≥ 1.
        count: How many children to make.
        rng: Source of randomness.

    Returns:
        (≤ count, components) level numbers that satisfy the constraints, and the number of each
        one's (first) parent.
    """
    d = len(space.tables)
    first = rng.integers(len(parents), size=count)
    second = rng.integers(len(parents), size=count)
    crossed = (rng.random(count) < 0.5)[:, None] & (rng.random((count, d)) < 0.5)
    children = np.where(crossed, parents[second], parents[first])
    rate = np.minimum(1.0, rng.choice([1.0, 2.0, 4.0], size=(count, 1)) / d)
    moved = rng.random((count, d)) < rate
    varying = np.flatnonzero(space.counts > 1)
    moved[np.arange(count), rng.choice(varying, size=count)] = True
    rows, columns = np.nonzero(moved & (space.counts > 1))
    children[rows, columns] = moved_levels(space, children[rows, columns], rows, columns, rng)
    take_up(space, children, moved, rng)
    levels, holds = space.mend(children, rng)
    return levels[holds], first[holds]


def moved_levels(
    space: FormulaSpace, levels: LevelNumbers, rows: Ints, columns: Ints, rng: np.random.Generator
) -> LevelNumbers:
    """Return the (moves,) new levels of components that have (moves,) levels.

    Args:
        space: The formulas that can be made.
        levels: (moves,) levels before.
        rows: (moves,) which child each is of; the steps of one child are of one size.
        columns: (moves,) which component each is of.
        rng: Source of randomness.
    """
    width = rng.choice(_SMALL_STEPS, size=int(rows.max(initial=0)) + 1)[rows]
    step = rng.normal(size=len(rows)) * width
    anywhere = rng.random(len(rows))
    jumps = rng.random(len(rows)) < _LARGE_MOVES
    goes = rng.random(len(rows)) < _LEFT_OUT
    counted = _counted(space)
    moved = levels.astype(np.int64)
    for j in np.unique(columns):
        table, here = space.tables[j], np.flatnonzero(columns == j)
        now = moved[here]
        comes = counted[j] & ~table.present[now]
        place = np.where(
            jumps[here] | comes, anywhere[here], np.clip(table.places[now] + step[here], 0.0, 1.0)
        )
        new = table.at(place).astype(np.int64)
        # a step too small for the table, or out of it, goes to a neighbour inside
        stays = (new == now) & ~jumps[here]
        ahead = now + np.where(step[here] < 0, -1, 1)
        inside = np.where((ahead < 0) | (ahead >= len(table)), 2 * now - ahead, ahead)
        new = np.where(stays, inside, new)
        if counted[j]:
            new = np.where(table.present[now] & goes[here], (~table.present).argmax(), new)
        moved[here] = new
    return moved.astype(np.uint16)


def _counted(space: FormulaSpace) -> Bools:
    """Return (components,) which can be absent and count for a presence limit."""
    limits = [c for c in space.constraints if c.kind == "present"]
    return np.array(
        [
            not table.present.all() and any(c.values[j] is not None for c in limits)
            for j, table in enumerate(space.tables)
        ]
    )


def take_up(
    space: FormulaSpace, children: LevelNumbers, moved: Bools, rng: np.random.Generator
) -> None:
    """Let one present component that has not moved take up what half the children miss of totals.

    Args:
        space: The formulas that can be made.
        children: (n, components) level numbers, changed in place.
        moved: (n, components) which components have moved.
        rng: Source of randomness.
    """
    for constraint in space.constraints:
        if constraint.kind != "total":
            continue
        total = constraint.sums(children)
        short = np.clip(total, constraint.aim_lower, constraint.aim_upper) - total
        rows = np.flatnonzero((short != 0) & (rng.random(len(children)) < 0.5))
        chance = rng.random((len(rows), len(space.tables)))
        for j, (table, values) in enumerate(zip(space.tables, constraint.values, strict=True)):
            able = values is not None and values[0] != values[-1]
            chance[:, j] *= able & table.present[children[rows, j]] & ~moved[rows, j]
        taker = np.where(chance.max(axis=1) > 0, chance.argmax(axis=1), -1)
        for j in np.unique(taker[taker >= 0]):
            values = constraint.values[j]
            assert values is not None
            here = rows[taker == j]
            table = space.tables[j]
            per_unit = (values[-1] - values[0]) / (table.concentration[-1] - table.concentration[0])
            now = children[here, j]
            wanted = table.concentration[now] + short[here] / per_unit
            least = table.present.argmax()
            children[here, j] = np.maximum(table.nearest(wanted), least)
