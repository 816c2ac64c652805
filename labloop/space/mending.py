"""Make formulas satisfy constraints by the smallest moves along their levels.

A formula that breaks a bound is pulled, all its components by the same share of their way, towards
the levels that satisfy the bound most easily, and only as far as needed; what rounding leaves of an
equality is settled by one component. A volume is saved on cheaper levels nearby, and of too many
components those with little are left out first. Present components stay present and absent ones
absent while that suffices, so that totals and presence limits do not undo each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labloop.space.budget import save
from labloop.space.constraints import Bools, TableSum
from labloop.space.levels import Floats, LevelNumbers, LevelTable
from labloop.space.projection import exchange, project

Singles = npt.NDArray[np.float32]

_ROUNDS = 4
_INTERPOLATIONS = 7
_ASIDE = 0.03


def satisfied(levels: LevelNumbers, sums: tuple[TableSum, ...]) -> Bools:
    """Return for (n, components) level numbers whether each formula satisfies every constraint."""
    holds = np.ones(len(levels), dtype=bool)
    for constraint in sums:
        holds &= constraint.holds(levels)
    return holds


def mend(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    sums: tuple[TableSum, ...],
    rng: np.random.Generator,
) -> tuple[LevelNumbers, Bools]:
    """Return formulas near the given ones that satisfy the constraints.

    Args:
        levels: (n, components) level numbers.
        tables: The components' levels.
        sums: The constraints.
        rng: Chooses which surplus components a presence limit removes, and which it adds.

    Returns:
        (n, components) mended level numbers, and (n,) whether each satisfies every constraint.
    """
    start = levels
    levels = levels.copy()
    holds = satisfied(levels, sums)
    for _ in range(_ROUNDS):
        broken = np.flatnonzero(~holds)
        if not len(broken):
            break
        rows = levels[broken]
        for constraint in sorted(sums, key=lambda s: s.kind != "present"):
            wrong = np.flatnonzero(~constraint.holds(rows))
            if len(wrong):
                fix = _mend_presence if constraint.kind == "present" else _mend_sum
                rows[wrong] = fix(rows[wrong], tables, constraint, rng)
        levels[broken] = rows
        holds[broken] = satisfied(rows, sums)
    broken = np.flatnonzero(~holds)
    if len(broken):
        rows = project(start[broken], levels[broken], tables, sums)
        for constraint in sums:
            if constraint.aim_lower == constraint.aim_upper and constraint.kind == "total":
                rows = _settle(rows, tables, constraint, rng)
        levels[broken], holds[broken] = exchange(rows, tables, sums, rng)
    return levels, holds


def _mend_presence(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    constraint: TableSum,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Remove components, rather those with little, or add random ones, no more than needed."""
    columns = [j for j, values in enumerate(constraint.values) if values is not None]
    present = np.stack([tables[j].present[levels[:, j]] for j in columns], axis=1)
    can_go = np.array([not tables[j].present.all() for j in columns])
    can_come = np.array([bool(tables[j].present.any()) for j in columns])
    wanted = np.clip(present.sum(axis=1), constraint.lower, constraint.upper).astype(int)
    # the largest of log place plus Gumbel noise draws without replacement in proportion to place
    order = rng.gumbel(size=present.shape)
    for k, j in enumerate(columns):
        order[:, k] += np.log(tables[j].places)[levels[:, j]]
    # those that cannot go come first, so that they are never counted out
    order[present & ~can_go] = np.inf
    order[~present] -= 1e6
    order[~present & ~can_come] = -np.inf
    rank = (-order).argsort(axis=1).argsort(axis=1)
    keep = rank < wanted[:, None]
    for k, j in enumerate(columns):
        levels[present[:, k] & ~keep[:, k], j] = (~tables[j].present).argmax()
        come = ~present[:, k] & keep[:, k]
        if come.any():
            least = tables[j].present.argmax()
            levels[come, j] = np.maximum(tables[j].at(rng.random(int(come.sum()))), least)
    return levels


