"""Cross-validation of the pretrained nets: on formulas left out, and on sources left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labloop.errors import RefusedError
from labloop.surrogate.folds import dealt, grouped_folds
from labloop.surrogate.leaving_out import History, predict_left_out
from labloop.surrogate.scaling import (
    Array,
    checked_censoring,
    checked_inputs,
    checked_outputs,
)
from labloop.surrogate.scores import FEWEST, scores, scores_by_source
from labloop.surrogate.training import RESIDUAL, Progress, Recipe, silent

MOST_PARTS = 10  # into which the sources are dealt to be left out


@dataclass(frozen=True)
class Validation:
    """Predictions of formulas and sources that were left out, and their scores.

    `scores` a frame, one row a response: `r2`, `plain_r2` (of a random forest on the same folds),
    `mse`, `relative_error`, `spearman`, `rows`; `predicted` (n, m) in the units of Y, NaN in rows
    that were not used; `fold` (n,), −1 there. Where the other folds have no value of a row's
    source, its level and scale cannot be known: the prediction is at the sources' pooled ones and
    left out of the scores. `counted` (n, m) says which predictions the scores rest on.

    `scores_by_source` a frame, one row a source and response, predicted by nets that saw other
    sources alone: `source`, `response`, `r2`, `plain_r2`, `spearman`, `rows`. See
    `scores.scores_by_source`; empty where there is one source.
    """

    scores: pd.DataFrame
    scores_by_source: pd.DataFrame
    predicted: Array
    fold: NDArray[np.int64]
    counted: NDArray[np.bool_]


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
    """Predict every row of the history by nets that never saw it or its near-copies.

    Arguments as for `pretrain`; scales and the choice of components are learned from each
    fold's training rows alone. Where there are several sources, each is also predicted by nets
    that never saw it, half as many; more than ten sources are left out several at a time. A
    random forest predicts the same rows beside the nets. Censored values are learned from and
    predicted, but do not count in the scores. `progress(done, total)` counts what is left out.
    Long work is spread over `joblib.Parallel`, with the same result on any number of workers.
    Raises RefusedError when fewer than two different formulas are measured.
    """
    X = checked_inputs(X, "history")
    Y = checked_outputs(Y, len(X), "history")
    sides = checked_censoring(censored, Y, "history")
    used = np.flatnonzero(~np.isnan(Y).all(axis=1))
    numbers, line = np.unique(np.asarray(source)[used], return_inverse=True)
    column = np.arange(X.shape[1]) if component_of_column is None else component_of_column
    past = History(
        X[used], Y[used], sides[used], line.reshape(-1).astype(np.int64),
        np.asarray(column, dtype=np.int64), layers, members, feature_share, recipe, seed,
    )  # fmt: skip
    fold = np.full(len(X), -1, dtype=np.int64)
    fold[used] = grouped_folds(past.X, folds, seed) if len(used) else -1
    if fold.max(initial=-1) < 1:
        raise RefusedError(
            "Cross-validation needs at least two different formulas with a measured response; "
            "import more, or learn without it (`--folds 0`)."
        )
    by_fold, by_part = predict_left_out(past, fold[used], _parts(past), progress)
    exact = np.where(past.censored == 0, past.Y, np.nan)
    nets, plain = (
        np.where(by_fold.levelled, each, np.nan) for each in (by_fold.predicted, by_fold.plain)
    )
    table = scores(exact, nets, past.source, untransform=untransform)
    table.insert(1, "plain_r2", scores(exact, plain, past.source)["r2"])
    by_source = scores_by_source(exact, by_part.predicted, by_part.plain, past.source)
    by_source["source"] = numbers[by_source["source"]]
    by_source = by_source if len(numbers) > 1 else by_source[:0]
    predicted, counted = np.full(Y.shape, np.nan), np.zeros(Y.shape, dtype=bool)
    predicted[used] = by_fold.predicted
    counted[used] = np.isfinite(exact) & np.isfinite(nets)
    return Validation(table, by_source, predicted, fold, counted)


def _parts(past: History) -> NDArray[np.int64]:
    """Return the part (n,) that a row's source is left out with, −1 where it cannot be scored."""
    sizes = np.bincount(past.source)
    part = dealt(sizes, MOST_PARTS, past.seed)[past.source]
    others = len(part) - np.bincount(part)
    return np.where((sizes[past.source] >= FEWEST) & (others[part] >= FEWEST), part, -1)
