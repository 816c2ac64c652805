"""How much a candidate is expected to improve on what is known.

One objective is scored by the expected improvement of the mixture of experts, in logarithms;
several by the mean improvement over random scalarisations, whose average is the hypervolume
improvement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from botorch.acquisition.analytic import _log_ei_helper
from torch import Tensor
from torch.nn.functional import softplus

from labloop.proposal.goals import Goals
from labloop.space.levels import Floats

CHANNELS = 64
_TINY = 1e-30
_FAR_BELOW = 20.0


@dataclass(frozen=True, eq=False)
class Moments:
    """What each expert of a mixture says of n formulas.

    Attributes:
        weights: (experts, responses) shares of the mixture.
        mean, variance: (experts, n, responses).
    """

    weights: Tensor
    mean: Tensor
    variance: Tensor


class Surrogate(Protocol):
    """What the choice of a plate needs of a model of the responses."""

    @property
    def weights(self) -> Floats:
        """(experts, responses) shares of the mixture."""
        ...

    def mean_and_variance(self, X: Floats, *, by_expert: bool) -> Any:
        """Return (experts, n, responses) `expert_mean` and `expert_variance` at (n, columns)."""
        ...

    def posterior(self, X: Tensor) -> Any:
        """Return BoTorch's joint posterior at (n, columns) inputs."""
        ...


def moments_of(surrogate: Surrogate, X: Floats) -> Moments:
    """Return what each expert says of (n, columns) encoded formulas."""
    predicted = surrogate.mean_and_variance(X, by_expert=True)
    return Moments(
        torch.as_tensor(surrogate.weights),
        torch.as_tensor(predicted.expert_mean),
        torch.as_tensor(predicted.expert_variance),
    )


@dataclass(frozen=True, eq=False)
class Scalarisations:
    """Random directions in which several objectives become one number.

    The value of objectives u in direction λ is min_i (max(0, u_i - reference_i) / λ_i)^k; its mean
    over directions, of the best formula in each, is proportional to the hypervolume that a set of
    formulas dominates.

    Source: Golovin and Zhang (2020), "Random hypervolume scalarizations for provable
    multi-objective black box optimization", ICML.

    Attributes:
        reference: (k,) objective values of no use.
        scale: (k,) width of the objectives' range.
        directions: (channels, k) positive unit vectors.
    """

    reference: Tensor
    scale: Tensor
    directions: Tensor

    @classmethod
    def of(
        cls, goals: Goals, known: Tensor, channels: int, generator: torch.Generator
    ) -> Scalarisations:
        """Return scalarisations whose range is that of known formulas.

        Args:
            goals: The objectives; a heavier one draws more directions to itself.
            known: (n, k) objective values of known formulas, n ≥ 1.
            channels: How many directions.
            generator: Source of randomness.
        """
        worst = torch.quantile(known, 0.1, dim=0)
        reference = torch.where(goals.reference.isnan(), worst, goals.reference).to(known)
        best = known.max(dim=0).values
        # a reference above everything known leaves the known spread as the measure
        scale = torch.where(best > reference, best - reference, best - worst).clamp_min(1e-9)
        draws = torch.randn(channels, known.shape[1], generator=generator, dtype=known.dtype)
        directions = draws.abs() * goals.weight.to(known)
        directions = directions / directions.norm(dim=1, keepdim=True)
        return cls(reference, scale, directions.clamp_min(1e-3))

    def __call__(self, values: Tensor) -> Tensor:
        """Return (channels, …) scalars of (channels, …, k) objective values.

        A single objective stays as it is.
        """
        k = values.shape[-1]
        if k == 1:
            return values[..., 0]
        shape = (-1, *[1] * (values.dim() - 2), k)
        height = (values - self.reference) / self.scale
        scalars = (height.clamp_min(0) / self.directions.view(shape)).amin(dim=-1)
        return scalars.clamp_min(0) ** k


Score = Callable[[Moments], Tensor]


