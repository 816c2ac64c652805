"""What was found of a definition before anything is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.definition import Definition
from labloop.plate.deck_load import DeckLoad
from labloop.space import FormulaSpace
from labloop.space.extra_stocks import ExtraStocks
from labloop.space.reach import Reach
from labloop.space.volume_use import VolumeUse

if TYPE_CHECKING:
    import pandas as pd

Weighed = tuple[float, str]
"""A sentence and how grave it is: above 1 what keeps a round from being made, below it the share of
a range or of the formulas that is lost."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What the sentences of `labloop check` are about.

    Attributes:
        definition: The campaign's.
        space: Its formulas.
        reaches: What of each component's range is reached, in the order of the components.
        extra: By component, the stocks that would bring its reach to 95 %.
        stronger: By component, a stronger stock that dissolves.
        use: What formulas take of a well.
        deck: Frame of `deck.deck_list` of a typical first round.
        load: How many places of the deck that round takes.
        sittings: How many times the deck is laid for it.
        rack_changes: How often a protocol pauses for new tip racks beside that.
        different: How many different formulas there are, NaN where they are too many to count.
        refusal: Why the robot could not be given that round; empty where it can.
        fits_with_extra: Share of random formulas that fit the well with all of `extra`.
        fits_with_stronger: The same with all of `stronger`.
    """

    definition: Definition
    space: FormulaSpace
    reaches: list[Reach]
    extra: Mapping[str, ExtraStocks]
    stronger: Mapping[str, float]
    use: VolumeUse
    deck: pd.DataFrame
    load: DeckLoad
    sittings: int
    rack_changes: int
    different: float
    refusal: str
    fits_with_extra: float
    fits_with_stronger: float
