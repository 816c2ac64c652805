"""Random forests: on own rows alone, and with a forest of the history as one more input."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from benchmarks.gaussian import thinned_history
from benchmarks.problem import Array, Problem, Rows

TREES = 300


def own_rows_only(problem: Problem, own: Rows, response: int, seed: int) -> tuple[Array, Array]:
    """Predict with a forest on own rows: mean (N,) and sd of a new measurement (N,)."""
    X, y, _ = problem.measured_response(own, response)
    return predicted(grown(X, y, seed), y, problem.X_pool)


def of_history(problem: Problem, seed: int) -> list[Any]:
    """Return the forest of each response's history, every source in its own units.

    A response that the history lacks has None.
    """
    forests = []
    for j in range(problem.Y_pool.shape[1]):
        X, z, _ = thinned_history(problem, j, len(problem.X_history), seed)
        forests.append((grown(X, z, seed), z) if len(z) else None)
    return forests


def with_source(
    problem: Problem, own: Rows, response: int, seed: int, source: Any
) -> tuple[Array, Array]:
    """Predict with a forest that gets the history's forest's prediction as one more column.

    Without own rows the history's forest speaks alone, at the level and scale of the history.
    """
    if source is None:
        return own_rows_only(problem, own, response, seed)
    forest, z = source
    if not len(own):
        mean, sd = predicted(forest, z, problem.X_pool)
        earlier = problem.Y_history[:, response]
        level, scale = float(np.nanmean(earlier)), float(np.nanstd(earlier))
        return level + scale * mean, scale * sd
    X, y, _ = problem.measured_response(own, response)
    own_inputs, pool = (np.column_stack([x, forest.predict(x)]) for x in (X, problem.X_pool))
    return predicted(grown(own_inputs, y, seed), y, pool)


def grown(X: Array, y: Array, seed: int) -> Any:
    """Return a forest with scikit-learn's defaults, more trees and out-of-bag predictions."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, oob_score=True, random_state=seed).fit(X, y)


def predicted(forest: Any, y: Array, X: Array) -> tuple[Array, Array]:
    """Return mean (n,) and sd of a new measurement (n,) at `X` of a forest grown on `y`.

    The errors out of the bag say how wide intervals are on average; half of their square goes in
    proportion to the spread of the trees, half is the same everywhere.
    """
    trees = np.stack([tree.predict(X) for tree in forest.estimators_])
    spread = trees.var(axis=0)
    error = float(np.mean((forest.oob_prediction_ - y) ** 2))
    shape = spread / max(float(spread.mean()), 1e-300)
    return trees.mean(axis=0), cast(Array, np.sqrt(np.maximum(error * (1 + shape) / 2, 1e-300)))
