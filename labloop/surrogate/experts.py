"""The experts of the mixture besides the Gaussian processes: the fine-tuned ensemble."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from labloop.surrogate.kernels import LEVEL_VARIANCE, matern
from labloop.surrogate.points import Points

# Prior expectation of the squared error beyond the noise, and how many rows it is worth.
DISCREPANCY = 0.5
DISCREPANCY_ROWS = 4.0


class Expert(Protocol):
    """One opinion on one response, in standardised units of the campaign."""

    @property
    def response(self) -> int:
        """Which response of the campaign it is about."""
        ...

    @property
    def noise(self) -> Tensor:
        """Variance of a new measurement like the own ones."""
        ...

    @property
    def left_out_mean(self) -> Tensor:
        """Prediction of each measured row by what did not see it, NaN if nothing: (rows,)."""
        ...

    @property
    def left_out_variance(self) -> Tensor:
        """Variance of that prediction, noise included: (rows,)."""
        ...

    def joint(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean (…, q) and covariance (…, q, q)."""
        ...

    def marginal(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean and variance (n,)."""
        ...

    def to(self, dtype: torch.dtype) -> Expert:
        """Return the expert in another precision."""
        ...


@dataclass(frozen=True)
class TunedEnsemble:
    """The fine-tuned members' mean and covariance, made honest by the rows each left out.

    The covariance is `inflation` × the members' own plus `discrepancy` × a Matérn-5/2 kernel
    with `lengthscale` (d,), plus `level` for a level that no row has fixed yet.
    """

    response: int
    inflation: Tensor
    discrepancy: Tensor
    level: Tensor
    lengthscale: Tensor
    noise: Tensor
    left_out_mean: Tensor
    left_out_variance: Tensor

    def _spread(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return the members' mean (…, n) and scaled deviations from it (…, n, M)."""
        values = points.tuned[..., self.response]
        mean = values.mean(-1)
        freedom = max(values.shape[-1] - 1, 1)
        return mean, (values - mean.unsqueeze(-1)) * (self.inflation / freedom).sqrt()

    def joint(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean (…, q) and covariance (…, q, q), with gradients."""
        mean, deviations = self._spread(points)
        x = points.x / self.lengthscale
        return mean, deviations @ deviations.mT + self.discrepancy * matern(x, x) + self.level

    def marginal(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean and variance (n,)."""
        mean, deviations = self._spread(points)
        return mean, deviations.square().sum(-1) + self.discrepancy + self.level

    def to(self, dtype: torch.dtype) -> TunedEnsemble:
        """Return the expert in another precision."""
        return replace(
            self,
            inflation=self.inflation.to(dtype),
            discrepancy=self.discrepancy.to(dtype),
            level=self.level.to(dtype),
            lengthscale=self.lengthscale.to(dtype),
        )


def calibrated_ensemble(
    points: Points,
    y: Tensor,
    seen: Tensor,
    response: int,
    noise: Tensor,
    lengthscale: Tensor,
) -> TunedEnsemble:
    """Set the ensemble's spread so that it covers the errors on rows that members left out.

    `points` n own rows, `y` (n,) with NaN = missing, `seen` (M, n) which member learned from
    which row, `noise` the variance of a measurement, `lengthscale` (d,) of the discrepancy.
    A row that every member learned from has no left-out prediction: its mean is NaN.
    """
    values = points.tuned[..., response]
    out = (~seen).T.to(values.dtype)
    votes = out.sum(1)
    usable = ~torch.isnan(y) & (votes > 0)
    mean = (values * out).sum(1) / votes.clamp_min(1.0)
    spread = (values - values.mean(1, keepdim=True)).square().sum(1)
    spread = spread / max(values.shape[1] - 1, 1)
    # A mean of few votes errs by its members' spread too; the whole ensemble's does less.
    surplus = spread * (1.0 / votes.clamp_min(1.0) - 1.0 / max(values.shape[1], 1))
    error = torch.where(usable, (y.nan_to_num() - mean).square() - surplus, 0.0)
    count = usable.sum()
    owed = (error.sum() + DISCREPANCY_ROWS * (DISCREPANCY + noise)) / (count + DISCREPANCY_ROWS)
    owed = (owed - noise).clamp_min(0.02)
    shown = torch.where(usable, spread, 0.0).sum() / count.clamp_min(1)
    inflation = (0.7 * owed / shown.clamp_min(1e-6)).clamp(0.5, 4.0)
    discrepancy = (owed - inflation * shown).clamp_min(0.02 * float(owed))
    variance = inflation * spread + discrepancy + noise
    return TunedEnsemble(
        response=response,
        inflation=inflation,
        discrepancy=discrepancy,
        level=torch.tensor(0.0 if int(count) else LEVEL_VARIANCE, dtype=torch.float64),
        lengthscale=lengthscale,
        noise=noise,
        left_out_mean=torch.where(votes > 0, mean, torch.nan)[~torch.isnan(y)],
        left_out_variance=variance[~torch.isnan(y)],
    )


def plain_ensemble(response: int, columns: int, noise: Tensor) -> TunedEnsemble:
    """Return the patent's ensemble: mean and variance of its members and nothing else."""
    zero = torch.zeros((), dtype=torch.float64)
    return TunedEnsemble(
        response, torch.ones_like(zero), zero, zero, torch.ones(columns, dtype=torch.float64),
        noise, torch.zeros(0), torch.zeros(0),
    )  # fmt: skip
