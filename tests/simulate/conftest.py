"""A campaign of every kind: log scale, choices, a constraint, a bound, a log transform, replicates;
two sources, one of which lies partly outside the campaign's range."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit while it is imported, which new torch deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import botorch  # noqa: F401

from labloop import Campaign

NAMES = ["glucose", "iron", "zinc", "flour"]
TITRE = {"name": "titre", "unit": "g/L", "transform": "log"}
VIABILITY = {"name": "viability", "unit": "%", "goal": "at_least", "bound": 80.0}


def definition(*responses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "plate": {"wells": 96, "well_volume_ul": 200.0, "inoculum_ul": 20.0, "replicates": 2},
        "robot": {"kind": "biomek"},
        "component": [
            {"name": "glucose", "unit": "mM", "high": 10.0, "stocks": [200.0, 20.0]},
            {"name": "iron", "unit": "mM", "high": 10.0, "scale": "log", "stocks": [200.0, 2.0]},
            {"name": "zinc", "unit": "mM", "high": 10.0, "step": 0.5},
            {"name": "flour", "choices": ["soy", "wheat"]},
        ],
        "constraint": [{"total": {"glucose": 1.0, "zinc": 1.0}, "at_most": 15.0}],
        "response": list(responses or (TITRE, VIABILITY)),
        "surrogate": {"layers": 5, "members": 2},
        "proposal": {"formulas": 6, "candidates": 1000},
    } | changes


def results(rows: int, seed: int, high: float = 7.0, wells: int = 2) -> pd.DataFrame:
    """Return `wells` rows of measured values for each of random formulas within the constraint."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.random((rows, 3)) * [high, 10.0, high], columns=NAMES[:3])
    frame["zinc"] = (2 * frame["zinc"]).round() / 2
    frame["flour"] = np.where(rng.random(rows) < 0.5, "soy", "wheat")
    frame = frame.loc[frame.index.repeat(wells)].reset_index(drop=True)
    u = frame[NAMES[:3]] / 10
    score = 2 * u["glucose"] - (u["zinc"] - 0.4) ** 2 + 0.5 * (frame["flour"] == "soy")
    noise = rng.standard_normal(len(frame))
    frame["titre"] = np.exp(score + 0.3 * u["iron"] + 0.02 * noise)
    frame["viability"] = 90 - 25 * u["glucose"] + 0.5 * noise
    return frame


@pytest.fixture
def campaign_of(tmp_path):
    """Make a campaign with so many formulas of its own and of the sources A and B."""
    opened: list[Campaign] = []

    def make(own: int = 0, a: int = 0, b: int = 0, responses: tuple[Any, ...] = ()) -> Campaign:
        campaign = Campaign.create(tmp_path / f"c{len(opened)}", definition(*responses))
        opened.append(campaign)
        unused = [n for n in ("titre", "viability") if n not in campaign.definition.response_names]
        for count, seed, name in ((a, 1, "A"), (b, 2, "B")):
            if count:
                high = 14.0 if name == "B" else 7.0
                campaign.add_history(results(count, seed, high), source=name, ignore=unused)
        if own:
            campaign.record(results(own, 3), ignore=unused)
        return campaign

    yield make
    for campaign in opened:
        campaign.close()
