"""What the checks of several robots ask of volumes."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.models import Robot


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
