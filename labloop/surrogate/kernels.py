"""Kernels of the Gaussian processes, their hyperparameters and priors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from labloop.surrogate.points import Points

SQRT5 = math.sqrt(5.0)


@dataclass(frozen=True)
class Shape:
    """Which terms a Gaussian process has.

    Always a Matérn-5/2 kernel of x and a level c that is integrated over; with `features` also a
    linear kernel: of `curves`, one a component, or of what is `frozen`, the pretrained features
    and the basis. The latter goes with the mean b·prior, b ~ N(1, ½²).
    """

    features: Literal["curves", "frozen"] | None

    @property
    def history(self) -> bool:
        """Whether the process knows what the history predicts."""
        return self.features == "frozen"

    def of(self, points: Points) -> Tensor:
        """Return the features (…, n, p) of the linear kernel, p = 0 where there is none."""
        if self.features is None:
            return points.x[..., :0]
        return points.phi if self.features == "frozen" else points.curves


OWN_ROWS = Shape(None)
OWN_CURVES = Shape("curves")
RESIDUAL_GP = Shape("frozen")

LEVEL_VARIANCE = 4.0
TRUST_VARIANCE = 0.25


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return ‖aᵢ − bⱼ‖² for (…, n, d) and (…, k, d) by one matrix product: (…, n, k)."""
    left = a.square().sum(-1, keepdim=True)
    right = b.square().sum(-1, keepdim=True).mT
    return (a @ (-2.0 * b).mT).add_(left).add_(right).clamp_min_(1e-15)


def matern(a: Tensor, b: Tensor) -> Tensor:
    """Return the unit Matérn-5/2 kernel of points already divided by their lengthscales."""
    square = squared_distance(SQRT5 * a, SQRT5 * b)
    s = square.sqrt()
    return torch.add(s, square, alpha=1.0 / 3.0).add_(1.0).mul_(torch.exp(-s))


@dataclass(frozen=True)
class Hyperparameters:
    """Positive numbers of one process: lengthscale (d,), the others scalar tensors.

    `noise` is the variance of a measurement of unknown variance, `excess` what is added to
    variances that are known.
    """

    lengthscale: Tensor
    signal: Tensor
    linear: Tensor
    noise: Tensor
    excess: Tensor


def covariance(
    shape: Shape,
    theta: Hyperparameters,
    a: Points,
    b: Points,
    response: int,
    gram: Tensor | None = None,
) -> Tensor:
    """Return the prior covariance of a response between points: (…, n, k).

    `gram` (…, n, k) may hold the products of their features, which all responses share.
    """
    total = LEVEL_VARIANCE + theta.signal * matern(a.x / theta.lengthscale, b.x / theta.lengthscale)
    if shape.features is not None:
        products = shape.of(a) @ shape.of(b).mT if gram is None else gram
        total = torch.addcmul(total, products, theta.linear)
    return _with_scale(total, a, b, response) if shape.history else total


def fixed_covariance(shape: Shape, a: Points, b: Points, response: int) -> Tensor:
    """Return the terms of `covariance` that no hyperparameter changes: (…, n, k) or (1, 1)."""
    level = torch.full((1, 1), LEVEL_VARIANCE, dtype=a.x.dtype)
    return _with_scale(level, a, b, response) if shape.history else level


def _with_scale(total: Tensor, a: Points, b: Points, response: int) -> Tensor:
    """Add the covariance that comes of the unknown scale b of the history's prediction."""
    left, right = a.prior[..., response, None], b.prior[..., response, None]
    return torch.addcmul(total, left, right.mT, value=TRUST_VARIANCE)


def _gamma(value: Tensor, concentration: float, rate: float) -> Tensor:
    return (concentration - 1.0) * torch.log(value) - rate * value


def _lognormal(value: Tensor, mean: float, sd: float) -> Tensor:
    log = torch.log(value)
    return -log - 0.5 * ((log - mean) / sd) ** 2


def log_prior(shape: Shape, theta: Hyperparameters, columns: int) -> Tensor:
    """Return the log density of the hyperparameters, up to a constant.

    The Matérn term of the process that never saw the history has the dimension-scaled gamma
    priors of Shields et al. 2021 (Nature 590:89) as smoothed by BayBE. Beside a linear term the
    lengthscales grow with √d as in Hvarfner et al. 2024 (ICML), but in a narrower band,
    LogNormal(1 + ½ log d, 0.7): with their √3 the 90 % intervals covered 80 %.
    """
    total = _lognormal(theta.noise, -2.3, 1.0) + _lognormal(theta.excess, -6.0, 1.5)
    if shape.features is not None:
        mean = 1.0 + 0.5 * math.log(max(columns, 1))
        total = total + _lognormal(theta.lengthscale, mean, 0.7).sum()
        total = total + _lognormal(theta.signal, -1.0, 0.5)
        return total + _lognormal(theta.linear, 0.0, 1.5)

    def between(low: float, high: float) -> float:
        return float(np.interp(columns, (8, 75), (low, high)))

    total = total + _gamma(theta.lengthscale, between(1.2, 2.5), between(1.1, 0.55)).sum()
    return total + _gamma(theta.signal, between(5.0, 3.5), between(0.5, 0.15))


def start_of(shape: Shape, columns: int) -> Tensor:
    """Return where the search begins, in logs: lengthscales, signal, linear, noise, excess."""
    if shape.features is not None:
        length, signal = math.exp(math.sqrt(2.0)) * math.sqrt(max(columns, 1)) / 4.0, 0.4
    else:
        length, signal = float(np.interp(columns, (8, 75), (0.7, 6.0))), 5.0
    tail = torch.tensor([signal, 1.0, 0.1, 0.005], dtype=torch.float64)
    return torch.log(torch.cat([torch.full((columns,), length, dtype=torch.float64), tail]))


def read_logs(log: Tensor) -> Hyperparameters:
    """Return the hyperparameters from their logs, in the order of `start_of`."""
    value = torch.exp(log)
    return Hyperparameters(value[:-4], value[-4], value[-3], value[-2], value[-1])


def noise_of(theta: Hyperparameters, known: Tensor) -> Tensor:
    """Return the noise variance of each row (n,) from its known variance or NaN."""
    return torch.where(torch.isnan(known), theta.noise, known.nan_to_num() + theta.excess)
