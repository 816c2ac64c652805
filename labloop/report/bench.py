"""A round's wells as the plate map shows them: what is written into each and said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from labloop.report.numbers import number, plus_minus, with_unit
from labloop.report.subjects import Component, Response
from labloop.report.theme import spoken

_LISTED = 16  # components named under the pointer


def well_frame(
    wells: pd.DataFrame,
    readings: pd.DataFrame,
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
    responses: Sequence[Response],
) -> pd.DataFrame:
    """Return a round's wells with the `label` and the `hover` that the plate map shows.

    Args:
        wells: `plate`, `well`, `role` and `formula` (of a control its name).
        readings: What was measured, a row a well and response: `plate`, `well`, `response`,
            `value` (NaN for none), `status` (outlier where it is left out) and `corrected`, what
            is learned from it.
        values: The round's formulas; see `labloop.report.subjects`.
        amounts: By formula, the components' amounts.
        components: Their units.
        responses: What is said of, in this order.
    """
    read = {
        (row["plate"], row["well"], row["response"]): _measured(row)
        for row in readings.to_dict("records")
    }
    short = short_names(wells)
    of_formula = _of_formulas(values, amounts, components)
    labels, hovers = [], []
    for plate, well, role, formula in wells[["plate", "well", "role", "formula"]].itertuples(
        index=False, name=None
    ):
        labels.append("" if role == "empty" else str(short.get(formula, formula)))
        if role == "empty":
            hovers.append(f"{well}: empty")
            continue
        origin, predicted, made = of_formula.get(formula, ("", {}, []))
        lines = [f"{well}: {role} {formula}{origin}"]
        for response in responses:
            name = response.name
            said = [read.get((plate, well, name), ""), predicted.get(name, "")]
            if any(said):
                lines.append(f"{response.title}: {', '.join(filter(None, said))}")
        hovers.append("\n".join([*lines, *made]))
    return wells.assign(label=labels, hover=hovers)


def short_names(wells: pd.DataFrame) -> dict[Any, str]:
    """Return what controls are called inside a well: C, or C1, C2 … where there are several."""
    names = wells.loc[wells["role"] == "control", "formula"].drop_duplicates().tolist()
    if len(names) == 1:
        return {names[0]: "C"}
    return {name: f"C{place}" for place, name in enumerate(names, start=1)}


def caption(wells: pd.DataFrame, readings: pd.DataFrame, values: pd.DataFrame) -> str:
    """Return how to read the plate map of a round; see `well_frame`."""
    said = ["Numbers are formulas."]
    names = [f"{short} is {name}" for name, short in short_names(wells).items()]
    if names:
        said.append(f"Framed wells are controls: {', '.join(names)}.")
    said.append("Grey wells have no value.")
    if len(readings):
        said.append(
            "As measured: what was read in the well. Corrected: without what its plate and place "
            "did, as it is learned from."
        )
    elif values["predicted"].isna().all():
        said.append("Nothing was predicted for this round.")
    return " ".join(said)


def _measured(reading: dict[Any, Any]) -> str:
    value, corrected = reading["value"], reading["corrected"]
    if reading["status"] not in ("ok", "outlier"):
        return str(reading["status"]).replace("_", " ")
    said = f"measured {number(value)}"
    if reading["status"] == "outlier":
        return f"{said}, left out as an outlier"
    same = pd.isna(corrected) or number(corrected) == number(value)
    return said if same else f"{said}, corrected {number(corrected)}"


def _of_formulas(
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
) -> dict[Any, tuple[str, dict[str, str], list[str]]]:
    """Return by formula its origin, what was predicted by response, and lines of its amounts."""
    predicted: dict[Any, dict[str, str]] = {}
    for row in values.dropna(subset=["predicted"]).to_dict("records"):
        said = f"predicted {plus_minus(row['predicted'], row['sd'])}"
        predicted.setdefault(row["formula"], {})[row["response"]] = said
    origins = values.drop_duplicates("formula").set_index("formula")["origin"].to_dict()
    found = {}
    for formula, made in amounts.to_dict("index").items():
        present = [c for c in components if made.get(c.name)]
        lines = [f"{c.name}: {with_unit(number(made[c.name]), c.unit)}" for c in present]
        listed = [*lines[:_LISTED], "…"] if len(lines) > _LISTED else lines
        origin = f", {spoken(origins[formula])}" if formula in origins else ""
        found[formula] = (origin, predicted.get(formula, {}), listed)
    return found
