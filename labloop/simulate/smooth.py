"""A Gaussian process with a squared-exponential kernel, in plain arrays that workers can take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from labloop.space.levels import Floats

_TUNED_ROWS = 300  # of which the lengthscales are learned
_ROWS = 2000
_CHUNK = 8192
_STEPS = 100
# Of the logarithm of a lengthscale in one dimension, and of the share of noise in the variance.
_LENGTH_PRIOR = (math.sqrt(2.0), math.sqrt(3.0))
_NOISE_PRIOR = (-4.0, 1.0)
_LEAST_NOISE = 1e-4


@dataclass(frozen=True, eq=False)
class Process:
    """What such a process answers.

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
            [
                self.centre + _kernel(each / self.lengthscale, self.X) @ self.weights
                for each in chunks
            ]
        )


def fit_process(X: Floats, y: Floats) -> Process:
    """Return a process that learned (n,) values of (n, columns) formulas.

    Lengthscales have the prior of Hvarfner et al. (2024, "Vanilla Bayesian optimization performs
    great in high dimensions", ICML); they and the noise are those of the largest posterior density
    of their logarithms, given at most 300 of the formulas.
    """
    rng = np.random.default_rng(0)
    low, width = X.min(axis=0), np.ptp(X, axis=0)
    width = np.where(width > 0, width, 1.0)
    level, scale = float(y.mean()), float(y.std())
    if not scale:
        return Process(X[:1] / width, width, np.zeros(1), level, 0.0)
    unit, z = (X - low) / width, (y - level) / scale
    some = np.sort(rng.permutation(len(X))[:_TUNED_ROWS])
    length, noise = _tuned(unit[some], z[some])
    rows = np.sort(rng.permutation(len(X))[:_ROWS])
    lengthscale = width * length
    known = X[rows] / lengthscale
    covariance = _kernel(known, known) + noise * np.eye(len(rows))
    weights = scale * np.asarray(cho_solve(cho_factor(covariance), z[rows]), dtype=float)
    return Process(known, lengthscale, weights, level, noise * scale**2)


def _tuned(X: Floats, z: Floats) -> tuple[Floats, float]:
    """Return lengthscales (columns,) and the noise's share of the variance."""
    d = X.shape[1]
    centre = np.append(np.full(d, _LENGTH_PRIOR[0] + 0.5 * math.log(d)), _NOISE_PRIOR[0])
    spread = np.append(np.full(d, _LENGTH_PRIOR[1]), _NOISE_PRIOR[1])

    def loss(log: Floats) -> tuple[float, Floats]:
        """Return the negative log posterior of (columns + 1,) logarithms, and its gradient."""
        length, noise = np.exp(log[:-1]), math.exp(log[-1])
        scaled = X / length
        kernel = _kernel(scaled, scaled)
        factor = cho_factor(kernel + noise * np.eye(len(X)), lower=True)
        alpha = cho_solve(factor, z)
        off = cho_solve(factor, np.eye(len(X))) - np.outer(alpha, alpha)
        # ½ tr(off · ∂K) with ∂K of one lengthscale = K ∘ squared differences, without the squares
        W = off * kernel
        slope = (scaled**2 * W.sum(axis=1)[:, None]).sum(axis=0) - (scaled * (W @ scaled)).sum(
            axis=0
        )
        away = (log - centre) / spread
        value = 0.5 * z @ alpha + np.log(np.diag(factor[0])).sum() + 0.5 * away @ away
        gradient = np.append(slope, 0.5 * noise * np.trace(off)) + away / spread
        return float(value), gradient

    limits = [(-5.0, 10.0)] * d + [(math.log(_LEAST_NOISE), 2.0)]
    found = minimize(
        loss, centre, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": _STEPS}
    )
    return np.exp(found.x[:-1]), math.exp(found.x[-1])


def _kernel(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * cdist(a, b, "sqeuclidean")))
