"""Results known only to lie beyond a limit, as Gaussian observations by expectation propagation.

A value below (above) a limit says of the response f at its formula that f + noise is below (above)
it: the likelihood Φ(±(f − limit) / sd) of a Tobit model. Expectation propagation (Minka 2001;
Rasmussen and Williams 2006, section 3.6) replaces each such factor by the Gaussian that leaves the
posterior the same mean and variance. From then on every expert can take it for a measurement of its
own variance: a limit that is no surprise has hardly any weight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labloop.surrogate.gp import factor, fit_process
from labloop.surrogate.kernels import OWN_ROWS, noise_of
from labloop.surrogate.points import Points
from labloop.surrogate.scaling import MOST_ERROR

# Rows whose limits are seen together; more are seen block by block, to bound the cube of their
# number.
BLOCK = 600
STEPS = 200
DAMPING = 0.5
CLOSE = 1e-6
# Standard deviations past the limit from which on a factor says nothing, or all that it can.
FAR_WITHIN, FAR_BEYOND = 6.0, -1e3
# Limits at one formula that contradict one another would leave nothing possible without noise.
LEAST_NOISE = 1e-4


def pseudo_observations(
    x: Tensor, y: Tensor, known: Tensor, censored: Tensor, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return values and variances in which each limit has become a Gaussian observation.

    `x` (n, d) the columns that vary, `y` (n, m) standardised values, at the limit where censored,
    with NaN = missing; `known` (n, m) variances in the same units or NaN; `censored` (n, m) 0 where
    measured, −1 where only known to be below the value, 1 where above. The prior of each response
    is the Gaussian process fitted to its measured values, however few. Measured entries are
    returned as they came.
    """
    y, known = y.clone(), known.clone()
    empty = x.new_zeros(len(x), 0)
    nobody = x.new_zeros(len(x), 0, y.shape[1])
    points = Points(x, empty, x.new_zeros(len(x), y.shape[1]), nobody, nobody, empty)
    for j in range(y.shape[1]):
        limited = (censored[:, j] != 0) & ~torch.isnan(y[:, j])
        if not bool(limited.any()):
            continue
        exact = torch.where(limited, torch.nan, y[:, j])
        process = fit_process(OWN_ROWS, points, exact, known[:, j], j, seed)
        for rows in torch.nonzero(limited).squeeze(1).split(BLOCK):
            noise = noise_of(process.theta, known[rows, j])
            mean, covariance = process.joint(points.take(rows))
            side = censored[rows, j].to(y.dtype)
            site_mean, variance = limit_sites(mean, covariance, y[rows, j], side, noise)
            y[rows, j], known[rows, j] = site_mean, variance.clamp_max(MOST_ERROR**2)
    return y, known


def limit_sites(
    mean: Tensor, covariance: Tensor, limit: Tensor, side: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Return mean and variance (n,) of the Gaussian that stands for each limit.

    `mean` (n,) and `covariance` (n, n) of the response beforehand; `limit` (n,); `side` (n,) −1
    where f + noise lies below it, 1 where above; `noise` (n,) variances. All limits are seen
    together: f at one formula tells of f at another.
    """
    noise = noise.clamp_min(LEAST_NOISE)
    precision, shift = torch.zeros_like(mean), torch.zeros_like(mean)
    prior = covariance.diagonal().clamp_min(1e-12)
    centre, variance = mean, prior
    for _ in range(STEPS):
        # What all the others say of a row: the posterior without its own Gaussian, which by
        # rounding alone could know less than the prior.
        apart = torch.maximum(1.0 / variance - precision, 1.0 / prior)
        without = (centre / variance - shift) / apart
        site_mean, site_variance = _site(without, 1.0 / apart, limit, side, noise)
        step = 1.0 / site_variance - precision
        moved = float((step.abs() * variance).max())
        precision = precision + DAMPING * step
        shift = shift + DAMPING * (site_mean / site_variance - shift)
        centre, variance = _posterior(mean, covariance, precision, shift)
        if moved < CLOSE:
            break
    return site_mean, site_variance


def _posterior(
    mean: Tensor, covariance: Tensor, precision: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Return mean and variance (n,) given Gaussians of (n,) precision and precision × mean."""
    root = precision.sqrt()
    eye = torch.eye(len(mean), dtype=mean.dtype)
    lower = factor(eye + root.unsqueeze(1) * covariance * root)
    reduced = torch.linalg.solve_triangular(lower, root.unsqueeze(1) * covariance, upper=False)
    variance = covariance.diagonal() - reduced.square().sum(0)
    owed = shift - precision * mean
    centre = mean + covariance @ owed - reduced.mT @ (reduced @ owed)
    return centre, variance.clamp_min(1e-12)


def _site(
    mean: Tensor, variance: Tensor, limit: Tensor, side: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the Gaussian that acts on N(mean, variance) as the limit does, by its moments.

    Rasmussen and Williams 2006, equation 3.58, solved for the factor: with s² = variance + noise,
    z = ±(mean − limit) / s and r = φ(z) / Φ(z) it is N(mean ± s / (z + r), s² / (r (z + r)) −
    variance).
    """
    spread = (variance + noise).sqrt()
    z = (side * (mean - limit) / spread).clamp(FAR_BEYOND, FAR_WITHIN)
    # φ/Φ by the scaled complementary error function, which neither under- nor overflows here.
    ratio = math.sqrt(2.0 / math.pi) / torch.special.erfcx(-z / math.sqrt(2.0))
    edge = z + ratio
    # The same variance as above, without the difference of numbers that are nearly equal.
    share = ratio * edge
    return mean + side * spread / edge, (noise + variance * (1.0 - share)) / share