def _mend_sum(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    constraint: TableSum,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Pull formulas into the bounds, first without and then with changes of what is present."""
    for keep_presence in (True, False):
        wrong = np.flatnonzero(~constraint.holds(levels))
        if not len(wrong):
            break
        if constraint.kind == "volume":
            rows = save(levels[wrong], tables, constraint, keep_presence, rng)
        else:
            rows = _grown(levels[wrong], tables, constraint) if keep_presence else levels[wrong]
            rows = _pull(rows, tables, constraint, keep_presence)
        if constraint.aim_lower == constraint.aim_upper:
            rows = _settle(rows, tables, constraint, rng)
        # a first pull that does not suffice would only pile components up at their ends
        good = constraint.holds(rows) | (not keep_presence)
        levels[wrong[good]] = rows[good]
    return levels


def _grown(
    levels: LevelNumbers, tables: tuple[LevelTable, ...], constraint: TableSum
) -> LevelNumbers:
    """Let formulas that fall short grow away from the least, in proportion, as far as they can.

    Pulling them towards the most instead would level out what is little and what is much.
    """
    total = constraint.sums(levels)
    short = total < constraint.aim_lower
    if not short.any():
        return levels
    rows = levels[short]
    no = np.zeros(len(rows), dtype=bool)
    least = _easiest(rows, tables, constraint, ~no, True)
    most = _easiest(rows, tables, constraint, no, True)
    reach = total[short] - constraint.sums(least.astype(np.uint16))
    share = (constraint.aim_lower - total[short]) / np.where(reach > 0, reach, np.inf)
    grown = rows + share[:, None].astype(np.float32) * (rows - least)
    low, high = np.minimum(least, most), np.maximum(least, most)
    levels = levels.copy()
    levels[short] = np.rint(np.clip(grown, low, high)).astype(np.uint16)
    return levels


def _pull(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    constraint: TableSum,
    keep_presence: bool,
) -> LevelNumbers:
    """Move each row towards its easiest formula by the smallest share that reaches the bound.

    The share is found by interpolation between one that is too small and one that reaches.
    """
    total = constraint.sums(levels)
    too_high = total > constraint.aim_upper
    sign = np.where(too_high, -1.0, 1.0)
    aim = np.where(too_high, constraint.aim_upper, constraint.aim_lower)
    start = levels.astype(np.float32)  # exact up to 2^24, and half the memory to move
    easiest = _easiest(levels, tables, constraint, too_high, keep_presence)
    way = easiest - start
    low, high = np.zeros(len(levels)), np.ones(len(levels))
    short = sign * (aim - total)
    beyond = sign * (constraint.sums(easiest.astype(np.uint16)) - aim)
    for step in range(_INTERPOLATIONS):
        # to either side of the crossing by turns, so that the bracket closes from both ends
        place = short / np.maximum(short + beyond, 1e-300) + (_ASIDE if step % 2 == 0 else -_ASIDE)
        middle = low + (high - low) * np.clip(place, _ASIDE, 1 - _ASIDE)
        excess = sign * (constraint.sums(_moved(start, way, middle)) - aim)
        reached = excess >= 0
        high, beyond = np.where(reached, middle, high), np.where(reached, excess, beyond)
        low, short = np.where(reached, low, middle), np.where(reached, short, -excess)
    return _moved(start, way, high)


def _moved(start: Singles, way: Singles, share: Floats) -> LevelNumbers:
    return np.rint(start + share[:, None].astype(start.dtype) * way).astype(np.uint16)


def _easiest(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    constraint: TableSum,
    too_high: Bools,
    keep_presence: bool,
) -> Singles:
    """Return (n, components) level numbers that bring the sum furthest towards its bound."""
    goal = levels.astype(np.float32)
    for j, values in enumerate(constraint.values):
        if values is None or tables[j].component.choices is not None:
            continue
        present = tables[j].present
        if not keep_presence or not present.any():
            goal[:, j] = np.where(too_high, values.argmin(), values.argmax())
            continue
        least = np.where(present, values, np.inf).argmin()
        most = np.where(present, values, -np.inf).argmax()
        goal[:, j] = np.where(present[levels[:, j]], np.where(too_high, least, most), levels[:, j])
    return goal


def _settle(
    levels: LevelNumbers,
    tables: tuple[LevelTable, ...],
    constraint: TableSum,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Take up what rounding left of an equality in one component after another."""
    columns = [j for j, values in enumerate(constraint.values) if values is not None]
    missing = constraint.aim_lower - constraint.sums(levels)
    for j in [*rng.permutation(columns), *rng.permutation(columns)]:
        values = constraint.values[j]
        assert values is not None
        order = np.argsort(values, kind="stable")
        ascending = values[order]
        midpoints = (ascending[1:] + ascending[:-1]) / 2
        now = levels[:, j]
        best = order[np.searchsorted(midpoints, values[now] + missing)]
        gain = np.abs(missing) - np.abs(missing + values[now] - values[best])
        take = (gain > 0) & (tables[j].present[best] == tables[j].present[now])
        missing = np.where(take, missing + values[now] - values[best], missing)
        levels[:, j] = np.where(take, best, now)
    return levels
