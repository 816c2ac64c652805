"""The plain model that the networks have to beat: a random forest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array

TREES = 30
MOST_ROWS = 3000  # rows that a tree learns from, so that a long history costs minutes, not hours


def forest_predictions(X: Array, Z: Array, wanted: Array, seed: int) -> Array:
    """Predict the `wanted` rows (q, D) by one random forest a response: (q, m).

    `X` (n, D) and `Z` (n, m) with NaN = missing are learned from: 30 trees, a third of the columns
    at each split (Breiman 2001, in scikit-learn). NaN where fewer than two values are known.
    """
    from sklearn.ensemble import RandomForestRegressor

    # What trees read; converting once spares it for each response.
    inputs: NDArray[np.float32] = X.astype(np.float32)
    asked: NDArray[np.float32] = wanted.astype(np.float32)
    predicted = np.full((len(wanted), Z.shape[1]), np.nan)
    for j in range(Z.shape[1]):
        known = np.flatnonzero(~np.isnan(Z[:, j]))
        if len(known) < 2 or not len(wanted):
            continue
        forest = RandomForestRegressor(
            n_estimators=TREES,
            max_features=1 / 3,
            max_samples=min(len(known), MOST_ROWS),
            random_state=seed,
        )
        predicted[:, j] = forest.fit(inputs[known], Z[known, j]).predict(asked)
    return predicted
