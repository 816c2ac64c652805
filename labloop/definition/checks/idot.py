"""What is wrong with the volumes of an I.DOT, which has a least drop and sheds some of a source."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.checks.volumes import dead_volume_problems
from labloop.definition.models import Robot

LEAST_UL = 0.008
"""The least that an I.DOT dispenses, in µL."""
SHED_UL = 0.3
"""What it sheds of a source well before each plate, in µL."""


def idot_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the volumes of an I.DOT; nothing of other robots."""
    if robot.kind != "idot":
        return
    if robot.min_dispense_ul < LEAST_UL:
        yield (
            f"[robot], min_dispense_ul: must be at least {LEAST_UL:g}, the least that an I.DOT "
            f"dispenses (got {robot.min_dispense_ul:g})"
        )
    why = "what an I.DOT sheds of a source well before each plate"
    yield from dead_volume_problems(robot, SHED_UL, why)
