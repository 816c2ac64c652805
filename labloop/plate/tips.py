"""Which pipette makes a dispense, and how many tips a round takes.

Under `tips = "stock"` a stock has one tip, which dispenses from above the liquid and so stays
clean; under `tips = "dispense"` every dispense has a fresh one. An Opentrons has up to two
pipettes, and its stocks one tip each; where the plates, source plates and tip racks of a round do
not stand on its deck together, the plates are made in several sittings, each with tips of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Robot
from labloop.definition.checks.sources import pipette_problems
from labloop.errors import RefusedError
from labloop.plate.dispensing import in_parts, microlitres
from labloop.robots import PIPETTES, USUAL_PIPETTES
from labloop.ticks import least_ticks, most_ticks
from labloop.wells import name_plate_wells

if TYPE_CHECKING:
    import pandas as pd

RACK = 96
"""Tips in a rack."""

SLOTS = 11
"""Slots of an Opentrons' deck beside the one with the trash."""

_WITHOUT_TIPS = ("echo525", "echo550", "mantis", "idot")
_TIP_OF_ANY = "tip"


def tips_needed(dispenses: pd.DataFrame, robot: Robot) -> dict[str, int]:
    """Return how many tips a round takes, by pipette for an Opentrons, else under "tip".

    Robots that dispense without tips need none: an empty dict. `dispenses` is a frame of
    `dispensing.plan`.

    Raises RefusedError as `with_pipettes` does.
    """
    if robot.kind in _WITHOUT_TIPS:
        return {}
    if robot.kind not in USUAL_PIPETTES:
        return {_TIP_OF_ANY: _count(dispenses, robot)}
    made = with_pipettes(dispenses, robot)
    needed = dict.fromkeys(pipettes_of(robot), 0)
    for plates in sittings(made, robot):
        for pipette, tips in tips_by_pipette(made[made["plate"].isin(plates)], robot).items():
            needed[pipette] += tips
    return {pipette: tips for pipette, tips in needed.items() if tips}


def tips_by_pipette(made: pd.DataFrame, robot: Robot) -> dict[str, int]:
    """Return how many tips each pipette takes in one sitting.

    `made` has the rows of `with_pipettes` for the sitting's plates.
    """
    by_pipette = {str(name): rows for name, rows in made.groupby("pipette")}
    return {
        name: _count(by_pipette[name], robot) for name in pipettes_of(robot) if name in by_pipette
    }


