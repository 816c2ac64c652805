"""Two rounds of a small campaign as frames: the first measured, the second waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labloop.report.page import Fact, RoundPage
from labloop.report.subjects import Component, Response

NAN = float("nan")
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "at_least", 80.0)


def value_row(**given: Any) -> dict[str, Any]:
    """Return a row of the frame of values: nothing predicted or measured unless given."""
    row = {
        "round": 1, "formula": 1, "origin": "latin_hypercube", "response": "titre",
        "predicted": NAN, "sd": NAN, "low": NAN, "high": NAN, "measured": NAN, "sem": NAN,
        "wells": 0, "meets": True, "waits": False,
    }  # fmt: skip
    assert set(given) <= set(row)
    return row | given


def predicted(mean: float, sd: float) -> dict[str, float]:
    return {"predicted": mean, "sd": sd, "low": mean - 1.645 * sd, "high": mean + 1.645 * sd}


def measured(mean: float, sem: float = 0.1, wells: int = 2) -> dict[str, float]:
    return {"measured": mean, "sem": sem, "wells": wells}


@pytest.fixture
def values() -> pd.DataFrame:
    """Round 1 (formulas 1 and 2, a control) is measured, round 2 (3 and 4) waits."""
    rows = [
        value_row(formula=1, **predicted(2.0, 0.5), **measured(2.5)),
        value_row(formula=2, origin="mixing", **predicted(3.0, 0.5), **measured(3.2)),
        value_row(round=2, formula=3, origin="mixing", waits=True, **predicted(3.5, 0.4)),
        value_row(round=2, formula=4, origin="local_moves", waits=True, **predicted(3.6, 0.4)),
        value_row(formula=1, response="viability", **predicted(90.0, 5.0), **measured(85.0, 1.0)),
        value_row(
            formula=2, origin="mixing", response="viability",
            **predicted(90.0, 5.0), **measured(99.0, 1.0),
        ),
        value_row(round=2, formula=3, origin="mixing", response="viability", waits=True),
        value_row(round=2, formula=4, origin="local_moves", response="viability", waits=True),
        value_row(formula="base", origin="control", **measured(1.0, 0.05, 4)),
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def wells() -> pd.DataFrame:
    """Round 1 on a plate of 24: two formulas, a control and an empty well."""
    return pd.DataFrame(
        [
            (1, "A1", "formula", 1), (1, "B3", "formula", 2),
            (1, "D6", "control", "base"), (1, "A2", "empty", None),
        ],
        columns=["plate", "well", "role", "formula"],
    )  # fmt: skip


@pytest.fixture
def readings() -> pd.DataFrame:
    """What was measured in them: a titre of formula 1 and of the control, too little of 2."""
    return pd.DataFrame(
        [
            (1, "A1", "titre", 2.5, "ok", 2.5), (1, "B3", "titre", NAN, "below_range", NAN),
            (1, "D6", "titre", 1.0, "ok", 1.0),
        ],
        columns=["plate", "well", "response", "value", "status", "corrected"],
    )  # fmt: skip


@pytest.fixture
def components() -> tuple[Component, ...]:
    return (Component("glucose", "mM", 0.0, 10.0), Component("serum", "", 0.0, 1.0))


@pytest.fixture
def amounts() -> pd.DataFrame:
    index = pd.Index([1, 2], name="formula")
    return pd.DataFrame({"glucose": [2.5, 0.0], "serum": ["soy", "wheat"]}, index=index)


@pytest.fixture
def page(
    values: pd.DataFrame,
    wells: pd.DataFrame,
    readings: pd.DataFrame,
    components: tuple[Component, ...],
    amounts: pd.DataFrame,
) -> Callable[..., RoundPage]:
    """Return the page of round 1 with some attributes changed."""

    def of(**changes: Any) -> RoundPage:
        attributes = {
            "campaign": "small",
            "description": "A small campaign",
            "round": 1,
            "state": "recorded",
            "as_of": "Rests on event 7.",
            "facts": (Fact("rounds", "2", "1 recorded"),),
            "proposed": ("2 formulas in 2 wells.",),
            "outcome": ("The best titre is 3.2.",),
            "next_step": "Make the plate.",
            "command": "labloop record small results.csv",
            "components": components,
            "responses": (TITRE, VIABILITY),
            "all_values": values,
            "amounts": amounts,
            "labels": None,
            "wells": wells,
            "readings": readings,
            "plate_wells": 24,
            "scores": pd.DataFrame(),
            "warnings": (),
        }
        return RoundPage(**(attributes | changes))

    return of


@pytest.fixture
def scores() -> pd.DataFrame:
    index = pd.Index(["titre", "viability"], name="response")
    return pd.DataFrame(
        {
            "r2": [0.8556, 0.5],
            "mse": [0.0037, 0.02],
            "relative_error": [0.1316, np.nan],
            "spearman": [0.9241, 0.7],
            "rows": [1200, 1200],
        },
        index=index,
    )