def score_of(goals: Goals, incumbents: Moments, generator: torch.Generator) -> Score:
    """Return the acquisition: a function from experts' moments to (n,) log improvements.

    Args:
        goals: What is wanted of the responses.
        incumbents: Moments of the formulas to improve on, at least one.
        generator: Source of randomness of the scalarisations.
    """
    if goals.is_linear:
        return _log_expected_improvement(goals, incumbents)
    return _log_scalarised_improvement(goals, incumbents, generator)


def _log_expected_improvement(goals: Goals, incumbents: Moments) -> Score:
    """Score by the expected improvement of the mixture, the weighted mean of its experts'.

    Each expert improves on its own view of the best known formula, as in noisy expected
    improvement; the logarithm is BoTorch's, exact far below zero.

    Source: Ament et al. (2023), "Unexpected improvements to expected improvement", NeurIPS.
    """
    values = goals.values(incumbents.mean)[..., 0]
    likely = _log_probability_met(goals, incumbents).exp() >= 0.5
    best = values[:, likely].amax(dim=1) if likely.any() else values.amin(dim=1)
    j, sign = int(goals.objective[0]), float(goals.sign[0])

    def score(moments: Moments) -> Tensor:
        sd = moments.variance[..., j].clamp_min(1e-18).sqrt()
        u = (sign * moments.mean[..., j] - best[:, None]) / sd
        logs = _log_ei_helper(u) + sd.log() + moments.weights[:, j].log()[:, None]
        answer: Tensor = torch.logsumexp(logs, dim=0) + _log_probability_met(goals, moments)
        return answer

    return score


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
    scalarise = Scalarisations.of(goals, known, CHANNELS, generator)

    def worth_of(values: Tensor) -> Tensor:
        return scalarise(values.expand(CHANNELS, *values.shape)).mean(dim=0)

    ordinary = worth_of(known)
    floor, width = ordinary.min(), (ordinary.max() - ordinary.min()).clamp_min(1e-9)

    def score(moments: Moments) -> Tensor:
        worth = (worth_of(_mixed(moments, goals)) - floor) / width
        # the logarithm of a smooth step above the floor, which is nearly worth itself below it
        height = torch.where(worth < -_FAR_BELOW, worth, softplus(worth).log())
        return height + _log_probability_met(goals, moments)

    return score


def _mixed(moments: Moments, goals: Goals) -> Tensor:
    """Return (n, k) objective values of the mixture's means."""
    return goals.values((moments.weights[:, None, :] * moments.mean).sum(dim=0))


def _log_probability_met(goals: Goals, moments: Moments) -> Tensor:
    """Return (n,) the log of the probability that the mixture meets all bounds."""
    total = torch.zeros(moments.mean.shape[1], dtype=moments.mean.dtype)
    for j in goals.bounded.tolist():
        each = goals.probability_met(j, moments.mean[..., j], moments.variance[..., j])
        mixed = (moments.weights[:, j, None] * each).sum(dim=0)
        total = total + mixed.clamp_min(1e-12).log()
    return total


def _log_scalarised_improvement(
    goals: Goals, incumbents: Moments, generator: torch.Generator
) -> Score:
    """Score by the mean improvement over channels, each of experts, a draw and a direction."""
    known = goals.values(incumbents.mean)
    responses = torch.arange(incumbents.mean.shape[-1])
    experts = _experts_of_channels(incumbents.weights, generator)
    draws = torch.randn(CHANNELS, len(responses), generator=generator, dtype=known.dtype)
    scalarise = Scalarisations.of(goals, known.flatten(0, 1), CHANNELS, generator)
    likely = _log_probability_met(goals, incumbents).exp() >= 0.5
    base = scalarise(goals.values(_in_channels(incumbents.mean, experts, responses)))
    base = base[:, likely].amax(dim=1) if likely.any() else base.amin(dim=1)

    def score(moments: Moments) -> Tensor:
        sd = moments.variance.clamp_min(1e-18).sqrt()
        Y = _in_channels(moments.mean, experts, responses)
        Y = Y + _in_channels(sd, experts, responses) * draws[:, None, :]
        gain = (scalarise(goals.values(Y)) - base[:, None]).clamp_min(0) * goals.met(Y)
        return gain.mean(dim=0).clamp_min(_TINY).log()

    return score


