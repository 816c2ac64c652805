"""Plate maps: tidy CSV for programs, a grid for the bench, and a wellmap TOML."""

from __future__ import annotations

import io
from typing import Any

import tomli_w

from labloop.wells import padded, position, row_name, shape, well_name
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet

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


def tidy(plan: RoundPlan) -> bytes:
    """Return one CSV row a well and component, concentrations in the component's unit.

    An empty well has one row without formula and component. `well0` is the padded name (A01).
    """
    contents = {
        formula: list(zip(rows["component"], rows["target"], rows["achieved"], strict=True))
        for formula, rows in plan.recipes.groupby("formula", sort=False)
    }
    blank: list[tuple[Any, ...]] = [(None, None, None)]
    rows: list[tuple[Any, ...]] = []
    for plate, well, role, formula, replicate in _wells(plan):
        row, column = position(well, plan.plate.wells)
        filled = role != "empty"
        start = (plate, well, padded(well), row_name(row), column + 1)
        label = (formula, replicate, role) if filled else (None, None, role)
        rows += [(*start, *label, *each) for each in (contents[formula] if filled else blank)]
    return sheet(_TIDY, rows)


def grid(plan: RoundPlan) -> bytes:
    """Return one block a plate: the plate as it lies on the bench, with the formulas' labels."""
    rows, columns = shape(plan.plate.wells)
    numbers = [str(column + 1) for column in range(columns)]
    lines: list[list[Any]] = []
    for plate, wells in plan.layout.groupby("plate", sort=True):
        filled = wells[wells["role"] != "empty"]
        label = dict(zip(filled["well"], filled["formula"], strict=True))
        lines += [[], [f"plate {plate}", *numbers]] if lines else [[f"plate {plate}", *numbers]]
        lines += [
            [row_name(row), *(label.get(well_name(row, column)) for column in range(columns))]
            for row in range(rows)
        ]
    return sheet(lines[0], lines[1:])


def wellmap_toml(plan: RoundPlan) -> bytes:
    """Return a TOML file that `wellmap.load` reads: role, formula, replicate and components.

    Empty wells are left out, as wellmap has it. The file format is wellmap's (Kundert 2022).
    """
    recipes = {
        formula: {
            component: amount if isinstance(amount, str) else float(f"{amount:.10g}")
            for component, amount in zip(rows["component"], rows["achieved"], strict=True)
        }
        for formula, rows in plan.recipes.groupby("formula", sort=False)
    }
    plates: dict[str, Any] = {}
    for plate, well, role, formula, replicate in _wells(plan):
        if role == "empty":
            continue
        label = {"role": role, "formula": formula, "replicate": int(replicate)}
        of_plate = plates.setdefault(str(plate), {"well": {}})
        of_plate["well"][well] = label | recipes[formula]
    written = io.BytesIO()
    tomli_w.dump({"plate": plates}, written)
    return written.getvalue()


def _wells(plan: RoundPlan) -> list[tuple[Any, ...]]:
    columns = ["plate", "well", "role", "formula", "replicate"]
    return list(plan.layout[columns].itertuples(index=False, name=None))
