"""Every campaign of the benchmark is sound: what may be chosen has an answer, and a best one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.case import Case
from benchmarks.free_labs import free_mixture, lab, two_goals
from benchmarks.problems import AbsentTableError
from benchmarks.replays import among
from benchmarks.replays import definition as replayed
from benchmarks.trials import case, main, trials
from labloop.simulate.backtest import hypervolume
from labloop.simulate.virtual_lab import VirtualLab

AMONG = [name for name in trials() if not name.startswith(("lab-", "goals-10", "mixture-free"))]


def build(name: str, seed: int = 0) -> Case:
    try:
        return case(name, seed)
    except AbsentTableError as absent:
        pytest.skip(str(absent))


@pytest.mark.parametrize("name", AMONG)
def test_every_formula_of_a_pool_can_be_made_and_has_an_answer(name: str) -> None:
    each = build(name)
    trial, pool = each.trial, each.trial.pool
    assert pool is not None
    assert trial.name == name
    assert len(np.unique(pool, axis=0)) == len(pool) >= 2 * each.formulas
    assert trial.space.satisfied(pool).all()
    answers = trial.measure(pool, np.random.default_rng(0))
    assert answers.shape == (len(pool), len(trial.goals.lower))
    assert np.isfinite(answers).all()
    assert np.isfinite(trial.X_history).all()
    objective = trial.goals.values(torch.from_numpy(trial.truth(pool))).numpy()
    if math.isnan(each.whole):
        assert objective.max() == trial.optimum > each.ordinary
    else:
        assert hypervolume(trial.goals, objective) == pytest.approx(each.whole)
        assert each.whole > 0


@pytest.mark.parametrize("name", ["lab-10-related", "mixture-free"])
def test_nothing_at_random_is_better_than_the_optimum(name: str) -> None:
    each = build(name)
    trial = each.trial
    levels = trial.space.sample(4000, np.random.default_rng(1))
    truth = trial.truth(levels)[:, 0]
    assert each.ordinary < truth.max() <= trial.optimum
    assert trial.space.satisfied(levels).all()
    assert trial.pool is None


def test_what_is_measured_scatters_around_the_truth() -> None:
    trial = lab(10, "moderate", 3).trial
    levels = np.repeat(trial.space.sample(1, np.random.default_rng(0)), 400, axis=0)
    measured = trial.measure(levels, np.random.default_rng(1))
    assert measured.std() < 0.12
    assert measured.mean() == pytest.approx(trial.truth(levels)[0, 0], abs=0.02)


def test_a_seed_makes_the_campaign() -> None:
    one, again, other = lab(10, "related", 1), lab(10, "related", 1), lab(10, "related", 2)
    np.testing.assert_array_equal(one.trial.Y_history, again.trial.Y_history)
    assert not np.array_equal(one.trial.Y_history, other.trial.Y_history)


def test_two_goals_are_measured_against_more_than_random_formulas_reach() -> None:
    each = two_goals(10, "related", 0)
    levels = each.trial.space.sample(2000, np.random.default_rng(0))
    values = each.trial.goals.values(torch.from_numpy(each.trial.truth(levels))).numpy()
    assert 0 < hypervolume(each.trial.goals, values) < each.whole


def test_parts_that_sum_to_one_reach_no_more_than_parts_that_need_not() -> None:
    line = VirtualLab(6, responses=1, seed=0).line("unrelated")
    assert free_mixture(0).trial.optimum <= np.log(line.best()[1]) + 1e-9


def test_a_formula_measured_twice_counts_once_with_its_mean() -> None:
    X = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.5, 1.0]])
    Y = np.array([[1.0], [2.0], [3.0], [0.0]])
    made = replayed(["a", "b"], X, [{"name": "y", "goal": "minimize"}])
    history = (X, Y, np.zeros(4, dtype=np.int64))
    each = among("twice", "replay", made, history, (X, Y))
    assert each.trial.pool is not None
    at = each.trial.space.concentrations(each.trial.pool)[:, 0]
    answers = each.trial.measure(each.trial.pool, np.random.default_rng(0))[:, 0]
    assert dict(zip(at.tolist(), answers.tolist(), strict=True)) == {0.0: 2.0, 0.5: 0.0, 1.0: 2.0}
    assert (each.trial.optimum, each.ordinary) == (0.0, -2.0)


def test_trials_can_be_listed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLOOP_REAL_TABLES", str(tmp_path))
    main(["lab-10-related", "goals-cftx"])
    said = capsys.readouterr()
    assert said.out == (
        "lab-10-related: virtual lab, 10 components, free, 1200 of history, 6 plates of 24, "
        "related (similarity 0.95)\n"
    )
    assert said.err.startswith(f"goals-cftx left out: {tmp_path / 'cftx' / 'cftx.csv'} is absent")
