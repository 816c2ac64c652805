"""What the checks of several robots ask of volumes, by the decimals that stand in campaign.toml."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from labloop.definition.models import Robot


def is_multiple(volume_ul: float, step_ul: float) -> bool:
    """Whether a volume is a whole number, one or more, of steps."""
    steps = Fraction(str(volume_ul)) / Fraction(str(step_ul))
    return steps >= 1 and steps.denominator == 1


def dead_volume_problems(robot: Robot, least_ul: float, why: str) -> Iterator[str]:
    """Yield dead volumes of source plates below the least that a robot needs; `why` ends it."""
    dead = [("[robot]", robot.dead_volume_ul)] + [
        (f"[[robot.source_plate]] number {number}", plate.dead_volume_ul)
        for number, plate in enumerate(robot.source_plates, start=1)
    ]
    for place, volume in dead:
        if volume < least_ul:
            yield (
                f"{place}, dead_volume_ul: must be at least {least_ul:g}, {why} (got {volume:g})"
            )
