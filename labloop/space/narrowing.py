"""A part of the space: the formulas on some of the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from labloop.space.constraints import Bools
from labloop.space.formula_space import FormulaSpace
from labloop.space.levels import LevelNumbers, LevelTable


@dataclass(frozen=True, eq=False)
class Part:
    """A space of fewer levels, whose formulas are formulas of the whole one.

    Attributes:
        space: The smaller space, with level numbers of its own.
        numbers: For each component the (levels,) numbers that its levels have in the whole space.
    """

    space: FormulaSpace
    numbers: tuple[LevelNumbers, ...]

    def in_whole(self, levels: LevelNumbers) -> LevelNumbers:
        """Return (n, components) level numbers of the part as those of the whole space."""
        columns = [numbers[levels[:, j]] for j, numbers in enumerate(self.numbers)]
        return np.stack(columns, axis=1).astype(np.uint16)


def part_of(space: FormulaSpace, keep: Sequence[Bools]) -> Part:
    """Return the formulas of a space that take only some levels, at least one a component.

    `keep` has for each component (levels,) which to keep. Constraints hold as in the whole space.
    """
    numbers = tuple(np.flatnonzero(kept).astype(np.uint16) for kept in keep)
    tables = tuple(
        LevelTable(t.component, t.concentration[n], t.stock[n], t.ticks[n])
        for t, n in zip(space.tables, numbers, strict=True)
    )
    constraints = tuple(
        replace(
            constraint,
            values=tuple(
                None if values is None else values[n]
                for values, n in zip(constraint.values, numbers, strict=True)
            ),
        )
        for constraint in space.constraints
    )
    return Part(replace(space, tables=tables, constraints=constraints), numbers)
