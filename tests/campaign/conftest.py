"""A small campaign with history, and its folder in several states, each made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign, store
from labloop.definition import parse

NAMES = ["glucose", "glutamine", "iron", "zinc"]
RESPONSES = ["titre", "viability"]


class Lab:
    """The lab of the tests: its campaign's definition, its earlier results, its measurements."""

    names = NAMES
    responses = RESPONSES

    @staticmethod
    def definition(**changes: Any) -> dict[str, Any]:
        components = [
            {"name": name, "unit": "mM", "low": 0.0, "high": 10.0, "stocks": [200.0, 20.0]}
            for name in NAMES
        ]
        return {
            "name": "small",
            "plate": {
                "wells": 96,
                "well_volume_ul": 200.0,
                "inoculum_ul": 20.0,
                "replicates": 2,
                "controls": {"commercial": 2},
                "empty_wells": ["A1"],
            },
            "robot": {"kind": "biomek"},
            "component": components,
            "response": [
                {"name": "titre", "unit": "g/L", "goal": "maximize"},
                {"name": "viability", "unit": "%", "goal": "observe"},
            ],
            "formulas": {"commercial": {"glucose": 5.0, "iron": 2.0}},
            "surrogate": {"layers": 5, "members": 2},
            "proposal": {"formulas": 6, "candidates": 2000},
        } | changes

    @staticmethod
    def measure(concentrations: Any, seed: int | None = None) -> np.ndarray:
        u = np.asarray(concentrations, dtype=float) / 10
        titre = 3 + 2 * u[:, 0] / (0.2 + u[:, 0]) + u[:, 1] * (1 - u[:, 2]) - (u[:, 3] - 0.4) ** 2
        Y = np.column_stack([titre, 90 - 20 * u[:, 2]])
        if seed is not None:
            Y = Y * (1 + 0.03 * np.random.default_rng(seed).standard_normal(Y.shape))
        return Y

    def history(self, rows: int = 70, seed: int = 0) -> pd.DataFrame:
        X = np.random.default_rng(seed).random((rows, len(NAMES))) * 10
        frame = pd.DataFrame(X, columns=NAMES)
        frame[RESPONSES] = self.measure(X, seed)
        return frame

    def results(self, campaign: Campaign, number: int, seed: int = 1) -> pd.DataFrame:
        """Return what is read of every filled well of a round."""
        shown = campaign.round(number)
        filled = shown.layout[shown.layout["role"] != "empty"]
        made = pd.concat([shown.formulas[NAMES], shown.controls[NAMES]])
        frame = filled[["plate", "well"]].reset_index(drop=True)
        frame[RESPONSES] = self.measure(made.loc[filled["formula"]], seed)
        return frame

    @staticmethod
    def rewrite(campaign: Campaign, definition: dict[str, Any]) -> Campaign:
        """Open a campaign again after its campaign.toml was edited."""
        campaign.close()
        text = parse(definition).to_toml()
        (campaign.folder / "campaign.toml").write_text(text, encoding="utf-8")
        return Campaign.open(campaign.folder)

    @staticmethod
    def log(campaign: Campaign) -> list[store.Event]:
        """Return every event: two equal logs are two equal states, for they are hash-chained."""
        return store.read_events(campaign.store)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def _fresh(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "small"
    Campaign.create(folder, lab.definition()).close()
    return folder


@pytest.fixture(scope="session")
def _pretrained(tmp_path_factory: pytest.TempPathFactory, lab: Lab, _fresh: Path) -> Path:
    folder = tmp_path_factory.mktemp("pretrained") / "small"
    shutil.copytree(_fresh, folder)
    with Campaign.open(folder) as campaign:
        campaign.add_history(lab.history(), source="CHO-S")
        campaign.pretrain(folds=0)
    return folder


@pytest.fixture(scope="session")
def _proposed(tmp_path_factory: pytest.TempPathFactory, _pretrained: Path) -> Path:
    folder = tmp_path_factory.mktemp("proposed") / "small"
    shutil.copytree(_pretrained, folder)
    with Campaign.open(folder) as campaign:
        campaign.propose(seed=1)
    return folder


@pytest.fixture(scope="session")
def _recorded(tmp_path_factory: pytest.TempPathFactory, lab: Lab, _proposed: Path) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "small"
    shutil.copytree(_proposed, folder)
    with Campaign.open(folder) as campaign:
        campaign.record(lab.results(campaign, 1))
    return folder


@pytest.fixture
def fresh(_fresh: Path, tmp_path: Path) -> Iterator[Campaign]:
    """A new campaign, nothing in it."""
    yield from _copied(_fresh, tmp_path)


@pytest.fixture
def pretrained(_pretrained: Path, tmp_path: Path) -> Iterator[Campaign]:
    """A campaign whose history is learned."""
    yield from _copied(_pretrained, tmp_path)


@pytest.fixture
def proposed(_proposed: Path, tmp_path: Path) -> Iterator[Campaign]:
    """A campaign whose first round waits for results."""
    yield from _copied(_proposed, tmp_path)


@pytest.fixture
def recorded(_recorded: Path, tmp_path: Path) -> Iterator[Campaign]:
    """A campaign with one recorded round."""
    yield from _copied(_recorded, tmp_path)


def _copied(folder: Path, tmp_path: Path) -> Iterator[Campaign]:
    with Campaign.open(
        shutil.copytree(folder, tmp_path / folder.parent.name / "small")
    ) as campaign:
        yield campaign
