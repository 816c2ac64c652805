"""Campaigns are run once, and what they found and used is written down."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.campaigns import FILE, added, affordable, main, run
from benchmarks.usage import peak_memory, processor_seconds, reset_peak

ONE = ["--strategies", "random", "--jobs", "1", "--rounds", "2"]


def test_a_campaign_that_is_there_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "replay-yesno-moderate"
    main(["--out", str(tmp_path), "--trials", name, "--seeds", "1", *ONE])
    first = pd.read_csv(tmp_path / FILE)
    assert first[["trial", "strategy", "seed", "round"]].to_numpy().tolist() == [
        [name, "random", 0, 1],
        [name, "random", 0, 2],
    ]
    assert first["formulas"].tolist() == [24, 48]
    assert (first["allowed"] == 1).all()
    assert (first["repeated"] == 0).all()
    numbers = first[["best", "optimum", "ordinary", "similarity", "processor"]]
    assert np.isfinite(numbers.to_numpy()).all()
    capsys.readouterr()
    main(["--out", str(tmp_path), "--trials", name, "--seeds", "2", *ONE])
    said = capsys.readouterr().err
    assert said.startswith("1 of 1 after ")
    assert said.endswith(f" min: {name}, random, seed 1\n")
    both = pd.read_csv(tmp_path / FILE)
    assert both["seed"].tolist() == [0, 0, 1, 1]


def test_a_failure_is_told_and_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLOOP_REAL_TABLES", str(tmp_path))
    monkeypatch.setenv("LABLOOP_PEERS_PYTHON", str(tmp_path / "none"))
    _, records, said = run(0, "goals-cftx", "random", 1, 100)
    assert not records
    assert said.startswith("left out: ")
    _, records, said = run(0, "replay-yesno-moderate", "BayBE", 1, 100)
    assert not records
    assert said.startswith("FAILED: AbsentPeersError: ")


def test_rows_of_another_version_are_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / FILE
    added(file, pd.DataFrame({"a": [1], "b": [2]}))
    added(file, pd.DataFrame({"b": [4], "a": [3]}))
    assert pd.read_csv(file).to_numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="has other columns than this version writes"):
        added(file, pd.DataFrame({"a": [5], "c": [6]}))


@pytest.mark.parametrize(
    ("seed", "trial", "strategy", "runs"),
    [
        (5, "lab-50-related", "SingleTaskGP", True),
        (0, "lab-20-related", "BayBE", True),
        (0, "lab-20-related", "BayBE+task", False),
        (0, "lab-50-related", "BayBE", False),
        (0, "goals-cftx", "BayBE", False),
        (2, "replay-yesno-moderate", "BayBE+task", True),
        (3, "replay-yesno-moderate", "BayBE", False),
    ],
)
def test_baybe_runs_where_it_can_be_waited_for(
    seed: int, trial: str, strategy: str, *, runs: bool
) -> None:
    assert affordable(seed, trial, strategy) == runs


def test_processor_time_grows() -> None:
    before = processor_seconds()
    while processor_seconds() == before:
        np.sort(np.random.default_rng(0).random(100_000))
    assert processor_seconds() > before


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is known on Linux alone")
def test_a_peak_is_remembered_until_it_is_reset() -> None:
    reset_peak()
    before = peak_memory()
    much = np.ones(25_000_000)
    with_much = peak_memory()
    assert with_much > before + 100
    del much
    assert peak_memory() > before + 100
    reset_peak()
    assert peak_memory() < with_much - 100
