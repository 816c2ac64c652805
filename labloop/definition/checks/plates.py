"""What is wrong with the plate, alone and with the robot that fills it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Component, Plate, Robot
from labloop.errors import did_you_mean
from labloop.wells import LARGEST_WELL_UL, edge_wells, parse_well, well_names

_MOST_PARTS = 1000


def plate_problems(
    plate: Plate, formulas: Mapping[str, Any] | None, components: tuple[Component, ...]
) -> Iterator[str]:
    """Yield what is wrong with `[plate]`, its controls and its empty wells."""
    for name in plate.controls:
        if formulas is not None and name not in formulas:
            yield (
                f'[plate], controls: there is no formula "{name}"{did_you_mean(name, formulas)}'
                f"; add [formulas.{name}]"
            )
    if plate.inoculum_ul >= plate.well_volume_ul:
        yield (
            f"[plate], inoculum_ul: must be below well_volume_ul {plate.well_volume_ul:g} "
            f"(got {plate.inoculum_ul:g}); the well volume includes the inoculum"
        )
    yield from _capacity(plate)
    problem = bad_name(plate.diluent)
    if problem:
        yield f"[plate], diluent: {problem}"
    if plate.diluent in {component.name for component in components}:
        yield f'[plate], diluent: "{plate.diluent}" is also a component; rename one of them'
    on_plate = set(well_names(plate.wells))
    if plate.empty_wells == "edge":
        empty = set(edge_wells(plate.wells))
    else:
        empty = set()
        for text in plate.empty_wells:
            well = parse_well(text)
            if well is None or well not in on_plate:
                yield f'[plate], empty_wells: a plate of {plate.wells} has no well "{text}"'
            else:
                empty.add(well)
    room = len(on_plate) - len(empty) - sum(plate.controls.values())
    if room < 1:
        yield (
            f"[plate]: controls and empty wells leave no well of {plate.wells} for formulas; "
            "use fewer of them"
        )


def _capacity(plate: Plate) -> Iterator[str]:
    """Yield that wells would run over; a user's own word on what they hold is taken for true."""
    volume, most = plate.well_volume_ul, plate.well_capacity_ul
    if most is not None and volume > most:
        yield (
            f"[plate], well_volume_ul: must not exceed well_capacity_ul {most:g} (got {volume:g})"
        )
    elif most is None and volume > LARGEST_WELL_UL[plate.wells]:
        yield (
            f"[plate], well_volume_ul: must be at most {LARGEST_WELL_UL[plate.wells]:g}, what the "
            f"largest usual plates of {plate.wells} wells hold (got {volume:g}); correct it or "
            "wells, or say with well_capacity_ul what yours hold"
        )


def volume_problems(plate: Plate, robot: Robot) -> Iterator[str]:
    """Yield volumes of the plate that the robot cannot count in whole increments."""
    for key in ("well_volume_ul", "inoculum_ul"):
        volume = getattr(plate, key)
        ticks = volume / robot.increment_ul
        if abs(ticks - round(ticks)) > 1e-6:
            yield (
                f"[plate], {key}: must be a whole number of the robot's increments of "
                f"{robot.increment_ul:g} µL (got {volume:g})"
            )
    parts = plate.well_volume_ul / robot.max_dispense_ul
    if parts > _MOST_PARTS:
        yield (
            f"[robot], max_dispense_ul: a well of {plate.well_volume_ul:g} µL would take "
            f"{parts:.0f} dispenses of {robot.max_dispense_ul:g} µL; raise it, or use smaller wells"
        )
