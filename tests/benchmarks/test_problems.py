"""Every problem of the catalogue is sound; tables of one's own join in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.problems import AbsentTableError, Problem, build, catalogue, problems, read, write
from benchmarks.tables import REAL

SIMULATED = sorted(set(catalogue()) - set(REAL))


def check(problem: Problem, name: str) -> None:
    n, D = problem.X_history.shape
    N, m = problem.Y_pool.shape
    assert problem.name == name
    assert problem.X_pool.shape == (N, D)
    assert problem.Y_history.shape == (n, m)
    assert problem.source.shape == (n,)
    assert set(np.unique(problem.source)) == set(range(problem.source.max() + 1))
    assert np.isfinite(problem.X_history).all()
    assert np.isfinite(problem.Y_pool).all()
    assert len(np.unique(problem.X_pool, axis=0)) == N
    assert {0, 24} <= set(problem.sizes)
    varies = problem.X_pool[:, problem.varying]
    assert varies.min() >= 0
    assert varies.max() <= 1
    if problem.Y_pool_var is not None:
        assert (problem.Y_pool_var >= 0).all()


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated_problems_are_sound_and_repeatable(name: str) -> None:
    one, again, other = build(name, 1), build(name, 1), build(name, 2)
    check(one, name)
    assert one.Y_truth is not None
    np.testing.assert_array_equal(one.Y_pool, again.Y_pool)
    assert not np.array_equal(one.Y_pool, other.Y_pool)


@pytest.mark.parametrize("name", sorted(REAL))
def test_problems_of_real_tables_are_sound(name: str) -> None:
    try:
        problem = build(name, 0)
    except AbsentTableError as absent:
        pytest.skip(str(absent))
    check(problem, name)


def test_an_absent_table_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLOOP_REAL_TABLES", str(tmp_path))
    with pytest.raises(AbsentTableError) as absent:
        build("cftx-rounds", 0)
    wanted = tmp_path / "cftx" / "cftx.csv"
    assert str(absent.value) == (
        f"{wanted} is absent; set LABLOOP_REAL_TABLES to the tables' folder"
    )
    assert list(problems(0, ["cftx-rounds"])) == []


def test_tables_of_ones_own_join_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build("yesno-moderate", 0)
    write(made, tmp_path / "mine.npz")
    monkeypatch.setenv("LABLOOP_EXTRA_TABLES", str(tmp_path))
    assert "mine" in catalogue()
    back = build("mine", 3)
    assert back.name == made.name
    assert back.maximize is True
    assert back.Y_pool_var is None
    np.testing.assert_array_equal(back.Y_truth, made.Y_truth)


def test_a_file_needs_only_the_fields_without_a_default(tmp_path: Path) -> None:
    made = build("yesno-moderate", 0)
    names = ("X_history", "Y_history", "source", "X_pool", "Y_pool")
    np.savez(tmp_path / "bare.npz", **{name: getattr(made, name) for name in names})
    back = read(tmp_path / "bare.npz")
    assert (back.name, back.family) == ("bare", "bare")
    np.testing.assert_array_equal(back.component_of_column, np.arange(20))