def _experts_of_channels(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return (channels, responses) experts, each as often as its share of the response says."""
    even = (torch.arange(CHANNELS, dtype=weights.dtype) + 0.5) / CHANNELS
    steps = weights.cumsum(dim=0)
    even = even.expand(weights.shape[1], -1).contiguous()
    experts = torch.searchsorted(steps.T.contiguous(), even)
    order = torch.randperm(CHANNELS, generator=generator)
    return experts.clamp_max(len(weights) - 1).T[order]


def _in_channels(values: Tensor, experts: Tensor, responses: Tensor) -> Tensor:
    """Return (channels, n, responses) of (experts, n, responses) values."""
    return values[experts, :, responses].transpose(1, 2)


def joint_values(
    goals: Goals, draws: Tensor, known: Tensor, directions: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return what each formula is worth in each channel, a channel being a draw in a direction.

    Args:
        goals: What is wanted of the responses.
        draws: (draws, n, responses) joint posterior draws at candidates.
        known: (draws, i, responses) the same functions at known and pending formulas, i ≥ 1.
        directions: How many scalarisations each draw is seen in, where there are several
            objectives.
        generator: Source of randomness.

    Returns:
        (channels, n) worth of the candidates, minus infinity where a bound is not met, and
        (channels,) worth of the best known formula.
    """
    repeats = 1 if goals.is_linear or len(goals.objective) == 1 else directions
    values, known_values = goals.values(draws), goals.values(known)
    scalarise = Scalarisations.of(
        goals, known_values.flatten(0, 1), len(draws) * repeats, generator
    )
    worth = scalarise(values.repeat_interleave(repeats, dim=0))
    base = scalarise(known_values.repeat_interleave(repeats, dim=0))
    worth = worth.masked_fill(~goals.met(draws).repeat_interleave(repeats, dim=0), -torch.inf)
    met = goals.met(known).repeat_interleave(repeats, dim=0)
    floor = base.amin(dim=1)
    best = base.masked_fill(~met, -torch.inf).amax(dim=1)
    return worth, torch.where(best.isfinite(), best, floor)


def greedy(
    worth: Tensor, best: Tensor, count: int, allowed: Tensor
) -> tuple[list[int], list[float], Tensor]:
    """Choose formulas one after another, each adding most to the expected best.

    Args:
        worth: (channels, n) worth of the candidates.
        best: (channels,) worth of the best formula so far.
        count: How many to choose.
        allowed: (n,) which candidates may be chosen.

    Returns:
        Numbers of the chosen, the improvement each added, and the new (channels,) best.
    """
    open_ = allowed.clone()
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(min(count, int(open_.sum()))):
        gain = (worth - best[:, None]).clamp_min(0).mean(dim=0).masked_fill(~open_, -1.0)
        pick = int(gain.argmax())
        picks.append(pick)
        gains.append(float(gain[pick]))
        best = torch.maximum(best, worth[:, pick])
        open_[pick] = False
    return picks, gains, best


def merit(goals: Goals, Y: Tensor) -> Tensor:
    """Return (n,) how good measured (n, responses) values are, bigger is better, for ranking.

    A formula that misses a bound ranks below all that meet them; one with a missing value is minus
    infinity.
    """
    values = goals.values(Y)
    complete = ~Y[:, goals.objective].isnan().any(dim=1)
    rank = torch.full((len(Y),), -torch.inf, dtype=Y.dtype)
    if not complete.any():
        return rank
    known = values[complete]
    generator = torch.Generator().manual_seed(0)
    scalarise = Scalarisations.of(goals, known, CHANNELS, generator)
    scalars = scalarise(known.expand(CHANNELS, *known.shape)).mean(dim=0)
    if known.shape[1] > 1:  # below the reference all scalars are zero; the worst objective decides
        worst = ((known - scalarise.reference) / scalarise.scale).amin(dim=1)
        scalars = torch.where(worst < 0, worst, scalars)
    spread = scalars.max() - scalars.min() + 1.0
    rank[complete] = torch.where(goals.met(Y[complete]), scalars, scalars - spread)
    return rank
