"""k-fold cross-validation of the pretrained nets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from labloop.errors import RefusedError
from labloop.surrogate.scaling import (
    Array,
    SourceScales,
    checked_censoring,
    checked_inputs,
    checked_outputs,
    input_ranges,
    least_and_range,
    source_scales,
    standardised,
)
from labloop.surrogate.selection import select_components
from labloop.surrogate.training import RESIDUAL, Progress, Recipe, silent, train


@dataclass(frozen=True)
class Validation:
    """Out-of-fold predictions and their scores.

    `scores` a frame, one row a response: `r2`, `mse`, `relative_error`, `spearman`, `rows`;
    `predicted` (n, m) in the units of Y, NaN in rows that were not used; `fold` (n,), −1 there.
    Where the other folds have no value of a row's source, its level and scale cannot be known:
    the prediction is at the sources' pooled ones and left out of the scores.
    """

    scores: pd.DataFrame
    predicted: Array
    fold: NDArray[np.int64]


def grouped_folds(X: Array, folds: int, seed: int) -> NDArray[np.int64]:
    """Return each row's fold (n,); identical rows share one, folds are nearly equal in size.

    There are as many folds as distinct rows where those are fewer.
    """
    _, group, size = np.unique(X.round(9), axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    order = np.random.default_rng(seed).permutation(len(size))
    folds = min(folds, len(size))
    # The largest groups first, each into the emptiest fold; ties go by the shuffled order.
    order = order[np.argsort(-size[order], kind="stable")]
    fold_of_group = np.zeros(len(size), dtype=np.int64)
    filled = np.zeros(folds, dtype=np.int64)
    for number in order:
        emptiest = int(np.argmin(filled))
        fold_of_group[number] = emptiest
        filled[emptiest] += size[number]
    return fold_of_group[group]


def relative_error(Y: Array, predicted: Array) -> Array:
    """Return Σ|error| / Σ|value| of each response (m,): a mean that zeros cannot blow up."""
    present = ~(np.isnan(Y) | np.isnan(predicted))
    error = np.where(present, np.abs(predicted - Y), 0.0).sum(axis=0)
    size = np.where(present, np.abs(Y), 0.0).sum(axis=0)
    return np.where(size > 0, error / np.where(size > 0, size, 1.0), np.nan)


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


def cross_validate(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    source: NDArray[np.integer],
    *,
    censored: NDArray[np.integer] | None = None,
    component_of_column: NDArray[np.integer] | None = None,
    layers: int = 8,
    members: int = 8,
    feature_share: float = 0.7,
    recipe: Recipe = RESIDUAL,
    folds: int = 10,
    untransform: Callable[[Array], Array] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Validation:
    """Predict every row of the history by nets that never saw it or its repeats.

    Arguments as for `pretrain`; scales and the choice of components are learned from each
    fold's training rows alone. The nets of all folds are trained as one batch. Censored values
    are learned from and predicted, but do not count in the scores.
    Raises RefusedError when fewer than two distinct formulas are measured.
    """
    X = checked_inputs(X, "history")
    Y = checked_outputs(Y, len(X), "history")
    sides = checked_censoring(censored, Y, "history")
    usable = np.flatnonzero(~np.isnan(Y).all(axis=1))
    if component_of_column is None:
        component_of_column = np.arange(X.shape[1])
    x, y = X[usable], Y[usable]
    origin = np.unique(np.asarray(source)[usable], return_inverse=True)[1].reshape(-1)
    fold = grouped_folds(x, folds, seed) if len(x) else np.zeros(0, dtype=np.int64)
    if fold.max(initial=0) < 1:
        raise RefusedError(
            "Cross-validation needs at least two different formulas with a measured response."
        )
    predicted, levelled = _out_of_fold(
        x, y, sides[usable], origin.astype(np.int64), fold,
        np.asarray(component_of_column, dtype=np.int64), layers, members, feature_share, recipe,
        seed, progress,
    )  # fmt: skip
    fair = np.where(levelled, predicted, np.nan)
    exact = np.where(sides[usable] == 0, y, np.nan)
    table = scores(exact, fair, origin.astype(np.int64), untransform=untransform)
    everywhere = np.full(Y.shape, np.nan)
    everywhere[usable] = predicted
    fold_of_row = np.full(len(X), -1, dtype=np.int64)
    fold_of_row[usable] = fold
    return Validation(table, everywhere, fold_of_row)


def _out_of_fold(
    X: Array, Y: Array, censored: NDArray[np.int8], source: NDArray[np.int64],
    fold: NDArray[np.int64], component_of_column: NDArray[np.int64], layers: int, members: int,
    feature_share: float, recipe: Recipe, seed: int, progress: Progress,
) -> tuple[Array, NDArray[np.bool_]]:  # fmt: skip
    """Train folds × members nets as one batch and predict the held-out rows.

    Returns the predictions (n, m), and where the training rows have values of the row's source.
    """
    count = int(fold.max()) + 1
    least = min(int((fold != number).sum()) for number in range(count))
    generator = torch.Generator().manual_seed(seed)
    inputs, outputs, draws, kept = [], [], [], []
    scales: list[SourceScales] = []
    low, high = input_ranges(X)
    for number in range(count):
        training = np.flatnonzero(fold != number)
        known = np.full_like(Y, np.nan)
        known[training] = Y[training]
        scales.append(source_scales(known, source, min_max=recipe.kind == "plain"))
        Z = standardised(known, source, scales[-1])
        choice = select_components(
            X[training], Z[training], component_of_column, share=feature_share, seed=seed
        )
        kept.append(choice.columns)
        inputs.append(((X - low) / (high - low))[:, choice.columns])
        outputs.append(Z)
        picks = torch.randint(len(training), (members, least), generator=generator)
        draws.append(torch.as_tensor(training)[picks])
    # Folds may keep choices of different width: empty columns even them out.
    width = max(columns.size for columns in kept)
    x = torch.zeros(count, len(X), width)
    for number, block in enumerate(inputs):
        x[number, :, : block.shape[1]] = torch.as_tensor(block, dtype=torch.float32)
    z = torch.as_tensor(np.stack(outputs), dtype=torch.float32)
    sides = torch.as_tensor(censored).expand(z.shape)
    net = train(
        x, z, torch.cat(draws), recipe=recipe, layers=layers, seed=seed, censored=sides,
        progress=progress,
    )  # fmt: skip
    predicted, levelled = np.empty_like(Y), np.empty(Y.shape, dtype=bool)
    for number in range(count):
        held = fold == number
        own = slice(number * members, (number + 1) * members)
        nets = net.having({name: weight[own] for name, weight in net.tensors().items()})
        with torch.no_grad():
            mean = nets(x[number, torch.as_tensor(held)]).mean(0).double().numpy()
        level, scale = scales[number].level[source[held]], scales[number].scale[source[held]]
        predicted[held] = mean * scale + level
        levelled[held] = scales[number].present[source[held]]
    return predicted, levelled
