"""What a robot would refuse, or silently make wrong, is refused here, with the wells named.

Oracles outside (simulators, parsers) each miss some of this, so that nothing is left to them.
Volumes are compared as whole ticks of the robot's increment, and limits become ticks by exact
fractions of the decimals in campaign.toml: no rounding lets a tick too many pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop.errors import RefusedError
from labloop.ticks import exact
from labloop.wells import LARGEST_WELL_UL, column_major, name_plate_wells
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import number, refuse_calculations

if TYPE_CHECKING:
    import pandas as pd

_REMEDY = (
    "Nothing was written. A round keeps the [plate] and [robot] that it was proposed with: abandon "
    "it, correct campaign.toml if it is wrong there, and propose again."
)
_SOURCE = ["source_plate", "source_well"]


def check(plan: RoundPlan) -> None:
    """Raise RefusedError, naming the wells, where a plan cannot be made as it is written.

    Refused are: a plate, source plate or well that there is not; a well that holds no formula; a
    volume below the minimum, above the maximum, off the increment or other than planned; a well
    that is over- or underfilled, or takes more than it has room for; a source well asked for more
    than it gives, or for two stocks; and a stock's name that a spreadsheet would take for a
    calculation.
    """
    refuse_calculations(plan.dispenses["stock"].unique())
    problems = [*_places(plan), *_volumes(plan), *_fills(plan), *_sources(plan)]
    if problems:
        raise RefusedError(f"The round cannot be exported: {'; '.join(problems)}. {_REMEDY}")


def _named(rows: pd.DataFrame, well: str = "well", plate: str = "plate") -> str:
    return name_plate_wells(rows[well], rows[plate])


def _filled(plan: RoundPlan) -> pd.DataFrame:
    """Return plate and well of every well that holds a formula or control."""
    return plan.layout.loc[plan.layout["role"] != "empty", ["plate", "well"]]


def _places(plan: RoundPlan) -> Iterator[str]:
    dispenses = plan.dispenses
    on_plates = dispenses["plate"].isin(plan.layout["plate"])
    if not on_plates.all():
        yield f"the round has no plate for {_named(dispenses[~on_plates])}"
    in_wells = dispenses["well"].isin(column_major(plan.plate.wells))
    if not in_wells.all():
        yield f"a plate of {plan.plate.wells} wells has no {_named(dispenses[~in_wells])}"
    placed = dispenses[on_plates & in_wells]
    stray = placed.merge(_filled(plan), on=["plate", "well"], how="left", indicator=True)
    stray = stray[stray["_merge"] == "left_only"]
    if not stray.empty:
        yield f"{_named(stray)} must stay empty but would be filled"

    exist = _exists(dispenses)
    if not exist.all():
        lost = dispenses[~exist]
        numbers = ", ".join(str(each) for each in lost["source_plate"].unique())
        yield f"there is no source plate {numbers}, from which {_named(lost)} would be filled"
    for source_plate, drawn in _by_source_plate(dispenses):
        wells = plan.robot.source_plate(source_plate).wells
        lost = drawn[~drawn["source_well"].isin(column_major(wells))]
        if not lost.empty:
            yield f"a source plate of {wells} wells has no {_named(lost, *reversed(_SOURCE))}"


def _exists(dispenses: pd.DataFrame) -> pd.Series[bool]:
    """Whether each dispense is drawn from a source plate that can be: they count from 1."""
    numbers = dispenses["source_plate"]
    return (numbers >= 1) & (numbers % 1 == 0)


def _by_source_plate(rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the number and the rows of each source plate that there can be."""
    groups: Iterable[tuple[Any, pd.DataFrame]] = rows[_exists(rows)].groupby("source_plate")
    for number_, drawn in groups:
        yield int(number_), drawn


