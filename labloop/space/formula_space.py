"""FormulaSpace: every formula that the campaign can make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Component, Definition
from labloop.errors import DefinitionError, RefusedError
from labloop.space.constraints import Bools, TableSum, table_sums
from labloop.space.levels import (
    Floats,
    Ints,
    LevelNumbers,
    LevelTable,
    Volumes,
    achieve,
    level_table,
    smallest_positive,
)
from labloop.space.mending import mend, satisfied
from labloop.space.scattering import thinned, tilted_cuts

if TYPE_CHECKING:
    import pandas as pd

_TRIES = 20
_TRIES_BEFORE_DOUBT = 2
_FEWEST_STARTS = 64
_MOST_STARTS = 20_000


@dataclass(frozen=True, eq=False)
class FormulaSpace:
    """The components as tables of levels and the constraints between them.

    A formula is a row of level numbers, one a component; a set of formulas is an (n, components)
    array of uint16.
    """

    tables: tuple[LevelTable, ...]
    constraints: tuple[TableSum, ...]
    volumes: Volumes

    @classmethod
    def of(cls, definition: Definition) -> FormulaSpace:
        """Return the space of a campaign.

        Raises:
            DefinitionError: The robot can make no level of a component within its range, or no
                formula satisfies all constraints.
        """
        from labloop.space.unmade import problems

        volumes = Volumes.of(definition.plate, definition.robot)
        tables = tuple(level_table(component, volumes) for component in definition.components)
        faults = [fault for table in tables for fault in problems(table, volumes)]
        if faults:
            raise DefinitionError("The robot cannot make these components:", faults)
        space = cls(tables, table_sums(definition.constraints, tables, volumes), volumes)
        space.sample(1, np.random.default_rng(0))
        return space

    @property
    def components(self) -> tuple[Component, ...]:
        """The components, in the order of campaign.toml."""
        return tuple(table.component for table in self.tables)

    @property
    def names(self) -> list[str]:
        """The components' names."""
        return [component.name for component in self.components]

    @cached_property
    def counts(self) -> Ints:
        """(components,) number of levels of each component."""
        return np.array([len(table) for table in self.tables])

    @cached_property
    def component_of_column(self) -> Ints:
        """(columns,) which component each column of an encoded formula belongs to."""
        widths = [len(c.choices) if c.choices is not None else 1 for c in self.components]
        return np.repeat(np.arange(len(widths)), widths)

    def satisfied(self, levels: LevelNumbers) -> Bools:
        """Return (n,) whether each formula satisfies every constraint."""
        return satisfied(levels, self.constraints)

    def broken(self, levels: LevelNumbers) -> list[str]:
        """Return the constraints that any of the formulas breaks, as text."""
        return [c.text for c in self.constraints if not c.holds(levels).all()]

    def mend(self, levels: LevelNumbers, rng: np.random.Generator) -> tuple[LevelNumbers, Bools]:
        """Return formulas near the given ones, and (n,) whether each satisfies the constraints."""
        return mend(levels, self.tables, self.constraints, rng)

    def sample(self, count: int, rng: np.random.Generator) -> LevelNumbers:
        """Return (count, components) random formulas that satisfy the constraints.

        Raises:
            DefinitionError: The constraints exclude each other.
            RefusedError: They leave so little room that too few formulas were found.
        """
        found = self.some(count, rng)
        if len(found) == count:
            return found
        if len(found):
            raise RefusedError(
                f"Only {len(found)} of {count} formulas could be found that satisfy all "
                "constraints; loosen a constraint or use a finer step."
            )
        raise DefinitionError(
            "No formula on the levels that the robot can make was found to satisfy these "
            "constraints together; loosen one or use finer levels:",
            [constraint.text for constraint in self.constraints],
        )

    def some(self, count: int, rng: np.random.Generator) -> LevelNumbers:
        """Return (≤ count, components) random formulas that satisfy the constraints.

        Raises:
            DefinitionError: The constraints exclude each other.
        """
        found = [np.empty((0, len(self.tables)), dtype=np.uint16)]
        missing, yield_ = count, 1.0
        for attempt in range(_TRIES):
            if attempt == _TRIES_BEFORE_DOUBT and missing == count:
                self._refuse_conflict()
            rows = int(np.clip(missing / yield_, _FEWEST_STARTS, max(count, _MOST_STARTS)))
            start = self.scattered(rng.random((rows, len(self.tables))))
            levels, holds = self.mend(self.thinned(start, rng), rng)
            found.append(levels[holds][:missing])
            missing -= len(found[-1])
            if not missing:
                break
            yield_ = max(float(holds.mean()), 1.0 / rows)
        return np.concatenate(found)

    def _refuse_conflict(self) -> None:
        """Raise DefinitionError where constraints exclude each other whatever the levels."""
        from labloop.space.conflict import conflicting

        names = conflicting(self.tables, self.constraints, self.volumes)
        if names:
            raise DefinitionError("No formula can satisfy these constraints together:", names)

    def spread(self, count: int) -> list[LevelNumbers]:
        """Return for each component up to `count` level numbers evenly spread over its range."""
        return [table.spread(count) for table in self.tables]

    def from_unit(self, points: Floats) -> LevelNumbers:
        """Return the levels at (n, components) places from 0 to 1 on the components' scales."""
        columns = [table.at(points[:, j]) for j, table in enumerate(self.tables)]
        return np.stack(columns, axis=1)

    def scattered(self, points: Floats) -> LevelNumbers:
        """Return the levels at (n, components) places from 0 to 1 of what totals and volume leave.

        Even places meet totals and the volume on average; presence limits are left to `thinned`.
        """
        levels = self.from_unit(points)
        for j, cuts in enumerate(self._cuts):
            if cuts is not None:
                levels[:, j] = np.searchsorted(cuts, points[:, j], side="right")
        return levels

    @cached_property
    def _cuts(self) -> tuple[Floats | None, ...]:
        return tilted_cuts(self.tables, self.constraints)

    def thinned(self, levels: LevelNumbers, rng: np.random.Generator) -> LevelNumbers:
        """Return formulas that keep a random choice of their components where there are too many.

        Unlike mending, which takes away no more than it must, this spreads how many are present.
        """
        return thinned(levels, self.tables, self.constraints, rng)

    def nearest(self, concentrations: Floats) -> LevelNumbers:
        """Return the level numbers nearest to (n, components) concentrations."""
        columns = [t.nearest(concentrations[:, j]) for j, t in enumerate(self.tables)]
        return np.stack(columns, axis=1)

    def concentrations(self, levels: LevelNumbers) -> Floats:
        """Return the (n, components) achieved concentrations; of choices, their numbers."""
        columns = [t.concentration[levels[:, j]] for j, t in enumerate(self.tables)]
        return np.stack(columns, axis=1)

    def encode(self, levels: LevelNumbers) -> Floats:
        """Return formulas as (n, columns) inputs of a surrogate, each column from 0 to 1."""
        columns = [codes[levels[:, j]] for j, codes in enumerate(self._codes)]
        return np.concatenate(columns, axis=1)

    def encode_concentrations(self, concentrations: Floats) -> Floats:
        """Return (n, components) concentrations, of any range, as inputs of a surrogate.

        The campaign's own range becomes 0 to 1; other lines' formulas may lie outside. A choice
        that the campaign does not have (a negative number) is a row of zeros.
        """
        columns = [
            _code(table, concentrations[:, j], self.volumes) for j, table in enumerate(self.tables)
        ]
        return np.concatenate(columns, axis=1)

    @cached_property
    def _codes(self) -> list[Floats]:
        return [_code(table, table.concentration, self.volumes) for table in self.tables]

    def frame(self, concentrations: Floats) -> pd.DataFrame:
        """Return (n, components) concentrations as a frame, with choices by their names."""
        import pandas as pd

        columns: dict[str, object] = {}
        for j, component in enumerate(self.components):
            values = concentrations[:, j]
            if component.choices is not None:
                names = (*component.choices, None)  # a number of -1 is none of the choices
                columns[component.name] = [names[int(value)] for value in values]
            else:
                columns[component.name] = values
        return pd.DataFrame(columns)

    def achieve(self, concentrations: Floats) -> list[tuple[LevelTable, ...]]:
        """Return for each (n, components) wanted formula the one level a component that makes it.

        Unlike `nearest` this may leave the campaign's range, as a control's formula does.

        Raises:
            RefusedError: A stock cannot make a concentration.
        """
        return [
            tuple(
                self._achieve_one(table, float(value))
                for table, value in zip(self.tables, row, strict=True)
            )
            for row in concentrations
        ]

    def _achieve_one(self, table: LevelTable, wanted: float) -> LevelTable:
        component = table.component
        if component.choices is not None:
            number = int(wanted)
            one = slice(number, number + 1)
            return LevelTable(
                component, table.concentration[one], table.stock[one], table.ticks[one]
            )
        level = achieve(component, np.array([wanted]), self.volumes)
        if not len(level):
            from labloop.space.unmade import refusal

            raise RefusedError(refusal(component, wanted, self.volumes))
        return level


def _code(table: LevelTable, concentrations: Floats, volumes: Volumes) -> Floats:
    """Return (n, columns) codes of one component: its place in its range, or a column a choice."""
    component = table.component
    if component.choices is not None:
        numbers = np.arange(len(component.choices))
        return np.asarray(concentrations[:, None] == numbers, dtype=float)
    if component.fixed is not None:
        own = float(table.concentration[0])
        return np.asarray(((concentrations - own) / (own or 1.0))[:, None])
    low, high = component.low, component.high
    if component.scale == "log":
        unit = low or smallest_positive(component, volumes)
        ends = np.log1p(np.array([low, high]) / unit)
        place = (np.log1p(concentrations / unit) - ends[0]) / (ends[1] - ends[0])
    else:
        place = (concentrations - low) / (high - low)
    return np.asarray(place[:, None])
