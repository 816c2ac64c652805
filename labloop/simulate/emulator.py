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
import torch
from scipy.spatial.distance import cdist

from labloop.space.levels import Floats, Ints
from labloop.surrogate.folds import grouped_folds
from labloop.surrogate.threads import one_thread

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_FOLDS = 5
_TREES = 100
_TUNED_ROWS = 300  # of which the process learns its lengthscales
_PROCESS_ROWS = 2000
_CHUNK = 8192


class Model(Protocol):
    """What answers for one response."""

    def mean(self, X: Floats) -> Floats:
        """Return (n,) answers to (n, columns) encoded formulas."""
        ...


@dataclass(frozen=True, eq=False)
class Process:
    """A Gaussian process with a squared-exponential kernel; plain arrays, as workers take them.

    Attributes:
        X: (n, columns) encoded formulas in units of the lengthscales.
        lengthscale: (columns,).
        weights: (n,) of the kernel between a formula and those of `X`.
        centre: The answer far from all of them.
        noise: Variance of a measurement.
    """

    X: Floats
    lengthscale: Floats
    weights: Floats
    centre: float
    noise: float

    def mean(self, X: Floats) -> Floats:
        """Return (n,) answers to (n, columns) encoded formulas."""
        chunks = np.array_split(X, max(1, len(X) // _CHUNK))
        return np.concatenate(
            [self.centre + _kernel(each / self.lengthscale, self.X) @ self.weights
             for each in chunks]
        )  # fmt: skip


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


def fit_process(X: Floats, y: Floats) -> Model:
    """Return a process that learned (n,) values of (n, columns) formulas.

    Lengthscales and noise have the prior of Hvarfner et al. (2024), as in BoTorch, and are those
    of the largest posterior density given at most 300 formulas.
    """
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    rng = np.random.default_rng(0)
    level, scale = float(y.mean()), float(y.std()) or 1.0
    z = (y - level) / scale
    some = np.sort(rng.permutation(len(X))[:_TUNED_ROWS])
    inputs, values = torch.from_numpy(X[some]), torch.from_numpy(z[some, None])
    with one_thread():
        model = SingleTaskGP(inputs, values, outcome_transform=None, covar_module=_smooth(X))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    lengthscale: Floats = model.covar_module.lengthscale.detach().double().numpy().reshape(-1)
    noise = float(model.likelihood.noise.detach())
    centre = float(model.mean_module.constant.detach())
    rows = np.sort(rng.permutation(len(X))[:_PROCESS_ROWS])
    known = X[rows] / lengthscale
    covariance = _kernel(known, known) + noise * np.eye(len(rows))
    weights = np.asarray(np.linalg.solve(covariance, z[rows] - centre) * scale, dtype=float)
    return Process(known, lengthscale, weights, level + scale * centre, noise * scale**2)


def _smooth(X: Floats) -> torch.nn.Module:
    from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior

    module: torch.nn.Module = get_covar_module_with_dim_scaled_prior(X.shape[1])
    return module


def _kernel(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * cdist(a, b, "sqeuclidean")))


def _r2(y: Floats, predicted: Floats) -> float:
    total = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float(((y - predicted) ** 2).sum()) / total if total else float("nan")
