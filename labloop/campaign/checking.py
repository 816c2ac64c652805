"""What a definition allows, said before the first plate is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition import Component, Definition
from labloop.plate.deck import deck_list, deck_totals
from labloop.plate.planning import planned
from labloop.space import FormulaSpace, LevelTable

if TYPE_CHECKING:
    import pandas as pd

_GOOD = 0.02
_ENOUGH = 0.95
_EXAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Checked:
    """What `labloop check` finds.

    Attributes:
        components: Frame by component: `unit`, `levels` (how many there are), `lowest` (above
            zero) and `highest`, `reach` (share of the range that is made within 2 %) and
            `worst_error` (relative, within that share).
        deck: Frame of the stocks that a typical first plate takes: `stock`,
            `stock_concentration`, `source_wells`, `volume_ul`, `dead_volume_ul`, `fill_volume_ul`.
        plates: How many plates a round takes.
        wells: How many wells of them are filled.
        warnings: Sentences on components of which the robot makes less than was asked for.
        feasible: Share of random formulas that satisfy all constraints as they are, before mending.
    """

    components: pd.DataFrame
    deck: pd.DataFrame
    plates: int
    wells: int
    warnings: tuple[str, ...]
    feasible: float


def check(definition: Definition, space: FormulaSpace) -> Checked:
    """Check what the robot can reach and what a round needs on the deck.

    The deck is that of a plate of formulas spread evenly over the space.

    Raises:
        RefusedError: The plate cannot be laid out or dispensed.
    """
    from labloop.proposal.latin_hypercube import latin_hypercube

    rng = np.random.default_rng(0)
    levels = latin_hypercube(space, definition.proposal.formulas, rng)
    plates = planned(definition, space, levels, seed=0)
    some = space.from_unit(rng.random((_EXAMPLES, len(space.tables))))
    return Checked(
        components=_components(space),
        deck=deck_totals(deck_list(plates.dispenses, definition.robot)),
        plates=int(plates.layout["plate"].nunique()),
        wells=int((plates.layout["role"] != "empty").sum()),
        warnings=tuple(w for table in space.tables for w in _warnings(table)),
        feasible=float(space.satisfied(some).mean()),
    )


def _components(space: FormulaSpace) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for table in space.tables:
        component = table.component
        reach, worst = _reach(component, table)
        positive = table.concentration[table.concentration > 0]
        plain = component.choices is None
        rows.append(
            {
                "unit": component.unit if plain else "",
                "levels": len(table),
                "lowest": float(positive.min()) if plain and len(positive) else np.nan,
                "highest": float(table.concentration.max()) if plain else np.nan,
                "reach": reach,
                "worst_error": worst,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(space.names, name="component"))


def _warnings(table: LevelTable) -> list[str]:
    """Say what of a component's levels or range its stocks cannot make."""
    component = table.component
    reach, _ = _reach(component, table)
    if reach > _ENOUGH:
        return []
    lowest, highest = table.concentration[table.concentration > 0][[0, -1]]
    if component.fixed is not None:
        what = f"{component.fixed:g} {component.unit} becomes {highest:g}"
    elif component.levels is not None:
        made = [f"{level:g}" for level in table.concentration]
        what = f"of its levels only {', '.join(made)} {component.unit} can be made"
    else:
        what = (
            f"only {reach:.0%} of its range is made within 2 %; above zero it goes from "
            f"{lowest:.3g} to {highest:.3g} {component.unit}"
        )
    return [f"{component.name}: {what}; add a stock or change the range."]


def _reach(component: Component, table: LevelTable) -> tuple[float, float]:
    """Return the share of an even range made within 2 %, and the worst error within it."""
    if component.choices is not None or not component.stocks:
        return 1.0, 0.0
    if component.fixed is not None:
        wanted = np.array([component.fixed])
    elif component.levels is not None:
        wanted = np.array(component.levels)
    else:
        wanted = np.linspace(component.low, component.high, 1001)
    positive = wanted[wanted > 0]
    if not len(positive):
        return 1.0, 0.0
    error = np.abs(table.concentration[table.nearest(positive)] / positive - 1)
    good = error <= _GOOD
    return float(good.mean()), float(error[good].max()) if good.any() else np.nan
