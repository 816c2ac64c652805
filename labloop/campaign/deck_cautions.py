"""What `labloop check` has to say of the deck and of a first round's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from labloop.campaign.findings import Findings, Weighed
from labloop.definition import Robot
from labloop.plain import plain
from labloop.plate.sources import is_named, is_place_of
from labloop.report.numbers import counted
from labloop.robots import USUAL_PIPETTES
from labloop.wells import normalise
from labloop.worklists.labels import stock_title

if TYPE_CHECKING:
    import pandas as pd

_NEARLY_DRAINED = 0.9


def deck_warnings(found: Findings) -> Iterator[Weighed]:
    """Yield what keeps a first round, or the next one, from being made."""
    if found.refusal:
        kind = found.definition.robot.kind
        yield 10.0, f'The robot "{kind}" could not be given a first round. {found.refusal}'
    yield from _positions(found)
    yield from _places(found)
    yield from _overflows(found)


def deck_notes(found: Findings) -> Iterator[str]:
    """Yield what is worth knowing of the deck and does no harm."""
    if found.sittings > 1:
        yield (
            f"The plates of a round do not stand on the deck together: they are made in "
            f"{found.sittings} sittings, each with tips of its own."
        )
    if found.rack_changes:
        times = "once" if found.rack_changes == 1 else f"{found.rack_changes} times"
        yield f"The tip racks are changed {times} during the run; the protocol pauses for it."
    used, robot = set(found.deck["source_plate"]), found.definition.robot
    usual = Robot(kind=robot.kind).source_plates
    for number, plate in enumerate(robot.source_plates, start=1):
        if number not in used and plate not in usual:
            what = f" ({plate.labware})" if plate.labware else ""
            yield (
                f"Nothing stands in source plate {number}{what}; leave it out, or let it hold "
                "something."
            )

    yield from _little_from_a_well(found)


def _little_from_a_well(found: Findings) -> Iterator[str]:
    """Yield how many source wells it costs that the robot takes little from each."""
    robot = found.definition.robot
    usual = robot.usual_source_plate
    holds = usual.well_volume_ul - usual.dead_volume_ul
    if usual.gives_ul >= holds:
        return
    deck = found.deck[found.deck["source_plate"] > len(robot.source_plates)]
    keys = ["stock", "stock_concentration"]
    taken = deck.groupby(keys, dropna=False)["volume_ul"].sum()
    drained = int(np.ceil(taken / holds).sum())
    if len(deck) > 2 * drained:
        yield (
            f"From one source well the robot takes at most {plain(usual.gives_ul)} µL, so that "
            f"stocks stand in {len(deck)} wells; if yours draws all {plain(holds)} µL above the "
            f"dead volume, set most_from_well_ul = {plain(holds)} under [robot], and they stand in "
            f"{drained}."
        )


def _positions(found: Findings) -> Iterator[Weighed]:
    """Yield a deck that does not hold a round; an Opentrons' own is refused with the round."""
    load, robot = found.load, found.definition.robot
    racks = load.standing_racks
    if load.positions is None or load.needed <= load.positions:
        return
    if robot.kind in USUAL_PIPETTES:
        return
    with_one_rack = load.needed - racks + 1
    if robot.tips == "dispense" and with_one_rack <= load.positions:
        remedy = 'set tips = "stock" under [robot]'
    else:
        remedy = "use source plates with more or larger wells, or fewer plates a round"
    yield (
        8.0,
        f"The deck holds {load.positions} plates, racks and reservoirs, and a round takes "
        f"{load.needed}: {counted(load.source_plates, 'source plate')}, "
        f"{counted(load.plates, 'plate')} and {counted(racks, 'tip rack')}; {remedy}.",
    )


def _places(found: Findings) -> Iterator[Weighed]:
    """Yield stocks that nearly drain the wells that the user gives them."""
    robot, deck = found.definition.robot, found.deck
    seats = list(zip(deck["source_plate"], deck["source_well"], strict=True))
    for stock, concentration in dict.fromkeys((p.stock, p.concentration) for p in robot.places):
        gives, wells = 0.0, set()
        for place in robot.places:
            if (place.stock, place.concentration) == (stock, concentration):
                source = robot.source_plate(place.source_plate)
                wells |= {
                    (place.source_plate, normalise(well, source.wells)) for well in place.wells
                }
                gives += source.gives_ul * len(place.wells)
        taken = float(deck["volume_ul"][[seat in wells for seat in seats]].sum())
        if taken > _NEARLY_DRAINED * gives:
            yield (
                3.0,
                f"A typical round takes {plain(taken)} µL of {_title(stock, concentration, found)} "
                f"and its wells in [[robot.place]] give {plain(gives)}; another round may need "
                "more, so name more wells there.",
            )


def _overflows(found: Findings) -> Iterator[Weighed]:
    """Yield stocks for which there is no room in the source plates that hold them."""
    robot, diluent = found.definition.robot, found.definition.plate.diluent
    for (stock, concentration), rows in _by_stock(found):
        holding = [
            number
            for number, plate in enumerate(robot.source_plates, start=1)
            if any(is_named(name, stock, diluent) for name in plate.holds)
        ]
        placed = any(is_place_of(each, stock, concentration, diluent) for each in robot.places)
        elsewhere = sorted(set(rows["source_plate"]) - set(holding))
        if holding and elsewhere and not placed:
            yield (
                2.0,
                f"{_title(stock, concentration, found)} does not find room in source plate "
                f"{_listed(holding)}, which {'holds' if len(holding) == 1 else 'hold'} it: it "
                f"stands in source plate {_listed(elsewhere)} too; give it more or larger wells.",
            )


def _by_stock(found: Findings) -> Iterator[tuple[tuple[str, float], pd.DataFrame]]:
    keys = ["stock", "stock_concentration"]
    for _, rows in found.deck.groupby(keys, sort=False, dropna=False):
        yield (str(rows["stock"].iloc[0]), float(rows["stock_concentration"].iloc[0])), rows


def _title(stock: str, concentration: float | None, found: Findings) -> str:
    units = {component.name: component.unit for component in found.definition.components}
    return stock_title(stock, concentration, units.get(stock, ""))


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)
