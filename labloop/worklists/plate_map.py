"""Plate maps: tidy CSV for programs, a grid for the bench, and a wellmap TOML."""

from __future__ import annotations

from typing import Any

import tomli_w

from labloop.wells import padded, position, row_name, shape, well_name
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import encoded, lines, sheet

_TIDY = (
    "plate",
    "well",
    "well0",
    "row",
    "column",
    "formula",
    "replicate",
    "role",
    "component",
    "target",
    "achieved",
)

_OF_WELLMAP = frozenset({"well", "well0", "row", "col", "row_i", "col_j", "plate", "path"})


def tidy(plan: RoundPlan) -> bytes:
    """Return one CSV row a well and component, concentrations in the component's unit.

    An empty well has one row without formula and component. `well0` is the padded name (A01).
    """
    contents = _by_formula(plan, ["component", "target", "achieved"])
    # A formula is written once, however many wells it has.
    written = {formula: lines(rows) for formula, rows in contents.items()}
    starts, wells = [], []
    for plate, well, role, formula, replicate in _wells(plan):
        row, column = position(well, plan.plate.wells)
        label = (None, None, role) if role == "empty" else (formula, replicate, role)
        starts.append((plate, well, padded(well), row_name(row), column + 1, *label))
        wells.append([",,"] if role == "empty" else written[formula])
    text = lines([_TIDY])
    for start, rows in zip(lines(starts), wells, strict=True):
        text += [f"{start},{row}" for row in rows]
    return encoded("\n".join([*text, ""]))


def grid(plan: RoundPlan) -> bytes:
    """Return one block a plate: the plate as it lies on the bench, with the formulas' labels."""
    rows, columns = shape(plan.plate.wells)
    numbers = [str(column + 1) for column in range(columns)]
    blocks: list[list[Any]] = []
    for plate, wells in plan.layout.groupby("plate", sort=True):
        filled = wells[wells["role"] != "empty"]
        label = dict(zip(filled["well"], filled["formula"], strict=True))
        blocks += [[], [f"plate {plate}", *numbers]] if blocks else [[f"plate {plate}", *numbers]]
        blocks += [
            [row_name(row), *(label.get(well_name(row, column)) for column in range(columns))]
            for row in range(rows)
        ]
    return sheet(blocks[0], blocks[1:])


def wellmap_toml(plan: RoundPlan) -> bytes:
    """Return a TOML file that `wellmap.load` reads: role, formula, replicate and components.

    Empty wells are left out, as wellmap has it. A component that is named as one of wellmap's own
    columns is written `row (component)`, since two columns of one name would come back. The file
    format is wellmap's (Kundert 2022).
    """
    recipes = {
        formula: tomli_w.dumps(
            {
                f"{component} (component)" if component in _OF_WELLMAP else component: (
                    amount if isinstance(amount, str) else float(f"{amount:.10g}")
                )
                for component, amount in rows
            }
        )
        for formula, rows in _by_formula(plan, ["component", "achieved"]).items()
    }
    wells = []
    for plate, well, role, formula, replicate in _wells(plan):
        if role != "empty":
            label = {"role": role, "formula": formula, "replicate": int(replicate)}
            table = f"[plate.{plate}.well.{well}]\n"
            wells.append(table + tomli_w.dumps(label) + recipes[formula])
    return "\n".join(wells).encode("utf-8")


def _by_formula(plan: RoundPlan, columns: list[str]) -> dict[Any, list[tuple[Any, ...]]]:
    """Return formula → its rows of the recipes, of these columns."""
    found: dict[Any, list[tuple[Any, ...]]] = {}
    rows = plan.recipes[["formula", *columns]].itertuples(index=False, name=None)
    for formula, *row in rows:
        found.setdefault(formula, []).append(tuple(row))
    return found


def _wells(plan: RoundPlan) -> list[tuple[Any, ...]]:
    columns = ["plate", "well", "role", "formula", "replicate"]
    return list(plan.layout[columns].itertuples(index=False, name=None))