def _volumes(plan: RoundPlan) -> Iterator[str]:
    robot, increment = plan.robot, plan.robot.increment_ul
    volume = plan.dispenses["volume_ul"].to_numpy(dtype=np.float64)
    ticks = plan.dispenses["ticks"].to_numpy(dtype=np.float64)
    least = math.ceil(exact(robot.min_dispense_ul) / exact(increment))
    most = math.floor(exact(robot.max_dispense_ul) / exact(increment))
    with np.errstate(invalid="ignore"):  # a volume that is no number is refused like any other
        # What a volume in µL can be off as a float; always less than a tick.
        slack = np.minimum(1e-9 + 4 * np.spacing(np.abs(volume)), increment / 4)
        below = ~(ticks >= least) | ~(volume >= robot.min_dispense_ul - slack)
        above = (ticks > most) | (volume > robot.max_dispense_ul + slack)
        between = np.abs(volume - np.rint(volume / increment) * increment) > slack
        off = (between | (ticks != np.rint(ticks))) & ~below
        other = ~(np.abs(volume - ticks * increment) <= slack) & ~off & ~below
    rules = (
        (below, f"below {robot.min_dispense_ul:.10g} µL, the least that the robot dispenses"),
        (
            above,
            f"above {robot.max_dispense_ul:.10g} µL, the most that the robot dispenses at once",
        ),
        (off, f"off the increment of {increment:.10g} µL"),
        (other, "not the planned number of increments"),
    )
    for broken, what in rules:
        if broken.any():
            yield f"{_named(plan.dispenses[broken])} would get a volume {what}"


def _fills(plan: RoundPlan) -> Iterator[str]:
    plate = plan.plate
    sums = plan.dispenses.groupby(["plate", "well"])["ticks"].sum().rename("total").reset_index()
    wells = _filled(plan).merge(sums, on=["plate", "well"], how="left").fillna({"total": 0})
    inoculum, increment = exact(plate.inoculum_ul), exact(plan.robot.increment_ul)
    planned = round((exact(plate.well_volume_ul) - inoculum) / increment)
    for wrong, word, extreme in (
        (wells[wells["total"] > planned], "more", "max"),
        (wells[wells["total"] < planned], "less", "min"),
    ):
        if not wrong.empty:
            yield (
                f"{_named(wrong)} would hold {word} than {plate.well_volume_ul:.10g} µL with the "
                f"inoculum, {_held(wrong['total'].agg(extreme), plan)} µL"
            )
    room = plate.well_capacity_ul or LARGEST_WELL_UL[plate.wells]
    most = math.floor((exact(room) - inoculum) / increment)
    spilling = wells[wells["total"] > most]
    if not spilling.empty:
        yield (
            f"{_named(spilling)} would hold {_held(spilling['total'].max(), plan)} µL, more than "
            f"the {room:.10g} µL that a well has room for"
        )


def _held(ticks: float, plan: RoundPlan) -> str:
    """Return what a well holds with its inoculum, in µL."""
    filled = exact(ticks) * exact(plan.robot.increment_ul)
    return number(float(filled + exact(plan.plate.inoculum_ul)))


def _sources(plan: RoundPlan) -> Iterator[str]:
    dispenses = plan.dispenses[_exists(plan.dispenses)]
    taken = dispenses.groupby(_SOURCE)["ticks"].sum().rename("taken").reset_index()
    for source_plate, of_plate in _by_source_plate(taken):
        plate = plan.robot.source_plate(source_plate)
        filled = exact(plate.well_volume_ul) - exact(plate.dead_volume_ul)
        limit = plate.most_from_well_ul
        gives = filled if limit is None else min(filled, exact(limit))
        most = math.floor(gives / exact(plan.robot.increment_ul))
        drained = of_plate[of_plate["taken"] > most]
        if not drained.empty:
            why = (
                "fall below the dead volume"
                if gives == filled
                else "the robot takes no more from one well"
            )
            names = _named(drained, *reversed(_SOURCE))
            yield f"source {names} would give more than {number(float(gives))} µL and {why}"
    stocks = dispenses.drop_duplicates([*_SOURCE, "stock", "stock_concentration"])
    shared = stocks[stocks.duplicated(_SOURCE, keep=False)]
    if not shared.empty:
        yield f"source {_named(shared, *reversed(_SOURCE))} would hold two stocks at once"
