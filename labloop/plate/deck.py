"""How much of each stock must stand on the deck, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labloop.definition import Robot
from labloop.plate.dispensing import microlitres

if TYPE_CHECKING:
    import pandas as pd


def deck_list(dispenses: pd.DataFrame, robot: Robot) -> pd.DataFrame:
    """Return what must stand on the deck, one row a source well in the order of dispensing.

    Columns: `stock`, `stock_concentration`, `source_plate`, `source_well`, `volume_ul` (what the
    round takes from the well), `dead_volume_ul`, `fill_volume_ul` (their sum).
    """
    keys = ["stock", "stock_concentration", "source_plate", "source_well"]
    deck = dispenses.groupby(keys, dropna=False, sort=False)["ticks"].sum().reset_index()
    deck["volume_ul"] = microlitres(deck.pop("ticks"), robot.increment_ul)
    dead = {n: robot.source_plate(n).dead_volume_ul for n in deck["source_plate"].unique()}
    deck["dead_volume_ul"] = deck["source_plate"].map(dead).astype(float)
    deck["fill_volume_ul"] = (deck["volume_ul"] + deck["dead_volume_ul"]).round(9)
    return deck


def deck_totals(deck: pd.DataFrame) -> pd.DataFrame:
    """Return how much of each stock a round takes, one row a stock in the order of dispensing.

    Columns: `stock`, `stock_concentration`, `source_wells` (how many), `volume_ul`,
    `dead_volume_ul`, `fill_volume_ul`, summed over the source wells of `deck_list`.
    """
    volumes = ["volume_ul", "dead_volume_ul", "fill_volume_ul"]
    by_stock = deck.groupby(["stock", "stock_concentration"], dropna=False, sort=False)
    totals = by_stock[volumes].sum().round(9)
    totals.insert(0, "source_wells", by_stock.size())
    return totals.reset_index()
