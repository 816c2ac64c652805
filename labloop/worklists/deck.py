"""What the lab puts on the deck, and what it adds by hand."""

from __future__ import annotations

from labloop.plate.deck import deck_list, deck_totals
from labloop.plate.dispensing import by_hand
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet

_DECK = (
    "source_plate",
    "source_well",
    "stock",
    "stock_concentration",
    "unit",
    "volume_ul",
    "dead_volume_ul",
    "fill_volume_ul",
    "stock_fill_ul",
    "note",
)


def deck_csv(plan: RoundPlan) -> bytes:
    """Return one CSV row a source well, in the order of dispensing, and one for the inoculum.

    `fill_volume_ul` is what to put into the source well, dead volume included; `stock_fill_ul` is
    how much of the stock all its source wells take together.
    """
    deck = deck_list(plan.dispenses, plan.robot)
    keys = ["stock", "stock_concentration"]
    totals = deck_totals(deck)[[*keys, "fill_volume_ul"]]
    deck = deck.merge(totals.rename(columns={"fill_volume_ul": "stock_fill_ul"}), on=keys)
    deck["unit"] = deck["stock"].map(lambda stock: plan.units.get(stock, ""))
    deck["note"] = ""
    rows = list(deck[list(_DECK)].itertuples(index=False, name=None))
    if plan.plate.inoculum_ul > 0:
        filled = int((plan.layout["role"] != "empty").sum())
        total = filled * plan.plate.inoculum_ul
        note = f"added last by the lab: {plan.plate.inoculum_ul:g} uL to each of {filled} wells"
        rows.append((None, None, "inoculum", None, None, total, None, None, total, note))
    return sheet(_DECK, rows)


def by_hand_csv(plan: RoundPlan) -> dict[str, bytes]:
    """Return the sheet of components without stocks, which the lab adds; no file where none is."""
    added = by_hand(plan.layout, plan.recipes)
    if added.empty:
        return {}
    rows = (
        (plate, well, component, amount, plan.units.get(component, ""))
        for plate, well, component, amount in added.itertuples(index=False, name=None)
    )
    return {"by-hand.csv": sheet(("plate", "well", "component", "amount", "unit"), rows)}
