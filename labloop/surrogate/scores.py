"""How well predictions agree with measurements: one row a response, or a source and response."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array, least_and_range, source_scales, standardised

FEWEST = 5  # rows of a source below which it is not scored

# Of all values together, below which a share of them is no number any more.
LEAST_SIZE = 1e-100


def relative_error(Y: Array, predicted: Array) -> Array:
    """Return Σ|error| / Σ|value| of each response (m,): a mean that zeros cannot blow up."""
    present = ~(np.isnan(Y) | np.isnan(predicted))
    error = np.where(present, np.abs(predicted - Y), 0.0).sum(axis=0)
    size = np.where(present, np.abs(Y), 0.0).sum(axis=0)
    real = size > LEAST_SIZE
    return np.where(real, error / np.where(real, size, 1.0), np.nan)


def scores(
    Y: Array,
    predicted: Array,
    source: NDArray[np.int64],
    *,
    untransform: Callable[[Array], Array] | None = None,
) -> pd.DataFrame:
    """Score predictions (n, m) against `Y` (n, m), NaN-aware: one row a response.

    `r2` = 1 − Σ error² / Σ (value − its source's mean)², each source in units of its own
    standard deviation, so that differences between sources earn nothing; `mse` on values scaled
    to [0, 1] over each source's range, as in the patent; `relative_error` after `untransform`;
    `spearman` the mean of the sources' rank correlations, weighted by rows. NaN where a number
    is not defined.
    """
    from scipy.stats import spearmanr

    scales = source_scales(Y, source)
    z, p = standardised(Y, source, scales), standardised(predicted, source, scales)
    ranges = _ranges(Y, source)
    back = untransform if untransform is not None else np.asarray
    relative = relative_error(back(Y), back(predicted))
    records = []
    for j in range(Y.shape[1]):
        used = ~np.isnan(z[:, j]) & ~np.isnan(p[:, j])
        error = p[used, j] - z[used, j]
        total = float((z[used, j] ** 2).sum())
        unit = (predicted - Y)[used, j] / ranges[source[used], j]
        ranks, weights = [], []
        for number in np.unique(source[used]):
            here = used & (source == number)
            if here.sum() > 2 and np.ptp(Y[here, j]) > 0 and np.ptp(predicted[here, j]) > 0:
                ranks.append(float(spearmanr(Y[here, j], predicted[here, j]).statistic))
                weights.append(int(here.sum()))
        records.append(
            {
                "r2": 1.0 - float((error**2).sum()) / total if total > 0 else math.nan,
                "mse": float((unit**2).mean()) if used.any() else math.nan,
                "relative_error": float(relative[j]),
                "spearman": float(np.average(ranks, weights=weights)) if ranks else math.nan,
                "rows": int(used.sum()),
            }
        )
    return pd.DataFrame(records, index=pd.RangeIndex(Y.shape[1], name="response"))


def _ranges(Y: Array, source: NDArray[np.int64]) -> Array:
    ranges = np.ones((int(source.max(initial=0)) + 1, Y.shape[1]))
    for number in range(len(ranges)):
        extent = least_and_range(Y[source == number])[1]
        ranges[number] = np.where(extent > 0, extent, 1.0)
    return ranges


def scores_by_source(
    Y: Array, predicted: Array, plain: Array, source: NDArray[np.int64]
) -> pd.DataFrame:
    """Score predictions (n, m) of sources that were left out: one row a source and response.

    `plain` (n, m) are those of a plain model. Level and scale of a source that was never seen
    cannot be predicted, so they are refitted: `r2` and `plain_r2` are what the best rising line
    through the predictions explains, the square of their correlation, 0 where it is negative.
    `spearman` is the rank correlation, `rows` how many were measured and predicted. NaN below
    five rows, or where nothing varies.
    """
    records = [
        {
            "source": int(number),
            "response": j,
            **_alike(Y[source == number, j], predicted[source == number, j]),
            "plain_r2": _alike(Y[source == number, j], plain[source == number, j])["r2"],
        }
        for number in np.unique(source)
        for j in range(Y.shape[1])
    ]
    columns = ["source", "response", "r2", "plain_r2", "spearman", "rows"]
    return pd.DataFrame(records, columns=columns)


def _alike(y: Array, predicted: Array) -> dict[str, float]:
    """Return the share that the best rising line explains, the rank correlation, and the rows."""
    from scipy.stats import spearmanr

    used = ~np.isnan(y) & ~np.isnan(predicted)
    y, predicted = y[used], predicted[used]
    if len(y) < FEWEST or not np.ptp(y) > 0 or not np.ptp(predicted) > 0:
        return {"r2": math.nan, "spearman": math.nan, "rows": len(y)}
    correlation = float(np.corrcoef(y, predicted)[0, 1])
    ranks = float(spearmanr(y, predicted).statistic)
    return {"r2": max(correlation, 0.0) ** 2, "spearman": ranks, "rows": len(y)}
