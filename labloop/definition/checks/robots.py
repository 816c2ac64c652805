"""What is wrong with the robot's volumes."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.checks.csv import csv_problems
from labloop.definition.checks.echo import echo_problems
from labloop.definition.checks.idot import idot_problems
from labloop.definition.checks.mantis import mantis_problems
from labloop.definition.checks.tecan import tecan_problems
from labloop.definition.models import Robot


def robot_problems(robot: Robot) -> Iterator[str]:
    """Yield limits of `[robot]` that contradict each other."""
    if robot.min_dispense_ul > robot.max_dispense_ul:
        yield (
            f"[robot], min_dispense_ul: must not exceed max_dispense_ul {robot.max_dispense_ul:g} "
            f"(got {robot.min_dispense_ul:g})"
        )
    elif robot.max_dispense_ul < 2 * robot.min_dispense_ul - robot.increment_ul:
        yield (
            f"[robot], max_dispense_ul: must be at least twice min_dispense_ul less increment_ul, "
            f"{2 * robot.min_dispense_ul - robot.increment_ul:g} (got {robot.max_dispense_ul:g}); "
            "volumes in between could not be split"
        )
    if robot.increment_ul > robot.max_dispense_ul:
        yield (
            f"[robot], increment_ul: must not exceed max_dispense_ul {robot.max_dispense_ul:g} "
            f"(got {robot.increment_ul:g})"
        )
    if robot.dead_volume_ul >= robot.source_well_volume_ul:
        yield (
            f"[robot], dead_volume_ul: must be below source_well_volume_ul "
            f"{robot.source_well_volume_ul:g} (got {robot.dead_volume_ul:g})"
        )
    yield from echo_problems(robot)
    yield from mantis_problems(robot)
    yield from tecan_problems(robot)
    yield from idot_problems(robot)
    yield from csv_problems(robot)
