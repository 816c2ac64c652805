"""What each liquid handler can do when the campaign does not say otherwise.

The figures are the makers' nominal ones for the usual tips or labware; every lab may set its own
under `[robot]` in campaign.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Bulk:
    """The source plate that a robot's diluent stands in, volumes in µL.

    Field names are the keys of `[[robot.source_plate]]`.
    """

    wells: int
    well_volume_ul: float
    dead_volume_ul: float
    labware: str
    most_from_well_ul: float | None = None


@dataclass(frozen=True)
class RobotLimits:
    """Volumes in µL that a liquid handler can dispense, and the source plates it draws from.

    `source_labware` is the robot's own name of the source plate, `most_from_well_ul` the most that
    it takes from one source well whatever stands in it, `positions` how many plates, racks and
    reservoirs its deck holds (None: not known).
    """

    min_dispense_ul: float
    increment_ul: float
    max_dispense_ul: float
    dead_volume_ul: float
    source_wells: int
    source_well_volume_ul: float
    source_labware: str = ""
    most_from_well_ul: float | None = None
    positions: int | None = None
    bulk: Bulk | None = None


_OPENTRONS_BULK = Bulk(12, 15000.0, 1000.0, "nest_12_reservoir_15ml")
_DEEP_WELLS = "nest_96_wellplate_2ml_deep"

ROBOTS: Mapping[str, RobotLimits] = MappingProxyType(
    {
        "echo525": RobotLimits(
            0.025, 0.025, 5.0, 20.0, 384, 65.0, "384PP_AQ_BP", 10.0,
            bulk=Bulk(6, 5978.0, 100.0, "6RES_AQ_BP2", 3000.0),
        ),
        "echo550": RobotLimits(0.0025, 0.0025, 5.0, 20.0, 384, 50.0, "Labcyte_384PP_StdV", 10.0),
        "ot2": RobotLimits(
            1.0, 0.1, 300.0, 50.0, 96, 2000.0, _DEEP_WELLS, positions=11, bulk=_OPENTRONS_BULK
        ),
        "flex": RobotLimits(
            5.0, 0.1, 1000.0, 50.0, 96, 2000.0, _DEEP_WELLS, positions=11, bulk=_OPENTRONS_BULK
        ),
        "evo": RobotLimits(
            2.0, 0.1, 900.0, 100.0, 96, 2000.0, "96 Well DeepWell",
            bulk=Bulk(1, 100_000.0, 5000.0, "Trough 100ml"),
        ),
        "fluent": RobotLimits(
            1.0, 0.1, 900.0, 100.0, 96, 2000.0, "96 Well DeepWell",
            bulk=Bulk(1, 100_000.0, 5000.0, "Trough 100ml"),
        ),
        "biomek": RobotLimits(1.0, 0.1, 200.0, 200.0, 24, 10000.0),
        "hamilton": RobotLimits(1.0, 0.1, 1000.0, 100.0, 24, 10000.0),
        "epmotion": RobotLimits(1.0, 0.1, 1000.0, 100.0, 24, 2000.0),
        "mantis": RobotLimits(0.1, 0.1, 1000.0, 25.0, 24, 10000.0),
        "idot": RobotLimits(0.008, 0.001, 50.0, 2.0, 96, 80.0),
        "manual": RobotLimits(1.0, 0.1, 1000.0, 100.0, 24, 10000.0),
    }
)  # fmt: skip


@dataclass(frozen=True)
class SourceType:
    """A type of source plate in an Echo's labware list, volumes in µL.

    `well_volume_ul` is the most that a well may hold, `dead_volume_ul` the least of which the Echo
    still dispenses, `drop_ul` the drop that every volume is a multiple of. `most_from_well_ul` is
    the list's MaxVolTotal; `worklists.echo` says what is known of it. Field names but the last are
    the keys of `[[robot.source_plate]]`.
    """

    wells: int
    dead_volume_ul: float
    well_volume_ul: float
    most_from_well_ul: float
    drop_ul: float


_PP = SourceType(384, 20.0, 65.0, 10.0, 0.025)
_PLUS = SourceType(384, 17.0, 65.0, 10.0, 0.025)
_RESERVOIR = SourceType(6, 100.0, 5978.0, 3000.0, 0.025)
_PP2 = SourceType(384, 15.0, 65.0, 10.0, 0.0025)

SOURCE_TYPES: Mapping[str, SourceType] = MappingProxyType(
    {
        "384PP_AQ_BP": _PP,
        "384PP_AQ_SP": _PP,
        "384PP_AQ_SP_High": _PP,
        "384PP_Plus_AQ_BP": _PP,
        "384PP_Plus_AQ_SP": _PP,
        "384PP_Plus_AQ_GP": _PLUS,
        "384PP_Plus_AQ_GPSA": _PLUS,
        "384PP_Plus_AQ_GPSB": _PLUS,
        "384LDV_Plus_AQ_GP": SourceType(384, 3.75, 15.0, 5.0, 0.025),
        "6RES_AQ_BP2": _RESERVOIR,
        "6RES_AQ_GPSA2": _RESERVOIR,
        "6RES_AQ_GPSB2": _RESERVOIR,
        "Labcyte_384PP_StdV": SourceType(384, 20.0, 50.0, 10.0, 0.0025),
        "Labcyte_LDV_384": SourceType(384, 2.5, 12.0, 5.0, 0.0025),
        "384PP_AQ_BP2": _PP2,
        "384PP_AQ_SP2": _PP2,
        "384PP_AQ_GP2": _PP2,
        "384PP_AQ_CP": SourceType(384, 20.0, 50.0, 10.0, 0.0025),
        "384PP_DMSO2": _PP2,
        "384LDV_AQ_B2": SourceType(384, 3.0, 12.0, 5.0, 0.0025),
        "384LDV_DMSO": SourceType(384, 2.5, 12.0, 5.0, 0.0025),
    }
)
"""Source plates by the name that an Echo's picklist gives them: drops of 25 nL are the Echo 525's,
of 2.5 nL those of the 550 and 555. The figures are those of machines' own labware lists, as among
kithairon's test files; of the last seven, those that labs publish with their picklists."""

PIPETTES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "p10_single": (1.0, 10.0),
        "p20_single_gen2": (1.0, 20.0),
        "p50_single": (5.0, 50.0),
        "p300_single": (30.0, 300.0),
        "p300_single_gen2": (20.0, 300.0),
        "p1000_single": (100.0, 1000.0),
        "p1000_single_gen2": (100.0, 1000.0),
        "flex_1channel_50": (5.0, 50.0),
        "flex_1channel_1000": (5.0, 1000.0),
    }
)
"""Least and greatest volume in µL of each Opentrons pipette, by the name of its Python API."""

USUAL_PIPETTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ot2": ("p20_single_gen2", "p300_single_gen2"),
        "flex": ("flex_1channel_50", "flex_1channel_1000"),
    }
)
"""The pipettes of each Opentrons where the campaign names none, the first on the left mount."""

TOOLS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "TS_10": (0.2, 10.0),
        "TS_50": (1.0, 50.0),
        "TS_300": (20.0, 300.0),
        "TS_1000": (40.0, 1000.0),
    }
)
"""Least and greatest volume in µL of each tool of one channel of an epMotion (Eppendorf), by the
name that its files give it."""
