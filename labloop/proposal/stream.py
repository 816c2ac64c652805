"""The best of any number of candidates, made and scored part by part wherever workers are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from labloop.parallel import spread
from labloop.proposal.grid import permuted_grid
from labloop.proposal.pool import Pool, ScoreLevels, best_of
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

LARGEST_PART = 262_144  # candidates; made and scored chunk by chunk, so that none is held whole
SMALLEST_PART = 4_096
FEWEST_PARTS = 32  # where the parts can be smaller for it, so that many workers have something

Progress = Callable[[str, int, int], None]
Source: TypeAlias = Callable[[range], Iterable[LevelNumbers]]
"""Makes the candidates of a part, chunk by chunk, the same whenever it is asked."""


@dataclass(frozen=True, eq=False)
class GridSource:
    """A permuted grid whose every part has a randomness of its own, so that any worker can make it.

    Attributes:
        space: The formulas that can be made.
        grid_levels: How many evenly spread levels each component takes.
        count: How many formulas to make.
        seed: Makes the grid repeatable.
    """

    space: FormulaSpace
    grid_levels: int
    count: int
    seed: int

    def __call__(self, part: range) -> Iterable[LevelNumbers]:
        """Yield (≤ CHUNK, components) level numbers of a part."""
        rng = np.random.default_rng([self.seed, part.start])
        return permuted_grid(self.space, self.grid_levels, self.count, rng, part)


@dataclass(frozen=True, eq=False)
class ListSource:
    """A list of candidates: (n, components) level numbers."""

    levels: LevelNumbers

    def __call__(self, part: range) -> Iterable[LevelNumbers]:
        """Yield the level numbers of a part."""
        yield self.levels[part.start : part.stop]


@dataclass(frozen=True, eq=False)
class _Stream:
    """What finds the best of a part; as in `best_of_parts`."""

    source: Source
    origin: str
    score: ScoreLevels
    keep: int


def best_of_parts(
    source: Source,
    total: int,
    origin: str,
    score: ScoreLevels,
    keep: int,
    progress: Progress,
) -> Pool:
    """Return the `keep` best of candidates that are made and scored part by part.

    What each worker holds is a chunk, whatever the number of candidates. Parts are merged in their
    order, so the workers' number and speed do not show.

    Args:
        source: Makes the candidates of a part.
        total: How many candidates there are.
        origin: Which strategy makes them.
        score: The acquisition on level numbers.
        keep: How many to keep.
        progress: Called with a stage's name, what is done and the total.
    """
    import torch

    from labloop.surrogate.threads import one_thread

    parts = parts_of(total)
    threads = torch.get_num_threads()
    best: list[Pool] = []
    progress("scoring candidates", 0, total)
    with one_thread():  # each, as many as there are
        stream = _Stream(source, origin, score, keep)
        found = spread(_best_of_part, stream, parts, threads=threads)
        for part, pool in zip(parts, found, strict=True):
            if len(pool):
                best = [Pool.joined([*best, pool]).top(keep)]
            progress("scoring candidates", part.stop, total)
    return best[0] if best else best_of([], origin, score, keep)


def parts_of(total: int) -> list[range]:
    """Return the parts of so many candidates, the same for any number of workers."""
    size = min(LARGEST_PART, max(SMALLEST_PART, -(-total // FEWEST_PARTS)))
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def _best_of_part(stream: _Stream, part: range) -> Pool:
    from labloop.surrogate.threads import one_thread

    with one_thread():
        return best_of(stream.source(part), stream.origin, stream.score, stream.keep)
