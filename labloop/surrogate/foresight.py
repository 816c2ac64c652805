"""What rows that are not measured yet will teach a Gaussian process, in closed form.

A posterior variance depends on where rows are and on their noise, not on what they turn out to
say, so it is known before the plate is made. Hyperparameters are taken as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labloop.surrogate.gp import GaussianProcess, factor
from labloop.surrogate.kernels import TRUST_VARIANCE, covariance
from labloop.surrogate.points import Points


def trust_sd_after(process: GaussianProcess, planned: Points) -> float:
    """Return the standard deviation of b once `planned` (q) rows are measured too.

    Each planned row has the noise of a new measurement. With v the variance of b now, c (q,) its
    covariance with the planned values and S (q, q) theirs with noise, it is √(v − cᵀS⁻¹c).
    """
    prior = planned.prior[..., process.response]
    covariance_with = TRUST_VARIANCE * prior
    if len(process.weights):
        cross = covariance(process.shape, process.theta, planned, process.anchors, process.response)
        history = process.whitener @ process.anchors.prior[..., process.response]
        covariance_with = covariance_with - TRUST_VARIANCE * (
            (cross @ process.whitener.mT) @ history
        )
    whitened = torch.linalg.solve_triangular(
        _planned_root(process, planned), covariance_with.unsqueeze(-1), upper=False
    )
    left = process.trust[1] ** 2 - float(whitened.square().sum())
    return max(left, 0.0) ** 0.5


def variance_after(process: GaussianProcess, planned: Points, over: Points) -> Tensor:
    """Return the variance (n,) at `over` once `planned` (q) rows are measured too.

    In standardised units, of the response itself without measurement noise.
    """
    shape, theta, response = process.shape, process.theta, process.response
    cross = covariance(shape, theta, over, planned, response)
    cross = cross.expand(len(over.x), len(planned.x))
    if len(process.weights):
        to_over = covariance(shape, theta, over, process.anchors, response)
        to_planned = covariance(shape, theta, planned, process.anchors, response)
        cross = cross - (to_over @ process.whitener.mT) @ (to_planned @ process.whitener.mT).mT
    root = _planned_root(process, planned)
    gained = torch.linalg.solve_triangular(root, cross.mT, upper=False).square().sum(0)
    return (process.marginal(over)[1] - gained).clamp_min(1e-8)


def _planned_root(process: GaussianProcess, planned: Points) -> Tensor:
    """Return the lower Cholesky factor (q, q) of the planned measurements' covariance."""
    values = process.joint(planned)[1]
    noise = process.noise.to(values).expand(len(values))
    return factor(values + torch.diag(noise))
