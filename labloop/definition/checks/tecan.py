"""What is wrong with the volumes of a Tecan, whose worklists carry them to two decimals."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.models import Robot
from labloop.ticks import is_multiple

STEP_UL = 0.01


def tecan_problems(robot: Robot) -> Iterator[str]:
    """Yield what is wrong with the increment of an EVO or a Fluent; nothing of other robots."""
    if robot.kind not in ("evo", "fluent"):
        return
    if not is_multiple(robot.increment_ul, STEP_UL):
        yield (
            f"[robot], increment_ul: must be a multiple of {STEP_UL:g} µL, to which a Tecan "
            f"worklist carries volumes (got {robot.increment_ul:g})"
        )
