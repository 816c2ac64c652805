"""Which components the network sees: mutual information with the responses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array

FEW_VALUES = 12
ENOUGH_ROWS = 3000


@dataclass(frozen=True)
class Selection:
    """Columns kept for the network and the ranking of components that led to them.

    `columns` (kept columns,) ascending; `ranking` a frame indexed by component number, best
    first, with `information` (nats, the greatest over the responses after each response is
    scaled to its best component), `kept`, and one column a response number.
    """

    columns: NDArray[np.int64]
    ranking: pd.DataFrame


def _codes(block: Array) -> tuple[Array, bool]:
    """Return one column for a component's columns, and whether its values are classes."""
    if block.shape[1] > 1:
        return np.unique(block, axis=0, return_inverse=True)[1].reshape(-1).astype(float), True
    values = np.unique(block[:, 0])
    # The nearest-neighbour estimate is noisy on few repeated levels; counting is exact there.
    return block[:, 0], len(values) <= FEW_VALUES


def _information(inputs: Array, classes: list[bool], z: Array, seed: int) -> Array:
    """Return the mutual information of each input column with one response, in nats."""
    from sklearn.feature_selection import mutual_info_regression

    present = np.flatnonzero(~np.isnan(z))
    if len(present) > ENOUGH_ROWS:
        chosen = np.random.default_rng(seed).choice(len(present), ENOUGH_ROWS, replace=False)
        present = present[np.sort(chosen)]
    if len(present) < 5 or np.ptp(z[present]) == 0:
        return np.zeros(inputs.shape[1])
    kinds = [len(np.unique(inputs[present, column])) for column in range(inputs.shape[1])]
    # Classes that hardly repeat cannot be counted; the neighbour estimate serves better.
    counted = np.array(classes) & (2 * np.array(kinds) <= len(present))
    return mutual_info_regression(
        inputs[present], z[present], discrete_features=counted, random_state=seed
    )


def select_components(
    X: Array,
    Z: Array,
    component_of_column: NDArray[np.int64],
    *,
    share: float,
    seed: int,
) -> Selection:
    """Keep the `share` of components that tell most about any response.

    `X` (n, D) inputs, `Z` (n, m) responses standardised within their source (NaN = missing),
    `component_of_column` (D,) the component that each column belongs to: the columns of a choice
    stay or go together. Components that do not vary are never kept, at least one always is.
    A share of 1 keeps all that vary. Estimator: Kraskov et al. 2004, Ross 2014 (scikit-learn).
    """
    components = np.unique(component_of_column)
    varying = np.ptp(X, axis=0) > 0 if len(X) else np.zeros(X.shape[1], dtype=bool)
    alive = np.array([bool(varying[component_of_column == c].any()) for c in components])
    codes = [_codes(X[:, component_of_column == c]) for c in components[alive]]
    information = np.zeros((len(components), Z.shape[1]))
    if codes:
        inputs = np.column_stack([column for column, _ in codes])
        classes = [is_class for _, is_class in codes]
        for response in range(Z.shape[1]):
            information[alive, response] = _information(inputs, classes, Z[:, response], seed)
    # Each response counts by its own best component, so that a noisy one is not outvoted.
    best = information.max(axis=0, initial=0.0)
    relative = information / np.where(best > 0, best, 1.0)
    score = relative.max(axis=1, initial=0.0)
    order = np.lexsort((components, -score, ~alive))
    keep = max(1, math.ceil(share * alive.sum() - 1e-9)) if share < 1 else int(alive.sum())
    kept = np.zeros(len(components), dtype=bool)
    kept[order[:keep]] = True
    kept &= alive
    if not kept.any():
        kept[:] = True  # nothing varies: any inputs serve, the net will learn the mean
    ranking = pd.DataFrame(information, columns=range(Z.shape[1]), index=components)
    ranking.index.name = "component"
    ranking.insert(0, "information", information.max(axis=1, initial=0.0))
    ranking.insert(1, "kept", kept)
    wanted = np.isin(component_of_column, components[kept]) & (varying | ~alive.any())
    return Selection(np.flatnonzero(wanted), ranking.iloc[order])
