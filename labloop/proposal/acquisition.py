"""How much a candidate is expected to improve on what is known.

One objective is scored by the expected improvement of the mixture of experts, in logarithms;
several by the mean improvement over random scalarisations, whose average is the hypervolume
improvement. Bounds enter by the probability of meeting them together with the improvement: the
responses of a formula are correlated as they are in the surrogate's joint draws.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from labloop.proposal.bounds import limits_of, log_probability_met, met_likely, standing
from labloop.proposal.channels import log_scalarised_improvement
from labloop.proposal.goals import Goals
from labloop.proposal.joint import greedy, joint_values
from labloop.proposal.moments import Moments, Surrogate, in_blocks, moments_of
from labloop.proposal.normals import Normals
from labloop.proposal.scalarisation import CHANNELS, Scalarisations, merit

__all__ = [
    "CHANNELS",
    "Moments",
    "Scalarisations",
    "Score",
    "Surrogate",
    "greedy",
    "joint_values",
    "log_probability_met",
    "merit",
    "moments_of",
    "score_of",
    "value_of",
]

_FAR_BELOW = 20.0

Score = Callable[[Moments], Tensor]


def score_of(goals: Goals, incumbents: Moments, generator: torch.Generator) -> Score:
    """Return the acquisition: a function from experts' moments to (n,) log improvements.

    Args:
        goals: What is wanted of the responses.
        incumbents: Moments of the formulas to improve on, at least one.
        generator: Source of randomness of the scalarisations.
    """
    if len(goals.objective) == 1:
        return _log_expected_improvement(goals, incumbents)
    return log_scalarised_improvement(goals, incumbents, generator)


def _log_expected_improvement(goals: Goals, incumbents: Moments) -> Score:
    """Score by the expected improvement of the mixture, which counts where all bounds are met.

    Each expert improves on its own view of the best known formula, as in noisy expected
    improvement; the logarithm is BoTorch's, exact far below zero.

    Source: Ament et al. (2023), "Unexpected improvements to expected improvement", NeurIPS.
    """
    values = goals.values(incumbents.mean)[..., 0]
    likely = met_likely(goals, incumbents)
    best = values[:, likely].amax(dim=1) if likely.any() else values.amin(dim=1)
    bounds = goals.bounded
    together = torch.cat([goals.objective, bounds])
    target, sign = goals.target[0], goals.sign[0]
    near = not bool(target.isnan())
    # what a smaller response is wanted of is turned over, and its correlations with it
    flip = torch.ones(len(together), dtype=best.dtype)
    flip[0] = 1.0 if near else sign

    def score(moments: Moments) -> Tensor:
        shares, experts = moments.scenarios(together)
        followed, rows = torch.unique(experts[:, 0], return_inverse=True)
        ((mean, sd),) = standing(moments, goals.objective, followed[:, None])
        to_beat = best[followed, None]
        normals = Normals(moments.correlated(together) * flip[:, None] * flip)
        if near:
            logs = normals.nearer((mean - target) / sd, -to_beat / sd, rows)
        else:
            logs = normals.improved((sign * mean - to_beat) / sd, rows)
        logs = logs + sd.log()[rows] + shares.log()[:, None]
        bounded = standing(moments, bounds, experts[:, 1:])
        for limits in limits_of(goals, bounds, bounded):
            logs = logs + normals.kept(*limits)
        return torch.logsumexp(logs, dim=0)

    return in_blocks(score)


def value_of(goals: Goals, reference: Moments, generator: torch.Generator) -> Score:
    """Return the score of a first plate: what a formula's predicted mean is worth.

    Before anything was measured a formula's uncertainty says how little is known of the line, not
    what is to be gained there: the improvement would rank by it and nearly ignore the history.

    Args:
        goals: What is wanted of the responses.
        reference: Moments of some formulas, at least one, that set the objectives' range.
        generator: Source of randomness of the scalarisations.
    """
    known = _mixed(reference, goals)
    channels = CHANNELS if known.shape[1] > 1 else 1
    scalarise = Scalarisations.of(goals, known, channels, generator)

    def worth_of(values: Tensor) -> Tensor:
        return scalarise(values.expand(channels, *values.shape)).mean(dim=0)

    ordinary = worth_of(known)
    floor, width = ordinary.min(), (ordinary.max() - ordinary.min()).clamp_min(1e-9)

    def score(moments: Moments) -> Tensor:
        worth = (worth_of(_mixed(moments, goals)) - floor) / width
        # the logarithm of a smooth step above the floor, which is nearly worth itself below it
        height = torch.where(worth < -_FAR_BELOW, worth, softplus(worth).log())
        return height + log_probability_met(goals, moments)

    return score


def _mixed(moments: Moments, goals: Goals) -> Tensor:
    """Return (n, k) objective values of the mixture's means."""
    return goals.values((moments.weights[:, None, :] * moments.mean).sum(dim=0))
