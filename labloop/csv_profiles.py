"""What stands in the columns of the worklists that robots read as CSV.

Headings are the machines' own words. Biomek: published campaign files (Zournas et al. 2025,
flaviolin). Hamilton: methods of VENUS map the columns themselves; these are usual names. Nimbus:
the files of its published compilers, whose first tip is taken without being told. epMotion: files
with numbered racks; `epblue` is what the import of Eppendorf's epBlue wants, with its rows of
labware above the headings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "row": "Number of the line, from 1",
        "source_plate": "Name of the source plate on the deck",
        "source_number": "Number of the source plate, from 1",
        "source_position": "Position of the source plate on the deck: `P1`, `P2` …",
        "source_labware": "The robot's own name of that kind of source plate",
        "source_well": "Source well: `A1`",
        "source_well0": "Source well, padded: `A01`",
        "source_well_down": "Number of the source well, counted down the columns",
        "source_well_along": "Number of the source well, counted along the rows",
        "plate": "Name of the plate on the deck",
        "plate_number": "Number of the plate, from 1",
        "plate_position": "Position of the plate on the deck, behind the source plates",
        "plate_labware": "The robot's own name of that kind of plate",
        "well": "Well: `A1`",
        "well0": "Well, padded: `A01`",
        "well_down": "Number of the well, counted down the columns",
        "well_along": "Number of the well, counted along the rows",
        "volume_ul": "Volume in µL",
        "volume_nl": "Volume in nL",
        "stock": "Component or diluent",
        "concentration": "Concentration of the stock; empty for the diluent",
        "unit": "Its unit",
        "stock_title": "Component, concentration and unit: `glucose 400 mM`",
        "formula": "Formula or control that the well is for",
        "liquid_class": "From `liquid_classes`",
        "tool": "The smallest of the epMotion's tools that makes the volume: `TS_50`",
        "new_tip": "1 where a fresh tip is taken, by `tips`; else 0",
        "change_tip": "The same, but 0 in the first line",
    }
)
"""Field → what stands in a column of it."""


@dataclass(frozen=True)
class Profile:
    """The CSV of one machine.

    Attributes:
        columns: Heading and field of each column; machines may want a heading twice.
        line_end: How lines end.
        above: Lines above the headings.
        most_rows: How many dispenses one file may have; None for any number.

    """

    columns: tuple[tuple[str, str], ...]
    line_end: str = "\r\n"
    above: tuple[str, ...] = ()
    most_rows: int | None = None


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "biomek": Profile(
            (
                ("Source Position", "source_position"),
                ("Source Well", "source_well"),
                ("Destination Position", "plate_position"),
                ("Destination Well", "well"),
                ("Transfer Volume [uL]", "volume_ul"),
            ),
            line_end="\n",
        ),
        "hamilton": Profile(
            (
                ("Source Plate Name", "source_plate"),
                ("Source Well", "source_well"),
                ("Destination Plate Name", "plate"),
                ("Destination Well", "well"),
                ("Transfer Volume", "volume_ul"),
            )
        ),
        "nimbus": Profile(
            (
                ("Source Labware ID", "source_plate"),
                ("Source Position ID", "source_well"),
                ("Volume (uL)", "volume_ul"),
                ("Destination Labware ID", "plate"),
                ("Destination Position ID", "well"),
                ("Change Tip Before", "change_tip"),
            )
        ),
        "epmotion": Profile(
            (
                ("Source Rack", "source_number"),
                ("Source Well", "source_well"),
                ("Destination Rack", "plate_number"),
                ("Destination Well", "well"),
                ("Transfer Volume", "volume_ul"),
                ("Tool", "tool"),
            ),
            most_rows=500,
        ),
        "epblue": Profile(
            (
                ("Barcode ID", "="),
                ("Labware", "source_number"),
                ("Source", "source_well"),
                ("Labware", "plate_number"),
                ("Destination", "well"),
                ("Volume", "volume_ul"),
                ("Tool", "tool"),
                ("Name", "stock_title"),
            ),
            above=(
                "Labware,Src.Barcode,Src.List Name,Dest.Barcode,Dest.List Name,,,",
                *[",,,,,,,"] * 5,
            ),
            most_rows=500,
        ),
    }
)
"""Profiles by name; those of a robot's own name are its default."""

KINDS = ("biomek", "hamilton", "epmotion")
"""The kinds of robots whose worklist is a CSV with columns of the user's choice."""

USUAL_TOOLS = ("TS_50", "TS_300", "TS_1000")
"""The epMotion's tools where `pipettes` names none."""
