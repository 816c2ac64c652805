"""An emulator: a model of measured formulas that answers for any other one.

None of its models is one of labloop's experts, so that a backtest on it does not flatter them: a
Gaussian process with a squared-exponential kernel, which is smoother than theirs, and a random
forest, whose branches are the best rather than random ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labloop.simulate.smooth import Process, fit_process
from labloop.space.levels import Floats, Ints
from labloop.surrogate.folds import grouped_folds

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_FOLDS = 5
_TREES = 100


class Model(Protocol):
    """What answers for one response."""

    def mean(self, X: Floats) -> Floats:
        """Return (n,) answers to (n, columns) encoded formulas."""
        ...


@dataclass(frozen=True, eq=False)
class Forest:
    """A random forest (Breiman 2001, in scikit-learn)."""

    trees: RandomForestRegressor

    def mean(self, X: Floats) -> Floats:
        """Return (n,) answers to (n, columns) encoded formulas."""
        return np.asarray(self.trees.predict(X), dtype=float)


@dataclass(frozen=True, eq=False)
class Emulator:
    """A model a response, and how good each is.

    Attributes:
        models: One a response.
        kinds: What each model is, as words.
        r2: (responses,) cross-validated R2 of the models, on formulas left out.
        noise: (responses,) standard deviation of a measurement.
    """

    models: tuple[Model, ...]
    kinds: tuple[str, ...]
    r2: Floats
    noise: Floats

    def truth(self, X: Floats) -> Floats:
        """Return (n, responses) answers to (n, columns) encoded formulas."""
        return np.stack([model.mean(X) for model in self.models], axis=1)


Fit = Callable[[Floats, Floats], Model]
Step = Callable[[int, int], None]


def fit_emulator(X: Floats, Y: Floats, noise: Floats, step: Step) -> Emulator:
    """Return the emulator of measured formulas: for each response the better of two models.

    The better one predicts formulas left out, in five folds that keep near-copies together, with
    the larger R2.

    Args:
        X: (n, columns) encoded formulas.
        Y: (n, responses) measured values, none missing.
        noise: (responses,) standard deviation of a measurement; where it is NaN, that which the
            process finds is taken.
        step: Called with how many fits are done, and their number.
    """
    fold = grouped_folds(X, _FOLDS, seed=0)
    fits: dict[str, Fit] = {"a Gaussian process": fit_process, "a random forest": fit_forest}
    total = Y.shape[1] * len(fits) * (int(fold.max()) + 2)
    done = 0

    def fitted(fit: Fit, rows: Ints, y: Floats) -> Model:
        nonlocal done
        model = fit(X[rows], y[rows])
        done += 1
        step(done, total)
        return model

    chosen: list[tuple[Model, str, float, float]] = []
    for j, y in enumerate(Y.T):
        every = np.arange(len(X))
        models: dict[str, Model] = {}
        scores: dict[str, float] = {}
        for kind, fit in fits.items():
            predicted = np.empty(len(y))
            for part in range(int(fold.max()) + 1):
                left_out = fold == part
                predicted[left_out] = fitted(fit, every[~left_out], y).mean(X[left_out])
            models[kind] = fitted(fit, every, y)
            scores[kind] = _r2(y, predicted)
        best = max(scores, key=lambda kind: scores[kind])
        process = models["a Gaussian process"]
        assert isinstance(process, Process)
        error = float(noise[j]) if np.isfinite(noise[j]) else float(np.sqrt(process.noise))
        chosen.append((models[best], best, scores[best], error))
    models_, kinds, r2, errors = zip(*chosen, strict=True)
    return Emulator(models_, kinds, np.array(r2), np.array(errors))


def fit_forest(X: Floats, y: Floats) -> Model:
    """Return a forest that learned (n,) values of (n, columns) formulas."""
    from sklearn.ensemble import RandomForestRegressor

    return Forest(RandomForestRegressor(_TREES, random_state=0).fit(X, y))


def _r2(y: Floats, predicted: Floats) -> float:
    total = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float(((y - predicted) ** 2).sum()) / total if total else float("nan")