def racks_of(tips: int) -> int:
    """Return how many racks hold that many tips."""
    return -(-tips // RACK)


def racks_standing(tips: Mapping[str, int], slots: int) -> dict[str, int]:
    """Return how many racks each pipette has on a deck that leaves so many slots for them.

    Each pipette has one, and the next slot goes to the one that has most tips to a rack. `tips` are
    those of `tips_by_pipette`.
    """
    racks = dict.fromkeys(tips, 1)
    for _ in range(slots - len(tips)):
        scarce = max(tips, key=lambda name: tips[name] / racks[name])
        if racks[scarce] < racks_of(tips[scarce]):
            racks[scarce] += 1
    return racks


def rack_changes(dispenses: pd.DataFrame, robot: Robot) -> int:
    """Return how often an Opentrons pauses in a round until a pipette's tip racks are changed.

    Other robots never do: 0. `dispenses` is a frame of `dispensing.plan`.

    Raises RefusedError as `with_pipettes` does.
    """
    if robot.kind not in USUAL_PIPETTES:
        return 0
    made = with_pipettes(dispenses, robot)
    free, changes = positions_of(robot) - made["source_plate"].nunique(), 0
    for plates in sittings(made, robot):
        tips = tips_by_pipette(made[made["plate"].isin(plates)], robot)
        racks = racks_standing(tips, free - len(plates))
        changes += sum(-(-number // (RACK * racks[name])) - 1 for name, number in tips.items())
    return changes


def pipettes_of(robot: Robot) -> tuple[str, ...]:
    """Return the pipettes of an Opentrons, the first for the left mount: the user's or usual ones.

    Raises RefusedError for a robot whose pipettes a definition could not have.
    """
    for problem in pipette_problems(robot):
        raise RefusedError(f"{problem}.")
    return robot.pipettes or USUAL_PIPETTES[robot.kind]


def with_pipettes(dispenses: pd.DataFrame, robot: Robot) -> pd.DataFrame:
    """Return the dispenses of an Opentrons with the `pipette` that makes each.

    Of the pipettes that can make a volume at once it is the smallest. What lies between the ranges
    of two pipettes, or above all, is made by the one that takes the fewest parts: the dispense
    becomes several rows that differ by at most one tick.

    Raises RefusedError, naming the wells, for a volume that no pipette can make, and as
    `pipettes_of` does.
    """
    names = sorted(pipettes_of(robot), key=lambda name: PIPETTES[name][1])
    ticks = dispenses["ticks"].to_numpy(dtype=np.int64)
    least = np.array([least_ticks(PIPETTES[name][0], robot.increment_ul) for name in names])
    most = np.array([most_ticks(PIPETTES[name][1], robot.increment_ul) for name in names])
    # A pipette that holds less than one increment makes nothing, in however many parts.
    most = np.maximum(most, 0.5)
    parts = np.ceil(ticks[:, None] / most)
    parts[ticks[:, None] // parts < least] = np.inf
    _refuse_unmade(dispenses[np.isinf(parts).all(axis=1)], names)
    chosen = parts.argmin(axis=1)  # the first, so the smallest, of equally few parts
    count = parts[np.arange(ticks.size), chosen].astype(np.int64)
    row, part = in_parts(ticks, count)
    made = dispenses.iloc[row].reset_index(drop=True)
    made["ticks"] = part
    made["volume_ul"] = microlitres(part, robot.increment_ul)
    return made.assign(pipette=np.array(names, dtype=object)[chosen[row]])


def sittings(made: pd.DataFrame, robot: Robot) -> list[tuple[int, ...]]:
    """Return which plates of a round stand on an Opentrons' deck together.

    All source plates and a tip rack for each pipette stand beside them; where that leaves no room
    for a plate, each plate has a sitting of its own. `made` is a frame of `with_pipettes`.
    """
    plates = sorted(int(plate) for plate in made["plate"].unique())
    others = made["source_plate"].nunique() + made["pipette"].nunique()
    room = max(positions_of(robot) - others, 1)
    parts = np.array_split(np.array(plates), -(-len(plates) // room)) if plates else []
    return [tuple(int(plate) for plate in part) for part in parts]


def sittings_needed(dispenses: pd.DataFrame, robot: Robot) -> int:
    """Return how many times the deck is laid for a round; `dispenses` are of `dispensing.plan`.

    Raises RefusedError as `with_pipettes` does.
    """
    return (
        len(sittings(with_pipettes(dispenses, robot), robot)) if robot.kind in USUAL_PIPETTES else 1
    )


def positions_of(robot: Robot) -> int:
    """Return how many slots of an Opentrons' deck plates, source plates and tip racks may take."""
    return min(robot.positions or SLOTS, SLOTS)


def _count(dispenses: pd.DataFrame, robot: Robot) -> int:
    if robot.tips == "dispense":
        return len(dispenses)
    return len(dispenses[["stock", "stock_concentration"]].drop_duplicates())


def _refuse_unmade(rows: pd.DataFrame, names: list[str]) -> None:
    if rows.empty:
        return
    where = name_plate_wells(rows["well"], rows["plate"])
    ranges = " and ".join(
        f"{name} {PIPETTES[name][0]:g} to {PIPETTES[name][1]:g}" for name in names
    )
    raise RefusedError(
        f"No pipette can make the {rows['volume_ul'].iloc[0]:.10g} µL of {rows['stock'].iloc[0]} "
        f"and volumes like it for {where}: {ranges} µL; mount another one and name it in pipettes "
        "under [robot], or propose the round anew with min_dispense_ul and max_dispense_ul that "
        "these pipettes allow."
    )
