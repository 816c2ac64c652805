"""A stored round as files for the bench and the robot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labloop import store
from labloop.campaign.rounds import amounts_frame, control_names, definition_of, read_round
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.plate.recipes import wanted_controls
from labloop.store import Store
from labloop.worklists import RoundPlan, round_files

if TYPE_CHECKING:
    import pandas as pd


def files(opened: Store, campaign: str, number: int, kind: str) -> dict[str, bytes]:
    """Return the files of a round for a kind of robot, by name; see `Campaign.export`."""
    stored = store.read_round(opened, number)
    if stored.state == "abandoned":
        raise RefusedError(f"Round {number} was abandoned; export another round.")
    stem = f"{_as_file_name(campaign)}-round-{number}"
    return round_files(kind, round_plan(opened, number), stem=stem)


def _as_file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "campaign"


def round_plan(opened: Store, number: int) -> RoundPlan:
    """Return a stored round as its exporters need it, with the definition it was made with."""
    definition = definition_of(opened, store.read_round(opened, number))
    seen = read_round(opened, number)
    return RoundPlan(
        layout=seen.layout,
        recipes=_recipes(opened, number, definition, seen.layout, seen.dispenses),
        dispenses=seen.dispenses,
        units={c.name: c.unit if c.choices is None else "" for c in definition.components},
        plate=definition.plate,
        robot=definition.robot,
    )


def _recipes(
    opened: Store,
    number: int,
    definition: Definition,
    layout: pd.DataFrame,
    dispenses: pd.DataFrame,
) -> pd.DataFrame:
    """Return what each formula is made of, read back from the dispenses of its first well."""
    controls = control_names(opened, number)
    filled = layout[layout["role"] != "empty"].drop_duplicates("formula")
    ids = [controls.get(formula, formula) for formula in filled["formula"]]
    achieved = amounts_frame(opened, ids, definition.components).set_axis(
        filled["formula"].to_list(), axis=0
    )
    recipes = achieved.astype(object).rename_axis(index="formula").reset_index()
    recipes = recipes.melt(id_vars="formula", var_name="component", value_name="achieved")
    recipes["target"] = recipes["achieved"]
    for name, wanted in wanted_controls(definition).items():
        rows = recipes["formula"] == name
        if rows.any() and not any(c.choices for c in definition.components):
            recipes.loc[rows, "target"] = wanted.astype(object)
    poured = filled[["plate", "well", "formula"]].merge(dispenses, on=["plate", "well"])
    poured = poured.groupby(["formula", "stock"], sort=False).agg(
        stock_concentration=("stock_concentration", "first"), ticks=("ticks", "sum")
    )
    joined = recipes.merge(poured, how="left", left_on=["formula", "component"], right_index=True)
    joined["ticks"] = joined["ticks"].fillna(0).astype(int)
    return joined
