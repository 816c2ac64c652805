"""Opentrons OT-2 and Flex: one self-contained Python protocol, or one for every few plates.

The analysis of `opentrons` 9.0.0 lets pass an overfilled well, a drained source well and less than
a pipette's least volume; they are refused here, in `checks` and in `plate.tips`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Robot
from labloop.errors import RefusedError
from labloop.plate.deck import deck_list
from labloop.plate.tips import (
    pipettes_of,
    positions_of,
    racks_standing,
    sittings,
    tips_by_pipette,
    with_pipettes,
)
from labloop.wells import name_wells
from labloop.worklists.labels import stock_title
from labloop.worklists.opentrons_labware import PLATES, SOURCES, TIP_RACKS, capacity_ul, problem_of
from labloop.worklists.opentrons_protocol import Mounted, Placed, Protocol, Stock, protocol_text
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import number, volume_text

if TYPE_CHECKING:
    import pandas as pd

_SLOTS: Mapping[str, tuple[str, ...]] = {
    "ot2": ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"),
    "flex": ("D1", "D2", "D3", "C1", "C2", "C3", "B1", "B2", "B3", "A1", "A2"),
}
"""From the front, without the trash: slot 12 of the OT-2, A3 of the Flex."""

_MOUNTS = ("left", "right")
_STOCK = ["stock", "stock_concentration"]


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return the protocol, `ot2.py` or `flex.py`; `ot2-1-of-2.py` … where the deck is too small.

    Raises RefusedError for labware that does not fit or would run over, pipettes that the robot
    lacks or that cannot make a volume, and source plates that leave no room on the deck.
    """
    plate_labware, source_labware = _plate_labware(plan), _source_labware(plan)
    _refuse_overfull(plan, plate_labware, source_labware)
    made = with_pipettes(plan.dispenses, plan.robot)
    _refuse_crowded_deck(made, plan.robot)
    made = _in_order(made, plan.robot)
    kind, groups = plan.robot.kind, sittings(made, plan.robot)
    slots = _SLOTS[kind][: positions_of(plan.robot)]
    sources = _placed(source_labware, slots)
    files = {}
    for turn, plates in enumerate(groups, start=1):
        stand = _placed(dict.fromkeys(plates, plate_labware), slots[len(sources) :])
        rows = made[made["plate"].isin(plates)]
        to_come = made[made["plate"] >= plates[0]]  # this protocol's and the later ones'
        protocol = Protocol(
            kind=kind,
            number=turn,
            of=len(groups),
            sources=sources,
            plates=stand,
            pipettes=_mounted(rows, plan.robot, slots[len(sources) + len(stand) :]),
            stocks=_stocks(to_come, plan),
            fresh_tip_each_dispense=plan.robot.tips == "dispense",
            inoculum_ul=plan.plate.inoculum_ul,
            dispenses=_lines(rows, plan.robot),
        )
        name = f"{kind}.py" if len(groups) == 1 else f"{kind}-{turn}-of-{len(groups)}.py"
        files[name] = protocol_text(protocol).encode("utf-8")
    return files


def _plate_labware(plan: RoundPlan) -> str:
    wells = plan.plate.wells
    if wells not in PLATES:
        raise RefusedError(
            f"Opentrons robots have no labware of {wells} wells; use plates of at most "
            f"{max(PLATES)}, or another robot."
        )
    return _labware(plan.robot.plate_labware or PLATES[wells], wells, "[robot], plate_labware")


def _source_labware(plan: RoundPlan) -> dict[int, str]:
    """Return the labware of the source plates that the round draws from, by number."""
    robot, labware = plan.robot, {}
    for each in sorted(map(int, plan.dispenses["source_plate"].unique())):
        plate = robot.source_plate(each)
        listed = each <= len(robot.source_plates)
        key = (
            f"[[robot.source_plate]] number {each}, labware"
            if listed
            else "[robot], source_labware"
        )
        usual = SOURCES.get(plate.wells, "")
        if not (plate.labware or usual):
            raise RefusedError(
                f"Opentrons robots have no labware of {plate.wells} wells for source plate {each}; "
                "let the stocks stand in other plates, under [robot]."
            )
        labware[each] = _labware(plate.labware or usual, plate.wells, key)
    return labware


def _labware(name: str, wells: int, key: str) -> str:
    problem = problem_of(name, wells)
    if problem:
        raise RefusedError(f'{key}: "{name}" {problem}; name other labware.')
    return name


