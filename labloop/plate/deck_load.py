"""Whether a robot's deck holds what a round needs: source plates, plates and tip racks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.definition import Robot
from labloop.plate.tips import racks_of
from labloop.robots import USUAL_PIPETTES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DeckLoad:
    """How many places of the deck a round takes.

    Attributes:
        source_plates: Plates, racks and reservoirs that stocks are drawn from.
        plates: The round's plates.
        tip_racks: Racks of 96 tips, counted for each kind of tip by itself.
        standing_racks: How many of them have to stand there at once: all, or one a pipette of an
            Opentrons, which pauses until empty ones are changed.
        positions: What the deck holds; None where that is not known.
    """

    source_plates: int
    plates: int
    tip_racks: int
    standing_racks: int
    positions: int | None

    @property
    def needed(self) -> int:
        """How many places are taken at once."""
        return self.source_plates + self.plates + self.standing_racks


def deck_load(dispenses: pd.DataFrame, tips: Mapping[str, int], robot: Robot) -> DeckLoad:
    """Return how many places of the deck a round takes that is made in one sitting.

    Args:
        dispenses: Frame of `dispensing.plan`.
        tips: How many tips of each kind, as `tips.tips_needed` counts them.
        robot: The campaign's robot.
    """
    racks = sum(racks_of(number) for number in tips.values())
    return DeckLoad(
        source_plates=int(dispenses["source_plate"].nunique()),
        plates=int(dispenses["plate"].nunique()),
        tip_racks=racks,
        standing_racks=len(tips) if robot.kind in USUAL_PIPETTES else racks,
        positions=robot.positions,
    )


def source_plates(deck: pd.DataFrame, robot: Robot) -> pd.DataFrame:
    """Return what stands in each source plate, one row a plate that is listed or drawn from.

    Columns: `source_plate` (from 1), `labware` (as the robot calls it), `wells` (how many it has),
    `used` (how many of them stocks stand in) and `stocks` (how many stocks).

    Args:
        deck: Frame of `deck.deck_list`.
        robot: The campaign's robot.
    """
    import pandas as pd

    listed = range(1, len(robot.source_plates) + 1)
    rows = []
    for number in sorted({*listed, *(int(each) for each in deck["source_plate"].unique())}):
        plate = robot.source_plate(number)
        inside = deck[deck["source_plate"] == number]
        rows.append(
            {
                "source_plate": number,
                "labware": plate.labware,
                "wells": plate.wells,
                "used": len(inside),
                "stocks": len(inside[["stock", "stock_concentration"]].drop_duplicates()),
            }
        )
    return pd.DataFrame(rows)
