"""The probability that formulas meet the bounds of several correlated responses."""

from __future__ import annotations

import torch
from torch import Tensor

from labloop.proposal.goals import Goals
from labloop.proposal.moments import Moments
from labloop.proposal.normals import Limits, log_all_kept

_LEAST_VARIANCE = 1e-18


def log_probability_met(goals: Goals, moments: Moments) -> Tensor:
    """Return (n,) the log of the probability that a formula of the mixture meets all bounds."""
    bounds = goals.bounded
    if not len(bounds):
        return torch.zeros(moments.mean.shape[1], dtype=moments.mean.dtype)
    shares, experts = moments.scenarios(bounds)
    limits = limits_of(goals, bounds, standing(moments, bounds, experts))
    logs = log_all_kept(moments.correlated(bounds), limits)
    return torch.logsumexp(logs + shares.log()[:, None], dim=0)


def met_likely(goals: Goals, moments: Moments) -> Tensor:
    """Return (n,) whether each formula meets all bounds rather than not."""
    return log_probability_met(goals, moments).exp() >= 0.5


def standing(moments: Moments, responses: Tensor, experts: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return for each of r responses the (s, n) means and standard deviations of (s, r) experts."""
    return [
        (
            moments.mean[experts[:, place], :, j],
            moments.variance[experts[:, place], :, j].clamp_min(_LEAST_VARIANCE).sqrt(),
        )
        for place, j in enumerate(responses.tolist())
    ]


def limits_of(goals: Goals, bounds: Tensor, values: list[tuple[Tensor, Tensor]]) -> list[Limits]:
    """Return for each bounded response its limits in standard deviations from the mean."""

    def away(limit: Tensor, mean: Tensor, sd: Tensor) -> Tensor | None:
        return (limit - mean) / sd if limit.isfinite() else None

    return [
        (away(goals.lower[j], mean, sd), away(goals.upper[j], mean, sd))
        for j, (mean, sd) in zip(bounds.tolist(), values, strict=True)
    ]
