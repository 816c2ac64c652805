"""What is wrong with the source plates, with what stands in them, and with what stocks are given.

Keys that a kind of robot does not use (`tips` of an Echo, liquid classes of an Opentrons) are left
alone, so that a campaign can change its robot and keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import numpy as np

from labloop.definition.models import DILUENT, Component, Place, Plate, Robot
from labloop.errors import did_you_mean
from labloop.robots import PIPETTES, USUAL_PIPETTES
from labloop.wells import normalise, parse_well, well_names

_MOUNTS = 2
_OPENTRONS = tuple(USUAL_PIPETTES)


def source_problems(
    robot: Robot, plate: Plate, components: tuple[Component, ...], invalid: Set[str]
) -> Iterator[str]:
    """Yield what is wrong with the source plates, the places and the names of stocks."""
    names = {component.name: component for component in components}
    diluents = {plate.diluent, DILUENT}
    for number, source in enumerate(robot.source_plates, start=1):
        where = f"[[robot.source_plate]] number {number}"
        if source.dead_volume_ul >= source.well_volume_ul:
            yield (
                f"{where}, dead_volume_ul: must be below well_volume_ul "
                f"{source.well_volume_ul:g} (got {source.dead_volume_ul:g})"
            )
        for name in source.holds:
            if name not in diluents | invalid:
                yield from _stock(f"{where}, holds", name, names)
    for number, place in enumerate(robot.places, start=1):
        where = f"[[robot.place]] number {number}"
        yield from _contents(where, place, names, diluents, invalid)
        yield from _wells(where, place, robot)
    yield from _shared(robot)
    for name in robot.liquid_classes:
        if name not in names and name not in diluents | invalid | {"default"}:
            hint = did_you_mean(name, [*names, DILUENT, "default"])
            yield f'[robot], liquid_classes: unknown component "{name}"{hint}'


def pipette_problems(robot: Robot) -> Iterator[str]:
    """Yield pipettes that the robot does not have; the tools of an epMotion are checked apart."""
    if not robot.pipettes or robot.kind == "epmotion":
        return
    if robot.kind not in _OPENTRONS:
        yield (
            f'[robot], pipettes: goes with the kinds ot2, flex and epmotion (kind is "{robot.kind}"'
            "); remove it and set min_dispense_ul and max_dispense_ul"
        )
        return
    own = [name for name in PIPETTES if name.startswith("flex_") == (robot.kind == "flex")]
    for name in robot.pipettes:
        if name not in own:
            hint = did_you_mean(name, own)
            yield f"[robot], pipettes: must be some of {', '.join(own)} (got '{name}'){hint}"
    if len(robot.pipettes) > _MOUNTS or len(set(robot.pipettes)) < len(robot.pipettes):
        yield (
            "[robot], pipettes: must be one or two different ones, since there are two mounts (got "
            f"{', '.join(robot.pipettes)})"
        )


def least_volume_problems(robot: Robot) -> Iterator[str]:
    """Yield that no pipette of an Opentrons makes the least volume that rounds are planned with."""
    if robot.kind not in _OPENTRONS or any(pipette_problems(robot)):
        return
    names = robot.pipettes or USUAL_PIPETTES[robot.kind]
    least = min(PIPETTES[name][0] for name in names)
    if robot.min_dispense_ul < least:
        yield (
            f"[robot], min_dispense_ul: must be at least {least:g}, the least that "
            f"{' and '.join(names)} can make (got {robot.min_dispense_ul:g})"
        )


def _stock(where: str, name: str, names: dict[str, Component]) -> Iterator[str]:
    """Yield why no stock of that name stands on the deck."""
    if name not in names:
        yield f'{where}: unknown component "{name}"{did_you_mean(name, [*names, DILUENT])}'
    elif not names[name].stocks:
        yield f'{where}: "{name}" has no stocks; give [[component]] "{name}" its stocks'


def _contents(
    where: str,
    place: Place,
    names: dict[str, Component],
    diluents: Set[str],
    invalid: Set[str],
) -> Iterator[str]:
    if place.stock in diluents:
        if place.concentration is not None:
            yield f"{where}, concentration: the diluent has none; remove the key"
        return
    if place.stock in invalid:
        return
    problems = list(_stock(f"{where}, stock", place.stock, names))
    if problems:
        yield from problems
        return
    component = names[place.stock]
    listed = ", ".join(f"{stock:g}" for stock in component.stocks)
    given = place.concentration
    if given is not None and not np.isclose(component.stocks, given).any():
        yield (
            f'{where}, concentration: must be a stock of "{place.stock}", {listed} '
            f"{component.unit} (got {given:g})"
        )


def _wells(where: str, place: Place, robot: Robot) -> Iterator[str]:
    """Yield wells that the source plate does not have."""
    wells = robot.source_plate(place.source_plate).wells
    for text in _not_on(place.wells, wells):
        yield (
            f"{where}, wells: source plate {place.source_plate} has {wells} "
            f'{"well" if wells == 1 else "wells"} and no "{text}"'
        )


def _shared(robot: Robot) -> Iterator[str]:
    """Yield wells that are given twice."""
    owner: dict[tuple[int, str], int] = {}
    for number, place in enumerate(robot.places, start=1):
        wells = robot.source_plate(place.source_plate).wells
        lost = _not_on(place.wells, wells)
        for text in place.wells:
            if text not in lost:
                seat = (place.source_plate, normalise(text, wells))
                if seat in owner:
                    yield (
                        f"[[robot.place]] number {number}, wells: {seat[1]} of source plate "
                        f"{seat[0]} is already taken by number {owner[seat]}; give each stock its "
                        "own wells"
                    )
                owner.setdefault(seat, number)


def _not_on(texts: Iterable[str], wells: int) -> list[str]:
    names = set(well_names(wells))
    return [text for text in texts if parse_well(text) not in names]
