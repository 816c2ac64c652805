"""What the name of an Opentrons' labware says of it: how many wells, and what one holds.

Load names are built alike, those of the Labware Library and those that the Labware Creator gives:
`corning_96_wellplate_360ul_flat` is a plate of 96 wells of 360 µL. So labware that a lab made
itself is checked as well, without a list of names that would grow old.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

PLATES: Mapping[int, str] = MappingProxyType(
    {
        24: "corning_24_wellplate_3.4ml_flat",
        48: "corning_48_wellplate_1.6ml_flat",
        96: "corning_96_wellplate_360ul_flat",
        384: "corning_384_wellplate_112ul_flat",
    }
)
"""The campaign's plates, by their wells, where the user names no labware."""

SOURCES: Mapping[int, str] = MappingProxyType(
    {
        1: "nest_1_reservoir_195ml",
        6: "opentrons_6_tuberack_falcon_50ml_conical",
        12: "nest_12_reservoir_15ml",
        15: "opentrons_15_tuberack_falcon_15ml_conical",
        24: "opentrons_24_tuberack_nest_2ml_snapcap",
        48: "corning_48_wellplate_1.6ml_flat",
        96: "nest_96_wellplate_2ml_deep",
        384: "corning_384_wellplate_112ul_flat",
    }
)
"""Source plates, by their wells, where the user names no labware."""

TIP_RACKS: Mapping[str, str] = MappingProxyType(
    {
        "p10_single": "opentrons_96_tiprack_10ul",
        "p20_single_gen2": "opentrons_96_tiprack_20ul",
        "p50_single": "opentrons_96_tiprack_300ul",
        "p300_single": "opentrons_96_tiprack_300ul",
        "p300_single_gen2": "opentrons_96_tiprack_300ul",
        "p1000_single": "opentrons_96_tiprack_1000ul",
        "p1000_single_gen2": "opentrons_96_tiprack_1000ul",
        "flex_1channel_50": "opentrons_flex_96_tiprack_50ul",
        "flex_1channel_1000": "opentrons_flex_96_tiprack_1000ul",
    }
)
"""The tip rack of each pipette, whose tips hold all that the pipette does."""

_NAME = re.compile(r"[a-z0-9._-]+", re.ASCII)
_COUNT = re.compile(r"_(\d+)_(?:wellplate|reservoir|tuberack|aluminumblock)(?:_|$)", re.ASCII)
_CAPACITY = re.compile(r"_(\d+(?:\.\d+)?)(ul|ml)(?:_|$)", re.ASCII)
_NO_VESSEL = re.compile(r"tiprack|(?:adapter|lid|trash)$", re.ASCII)


def wells_of(name: str) -> int | None:
    """Return how many wells the labware's name says it has; None where it does not say."""
    said = _COUNT.search(name)
    return int(said[1]) if said else None


def capacity_ul(name: str) -> float | None:
    """Return how many µL the labware's name says a well holds; None where it does not say."""
    said = _CAPACITY.search(name)
    return float(said[1]) * (1000.0 if said[2] == "ml" else 1.0) if said else None


def problem_of(name: str, wells: int) -> str:
    """Return why this cannot be the labware of a plate of so many wells; empty where it can."""
    if not _NAME.fullmatch(name):
        return "is no load name: those have lower-case letters, digits and . _ - only"
    if _NO_VESSEL.search(name):
        return "is nothing that liquid stands in"
    counted = wells_of(name)
    if counted is not None and counted != wells:
        return f"has {counted} wells, not {wells}"
    if wells == 12 and "wellplate" in name:
        return "has three rows, where labloop's 12 wells are the channels of a reservoir"
    return ""
