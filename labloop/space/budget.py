"""Bring formulas into a volume budget by the smallest moves.

Volumes do not grow with concentrations: a level of a weak stock may need many times the volume of
its neighbours that a strong stock makes. So each component moves to the cheapest level within some
distance, and the distance is the least that saves enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from labloop.space.constraints import TableSum
from labloop.space.levels import Floats, Ints, LevelNumbers, LevelTable

_DISTANCES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0)  # shares of the scale


def save(
    levels: LevelNumbers,
    tables: Sequence[LevelTable],
    constraint: TableSum,
    keep_presence: bool,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Return formulas that meet the constraint's upper bound, where they can.

    All components move within the largest distance that does not save enough; of the next one, as
    many as it takes, in random order.

    Args:
        levels: (n, components) level numbers.
        tables: The components' levels.
        constraint: What is to be saved.
        keep_presence: Whether present components must stay present.
        rng: Chooses which components go further.
    """
    columns = [
        j
        for j, values in enumerate(constraint.values)
        if values is not None and tables[j].component.choices is None
    ]
    cheapest = [_cheapest(tables[j], constraint, j, keep_presence) for j in columns]
    here = levels.copy()
    open_ = np.flatnonzero(constraint.sums(here) > constraint.aim_upper)
    for number in range(len(_DISTANCES)):
        if not len(open_):
            break
        there = here[open_]
        for maps, j in zip(cheapest, columns, strict=True):
            there[:, j] = maps[number][levels[open_, j]]
        enough = constraint.sums(there) <= constraint.aim_upper
        rows = open_[enough]
        here[rows] = _some(here[rows], there[enough], columns, constraint, rng)
        here[open_[~enough]] = there[~enough]
        open_ = open_[~enough]
    return here


def _some(
    here: LevelNumbers,
    there: LevelNumbers,
    columns: Sequence[int],
    constraint: TableSum,
    rng: np.random.Generator,
) -> LevelNumbers:
    """Return formulas of which as few components as suffice, in random order, have moved."""
    saving = np.empty((len(here), len(columns)))
    for k, j in enumerate(columns):
        values = constraint.values[j]
        assert values is not None
        saving[:, k] = values[here[:, j]] - values[there[:, j]]
    order = rng.random(saving.shape).argsort(axis=1)
    excess = constraint.sums(here) - constraint.aim_upper
    before = np.take_along_axis(saving, order, axis=1).cumsum(axis=1)
    before = np.concatenate([np.zeros((len(here), 1)), before[:, :-1]], axis=1)
    moves = np.empty(saving.shape, dtype=bool)
    np.put_along_axis(moves, order, before < excess[:, None], axis=1)
    moved = here.copy()
    moved[:, columns] = np.where(moves, there[:, columns], here[:, columns])
    return moved


@lru_cache(maxsize=1024)
def _cheapest(
    table: LevelTable, constraint: TableSum, column: int, keep_presence: bool
) -> LevelNumbers:
    """Return (distances, levels) the number of the level of least value within each distance."""
    values = constraint.values[column]
    assert values is not None
    first = np.zeros(len(table), dtype=np.int64)
    if keep_presence and not table.present.all():
        first = np.where(table.present, table.present.argmax(), 0)
    best = _running_minimum(values)
    answer = []
    for distance in _DISTANCES:
        low = np.maximum(np.searchsorted(table.places, table.places - distance), first)
        high = np.searchsorted(table.places, table.places + distance, side="right") - 1
        if keep_presence:
            high = np.where(table.present, high, np.arange(len(table)))
        width = np.maximum(high - low + 1, 1)
        power = np.frexp(width)[1] - 1
        left, right = best[power, low], best[power, high - (1 << power) + 1]
        cheapest = np.where(values[right] < values[left], right, left)
        answer.append(np.where(values[cheapest] < values, cheapest, np.arange(len(table))))
    return np.array(answer, dtype=np.uint16)


def _running_minimum(values: Floats) -> Ints:
    """Return (powers, levels) where the least value of the next 2^power levels stands."""
    rows = [np.arange(len(values))]
    span = 1
    while 2 * span <= len(values):
        here, next_ = rows[-1], np.append(rows[-1][span:], rows[-1][-1:].repeat(span))
        rows.append(np.where(values[next_] < values[here], next_, here))
        span *= 2
    return np.array(rows)
