"""Bring formulas into the common range of several constraints, where mending one breaks another.

First in concentrations: each formula is projected by turns onto the constraints that it misses and
onto the components' ranges (projections onto convex sets), with what is present kept as it is.
Then on the levels: what rounding broke is repaired by exchanges between pairs of components.

Source: Bauschke and Borwein (1996), "On projection algorithms for solving convex feasibility
problems", SIAM Review 38:367.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from labloop.space.constraints import Bools, TableSum
from labloop.space.levels import Floats, Ints, LevelNumbers, LevelTable

_SWEEPS = 30
_MARGIN = 2.0  # typical steps to go beyond an inequality, so that rounding seldom breaks it again
_PAIRS = 40
_SHIFTS = (-3, -2, -1, 0, 1, 2, 3)


def project(
    levels: LevelNumbers,
    pattern: LevelNumbers,
    tables: Sequence[LevelTable],
    sums: Sequence[TableSum],
) -> LevelNumbers:
    """Return formulas whose concentrations come near to satisfying all totals and the volume.

    Args:
        levels: (n, components) level numbers to start from.
        pattern: (n, components) level numbers that say which components are present.
        tables: The components' levels.
        sums: The constraints.
    """
    place = np.stack([t.concentration[levels[:, j]] for j, t in enumerate(tables)], axis=1)
    low, high = _ranges(pattern, tables, sums)
    place = np.clip(place, low, high)
    linear = [s for s in sums if s.kind != "present"]
    if linear:
        shape = (len(levels), len(tables))
        weights = np.stack(
            [np.broadcast_to(_weights(s, levels, tables), shape) for s in linear], axis=1
        )
        open_ = np.arange(len(levels))
        for _ in range(_SWEEPS):
            short = _shortfall(place[open_], weights[open_], linear)
            open_ = open_[(short != 0).any(axis=1)]
            if not len(open_):
                break
            short = short[(short != 0).any(axis=1)]
            part = place[open_], low[open_], high[open_], weights[open_]
            place[open_] = _stepped(*part, short, linear)
    return _nearest(place, low, tables)


def _shortfall(place: Floats, weights: Floats, linear: Sequence[TableSum]) -> Floats:
    """Return (n, constraints) what each sum lacks of its bounds, zero where it lies within."""
    total = np.einsum("nmd,nd->nm", weights, place)
    lower = np.array([s.aim_lower for s in linear])
    upper = np.array([s.aim_upper for s in linear])
    short = np.maximum(lower - total, 0.0) - np.maximum(total - upper, 0.0)
    return np.where(np.abs(short) > 1e-9 * (1.0 + np.abs(total)), short, 0.0)


def _stepped(
    place: Floats,
    low: Floats,
    high: Floats,
    weights: Floats,
    short: Floats,
    linear: Sequence[TableSum],
) -> Floats:
    """Move formulas onto all the constraints that they miss at once, then back into their ranges.

    Components at the end of their range that would leave it take no part.
    """
    equal = np.array([s.aim_lower == s.aim_upper for s in linear])
    active = equal | (short != 0)
    inside = _MARGIN * np.array([_unit(s) for s in linear])
    aim = short + np.sign(short) * np.where(equal, 0.0, inside)
    reach = (high - low) ** 2
    free = high > low
    step = np.zeros_like(place)
    for _ in range(2):
        slopes = weights * active[:, :, None] * free[:, None, :]
        square = np.einsum("nmd,nd,nkd->nmk", slopes, reach, slopes)
        size = np.einsum("nmm->nm", square)
        size += np.where(size > 0, 1e-9 * size, 1.0)  # keeps the square invertible
        factors = np.linalg.solve(square, aim[:, :, None])[:, :, 0]
        step = reach * np.einsum("nmd,nm->nd", slopes, factors)
        free &= ~np.where(step < 0, place <= low, place >= high)
    return np.clip(place + step, low, high)


def _ranges(
    pattern: LevelNumbers, tables: Sequence[LevelTable], sums: Sequence[TableSum]
) -> tuple[Floats, Floats]:
    """Return (n, components) least and greatest concentrations that keep what is present.

    A component of which no constraint counts the presence may come and go.
    """
    counted = [
        any(s.kind == "present" and s.values[j] is not None for s in sums)
        for j in range(len(tables))
    ]
    low, high = np.empty(pattern.shape), np.empty(pattern.shape)
    for j, table in enumerate(tables):
        values = table.concentration
        low[:, j], high[:, j] = values[0], values[-1]
        if counted[j] and not table.present.all():
            present = table.present[pattern[:, j]]
            least = values[table.present].min(initial=np.inf)  # where all are absent, none counts
            low[:, j] = np.where(present, least, 0.0)
            high[:, j] = np.where(present, values[-1], 0.0)
    return low, high


def _weights(constraint: TableSum, levels: LevelNumbers, tables: Sequence[LevelTable]) -> Floats:
    """Return what a unit of each concentration adds to the sum: (1 or n, components).

    A volume depends on the stock, so its weights are those of each formula's own levels.
    """
    rows = 1 if constraint.kind == "total" else len(levels)
    weights = np.zeros((rows, len(tables)))
    for j, (table, values) in enumerate(zip(tables, constraint.values, strict=True)):
        if values is None:
            continue
        numbers = np.full(rows, len(table) - 1) if rows == 1 else levels[:, j]
        numbers = np.where(table.concentration[numbers] > 0, numbers, len(table) - 1)
        amounts = table.concentration[numbers]
        weights[:, j] = np.divide(values[numbers], amounts, out=np.zeros(rows), where=amounts > 0)
    return weights


def _nearest(place: Floats, low: Floats, tables: Sequence[LevelTable]) -> LevelNumbers:
    """Return the nearest levels, without letting a present component round to absent."""
    levels = np.empty(place.shape, dtype=np.uint16)
    for j, table in enumerate(tables):
        least = np.searchsorted(table.concentration, low[:, j])
        levels[:, j] = np.maximum(table.nearest(place[:, j]), least)
    return levels


def exchange(
    levels: LevelNumbers,
    tables: Sequence[LevelTable],
    sums: Sequence[TableSum],
    rng: np.random.Generator,
) -> tuple[LevelNumbers, Bools]:
    """Return formulas with less violation, by small moves of two components at a time.

    Args:
        levels: (n, components) level numbers.
        tables: The components' levels.
        sums: The constraints.
        rng: Chooses the pairs.

    Returns:
        (n, components) level numbers, and (n,) whether each satisfies every constraint.
    """
    levels = levels.copy()
    units = [_unit(constraint) for constraint in sums]
    totals = np.stack([constraint.sums(levels) for constraint in sums])
    worst = _violation(totals, sums, units)
    for i, j in _pairs(tables, sums, rng):
        rows = np.flatnonzero(worst > 0)
        if not len(rows):
            break
        one, other = levels[rows, i].astype(int), levels[rows, j].astype(int)
        best = (worst[rows], one, other, totals[:, rows])
        for a in _SHIFTS:
            new_one = np.clip(one + a, 0, len(tables[i]) - 1)
            with_one = totals[:, rows] + _change(sums, i, one, new_one)
            for b in _SHIFTS:
                new_other = np.clip(other + b, 0, len(tables[j]) - 1)
                with_both = with_one + _change(sums, j, other, new_other)
                violation = _violation(with_both, sums, units)
                better = violation < best[0] - 1e-12
                best = (
                    np.where(better, violation, best[0]),
                    np.where(better, new_one, best[1]),
                    np.where(better, new_other, best[2]),
                    np.where(better, with_both, best[3]),
                )
        worst[rows], levels[rows, i], levels[rows, j], totals[:, rows] = best
    holds = np.ones(len(levels), dtype=bool)
    for constraint in sums:
        holds &= constraint.holds(levels)
    return levels, holds


def _pairs(
    tables: Sequence[LevelTable], sums: Sequence[TableSum], rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield random pairs of components that constraints speak of."""
    columns = [
        j
        for j, table in enumerate(tables)
        if len(table) > 1 and any(s.values[j] is not None for s in sums)
    ]
    if len(columns) < 2:
        return
    for _ in range(_PAIRS):
        i, j = rng.choice(columns, size=2, replace=False)
        yield int(i), int(j)


def _change(sums: Sequence[TableSum], column: int, before: Ints, after: Ints) -> Floats:
    """Return (constraints, n) what moves of one component change in each sum."""
    none = np.zeros(len(before))
    rows = [s.values[column] for s in sums]
    return np.stack([none if v is None else v[after] - v[before] for v in rows])


def _violation(totals: Floats, sums: Sequence[TableSum], units: Sequence[float]) -> Floats:
    """Return (n,) by how many typical steps formulas miss their bounds, over all constraints."""
    violation = np.zeros(totals.shape[1])
    for total, constraint, unit in zip(totals, sums, units, strict=True):
        violation += constraint.miss(total) / unit
    return violation


def _unit(constraint: TableSum) -> float:
    """Return the typical step of a sum when one component moves one level."""
    steps = [
        float(np.median(np.abs(np.diff(v))))
        for v in constraint.values
        if v is not None and len(v) > 1
    ]
    positive = [step for step in steps if step > 0]
    return float(np.median(positive)) if positive else 1.0
