"""Beckman Biomek: the CSV that its transfer-from-file step reads.

Columns and spelling are those of published campaign files (Zournas et al. 2025, flaviolin). The
deck positions are P1, P2 …: the source plates first, then the destination plates.
"""

from __future__ import annotations

from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import number, sheet

_HEADER = "Source Position,Source Well,Destination Position,Destination Well,Transfer Volume [uL]"


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return the Biomek's files.

    `biomek.csv` has one line a dispense in order, volumes in µL, wells unpadded; `biomek-deck.csv`
    says what stands at which position.
    """
    dispenses = plan.dispenses
    sources = int(dispenses["source_plate"].max()) if len(dispenses) else 0
    columns = ["source_plate", "source_well", "plate", "well", "volume_ul"]
    lines = [
        f"P{source_plate},{source_well},P{sources + plate},{well},{number(volume)}"
        for source_plate, source_well, plate, well, volume in dispenses[columns].itertuples(
            index=False, name=None
        )
    ]
    stands = [f"source plate {each + 1}" for each in range(sources)]
    stands += [f"plate {plate}" for plate in sorted(plan.layout["plate"].unique())]
    deck = [(f"P{place}", labware) for place, labware in enumerate(stands, start=1)]
    return {
        "biomek.csv": "\n".join([_HEADER, *lines, ""]).encode("ascii"),
        "biomek-deck.csv": sheet(("position", "labware"), deck),
    }
