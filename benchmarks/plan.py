"""Which models run at which sizes, so that the whole benchmark fits its time.

Times are estimated from the sizes of a problem, never read from the clock, so the same command
drops the same cells everywhere. The estimates are seconds of one thread of the computer that the
published table was made on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.models import SIMPLE
from benchmarks.problem import Problem

ALWAYS = ("labloop",)
COSTLY = 5.0  # seconds a seed; from here on there are two seeds
FEW_SEEDS = 2


@dataclass(frozen=True)
class Cell:
    """One model at one size of one problem; `seconds` are those of one of its `seeds`."""

    problem: str
    model: str
    size: int
    seconds: float
    seeds: int


def estimated_seconds(problem: Problem, model: str, size: int) -> float:
    """Return about how long a model takes at a size, in seconds of one thread."""
    columns, responses = len(problem.X_pool[0]), len(problem.Y_pool[0])
    if model == "labloop":
        return responses * (0.5 + 0.002 * size + 1.8e-5 * size**2)
    if model == "patent":
        return 0.1 + 0.0017 * size
    if size == 0:
        return 0.1
    if model == "SingleTaskGP":
        growing = 8e-5 * size**2 * (0.7 + 0.01 * columns)
        return responses * (0.4 + 0.015 * size + growing)
    if model == "MultiTaskGP":
        return responses * (4.5 + 4e-5 * (size + 150) ** 2 + 0.03 * columns)
    return responses * (0.5 + 1e-4 * size * columns)


def estimated_preparation(problem: Problem, model: str) -> float:
    """Return about how long a model takes to learn from the history, in seconds of one thread."""
    if model not in ("labloop", "patent", "forest+source"):
        return 0.0
    rows, columns = len(problem.X_history), len(problem.X_pool[0])
    if model == "forest+source":
        return len(problem.Y_pool[0]) * (0.5 + 3e-5 * rows * columns)
    return (1.0 + 0.003 * rows) * (1.0 if model == "labloop" else 0.6)


def planned(
    problems: Iterable[Problem], models: Sequence[str], sizes: Sequence[int], seeds: int,
    seconds: float,
) -> tuple[list[Cell], list[Cell]]:  # fmt: skip
    """Return the cells that run and those that are dropped.

    `seconds` is what there is for everything on one thread. Costly cells get two seeds; then the
    costliest are dropped first, later names of the alphabet first among equals; those of labloop
    never. Simple models are what labloop must not fall behind: their cells count a third of what
    they cost.
    """
    cells, fixed = [], 0.0
    for problem in problems:
        fixed += seeds * sum(estimated_preparation(problem, model) for model in models)
        for model in models:
            for size in problem.sizes:
                if size in sizes:
                    cost = estimated_seconds(problem, model, size)
                    few = cost > COSTLY and model not in ALWAYS
                    repeats = min(seeds, FEW_SEEDS) if few else seeds
                    cells.append(Cell(problem.name, model, size, cost, repeats))
    left = seconds - fixed - sum(cell.seconds * cell.seeds for cell in cells)
    dropped: list[Cell] = []
    for cell in sorted(cells, key=_burden, reverse=True):
        if left >= 0:
            break
        if cell.model not in ALWAYS:
            dropped.append(cell)
            left += cell.seconds * cell.seeds
    return [cell for cell in cells if cell not in set(dropped)], dropped


def _burden(cell: Cell) -> tuple[float, str, str, int]:
    seconds = cell.seconds / 3 if cell.model in SIMPLE else cell.seconds
    return seconds, cell.model, cell.problem, cell.size
