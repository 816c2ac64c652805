"""What is wrong with the volumes of a Mantis, whose chips dispense tenths of a µL."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.models import Robot

STEP_UL = 0.1
LEAST_DEAD_UL = 10.0
"""What the low volume chip, which holds back least, leaves of a reagent, in µL."""


def mantis_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the volumes of a Mantis; nothing of other robots."""
    if robot.kind != "mantis":
        return
    steps = robot.increment_ul / STEP_UL
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
        yield (
            f"[robot], increment_ul: must be a whole number of the Mantis's steps of {STEP_UL:g} "
            f"µL (got {robot.increment_ul:g})"
        )
    dead = [("[robot]", robot.dead_volume_ul)] + [
        (f"[[robot.source_plate]] number {number}", plate.dead_volume_ul)
        for number, plate in enumerate(robot.source_plates, start=1)
    ]
    for place, volume in dead:
        if volume < LEAST_DEAD_UL:
            yield (
                f"{place}, dead_volume_ul: must be at least {LEAST_DEAD_UL:g}, what a chip of the "
                f"Mantis holds back (got {volume:g})"
            )
