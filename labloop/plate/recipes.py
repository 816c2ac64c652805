"""What a formula is made of: for each component the stock and its volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

if TYPE_CHECKING:
    import pandas as pd


def formula_recipes(
    space: FormulaSpace, formulas: Sequence[int], levels: LevelNumbers
) -> pd.DataFrame:
    """Return the recipes of formulas given as (n, components) level numbers.

    One row a formula and component: `formula`, `component`, `target` and `achieved` (concentration
    or choice), `stock_concentration` (NaN where no stock is used), `ticks`.
    """
    import pandas as pd

    tables = list(zip(space.tables, levels.T, strict=True))
    achieved = pd.Series(
        [
            amount
            for j, (table, numbers) in enumerate(tables)
            for amount in _amounts(space, j, table.concentration[numbers])
        ],
        dtype=object,
    )
    return pd.DataFrame(
        {
            "formula": pd.Series(list(formulas) * len(tables), dtype=object),
            "component": np.repeat(np.array(space.names, dtype=object), len(formulas)),
            "target": achieved,
            "achieved": achieved,
            "stock_concentration": np.concatenate([t.stock_concentration[n] for t, n in tables]),
            "ticks": np.concatenate([t.ticks[n] for t, n in tables]),
        }
    )


def control_recipes(space: FormulaSpace, controls: Mapping[str, Floats]) -> pd.DataFrame:
    """Return the recipes of controls, given by name with their (components,) wanted amounts.

    Raises:
        RefusedError: A concentration cannot be made from the stocks.
    """
    import pandas as pd

    rows = []
    for name, wanted in controls.items():
        try:
            levels = space.achieve(wanted[None, :])[0]
        except RefusedError as error:
            raise RefusedError(f'The control "{name}" cannot be made: {error}') from error
        for j, level in enumerate(levels):
            rows.append(
                {
                    "formula": name,
                    "component": level.component.name,
                    "target": _amounts(space, j, wanted[j : j + 1])[0],
                    "achieved": _amounts(space, j, level.concentration)[0],
                    "stock_concentration": level.stock_concentration[0],
                    "ticks": level.ticks[0],
                }
            )
    columns = ["formula", "component", "target", "achieved", "stock_concentration", "ticks"]
    return pd.DataFrame(rows, columns=columns).astype({"target": object, "achieved": object})


def wanted_controls(definition: Definition) -> dict[str, Floats]:
    """Return name → (components,) wanted amounts of the controls; choices by number.

    A component that the formula does not name is zero, or its fixed value.
    """
    controls: dict[str, Floats] = {}
    for name in definition.plate.controls:
        amounts = definition.formulas[name]
        row = np.zeros(len(definition.components))
        for j, component in enumerate(definition.components):
            amount = amounts.get(component.name, component.fixed or 0.0)
            if component.choices is not None:
                row[j] = component.choices.index(str(amount))
            else:
                row[j] = float(amount)
        controls[name] = row
    return controls


def _amounts(space: FormulaSpace, column: int, values: Floats) -> list[float | str]:
    choices = space.components[column].choices
    if choices is None:
        return [float(value) for value in values]
    return [choices[int(value)] for value in values]