def _refuse_overfull(plan: RoundPlan, plate_labware: str, sources: Mapping[int, str]) -> None:
    """Refuse vessels that would run over, by what their labware's name says that they hold."""
    most = capacity_ul(plate_labware)
    if most is not None and plan.plate.well_volume_ul > most:
        filled = plan.layout[plan.layout["role"] != "empty"]
        raise RefusedError(
            f"{name_wells(filled['well'])} would run over: {plate_labware} holds {number(most)} µL "
            f"a well, well_volume_ul is {number(plan.plate.well_volume_ul)}; name larger labware "
            "under plate_labware, or propose the round anew with a smaller well volume."
        )
    deck = deck_list(plan.dispenses, plan.robot)
    for each, labware in sources.items():
        most = capacity_ul(labware)
        fills = deck[(deck["source_plate"] == each) & (deck["fill_volume_ul"] > (most or np.inf))]
        if not fills.empty:
            raise RefusedError(
                f"{name_wells(fills['source_well'])} of source plate {each} would run over: "
                f"{labware} holds {number(most or np.inf)} µL a well and "
                f"{number(fills['fill_volume_ul'].max())} must be filled in; set its well volume "
                "under [robot] to what it holds and propose the round anew."
            )


def _refuse_crowded_deck(made: pd.DataFrame, robot: Robot) -> None:
    sources, pipettes = made["source_plate"].nunique(), made["pipette"].nunique()
    positions = positions_of(robot)
    if sources + pipettes + 1 > positions:
        raise RefusedError(
            f"{sources} source plates, a plate and {pipettes} tip racks do not stand on a deck of "
            f"{positions} slots; let more stocks stand in one source plate (source_wells, "
            "source_well_volume_ul under [robot])."
        )


def _in_order(made: pd.DataFrame, robot: Robot) -> pd.DataFrame:
    """Return the dispenses stock by stock, and of each stock pipette by pipette.

    The columns `number` (of the stock, from 1) and `mount` are added.
    """
    mounts = dict(zip(pipettes_of(robot), _MOUNTS, strict=False))
    numbered = made.assign(
        number=made.groupby(_STOCK, dropna=False, sort=False).ngroup() + 1,
        mount=made["pipette"].map(mounts),
    )
    return numbered.sort_values(["number", "mount"], kind="stable", ignore_index=True)


def _placed(labware: Mapping[int, str], slots: Sequence[str]) -> tuple[Placed, ...]:
    return tuple(
        Placed(each, name, slot) for (each, name), slot in zip(labware.items(), slots, strict=False)
    )


def _mounted(rows: pd.DataFrame, robot: Robot, slots: Sequence[str]) -> tuple[Mounted, ...]:
    """Share the free slots out among the tip racks of the pipettes that have something to do."""
    tips = tips_by_pipette(rows, robot)
    racks = racks_standing(tips, len(slots))
    mounts = dict(zip(pipettes_of(robot), _MOUNTS, strict=False))
    free, mounted = iter(slots), []
    for name, count in racks.items():
        taken = tuple(next(free) for _ in range(count))
        mounted.append(Mounted(mounts[name], name, TIP_RACKS[name], taken, tips[name]))
    return tuple(mounted)


def _stocks(rows: pd.DataFrame, plan: RoundPlan) -> tuple[Stock, ...]:
    deck = deck_list(rows, plan.robot)
    numbers = rows.groupby(_STOCK, dropna=False, sort=False)["number"].first()
    stocks = []
    for each, (_, wells) in zip(
        numbers, deck.groupby(_STOCK, dropna=False, sort=False), strict=True
    ):
        name, concentration = wells[_STOCK].iloc[0]
        columns = ["source_plate", "source_well", "fill_volume_ul"]
        fills = tuple(
            (int(plate), str(well), float(fill))
            for plate, well, fill in wells[columns].itertuples(index=False, name=None)
        )
        title = stock_title(name, concentration, plan.units.get(name, ""))
        stocks.append(Stock(int(each), title, fills))
    return tuple(stocks)


def _lines(rows: pd.DataFrame, robot: Robot) -> tuple[str, ...]:
    columns = ["number", "source_plate", "source_well", "plate", "well", "ticks", "mount"]
    return tuple(
        f"{each},{source},{source_well},{plate},{well},"
        f"{volume_text(ticks, robot.increment_ul)},{mount}"
        for each, source, source_well, plate, well, ticks, mount in rows[columns].itertuples(
            index=False, name=None
        )
    )
