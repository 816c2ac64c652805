"""Improvement of several objectives, averaged over channels: experts, a draw and a direction each.

The objectives are drawn; the bounds' probability, given the draw, is in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from labloop.proposal.bounds import limits_of, log_probability_met, met_likely, standing
from labloop.proposal.goals import Goals
from labloop.proposal.moments import Moments, in_blocks
from labloop.proposal.normals import Limits, log_all_kept
from labloop.proposal.scalarisation import CHANNELS, Scalarisations

# A channel without improvement still counts a little, the less the further it is from one: that
# orders candidates of which none is seen to improve, and changes the others' order hardly.
_SOFTNESS = 1e-3
_LEAST = 1e-30


@dataclass(frozen=True, eq=False)
class _Channels:
    """What each channel looks at; the objectives come first among its responses.

    Attributes:
        goals: The objectives and bounds.
        scalarise: A direction a channel.
        experts: (channels, r) experts that the objectives, then the bounded responses follow.
        draws: (channels, k) standard normal draws of the objectives, correlated.
        shift: (channels, b) what these draws make of the bounded responses' means, in sd.
        left: (b, b) covariance that the draws leave to the bounded responses, in sd.
    """

    goals: Goals
    scalarise: Scalarisations
    experts: Tensor
    draws: Tensor
    shift: Tensor
    left: Tensor

    @classmethod
    def of(cls, goals: Goals, incumbents: Moments, generator: torch.Generator) -> _Channels:
        """Return channels that follow the experts as often as their shares say."""
        k = len(goals.objective)
        together = torch.cat([goals.objective, goals.bounded])
        seed = int(torch.randint(2**31, (1,), generator=generator))
        engine = SobolEngine(2 * k + 1, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        even = engine.draw(CHANNELS, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
        normal = torch.special.ndtri(even[:, : 2 * k])
        shares, experts = incumbents.scenarios(together)
        steps = shares.cumsum(dim=0)
        order = even[:, -1].argsort(stable=True).argsort(stable=True)
        scenario = torch.searchsorted(steps, (order + 0.5) / CHANNELS).clamp_max(len(shares) - 1)
        correlation = incumbents.correlated(together)
        among = correlation[:k, :k]
        draws = normal[:, :k] @ torch.linalg.cholesky(among).mT
        slopes = torch.linalg.solve(among, correlation[:k, k:])
        known = goals.values(incumbents.mean).flatten(0, 1)
        return cls(
            goals,
            Scalarisations.along(goals, known, normal[:, k:]),
            experts[scenario],
            draws,
            draws @ slopes,
            correlation[k:, k:] - correlation[k:, :k] @ slopes,
        )

    def scalars(self, moments: Moments, *, drawn: bool) -> Tensor:
        """Return (channels, n) scalars at draws, or at the experts' means."""
        goals = self.goals
        values = standing(moments, goals.objective, self.experts[:, : len(goals.objective)])
        columns = [
            torch.addcmul(mean, self.draws[:, place, None], sd) if drawn else mean
            for place, (mean, sd) in enumerate(values)
        ]
        return self.scalarise.signed(goals.values_of_objectives(torch.stack(columns, dim=-1)))

    def log_met(self, moments: Moments) -> Tensor:
        """Return (channels, n) log probabilities of meeting the bounds, given the draws."""
        bounds = self.goals.bounded
        values = standing(moments, bounds, self.experts[:, len(self.goals.objective) :])
        limits = limits_of(self.goals, bounds, values)
        moved = [_moved(pair, self.shift[:, place, None]) for place, pair in enumerate(limits)]
        return log_all_kept(self.left, moved)


def log_scalarised_improvement(
    goals: Goals, incumbents: Moments, generator: torch.Generator
) -> Callable[[Moments], Tensor]:
    """Return the score by the mean improvement over channels: from moments to (n,) logarithms."""
    channels = _Channels.of(goals, incumbents, generator)
    likely = met_likely(goals, incumbents)
    base = channels.scalars(incumbents, drawn=False)
    base = base[:, likely].amax(dim=1) if likely.any() else base.amin(dim=1)
    base = base.clamp_min(0)  # what lies below the reference is of no use, if known or not

    def score(moments: Moments) -> Tensor:
        gap = channels.scalars(moments, drawn=True) - base[:, None]
        gain = gap.clamp_min(0) + 0.1 * _SOFTNESS / (1.0 + (gap / _SOFTNESS).square())
        if len(goals.bounded):
            gain = gain * channels.log_met(moments).exp()
        mean = gain.mean(dim=0)
        # where all channels vanish, how far the bounds are still tells
        beyond = torch.where(mean < _LEAST, log_probability_met(goals, moments), 0.0)
        return mean.clamp_min(_LEAST).log() + beyond

    return in_blocks(score)


def _moved(limits: Limits, shift: Tensor) -> Limits:
    """Return the limits as seen from a mean that lies higher by `shift`."""
    lower, upper = limits
    return None if lower is None else lower - shift, None if upper is None else upper - shift
