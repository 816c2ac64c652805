"""Several objectives as one number, in many directions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labloop.proposal.goals import Goals

CHANNELS = 64


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
        normal = torch.randn(channels, known.shape[1], generator=generator, dtype=known.dtype)
        return cls.along(goals, known, normal)

    @classmethod
    def along(cls, goals: Goals, known: Tensor, normal: Tensor) -> Scalarisations:
        """Return scalarisations in the directions of (channels, k) standard normal vectors."""
        worst = torch.quantile(known, 0.1, dim=0)
        reference = torch.where(goals.reference.isnan(), worst, goals.reference).to(known)
        best = known.max(dim=0).values
        # a reference above everything known leaves the known spread as the measure
        scale = torch.where(best > reference, best - reference, best - worst).clamp_min(1e-9)
        directions = normal.abs() * goals.weight.to(known)
        directions = directions / directions.norm(dim=1, keepdim=True)
        return cls(reference, scale, directions.clamp_min(1e-3))

    def __call__(self, values: Tensor) -> Tensor:
        """Return (channels, …) scalars of (channels, …, k) objective values.

        A single objective stays as it is.
        """
        if values.shape[-1] == 1:
            return values[..., 0]
        return self.signed(values).clamp_min(0)

    def signed(self, values: Tensor) -> Tensor:
        """Return (channels, …) scalars of two or more objectives that fall below the reference.

        Above it they are those of a call.
        """
        k = values.shape[-1]
        shape = (-1, *[1] * (values.dim() - 2), k)
        least = ((values - self.reference) / self.scale / self.directions.view(shape)).amin(dim=-1)
        return torch.where(least > 0, least.clamp_min(0) ** k, least)


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
