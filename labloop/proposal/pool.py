"""Candidates with their origins and scores, and how a large stream of them becomes a short list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers
from labloop.surrogate.folds import NEAR

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_BELOW = NEAR * (1 - 1e-9)
_APART = 0.1

ScoreLevels = Callable[[LevelNumbers], Floats]


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates.

    Attributes:
        levels: (n, components) level numbers.
        origin: (n,) which strategy made each.
        score: (n,) acquisition, bigger is better.
    """

    levels: LevelNumbers
    origin: npt.NDArray[np.str_]
    score: Floats

    def __len__(self) -> int:
        return len(self.levels)

    def take(self, rows: npt.NDArray[np.int64]) -> Pool:
        """Return the candidates of the given row numbers."""
        return Pool(self.levels[rows], self.origin[rows], self.score[rows])

    def top(self, count: int) -> Pool:
        """Return the `count` best distinct candidates, best first."""
        order = np.argsort(-self.score, kind="stable")
        _, first = np.unique(self.levels[order], axis=0, return_index=True)
        return self.take(order[np.sort(first)[:count]])

    @classmethod
    def joined(cls, pools: Iterable[Pool]) -> Pool:
        """Return the candidates of several pools as one."""
        pools = list(pools)
        return cls(
            np.concatenate([pool.levels for pool in pools]),
            np.concatenate([pool.origin for pool in pools]),
            np.concatenate([pool.score for pool in pools]),
        )


def best_of(chunks: Iterable[LevelNumbers], origin: str, score: ScoreLevels, keep: int) -> Pool:
    """Return the `keep` best of a stream of candidates, holding no more than a chunk and those.

    Args:
        chunks: (≤ any, components) level numbers, chunk by chunk.
        origin: Which strategy makes them.
        score: The acquisition on level numbers; formulas of score -∞ are left out.
        keep: How many to keep.
    """
    kept: Pool | None = None
    for levels in chunks:
        if not len(levels):
            continue
        chunk = Pool(levels, np.full(len(levels), origin, dtype="U32"), score(levels))
        best = _best_rows(chunk.take(np.flatnonzero(chunk.score > -np.inf)), keep)
        kept = (Pool.joined([kept, best]) if kept is not None else best).top(keep)
    if kept is None:
        none = np.empty((0, 0), dtype=np.uint16)
        return Pool(none, np.empty(0, dtype="U32"), np.empty(0))
    return kept


def _best_rows(chunk: Pool, keep: int) -> Pool:
    """Return the `keep` best distinct candidates of a chunk, without sorting it where possible."""
    if len(chunk) > 4 * keep:
        few = chunk.take(np.argpartition(-chunk.score, 4 * keep)[: 4 * keep]).top(keep)
        if len(few) == keep:  # else the best are copies of few formulas
            return few
    return chunk.top(keep)


def near(space: FormulaSpace, levels: LevelNumbers, others: Floats) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each formula is nearly one of (m, columns) encoded ones."""
    if not len(levels) or not len(others):
        return np.zeros(len(levels), dtype=bool)
    distance, _ = _tree(others).query(space.encode(levels), p=np.inf, distance_upper_bound=_BELOW)
    return np.isfinite(distance)


def free(
    space: FormulaSpace, levels: LevelNumbers, taken: Floats, *, listed: bool
) -> npt.NDArray[np.bool_]:
    """Return (n,) which formulas are new: not nearly a taken one, or of a list not exactly one.

    Args:
        space: The formulas that can be made.
        levels: (n, components) level numbers.
        taken: (m, columns) encoded formulas that may not come again.
        listed: Whether the formulas are of a user's list.
    """
    if not listed:
        return ~near(space, levels, taken)
    codes = np.round(space.encode(levels), 9)
    seen = {row.tobytes() for row in np.round(taken, 9) + 0.0}
    return np.array([row.tobytes() not in seen for row in codes + 0.0], dtype=bool)


def thinned(space: FormulaSpace, pool: Pool, count: int) -> Pool:
    """Return up to `count` candidates, best first, of which no two are nearly the same."""
    if not len(pool):
        return pool
    codes = space.encode(pool.levels)
    tree = _tree(codes)
    open_ = np.ones(len(pool), dtype=bool)
    rows: list[int] = []
    for row in np.argsort(-pool.score, kind="stable"):
        if not open_[row]:
            continue
        rows.append(int(row))
        if len(rows) == count:
            break
        open_[tree.query_ball_point(codes[row], _BELOW, p=np.inf)] = False
    return pool.take(np.array(rows, dtype=np.int64))


def apart(space: FormulaSpace, pool: Pool, count: int) -> Pool:
    """Return `count` candidates, the best that keep a distance, then the best of the others.

    The distance is the root mean square over the columns; without it candidates that were refined
    towards one maximum would all stand there.
    """
    codes = space.encode(pool.levels) / np.sqrt(len(space.component_of_column))
    order = np.argsort(-pool.score, kind="stable")
    rows: list[int] = []
    for row in order:
        if len(rows) == count:
            break
        if not rows or np.linalg.norm(codes[rows] - codes[row], axis=1).min() >= _APART:
            rows.append(int(row))
    spare = [int(row) for row in order if row not in set(rows)]
    return pool.take(np.array([*rows, *spare][:count], dtype=np.int64))


def _tree(codes: Floats) -> cKDTree:
    """Return an index of encoded formulas; one look-up is far faster than comparing with all."""
    from scipy.spatial import cKDTree

    return cKDTree(codes)
