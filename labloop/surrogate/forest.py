"""Forests: what trees make of the rows, where responses move in steps or the rows are few.

Trees are grown by scikit-learn; here they are only walked, a tree a call, so that single trees
stay visible: their spread says how sure the forest is, and each row has trees that never saw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.surrogate.scaling import Array

if TYPE_CHECKING:
    from sklearn.ensemble import BaseEnsemble
    from sklearn.tree._tree import Tree

Floats = NDArray[np.float32]

TREES = 64
FEWEST_ROWS = 8  # from which a forest of own rows is grown
FOREST_ROWS = 3000  # of the history, at most, from which its forest is grown
SOURCE_SHARE = 0.4  # of the components, tried at each branching of a source's tree


@dataclass(frozen=True, eq=False)
class Forest:
    """T trees of m responses; `leaves` holds the values (nodes, m) of each tree.

    `seen` (T, n) says which of the n rows each tree was grown from.
    """

    trees: tuple[Tree, ...]
    leaves: tuple[Floats, ...]
    seen: NDArray[np.bool_]

    def values(self, X: NDArray[np.floating]) -> Floats:
        """Return what every tree says of rows (n, d): (n, T, m)."""
        x = np.ascontiguousarray(X, dtype=np.float32)
        out = np.empty((len(x), len(self.trees), self.leaves[0].shape[1]), dtype=np.float32)
        for number, (tree, leaves) in enumerate(zip(self.trees, self.leaves, strict=True)):
            out[:, number] = leaves[tree.apply(x)]
        return out

    def moments(self, X: NDArray[np.floating]) -> tuple[Array, Array]:
        """Return mean and variance of what the trees say of rows (n, d): (n, m) each.

        Takes no room for the trees' values. A walk through a tree is faster the more rows share
        it, up to some ten thousand.
        """
        x = np.ascontiguousarray(X, dtype=np.float32)
        # Rows that are alike take the same branches one after another, as the processor expects.
        order = np.argsort(self.trees[0].apply(x))
        x, place = x[order], np.argsort(order)
        total = np.zeros((len(x), self.leaves[0].shape[1]))
        square = np.zeros_like(total)
        for tree, leaves in zip(self.trees, self.leaves, strict=True):
            value = leaves.take(tree.apply(x), axis=0).astype(np.float64)
            total += value
            square += value * value
        mean = total / len(self.trees)
        variance = np.maximum(square - total * mean, 0.0) / (len(self.trees) - 1)
        return mean[place], variance[place]


@dataclass(frozen=True, eq=False)
class Grove:
    """A forest for each response, as trees over what the history says and the inputs.

    `forests` (m) were grown from own rows; where those are too few (None) the history's trees
    stand in, at `level` + `gain` × what they say: (m,) each.
    """

    forests: tuple[Forest | None, ...]
    level: Array
    gain: Array

    def values(self, x: Array, prior: Array, source: Floats) -> Floats:
        """Return every tree's word on n rows: (n, T, m).

        `x` (n, d) the columns that vary, `prior` (n, m) the history's prediction, `source`
        (n, T, m) its trees'.
        """
        out = source * self.gain.astype(np.float32) + self.level.astype(np.float32)
        for j, forest in enumerate(self.forests):
            if forest is not None:
                out[..., j] = forest.values(np.column_stack([x, prior[:, j]]))[..., 0]
        return out

    def moments(self, x: Array, prior: Array, source: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return mean and variance of the trees' words on n rows: (n, m) each.

        As `values`, but `source` has the mean and variance (n, m) of the history's trees.
        """
        mean, variance = source[0] * self.gain + self.level, source[1] * self.gain**2
        for j, forest in enumerate(self.forests):
            if forest is not None:
                own = forest.moments(np.column_stack([x, prior[:, j]]))
                mean[:, j], variance[:, j] = own[0][:, 0], own[1][:, 0]
        return mean, variance


def source_forest(X: NDArray[np.floating], Z: NDArray[np.floating], seed: int) -> Forest:
    """Grow one forest of all responses from the history: `X` (n, d), `Z` (n, m) without gaps.

    A random forest (Breiman 2001, Machine Learning 45:5).
    """
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        TREES, max_features=SOURCE_SHARE, random_state=seed, n_jobs=torch.get_num_threads()
    )
    return _grown(model, X, Z)


def own_forest(X: Array, y: Array, weights: Array, seed: int) -> Forest:
    """Grow a forest of one response from own rows: `X` (n, d), `y` (n,) without gaps.

    `weights` (n,) say how much each row counts. Extremely randomised trees (Geurts, Ernst and
    Wehenkel 2006, Machine Learning 63:3), each on its own bootstrap of the rows. On real tables
    they predict better than a random forest does where inputs vary continuously, and as well
    where they are yes or no; without the bootstrap they follow every row and fail on the latter.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(
        TREES, bootstrap=True, random_state=seed, n_jobs=torch.get_num_threads()
    )
    # Digits beyond single precision would decide between splits that are equally good.
    return _grown(model, X, y.astype(np.float32)[:, None], weights)


def _grown(
    model: BaseEnsemble,
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    weights: Array | None = None,
) -> Forest:
    model.fit(X.astype(np.float32), Y if Y.shape[1] > 1 else Y[:, 0], sample_weight=weights)
    seen = np.zeros((len(model.estimators_), len(X)), dtype=bool)
    for number, rows in enumerate(model.estimators_samples_):
        seen[number, rows] = True
    trees = tuple(each.tree_ for each in model.estimators_)
    leaves = tuple(tree.value[:, :, 0].astype(np.float32) for tree in trees)
    return Forest(trees, leaves, seen)


def left_out_mean(values: Tensor, seen: Tensor) -> Tensor:
    """Average over the members that did not see a row: `values` (n, M, m), `seen` (M, n) → (n, m).

    NaN where all members saw it.
    """
    without = (~seen).T.to(values).unsqueeze(-1)
    return (values * without).sum(1) / without.sum(1)
