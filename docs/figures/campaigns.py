"""Small campaigns on virtual labs, whose numbers the figures show."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labloop.campaign import Campaign
from labloop.campaign.rounds import Round
from labloop.simulate.demo import demo_definition, to_concentrations, to_unit
from labloop.simulate.virtual_lab import CellLine, Likeness, VirtualLab

LINES: tuple[Likeness, ...] = ("related", "moderate", "unrelated")
ROUNDS = 5
SEEDS = (1, 2)
_HISTORY = 400


@dataclass(frozen=True)
class Course:
    """What became of a campaign.

    Attributes:
        likeness: How the line resembles that of the history.
        trust: Frame, a row a round: `round`, `rows`, `b`, `b_sd`, `share` (of the history).
        predicted: Frame, a row a proposed formula: `round`, `mean` and `sd` of the log titre as
            predicted before the plate was made, and `measured`, the mean log titre of its wells.
    """

    likeness: str
    trust: pd.DataFrame
    predicted: pd.DataFrame


def definition(components: int, **plate: Any) -> dict[str, Any]:
    """Return the demo's campaign with fewer components, of titre alone."""
    whole = demo_definition()
    kept = whole["component"][:components]
    names = {component["name"] for component in kept}
    control = whole["formulas"]["commercial"]
    return whole | {
        "plate": whole["plate"] | plate,
        "component": kept,
        "response": whole["response"][:1],
        "formulas": {"commercial": {n: a for n, a in control.items() if n in names}},
        "proposal": {"formulas": 16, "candidates": 20_000},
        "surrogate": {"members": 4},
    }


def course(likeness: Likeness, seed: int, rounds: int = ROUNDS) -> Course:
    """Run a campaign of some plates on a line with such a history."""
    lab = VirtualLab(8, responses=1, seed=seed)
    line, rng = lab.line(likeness), np.random.default_rng(seed)
    trust, predicted = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        Campaign.create(Path(folder) / "demo", definition(8)) as campaign,
    ):
        campaign.add_history(_history(campaign, lab.source, rng), source="earlier line")
        campaign.pretrain(folds=0, seed=seed)
        for number in range(1, rounds + 1):
            plate = campaign.propose(seed=seed)
            found = plate.trust.iloc[0]
            trust.append(
                {"round": number, "rows": 16 * (number - 1), "b": found["b"],
                 "b_sd": found["b_sd"], "share": found["history_share"]}
            )  # fmt: skip
            wells = read(campaign, line, plate, rng)
            campaign.record(wells.drop(columns="formula"), round=number)
            predicted.append(_beside(plate, wells, number))
    return Course(likeness, pd.DataFrame(trust), pd.concat(predicted, ignore_index=True))


def read(
    campaign: Campaign, line: CellLine, plate: Round, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what is read of each filled well: `plate`, `well`, `formula`, `titre`."""
    filled = plate.layout[plate.layout["role"] != "empty"]
    made = pd.concat([plate.formulas[campaign.space.names], plate.controls])
    unit = _unit(campaign, made.loc[filled["formula"]])
    return filled[["plate", "well", "formula"]].assign(titre=line.measure(unit, rng)[:, 0])


def _beside(plate: Round, wells: pd.DataFrame, number: int) -> pd.DataFrame:
    logs = np.log(wells["titre"]).groupby(wells["formula"]).mean()
    median = plate.formulas["titre_mean"].to_numpy(dtype=float)
    # half the width of the central 68 % is median · sinh(sd of the logarithm)
    sd = np.arcsinh(plate.formulas["titre_sd"].to_numpy(dtype=float) / median)
    measured = logs.loc[list(plate.formulas.index)].to_numpy()
    return pd.DataFrame({"round": number, "mean": np.log(median), "sd": sd, "measured": measured})


def _history(campaign: Campaign, line: CellLine, rng: np.random.Generator) -> pd.DataFrame:
    X = rng.random((_HISTORY, len(campaign.space.names)))
    frame = pd.DataFrame(to_concentrations(X, *_ranges(campaign)), columns=campaign.space.names)
    return frame.assign(titre=line.measure(X, rng)[:, 0])


def _unit(campaign: Campaign, formulas: pd.DataFrame) -> np.ndarray:
    return to_unit(formulas.to_numpy(dtype=float), *_ranges(campaign))


def _ranges(campaign: Campaign) -> tuple[list[float], list[float]]:
    components = campaign.definition.components
    return [c.low for c in components], [c.high for c in components]
