"""What a robot would refuse, or silently make wrong, is refused here, with the wells named.

Oracles outside (simulators, parsers) each miss some of this, so that nothing is left to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from labloop.errors import RefusedError
from labloop.wells import column_major, name_wells
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import refuse_calculations

if TYPE_CHECKING:
    import pandas as pd


def check(plan: RoundPlan) -> None:
    """Raise RefusedError, naming the wells, where a plan cannot be made as it is written.

    Refused are: a well that a plate lacks or that holds no formula, a volume below the minimum, off
    the increment or above the maximum, an over- or underfilled well, a source well asked for more
    than it gives, and a stock's name that a spreadsheet would take for a calculation.
    """
    refuse_calculations(plan.dispenses["stock"].unique())
    problems = [*_places(plan), *_volumes(plan), *_fills(plan), *_sources(plan)]
    if problems:
        raise RefusedError(
            "The round cannot be exported: " + "; ".join(problems) + ". Nothing was written."
        )


def _named(rows: pd.DataFrame, well: str = "well", plate: str = "plate") -> str:
    pairs = zip(rows[well], rows[plate], strict=True)
    return name_wells(f"{well_} (plate {plate_})" for well_, plate_ in pairs)


def _places(plan: RoundPlan) -> Iterator[str]:
    dispenses = plan.dispenses
    lost = dispenses[~dispenses["well"].isin(column_major(plan.plate.wells))]
    if not lost.empty:
        yield f"a plate of {plan.plate.wells} wells has no {_named(lost)}"
    for number in dispenses["source_plate"].unique():
        wells = plan.robot.source_plate(number).wells
        drawn = dispenses[dispenses["source_plate"] == number]
        lost = drawn[~drawn["source_well"].isin(column_major(wells))]
        if not lost.empty:
            names = _named(lost, "source_well", "source_plate")
            yield f"a source plate of {wells} wells has no {names}"
    filled = plan.layout.loc[plan.layout["role"] != "empty", ["plate", "well"]]
    stray = dispenses.merge(filled, on=["plate", "well"], how="left", indicator=True)
    stray = stray[stray["_merge"] == "left_only"]
    if not stray.empty:
        yield f"{_named(stray)} must stay empty but would be filled"


def _volumes(plan: RoundPlan) -> Iterator[str]:
    robot, volume = plan.robot, plan.dispenses["volume_ul"]
    increments = volume / robot.increment_ul
    whole = np.abs(increments - increments.round()) <= 1e-6 * np.maximum(1.0, increments.abs())
    agrees = (increments.round() == plan.dispenses["ticks"]) | ~whole
    slack = robot.increment_ul * 1e-6
    rules = (
        (~(volume >= robot.min_dispense_ul - slack), f"below {robot.min_dispense_ul:g} µL"),
        (volume > robot.max_dispense_ul + slack, f"above {robot.max_dispense_ul:g} µL"),
        (~whole, f"off the increment of {robot.increment_ul:g} µL"),
        (~agrees, "not the planned number of increments"),
    )
    for broken, what in rules:
        if broken.any():
            yield f"{_named(plan.dispenses[broken])} would get a volume {what}"


def _fills(plan: RoundPlan) -> Iterator[str]:
    filled = plan.layout.loc[plan.layout["role"] != "empty", ["plate", "well"]]
    sums = (
        plan.dispenses.groupby(["plate", "well"])["volume_ul"].sum().rename("total").reset_index()
    )
    wells = filled.merge(sums, on=["plate", "well"], how="left").fillna({"total": 0.0})
    total = wells["total"] + plan.plate.inoculum_ul
    slack = plan.robot.increment_ul / 2
    for wrong, what in (
        (wells[total > plan.plate.well_volume_ul + slack], "more"),
        (wells[total < plan.plate.well_volume_ul - slack], "less"),
    ):
        if not wrong.empty:
            yield (
                f"{_named(wrong)} would hold {what} than {plan.plate.well_volume_ul:g} µL "
                "with the inoculum"
            )


def _sources(plan: RoundPlan) -> Iterator[str]:
    robot, source = plan.robot, ["source_plate", "source_well"]
    taken = plan.dispenses.groupby(source)["volume_ul"].sum().rename("taken").reset_index()
    for number in taken["source_plate"].unique():
        plate = robot.source_plate(number)
        of_plate = taken[taken["source_plate"] == number]
        drained = of_plate[of_plate["taken"] > plate.gives_ul + robot.increment_ul * 1e-3]
        if not drained.empty:
            names = _named(drained, "source_well", "source_plate")
            limit = plate.most_from_well_ul
            why = (
                "fall below the dead volume"
                if limit is None or plate.gives_ul < limit
                else "the robot takes no more from one well"
            )
            yield f"source {names} would give more than {plate.gives_ul:.10g} µL and {why}"
    stocks = plan.dispenses.drop_duplicates([*source, "stock", "stock_concentration"])
    shared = stocks[stocks.duplicated(source, keep=False)]
    if not shared.empty:
        wells = _named(shared, "source_well", "source_plate")
        yield f"source {wells} would hold two stocks at once"
