"""From formulas to plates: layout, recipes and dispenses of one round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.definition import Definition
from labloop.plate.dispensing import plan
from labloop.plate.layout import arrange
from labloop.plate.recipes import control_recipes, formula_recipes, wanted_controls
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Planned:
    """The plates of a round, its formulas numbered from 0.

    Attributes:
        layout: Frame of `layout.arrange`.
        recipes: Frame of `recipes.formula_recipes` and `recipes.control_recipes`.
        dispenses: Frame of `dispensing.plan`.
    """

    layout: pd.DataFrame
    recipes: pd.DataFrame
    dispenses: pd.DataFrame


def planned(
    definition: Definition, space: FormulaSpace, levels: LevelNumbers, seed: int
) -> Planned:
    """Lay out formulas with their replicates and controls, and plan their dispenses.

    Args:
        definition: The campaign's.
        space: The formulas that can be made.
        levels: (n, components) level numbers of the formulas.
        seed: Makes the layout repeatable.

    Raises:
        RefusedError: The plate is too small, or a control cannot be made.
    """
    import pandas as pd

    numbers = list(range(len(levels)))
    layout = arrange(
        numbers,
        definition.plate.controls,
        wells=definition.plate.wells,
        replicates=definition.plate.replicates,
        plates=definition.plate.plates,
        empty_wells=definition.plate.empty_wells,
        seed=seed,
    )
    parts = [formula_recipes(space, numbers, levels)]
    controls = wanted_controls(definition)
    if controls:
        parts.append(control_recipes(space, controls))
    recipes = pd.concat(parts, ignore_index=True)
    dispenses = plan(
        layout, recipes, components=space.names, plate=definition.plate, robot=definition.robot
    )
    return Planned(layout, recipes, dispenses)
