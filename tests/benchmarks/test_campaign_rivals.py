"""Rivals propose what can be made, and of a pool what is left of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import benchmarks.campaign_rivals as rivals
from benchmarks.case import Case
from benchmarks.continuous import equalities, makeable
from benchmarks.free_labs import free_mixture, two_goals
from benchmarks.peers import client
from benchmarks.peers.client import AbsentPeersError, asked_at_first, peers_python
from benchmarks.trials import case
from labloop.definition import ProposalSettings
from labloop.simulate.trial import SoFar

SETTINGS = ProposalSettings(formulas=3)


def after(each: Case, rows: int) -> SoFar:
    rng = np.random.default_rng(0)
    pool = each.trial.pool
    levels = each.trial.space.sample(rows, rng) if pool is None else pool[:rows]
    left = None if pool is None else pool[rows:]
    return SoFar(levels, each.trial.measure(levels, rng), left)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "RAW_SAMPLES", 8)
    monkeypatch.setattr(rivals, "RESTARTS", 2)
    monkeypatch.setattr(rivals, "MAX_ITERATIONS", 5)
    monkeypatch.setattr(rivals, "DRAWS", 16)


@pytest.mark.parametrize("rows", [0, 12])
def test_of_a_pool_three_others_are_chosen_the_same_each_time(rows: int) -> None:
    each = case("replay-yesno-moderate", 0)
    so_far = after(each, rows)
    propose = rivals.single_task(each.trial, SETTINGS, 0)
    one, again = (propose(so_far, 3, 5).levels for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert so_far.left is not None
    left = {row.tobytes() for row in so_far.left}
    assert len({row.tobytes() for row in one} & left) == 3


@pytest.mark.parametrize("rows", [0, 12])
def test_a_mixture_sums_to_one_with_at_most_four_parts(rows: int) -> None:
    each = free_mixture(0)
    levels = rivals.single_task(each.trial, SETTINGS, 0)(after(each, rows), 3, 5).levels
    assert len(levels) == 3
    parts = each.trial.space.concentrations(levels)
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert (np.count_nonzero(parts, axis=1) <= 4).all()


@pytest.mark.slow
def test_two_responses_are_improved_together() -> None:
    each = two_goals(10, "moderate", 0)
    levels = rivals.single_task(each.trial, SETTINGS, 0)(after(each, 12), 3, 5).levels
    assert levels.shape == (3, 10)


def test_an_equality_holds_in_the_unit_cube() -> None:
    space = free_mixture(0).trial.space
    ((columns, slopes, right),) = equalities(space)
    codes = space.encode(space.sample(5, np.random.default_rng(0)))
    torch.testing.assert_close(
        torch.from_numpy(codes)[:, columns] @ slopes, torch.full((5,), right, dtype=torch.float64)
    )


def test_what_can_be_made_already_stays() -> None:
    space = free_mixture(0).trial.space
    levels = space.sample(20, np.random.default_rng(0))
    back = makeable(space, space.encode(levels), np.random.default_rng(1))
    np.testing.assert_array_equal(back, levels)


def test_a_peer_is_told_the_space_and_some_of_the_history() -> None:
    trial = free_mixture(0).trial
    start = asked_at_first(trial, 0, with_history=True)
    assert (start["columns"], start["levels"]) == (6, None)
    assert start["equalities"] == [([0, 1, 2, 3, 4, 5], [1.0] * 6, 1.0)]
    z = np.array(start["history"]["z"])
    assert len(z) == client.SOURCE_ROWS == len(start["history"]["X"])
    assert abs(z.mean()) < 0.5
    pool = asked_at_first(case("replay-yesno-moderate", 0).trial, 0, with_history=False)
    assert pool["levels"] == [[0.0, 1.0]] * 20
    assert pool["history"] is None


def test_an_absent_environment_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = tmp_path / "python"
    monkeypatch.setenv("LABLOOP_PEERS_PYTHON", str(wanted))
    with pytest.raises(AbsentPeersError) as absent:
        peers_python()
    assert str(absent.value) == f"{wanted} is absent; make it with `make .venv-peers/.ready`"


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["BayBE", "BayBE+task"])
def test_baybe_chooses_from_a_pool(rival: str) -> None:
    try:
        peers_python()
    except AbsentPeersError as absent:
        pytest.skip(str(absent))
    each = case("replay-yesno-moderate", 0)
    so_far = after(each, 12)
    levels = rivals.RIVALS[rival](each.trial, SETTINGS, 0)(so_far, 3, 5).levels
    assert so_far.left is not None
    left = {row.tobytes() for row in so_far.left}
    assert len({row.tobytes() for row in levels} & left) == 3
