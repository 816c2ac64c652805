"""The frames of what `labloop check` finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Definition
from labloop.space import FormulaSpace
from labloop.space.extra_stocks import ExtraStocks
from labloop.space.reach import Reach
from labloop.space.volume_use import VolumeUse

if TYPE_CHECKING:
    import pandas as pd


def component_frame(space: FormulaSpace, reaches: list[Reach], use: VolumeUse) -> pd.DataFrame:
    """Return `Checked.components`."""
    import pandas as pd

    rows = []
    for j, table in enumerate(space.tables):
        component, reached = table.component, reaches[j]
        positive = table.concentration[table.concentration > 0]
        plain = component.choices is None
        rows.append(
            {
                "unit": component.unit if plain else "",
                "levels": len(table),
                "lowest": float(positive.min()) if plain and len(positive) else np.nan,
                "highest": float(table.concentration.max()) if plain else np.nan,
                "reach": reached.share,
                "fine_from": reached.fine_from if plain else np.nan,
                "worst_error": round(reached.worst_error, 9),
                "high_ul": round(float(use.high[j]), 9),
                "usual_ul": round(float(use.usual[j]), 9),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(space.names, name="component"))


def extra_frame(definition: Definition, extra: Mapping[str, ExtraStocks]) -> pd.DataFrame:
    """Return `Checked.extra_stocks`."""
    import pandas as pd

    columns = ["component", "unit", "reach", "stock", "with_stock", "second_stock", "with_both"]
    rows = []
    for component in definition.components:
        if component.name in extra:
            found = extra[component.name]
            first, second = (*found.stocks, np.nan)[:2]
            shares = (*found.reach, np.nan)[:3]
            rows.append([component.name, component.unit, shares[0], first, shares[1], second])
            rows[-1].append(shares[2])
    numbers = dict.fromkeys(["reach", "stock", "with_stock", "second_stock", "with_both"], float)
    return pd.DataFrame(rows, columns=columns).astype(numbers)


def stronger_frame(definition: Definition, stronger: Mapping[str, float]) -> pd.DataFrame:
    """Return `Checked.stronger_stocks`."""
    import pandas as pd

    units = {component.name: component.unit for component in definition.components}
    rows = [[name, units[name], stock] for name, stock in stronger.items()]
    return pd.DataFrame(rows, columns=["component", "unit", "stock"]).astype({"stock": float})


def with_places(totals: pd.DataFrame, deck: pd.DataFrame) -> pd.DataFrame:
    """Return the stocks' totals with the numbers of the source plates that each stands in."""
    keys = ["stock", "stock_concentration"]
    plates = deck.groupby(keys, dropna=False, sort=False)["source_plate"].unique()
    where = [", ".join(str(number) for number in sorted(numbers)) for numbers in plates]
    totals.insert(2, "source_plates", where)
    return totals
