"""A stored round as files for the bench and the robot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labloop import store
from labloop.campaign.rounds import amounts_frame, control_names, definition_of, read_round
from labloop.definition import Definition, Robot
from labloop.errors import RefusedError
from labloop.plate.recipes import wanted_controls
from labloop.store import Store
from labloop.worklists import RoundPlan, round_files

if TYPE_CHECKING:
    import pandas as pd


_SPELLING = ("source_labware", "plate_labware", "pipettes", "tips", "liquid_classes", "csv")


def files(opened: Store, definition: Definition, number: int, kind: str) -> dict[str, bytes]:
    """Return the files of a round for a kind of robot, by name; see `Campaign.export`."""
    stored = store.read_round(opened, number)
    if stored.state == "abandoned":
        raise RefusedError(f"Round {number} was abandoned; export another round.")
    stem = f"{_as_file_name(definition.name)}-round-{number}"
    plan = round_plan(opened, number, definition.robot)
    made = round_files(kind, plan, stem=stem)
    if kind == "manual":
        from labloop.report.bench_sheet import to_html

        sheet = to_html(plan, campaign=definition.name, number=number)
        made[f"{stem}-bench-sheet.html"] = sheet.encode("utf-8")
    return made


def _as_file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "campaign"


def round_plan(opened: Store, number: int, robot: Robot) -> RoundPlan:
    """Return a stored round as its exporters need it, with the definition it was made with.

    Only how the robot's files are spelled is as campaign.toml has it now, so that a wrong name
    of labware does not cost a round.
    """
    definition = definition_of(opened, store.read_round(opened, number))
    seen = read_round(opened, number)
    return RoundPlan(
        layout=seen.layout,
        recipes=_recipes(opened, number, definition, seen.layout, seen.dispenses),
        dispenses=seen.dispenses,
        units=definition.units,
        plate=definition.plate,
        robot=spelled_as(definition.robot, robot),
    )


def spelled_as(planned: Robot, now: Robot) -> Robot:
    """Return the robot that a round was planned for with the names, tips and columns of now.

    A robot of another kind changes nothing, nor do source plates that hold other stocks or have
    other wells: their number now means another plate.
    """
    if planned.kind != now.kind:
        return planned
    plates = tuple(
        plate.model_copy(update={"labware": again.labware})
        if (again.wells, again.holds) == (plate.wells, plate.holds)
        else plate
        for plate, again in (
            (plate, now.source_plate(number))
            for number, plate in enumerate(planned.source_plates, start=1)
        )
    )
    names = {key: getattr(now, key) for key in _SPELLING}
    return planned.model_copy(update=names | {"source_plates": plates})


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
