"""The table of levels of one component: what the robot can really make of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labloop.definition import Component, Plate, Robot
from labloop.ticks import least_ticks, most_ticks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LevelNumbers = npt.NDArray[np.uint16]

BY_HAND = -1
TABLE_SIZE = 1001
ROUNDING_ERROR = 0.02


@dataclass(frozen=True)
class Volumes:
    """Volumes of one well and one dispense in whole ticks of the robot's increment."""

    increment_ul: float
    well_ul: float
    capacity: int  # what stocks and diluent may fill: the well without the inoculum
    minimum: int
    maximum: int

    @classmethod
    def of(cls, plate: Plate, robot: Robot) -> Volumes:
        """Return the volumes of a campaign's plates and robot."""
        increment = robot.increment_ul
        return cls(
            increment_ul=increment,
            well_ul=plate.well_volume_ul,
            capacity=round((plate.well_volume_ul - plate.inoculum_ul) / increment),
            minimum=least_ticks(robot.min_dispense_ul, increment),
            maximum=most_ticks(robot.max_dispense_ul, increment),
        )

    def can_dispense(self, ticks: Ints) -> npt.NDArray[np.bool_]:
        """Whether each volume fits a well and can be made of dispenses between minimum and maximum.

        A volume over the maximum is split evenly, so its smaller part has to reach the minimum.
        """
        parts = np.maximum(-(-ticks // self.maximum), 1)
        return (ticks // parts >= self.minimum) & (ticks <= self.capacity)


@dataclass(frozen=True, eq=False)
class LevelTable:
    """The levels of one component, in ascending concentration.

    Attributes:
        component: The component.
        concentration: (levels,) achieved concentrations in the component's unit; of a component
            with choices, the number of the choice.
        stock: (levels,) number of the stock in `component.stocks` that makes the level, or
            `BY_HAND` where no stock is needed (zero, by hand, choices).
        ticks: (levels,) volume of that stock in whole increments.
    """

    component: Component
    concentration: Floats
    stock: Ints
    ticks: Ints

    def __len__(self) -> int:
        return len(self.concentration)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(levels,) whether a formula with the level contains the component."""
        return (self.concentration > 0) | (self.component.choices is not None)

    @property
    def stock_concentration(self) -> Floats:
        """(levels,) concentration of the stock that makes the level, NaN where none is needed."""
        stocks = np.append(np.asarray(self.component.stocks, dtype=float), np.nan)
        return stocks[self.stock]

    def nearest(self, concentrations: Floats) -> LevelNumbers:
        """Return the numbers of the levels nearest to concentrations of any shape."""
        midpoints = (self.concentration[1:] + self.concentration[:-1]) / 2
        return np.searchsorted(midpoints, concentrations).astype(np.uint16)

    def spread(self, count: int) -> LevelNumbers:
        """Return up to `count` level numbers, evenly spread on the component's scale."""
        if self.component.choices is not None or len(self) <= count:
            return np.arange(len(self), dtype=np.uint16)
        low, high = self.concentration[0], self.concentration[-1]
        if self.component.scale == "log" and low == 0:
            positive = _even(self.component, self.concentration[1], high, count - 1)
            return np.unique(self.nearest(np.append(0.0, positive)))
        return np.unique(self.nearest(_even(self.component, low, high, count)))

    def at(self, places: Floats) -> LevelNumbers:
        """Return the numbers of the levels at places from 0 to 1 on the component's scale.

        A table is finer where a weaker stock makes the levels; a level's share of the places is
        its share of the scale, so that uniform places are uniform concentrations. Choices and
        levels that the user lists have equal shares.
        """
        return np.searchsorted(self._cuts, places, side="right").astype(np.uint16)

    @cached_property
    def shares(self) -> Floats:
        """(levels,) share of the places from 0 to 1 that each level has."""
        return np.diff(self._cuts, prepend=0.0, append=1.0)

    @cached_property
    def places(self) -> Floats:
        """(levels,) place from 0 to 1 of each level, the middle of its share."""
        return np.asarray(np.append(0.0, self._cuts) + self.shares / 2)

    @cached_property
    def _cuts(self) -> Floats:
        """(levels - 1,) places that part one level from the next."""
        if len(self) < 2:
            return np.empty(0)
        marks = self.concentration
        if self.component.choices is not None or self.component.levels is not None:
            marks = np.arange(len(self), dtype=float)
        elif self.component.scale == "log":
            positive = np.log(marks[marks > 0])
            gap = positive[1] - positive[0] if len(positive) > 1 else 1.0
            marks = positive if marks[0] > 0 else np.append(positive[0] - gap, positive)
        gaps = np.diff(marks)
        start, end = marks[0] - gaps[0] / 2, marks[-1] + gaps[-1] / 2
        return np.asarray((marks[1:] - gaps / 2 - start) / (end - start))


def level_table(component: Component, volumes: Volumes) -> LevelTable:
    """Return the levels that the robot can make of a component within its low and high.

    The table is empty where the stocks reach no level.
    """
    if component.choices is not None:
        numbers = np.arange(len(component.choices), dtype=float)
        none = np.full(len(numbers), BY_HAND)
        return LevelTable(component, numbers, none, np.zeros_like(none))
    targets = _targets(component, volumes)
    if component.fixed is not None:
        return achieve(component, targets, volumes)
    table = achieve(component, targets, volumes, (component.low, component.high))
    slack = 1e-9 * component.high
    inside = (table.concentration >= component.low - slack) & (
        table.concentration <= component.high + slack
    )
    return LevelTable(
        component, table.concentration[inside], table.stock[inside], table.ticks[inside]
    )


def achieve(
    component: Component,
    targets: Floats,
    volumes: Volumes,
    within: tuple[float, float] = (0.0, np.inf),
) -> LevelTable:
    """Return the distinct levels that come nearest to the target concentrations.

    A level is made with the most concentrated stock whose volume can be dispensed and is off the
    target by at most 2 %, else with the stock of the least error; a target that no stock reaches
    gives no level.

    Args:
        component: The component, whose stocks make the levels.
        targets: (n,) wanted concentrations in the component's unit.
        volumes: What the well and the robot allow.
        within: Concentrations that rounding to whole ticks may not leave.
    """
    if not component.stocks:
        concentration = np.unique(targets)
        none = np.full(len(concentration), BY_HAND)
        return LevelTable(component, concentration, none, np.zeros_like(none))
    stocks = np.asarray(component.stocks, dtype=float)
    strongest_first = np.argsort(-stocks, kind="stable")
    per_tick = stocks[strongest_first] * volumes.increment_ul / volumes.well_ul
    fewest, most = np.ceil(within[0] / per_tick - 1e-9), np.floor(within[1] / per_tick + 1e-9)
    ticks = np.clip(np.rint(targets[:, None] / per_tick), fewest, most).astype(np.int64)
    achieved = ticks * per_tick
    wanted = np.where(targets > 0, targets, 1.0)[:, None]
    error = np.where(
        volumes.can_dispense(ticks) & (ticks > 0), np.abs(achieved / wanted - 1), np.inf
    )
    fine = error <= ROUNDING_ERROR
    choice = np.where(fine.any(axis=1), fine.argmax(axis=1), error.argmin(axis=1))
    row = np.arange(len(targets))
    exists = np.isfinite(error[row, choice])
    concentration = achieved[row, choice][exists]
    stock = strongest_first[choice[exists]]
    volume = ticks[row, choice][exists]
    if (targets == 0).any():
        concentration = np.append(concentration, 0.0)
        stock = np.append(stock, BY_HAND)
        volume = np.append(volume, 0)
    return _distinct(component, concentration, stock, volume)


def _distinct(component: Component, concentration: Floats, stock: Ints, ticks: Ints) -> LevelTable:
    """Sort by concentration and keep, of equal ones, the one of the least volume."""
    concentration = _clean(concentration)
    order = np.lexsort((ticks, concentration))
    concentration, stock, ticks = concentration[order], stock[order], ticks[order]
    first = np.append(True, np.diff(concentration) > 0)[: len(concentration)]
    return LevelTable(component, concentration[first], stock[first], ticks[first])


def _targets(component: Component, volumes: Volumes) -> Floats:
    """Return the concentrations that a component's table aims at."""
    if component.fixed is not None:
        return np.array([component.fixed])
    if component.levels is not None:
        return np.array(sorted(component.levels), dtype=float)
    if component.step is not None:
        count = int(np.floor((component.high - component.low) / component.step + 1e-9)) + 1
        steps = component.low + component.step * np.arange(count)
        return _clean(steps)
    low = component.low
    if component.scale == "log" and low == 0:
        smallest = smallest_positive(component, volumes)
        positive = _even(component, min(smallest, component.high), component.high, TABLE_SIZE - 1)
        return np.append(0.0, _clean(positive))
    return _clean(_even(component, low, component.high, TABLE_SIZE))


def _clean(concentrations: npt.NDArray[np.floating]) -> Floats:
    """Return concentrations without the last digits that arithmetic made up."""
    return np.array([float(f"{value:.12g}") for value in concentrations], dtype=float)


def smallest_positive(component: Component, volumes: Volumes) -> float:
    """Return the least concentration above zero that is worth a level, in the component's unit."""
    if not component.stocks:
        return component.high / (TABLE_SIZE - 1)
    return min(component.stocks) * volumes.minimum * volumes.increment_ul / volumes.well_ul


def _even(component: Component, low: float, high: float, count: int) -> Floats:
    """Return `count` concentrations from low to high, evenly spaced on the component's scale."""
    if component.scale == "log" and low > 0:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)
