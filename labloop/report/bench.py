"""A round's wells as the plate map shows them: what is written into each and said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from labloop.report.numbers import number, plus_minus, with_unit
from labloop.report.subjects import Component, Response
from labloop.report.theme import spoken

_LISTED = 16  # components named under the pointer


def well_frame(
    wells: pd.DataFrame,
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
    response: Response,
) -> pd.DataFrame:
    """Return a round's wells with their `label`, `value` and `hover` for the plate map.

    Args:
        wells: `plate`, `well`, `role`, `formula` (of a control its name), `value` measured of the
            response and the measurement's `status` (None where there is none, outlier where it is
            left out), `corrected` what is learned from it.
        values: The round's formulas; see `labloop.report.subjects`.
        amounts: By formula, the components' amounts.
        components: Their units.
        response: What is shown: as measured, or as predicted before anything is.
    """
    of_response = values[values["response"] == response.name].set_index("formula")
    known = of_response.to_dict("index")
    made = amounts.to_dict("index")
    short = short_names(wells)
    rows = wells.to_dict("records")
    shown = wells["value"]
    if not is_measured(wells):
        shown = wells["formula"].map(of_response["predicted"]).astype(float)
    labels = [short.get(row["formula"], row["formula"]) for row in rows]
    return wells.assign(
        label=[
            "" if row["role"] == "empty" else str(label)
            for row, label in zip(rows, labels, strict=True)
        ],
        value=shown,
        hover=[
            _hover(row, known.get(row["formula"]), made.get(row["formula"], {}), components,
                   response)
            for row in rows
        ],
    )  # fmt: skip


def is_measured(wells: pd.DataFrame) -> bool:
    """Return whether any well has a measurement, be it without a value."""
    return bool(wells["status"].notna().any())


def short_names(wells: pd.DataFrame) -> dict[Any, str]:
    """Return what controls are called inside a well: C, or C1, C2 … where there are several."""
    names = wells.loc[wells["role"] == "control", "formula"].drop_duplicates().tolist()
    if len(names) == 1:
        return {names[0]: "C"}
    return {name: f"C{place}" for place, name in enumerate(names, start=1)}


def caption(wells: pd.DataFrame, response: Response) -> str:
    """Return how to read the plate map of a `well_frame`."""
    said = ["Numbers are formulas."]
    names = [f"{short} is {name}" for name, short in short_names(wells).items()]
    if names:
        said.append(f"Framed wells are controls: {', '.join(names)}.")
    if is_measured(wells):
        said.append(f"Colours are the {response.name} measured in the well, uncorrected.")
        if (wells["value"].isna() & (wells["role"] != "empty")).any():
            said.append("Grey wells have no value.")
    elif wells["value"].notna().any():
        said.append(f"Colours are the {response.name} predicted for the formula.")
    else:
        said.append("Nothing was predicted for this round.")
    return " ".join(said)


def _measured(well: dict[Any, Any]) -> str:
    value, corrected = well["value"], well["corrected"]
    said = f"measured {number(value)}"
    if not math.isnan(corrected) and number(corrected) != number(value):
        said += f", corrected {number(corrected)}"
    return f"{said}, left out as an outlier" if well["status"] == "outlier" else said


def _hover(
    well: dict[Any, Any],
    values: dict[Any, Any] | None,
    amounts: dict[Any, Any],
    components: Sequence[Component],
    response: Response,
) -> str:
    if well["role"] == "empty":
        return f"{well['well']}: empty"
    lines = [f"{well['well']}: {well['role']} {well['formula']}"]
    if well["status"] in ("ok", "outlier"):
        lines.append(f"{response.title}: {_measured(well)}")
    elif isinstance(well["status"], str):
        lines.append(f"{response.title}: {well['status'].replace('_', ' ')}")
    if values is None:
        return "\n".join(lines)
    lines[0] += f", {spoken(values['origin'])}"
    if not math.isnan(values["predicted"]):
        predicted = plus_minus(values["predicted"], values["sd"])
        lines.append(f"{response.title}: predicted {predicted}")
    present = [c for c in components if amounts.get(c.name)]
    lines += [f"{c.name}: {with_unit(number(amounts[c.name]), c.unit)}" for c in present[:_LISTED]]
    return "\n".join([*lines, "…"] if len(present) > _LISTED else lines)
