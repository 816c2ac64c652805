"""The benchmark fits its time by dropping the costliest cells, always the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.models import MODELS, SIMPLE
from benchmarks.plan import FEW_SEEDS, Cell, planned
from benchmarks.problem import SIZES
from benchmarks.problems import problems

SOME = list(problems(0, ["yesno-moderate", "lab-50-related", "lab-two-sources"]))


def plan(seconds: float) -> tuple[list[Cell], list[Cell]]:
    return planned(SOME, list(MODELS), SIZES, 5, seconds)


@settings(deadline=None)
@given(st.floats(0, 5000), st.floats(0, 5000))
def test_less_time_never_runs_more(one: float, other: float) -> None:
    less, more = sorted([one, other])
    assert set(plan(less)[0]) <= set(plan(more)[0])


def test_labloop_is_never_dropped_and_never_given_fewer_seeds() -> None:
    cells, dropped = plan(0)
    assert {cell.model for cell in cells} == {"labloop"}
    assert {cell.seeds for cell in cells} == {5}
    assert {cell.model for cell in dropped} == set(MODELS) - {"labloop"}


def test_with_time_enough_everything_runs_and_costly_cells_have_two_seeds() -> None:
    cells, dropped = plan(1e9)
    assert dropped == []
    assert len(cells) == len(SOME) * len(MODELS) * len(SIZES)
    assert {cell.seeds for cell in cells if cell.model == "MultiTaskGP" and cell.size == 500} == {
        FEW_SEEDS
    }


def test_the_first_to_go_is_the_costliest_rival_that_is_not_simple() -> None:
    whole = sum(cell.seconds * cell.seeds for cell in plan(1e9)[0])
    _, dropped = plan(whole)  # preparation takes the rest
    assert dropped[0].size == 500
    assert dropped[0].model not in SIMPLE
