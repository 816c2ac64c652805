"""What is wrong with the plates of an Echo, which must be of types that it has in its list."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.models import Robot, SourcePlate
from labloop.errors import did_you_mean
from labloop.robots import SOURCE_TYPES

DROP_UL = {"echo525": 0.025, "echo550": 0.0025}
"""The drop of each kind of Echo, in µL."""


def echo_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the drops and the source plates of an Echo; nothing of others."""
    if robot.kind not in DROP_UL:
        return
    drop = DROP_UL[robot.kind]
    drops = robot.increment_ul / drop
    if round(drops) < 1 or abs(drops - round(drops)) > 1e-6:
        yield (
            f"[robot], increment_ul: must be a whole number of drops of {drop * 1000:g} nL "
            f"(got {robot.increment_ul * 1000:g} nL)"
        )
    for place, labware, plate in _plates(robot):
        problem = type_problem(robot.kind, plate)
        if problem:
            yield f"{place}, {labware}: {problem}"
        else:
            yield from _volumes(place, plate)


def type_problem(kind: str, plate: SourcePlate) -> str:
    """Return why a kind of Echo cannot draw from a source plate of that type; "" where it can."""
    known = [name for name, each in SOURCE_TYPES.items() if each.drop_ul == DROP_UL[kind]]
    if plate.labware not in known:
        drop, choose = f"{DROP_UL[kind] * 1000:g} nL", f"; choose {', '.join(known)}"
        if not plate.labware:
            return f"an Echo has to know the type of its source plates{choose}"
        if plate.labware in SOURCE_TYPES:
            other = f"{SOURCE_TYPES[plate.labware].drop_ul * 1000:g} nL"
            return f'"{plate.labware}" is for drops of {other}, not of {drop} as here{choose}'
        hint = did_you_mean(plate.labware, known)
        return f'no Echo with drops of {drop} has source plates of type "{plate.labware}"' + (
            hint or choose
        )
    wells = SOURCE_TYPES[plate.labware].wells
    if plate.wells != wells:
        return f"{plate.labware} has {wells} wells (got {plate.wells}); correct one of the two"
    return ""


def _plates(robot: Robot) -> Iterator[tuple[str, str, SourcePlate]]:
    yield "[robot]", "source_labware", robot.usual_source_plate
    for number, plate in enumerate(robot.source_plates, start=1):
        yield f"[[robot.source_plate]] number {number}", "labware", plate


def _volumes(place: str, plate: SourcePlate) -> Iterator[str]:
    """Yield volumes outside the working range of the plate's type."""
    of_type = SOURCE_TYPES[plate.labware]
    prefix = "source_" if place == "[robot]" else ""
    if plate.well_volume_ul > of_type.well_volume_ul:
        yield (
            f"{place}, {prefix}well_volume_ul: a well of {plate.labware} holds at most "
            f"{of_type.well_volume_ul:g} µL (got {plate.well_volume_ul:g})"
        )
    if plate.dead_volume_ul < of_type.dead_volume_ul:
        yield (
            f"{place}, dead_volume_ul: must be at least {of_type.dead_volume_ul:g}, the least of "
            f"which the Echo dispenses from {plate.labware} (got {plate.dead_volume_ul:g})"
        )
