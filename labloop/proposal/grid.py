"""The permuted grid: formulas whose components each take a few evenly spread levels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

CHUNK = 32_768


def permuted_grid(
    space: FormulaSpace,
    grid_levels: int,
    count: int,
    rng: np.random.Generator,
    part: range | None = None,
) -> Iterator[LevelNumbers]:
    """Yield about `count` formulas of a grid, in chunks of at most `CHUNK` rows.

    In every chunk each component takes each of its grid levels equally often, in an order permuted
    independently of the others. A grid with no more than `count` formulas is enumerated whole.
    Formulas that break a constraint are mended; those that cannot be are left out.

    Args:
        space: The formulas that can be made.
        grid_levels: How many evenly spread levels each component takes.
        count: How many formulas to make before those that break constraints are left out.
        rng: Source of randomness.
        part: Which of them to make, from 0; all if left out.

    Yields:
        (≤ CHUNK, components) level numbers that satisfy the constraints.
    """
    levels = space.spread(grid_levels)
    sizes = np.array([len(of_component) for of_component in levels], dtype=float)
    whole = int(sizes.prod()) if sizes.prod() <= count else None
    first, end = (part.start, part.stop) if part is not None else (0, whole or count)
    for start in range(first, end, CHUNK):
        stop = min(start + CHUNK, end)
        if whole:
            numbers = np.unravel_index(np.arange(start, stop), sizes.astype(int))
            columns = [of[number] for of, number in zip(levels, numbers, strict=True)]
        else:
            columns = [rng.permutation(_repeated(of, stop - start)) for of in levels]
        rows, holds = space.mend(space.thinned(np.stack(columns, axis=1), rng), rng)
        yield rows[holds]


def _repeated(levels: LevelNumbers, count: int) -> LevelNumbers:
    """Return so many level numbers in turns; NumPy's resize joins thousands of arrays for it."""
    return np.tile(levels, -(-count // len(levels)))[:count]
