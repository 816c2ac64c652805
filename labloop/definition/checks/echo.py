"""What is wrong with the plates of an Echo, which must be of types that it has in its list."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from labloop.definition.models import Plate, Robot, SourcePlate
from labloop.errors import did_you_mean
from labloop.robots import SOURCE_TYPES
from labloop.ticks import is_multiple

DROP_UL = {"echo525": 0.025, "echo550": 0.0025}
"""The drop of each kind of Echo, in µL."""

PLATE_TYPES = MappingProxyType({96: "96_Well_Plate", 384: "384PP_Dest", 1536: "1536LDV_Dest"})
"""The type of the plates that are filled, where the campaign names none, by number of wells."""

CAPACITIES = MappingProxyType(
    {
        "96_Well_Plate": (96, 300.0),
        "384PP_Dest": (384, 50.0),
        "384LDV_Dest": (384, 20.0),
        "1536LDV_Dest": (1536, 6.0),
    }
)
"""Wells of the plates that an Echo's labware list begins with, and what one holds in µL."""


def echo_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the drops and the source plates of an Echo; nothing of others."""
    if robot.kind not in DROP_UL:
        return
    drop = DROP_UL[robot.kind]
    if not is_multiple(robot.increment_ul, drop):
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
            at_once = SOURCE_TYPES[plate.labware].most_from_well_ul
            if robot.max_dispense_ul > at_once * (1 + 1e-9):
                yield (
                    f"[robot], max_dispense_ul: must be at most {at_once:g}, what a well of "
                    f"{plate.labware} gives at once (got {robot.max_dispense_ul:g})"
                )


def echo_plate_problems(plate: Plate, robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the type that the user gives the plates an Echo fills.

    What is wrong with a usual type is said at the export, where another may still be named.
    """
    if robot.kind in DROP_UL and robot.plate_labware:
        problem = plate_type_problem(plate, robot) or overflow_problem(plate, robot)
        if problem:
            yield f"[robot], plate_labware: {problem}"


def plate_type(plate: Plate, robot: Robot) -> str:
    """Return the type of the plates that an Echo fills; "" where none is known."""
    return robot.plate_labware or PLATE_TYPES.get(plate.wells, "")


def plate_type_problem(plate: Plate, robot: Robot) -> str:
    """Return why the plates cannot be of their type; "" where they can."""
    named = plate_type(plate, robot)
    if not named:
        return (
            f"an Echo's list begins with no type for plates of {plate.wells} wells; add yours "
            "there and name it"
        )
    wells, _ = CAPACITIES.get(named, (plate.wells, 0.0))
    if wells != plate.wells:
        return f"{named} has {wells} wells, and the plates have {plate.wells}; name their type"
    return ""


def overflow_problem(plate: Plate, robot: Robot) -> str:
    """Return that a well of the plates' type holds less than it would get; "" where not."""
    named = plate_type(plate, robot)
    if named not in CAPACITIES or plate.well_volume_ul <= CAPACITIES[named][1]:
        return ""
    return (
        f"a well of {named} holds {CAPACITIES[named][1]:g} µL, and well_volume_ul is "
        f"{plate.well_volume_ul:g}; name the type of your plates or lower the volume"
    )


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
