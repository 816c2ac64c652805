"""Campaigns among formulas that were really measured: the pool's rows are all there is to choose.

Components have the levels that the pool has; a formula that is there twice counts once, with the
mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.case import Array, Case, best_rows
from benchmarks.problem import Problem
from benchmarks.tables import (
    BLEND_PARTS,
    blend_tables,
    of_wells,
    one_row_a_well,
    read,
    rna_components,
)
from labloop.definition import Definition
from labloop.proposal.goals import Goals
from labloop.simulate.backtest import hypervolume
from labloop.simulate.trial import Trial
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

ROUNDS = 4
LARGE = 400  # formulas of a pool from which plates have 24 instead of 12
ALIKE = 0.5  # similarity from which a history counts as alike
_DIGITS = 9
_TREES = 200


def replay(problem: Problem) -> Case:
    """Return the campaign among the pool of a problem, for its first response."""
    names = [f"c{column}" for column in range(problem.X_pool.shape[1])]
    goal = "maximize" if problem.maximize else "minimize"
    response = {"name": "response", "goal": goal}
    return among(
        f"replay-{problem.name}", "replay", definition(names, problem.X_pool, [response]),
        (problem.X_history, problem.Y_history[:, :1], problem.source),
        (problem.X_pool, problem.Y_pool[:, :1]),
        None if problem.Y_truth is None else problem.Y_truth[:, :1],
        logarithmic=problem.logarithmic,
    )  # fmt: skip


def blends(first: str, second: str) -> Case:
    """Return the campaign for the least degradation among blends of four parts."""
    history, pool = blend_tables(first, second)
    total = {"total": dict.fromkeys(BLEND_PARTS, 1.0), "equals": 1.0}
    # The responses are logarithms already, so the definition must not ask for one.
    response = {"name": "log degradation", "goal": "minimize"}
    made = definition(list(BLEND_PARTS), pool.X, [response], constraint=[total])
    name = f"mixture-{first}-{second}".lower()
    source = np.zeros(len(history.X), dtype=np.int64)
    earlier = (history.X, history.Y, source)
    return among(name, "mixture", made, earlier, (pool.X, pool.Y), logarithmic=True)


def rna_against_protein() -> Case:
    """Return the campaign for much mRNA and much protein, from the plates 0 to 4 to later ones."""
    rows = read("cftx", "cftx.csv")
    parts = []
    for early in (True, False):
        chosen = rows[(rows["round"] <= 4) == early]
        both = [
            of_wells(one_row_a_well(chosen, name), rna_components(rows), "value")
            for name in ("MG", "GFP")
        ]
        if not np.array_equal(both[0].X, both[1].X):
            raise ValueError("cftx.csv has formulas with one of the two responses alone.")
        parts.append((both[0].X, np.concatenate([each.Y for each in both], axis=1)))
    (X_history, Y_history), (X, Y) = parts
    earlier = {row.tobytes() for row in X_history}
    new = np.array([row.tobytes() not in earlier for row in X])
    X, Y = X[new], Y[new]
    worst = np.quantile(Y, 0.1, axis=0)
    responses = [
        {"name": name, "reference": float(value)}
        for name, value in zip(("mRNA", "protein"), worst, strict=True)
    ]
    made = definition(rna_components(rows), X, responses)
    source = np.zeros(len(X_history), dtype=np.int64)
    return among("goals-cftx", "two responses", made, (X_history, Y_history, source), (X, Y))


def definition(
    names: list[str], X: Array, responses: list[dict[str, Any]], **more: Any
) -> Definition:
    """Return the campaign whose components have the levels that (n, components) formulas have."""
    components: list[dict[str, Any]] = []
    for name, column in zip(names, X.T, strict=True):
        levels = np.unique(column.round(_DIGITS)).tolist()
        kind = {"levels": levels} if len(levels) > 1 else {"fixed": levels[0]}
        components.append({"name": name, **kind})
    return Definition.model_validate(
        {"name": "replay", "component": components, "response": responses, **more}
    )


def among(
    name: str,
    kind: str,
    of: Definition,
    history: tuple[Array, Array, np.ndarray[Any, np.dtype[np.int64]]],
    pool: tuple[Array, Array],
    truth: Array | None = None,
    *,
    logarithmic: bool = False,
) -> Case:
    """Return the campaign that may choose from a pool alone.

    Args:
        name: The trial's.
        kind: The case's.
        of: Components with the pool's levels, responses on the surrogate's scale.
        history: (h, components) concentrations, (h, responses) values, (h,) source.
        pool: (p, components) concentrations, (p, responses) measured values.
        truth: (p, responses) values without any error, where they are known.
        logarithmic: Whether the first response is a logarithm.
    """
    space, goals = FormulaSpace.of(of), Goals.of(of.responses)
    levels = space.nearest(pool[0].round(_DIGITS))
    levels, number = np.unique(levels, axis=0, return_inverse=True)
    said = Answers(levels, means(pool[1], number))
    true = said if truth is None else Answers(levels, means(truth, number))
    objective = goals.values(torch.from_numpy(true.Y)).numpy()
    X_history, similarity = space.encode_concentrations(history[0]), float("nan")
    similarity = foretold(X_history, history[1][:, 0], space.encode(levels), true.Y[:, 0])
    best = best_rows(goals, history[1])
    single = objective.shape[1] == 1
    trial = Trial(
        name, space, goals, X_history, history[1], history[2], history[0][best],
        lambda asked, _: said(asked), true, levels,
        float(objective.max()) if single else float("nan"), logarithmic,
    )  # fmt: skip
    return Case(
        trial, kind, "alike" if similarity >= ALIKE else "unrelated", similarity,
        24 if len(levels) >= LARGE else 12, ROUNDS,
        float(np.median(objective)) if single else float("nan"),
        float("nan") if single else hypervolume(goals, objective),
    )  # fmt: skip


class Answers:
    """What a pool's formulas give: called with level numbers, returns (n, responses) values."""

    def __init__(self, levels: LevelNumbers, Y: Floats) -> None:
        self.Y = Y
        self._row = {row.tobytes(): number for number, row in enumerate(levels)}

    def __call__(self, levels: LevelNumbers) -> Floats:
        """Return the values; raises KeyError for a formula that is not of the pool."""
        return self.Y[[self._row[row.tobytes()] for row in levels]]


def means(Y: Array, number: Any) -> Array:
    """Return the mean of the rows of (n, responses) values that have the same number."""
    number = np.asarray(number).reshape(-1)
    count = np.bincount(number)[:, None]
    return np.stack([np.bincount(number, weights=column) for column in Y.T], axis=1) / count


def foretold(X: Array, y: Array, X_pool: Array, y_pool: Array) -> float:
    """Return the Spearman correlation of a forest of the history with a pool's responses."""
    from sklearn.ensemble import RandomForestRegressor

    has = ~np.isnan(y)
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0, n_jobs=1)
    return float(spearmanr(forest.fit(X[has], y[has]).predict(X_pool), y_pool).statistic)
