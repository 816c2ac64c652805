"""A list for labs that pipette by hand: stock by stock, well by well."""

from __future__ import annotations

from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet, volume_text

_COLUMNS = ("stock", "stock_concentration", "unit", "source_plate", "source_well", "plate", "well")


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return `bench-list.csv`: the dispenses in order, volumes in µL to the last digit."""
    tick = plan.robot.increment_ul
    dispenses = plan.dispenses.assign(
        unit=[plan.units.get(stock, "") for stock in plan.dispenses["stock"]],
        volume_ul=[volume_text(ticks, tick) for ticks in plan.dispenses["ticks"]],
    )
    columns = (*_COLUMNS, "volume_ul")
    rows = dispenses[list(columns)].itertuples(index=False, name=None)
    return {"bench-list.csv": sheet(columns, rows)}
