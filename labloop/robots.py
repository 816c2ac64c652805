"""What each liquid handler can do when the campaign does not say otherwise.

The figures are the makers' nominal ones for the usual tips or labware; every lab may set its own
under `[robot]` in campaign.toml.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RobotLimits:
    """Volumes in µL that a liquid handler can dispense, and the source plate it draws from."""

    min_dispense_ul: float
    increment_ul: float
    max_dispense_ul: float
    dead_volume_ul: float
    source_wells: int
    source_well_volume_ul: float


ROBOTS: dict[str, RobotLimits] = {
    "echo525": RobotLimits(0.025, 0.025, 5.0, 20.0, 384, 65.0),
    "echo550": RobotLimits(0.0025, 0.0025, 5.0, 20.0, 384, 50.0),
    "ot2": RobotLimits(1.0, 0.1, 300.0, 50.0, 96, 2000.0),
    "flex": RobotLimits(5.0, 0.1, 1000.0, 50.0, 96, 2000.0),
    "evo": RobotLimits(2.0, 0.1, 900.0, 100.0, 96, 2000.0),
    "fluent": RobotLimits(1.0, 0.1, 900.0, 100.0, 96, 2000.0),
    "biomek": RobotLimits(1.0, 0.1, 200.0, 200.0, 24, 10000.0),
    "hamilton": RobotLimits(1.0, 0.1, 1000.0, 100.0, 24, 10000.0),
    "mantis": RobotLimits(0.1, 0.1, 1000.0, 25.0, 24, 10000.0),
    "idot": RobotLimits(0.008, 0.001, 50.0, 2.0, 96, 80.0),
    "manual": RobotLimits(1.0, 0.1, 1000.0, 100.0, 24, 10000.0),
}
