"""What is wrong with the volumes of a Mantis, whose chips dispense tenths of a µL."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.checks.volumes import dead_volume_problems
from labloop.definition.models import Robot
from labloop.ticks import is_multiple

STEP_UL = 0.1
LEAST_DEAD_UL = 10.0
"""What the low volume chip, which holds back least, leaves of a reagent, in µL."""


def mantis_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the volumes of a Mantis; nothing of other robots."""
    if robot.kind != "mantis":
        return
    if not is_multiple(robot.increment_ul, STEP_UL):
        yield (
            f"[robot], increment_ul: must be a whole number of the Mantis's steps of {STEP_UL:g} "
            f"µL (got {robot.increment_ul:g})"
        )
    yield from dead_volume_problems(robot, LEAST_DEAD_UL, "what a chip of the Mantis holds back")
