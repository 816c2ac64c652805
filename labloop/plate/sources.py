"""From which source well each dispense is drawn.

A stock stands where the user puts it (`[[robot.place]]`); else in the listed source plates, first
those that name it among what they hold, then those that hold anything; else in as many of the
robot's usual source plates as it takes. Wells are filled down the columns, each with one stock, and
the next well is taken when one is drained.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import DILUENT, Place, Robot, SourcePlate
from labloop.errors import RefusedError
from labloop.ticks import exact, most_ticks
from labloop.wells import column_major, normalise

if TYPE_CHECKING:
    import pandas as pd

_Seat = tuple[int, str]  # number of a source plate, and a well of it


@dataclass(frozen=True)
class _Stock:
    name: str
    concentration: float  # NaN for the diluent
    diluent: str

    def __str__(self) -> str:
        return self.name if self.name == self.diluent else f"{self.name} ({self.concentration:g})"

    def is_named(self, name: str) -> bool:
        return is_named(name, self.name, self.diluent)


def is_named(name: str, stock: str, diluent: str) -> bool:
    """Whether a name in `holds` or `[[robot.place]]` is that of a component or the diluent."""
    return name == stock or (name == DILUENT and stock == diluent)


def is_place_of(place: Place, stock: str, concentration: float, diluent: str) -> bool:
    """Whether the user gives a stock that place; `concentration` is NaN for the diluent."""
    return is_named(place.stock, stock, diluent) and (
        place.concentration is None or bool(np.isclose(place.concentration, concentration))
    )


def usable_ticks(plate: SourcePlate, increment_ul: float) -> int:
    """Return how many whole increments are drawn from one well of a source plate."""
    gives = exact(plate.well_volume_ul) - exact(plate.dead_volume_ul)
    if plate.most_from_well_ul is not None:
        gives = min(gives, exact(plate.most_from_well_ul))
    return most_ticks(gives, increment_ul)


def with_sources(dispenses: pd.DataFrame, robot: Robot, diluent: str) -> pd.DataFrame:
    """Return dispenses with their `source_plate` (from 1) and `source_well`.

    Args:
        dispenses: Frame with `stock`, `stock_concentration` and `ticks`; the dispenses of one
            stock follow one another.
        robot: The campaign's robot.
        diluent: Name of the diluent.

    Raises:
        RefusedError: A dispense is more than a source well gives, or the wells that the user gives
            a stock hold too little.
    """
    keys = dispenses[["stock", "stock_concentration"]]
    is_new = (keys.ne(keys.shift()) & ~(keys.isna() & keys.shift().isna())).any(axis=1)
    starts = np.flatnonzero(is_new.to_numpy())
    ticks = dispenses["ticks"].to_numpy(dtype=np.int64)
    poured = np.concatenate([[0], np.cumsum(ticks)])
    numbers = np.empty(ticks.size, dtype=np.int64)
    wells = np.empty(ticks.size, dtype=object)
    taken = {seat for place in robot.places for seat in _seats_of(place, robot)}
    filled: set[_Seat] = set()
    for start, stop in itertools.pairwise([*starts, ticks.size]):
        name, concentration = keys.iloc[start]
        stock = _Stock(name, concentration, diluent)
        first, last = int(start), int(start)
        for number, well in _seats(stock, int(ticks[start:stop].max()), robot, taken, filled):
            gives = usable_ticks(robot.source_plate(number), robot.increment_ul)
            last = int(np.searchsorted(poured, poured[first] + gives, side="right")) - 1
            last = min(last, int(stop))
            numbers[first:last], wells[first:last] = number, well
            taken.add((number, well))
            filled.add((number, well))
            first = last
            if last == stop:
                break
        if last < stop:
            needed = (poured[stop] - poured[start]) * robot.increment_ul
            raise RefusedError(
                f"The round takes {needed:.10g} µL of {stock}, which is more than its wells in "
                "[[robot.place]] give; name more wells there."
            )
    return dispenses.assign(source_plate=numbers, source_well=wells)


def _seats(
    stock: _Stock, largest: int, robot: Robot, taken: set[_Seat], filled: set[_Seat]
) -> Iterator[_Seat]:
    """Yield the source wells that a stock takes one after the other.

    Those that give less than its largest dispense, in ticks, are passed over. `taken` are the wells
    that a place or a stock has, `filled` those of them that a stock stands in.

    Raises RefusedError where that leaves none.
    """
    given = [
        seat
        for place in robot.places
        if is_place_of(place, stock.name, stock.concentration, stock.diluent)
        for seat in _seats_of(place, robot)
    ]
    unfilled = [seat for seat in given if seat not in filled]
    for seat in unfilled if given else _free_seats(stock, robot, taken):
        gives = robot.source_plate(seat[0])
        if usable_ticks(gives, robot.increment_ul) >= largest:
            yield seat
        elif given or seat[0] > len(robot.source_plates):
            raise RefusedError(
                f"One dispense of {largest * robot.increment_ul:.10g} µL is more than the "
                f"{gives.gives_ul:.10g} µL that a source well gives; raise source_well_volume_ul "
                "or lower max_dispense_ul under [robot]."
            )


def _free_seats(stock: _Stock, robot: Robot, taken: set[_Seat]) -> Iterator[_Seat]:
    """Yield the source wells that a stock without a place of its own may take, without end."""
    listed = list(enumerate(robot.source_plates, start=1))
    fitting = [number for number, plate in listed if any(map(stock.is_named, plate.holds))]
    fitting += [number for number, plate in listed if not plate.holds]
    for number in itertools.chain(fitting, itertools.count(len(listed) + 1)):
        for well in column_major(robot.source_plate(number).wells):
            if (number, well) not in taken:
                yield number, well


def _seats_of(place: Place, robot: Robot) -> list[_Seat]:
    wells = robot.source_plate(place.source_plate).wells
    return [(place.source_plate, normalise(well, wells)) for well in place.wells]
