"""The experts of the mixture besides the Gaussian processes: the fine-tuned nets and the forest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from labloop.surrogate.kernels import LEVEL_VARIANCE, matern
from labloop.surrogate.points import Points

# Where the priors of an ensemble's two variances have their middle; their logs have sd 1.
INFLATION = 0.5
DISCREPANCY = 0.3
# Of a measurement while there is none, as the Gaussian processes start with.
USUAL_NOISE = 0.1


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


def left_out_rows(expert: Expert, measured: Tensor) -> Tensor:
    """Return the row numbers of an expert's left-out predictions, none if it does not tell.

    `measured` are the numbers of the rows that have its response.
    """
    count = len(expert.left_out_mean)
    if count == len(measured):
        return measured
    kept = getattr(expert, "rows", None)  # a process of many rows keeps a thinning of them
    if isinstance(kept, bytes) and count:
        return torch.as_tensor(np.frombuffer(kept, dtype=np.int64).copy())
    return measured[:0]


@dataclass(frozen=True)
class Ensemble:
    """Members' mean and covariance, made honest by the rows that each of them left out.

    The members are fine-tuned nets or trees (`of`). The covariance is `inflation` × the members'
    own plus `discrepancy` × a Matérn-5/2 kernel with `lengthscale` (d,), plus `level` for a level
    that no row has fixed yet.
    """

    of: Literal["tuned", "trees"]
    response: int
    inflation: Tensor
    discrepancy: Tensor
    level: Tensor
    lengthscale: Tensor
    noise: Tensor
    left_out_mean: Tensor
    left_out_variance: Tensor

    def members(self, points: Points) -> Tensor:
        """Return what each member says: (…, n, M)."""
        values = points.tuned if self.of == "tuned" else points.trees
        return values[..., self.response]

    def spread(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return the members' mean (…, n) and scaled deviations from it (…, n, M)."""
        values = self.members(points)
        mean = values.mean(-1)
        freedom = max(values.shape[-1] - 1, 1)
        return mean, (values - mean.unsqueeze(-1)) * (self.inflation / freedom).sqrt()

    def joint(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean (…, q) and covariance (…, q, q), with gradients where members have them."""
        mean, deviations = self.spread(points)
        x = points.x / self.lengthscale
        return mean, deviations @ deviations.mT + self.discrepancy * matern(x, x) + self.level

    def marginal(self, points: Points) -> tuple[Tensor, Tensor]:
        """Return mean and variance (n,)."""
        mean, deviations = self.spread(points)
        return mean, deviations.square().sum(-1) + self.discrepancy + self.level

    def to(self, dtype: torch.dtype) -> Ensemble:
        """Return the expert in another precision."""
        return replace(
            self,
            inflation=self.inflation.to(dtype),
            discrepancy=self.discrepancy.to(dtype),
            level=self.level.to(dtype),
            lengthscale=self.lengthscale.to(dtype),
        )


def calibrated_ensemble(
    of: Literal["tuned", "trees"],
    values: Tensor,
    y: Tensor,
    seen: Tensor,
    response: int,
    noise: Tensor,
    lengthscale: Tensor,
) -> Ensemble:
    """Set an ensemble's spread so that it covers the errors on rows that members left out.

    `values` (n, M) what members say of n own rows, `y` (n,) with NaN = missing, `seen` (M, n)
    which member learned from which row, `noise` (n,) the variance of each measurement,
    `lengthscale` (d,) of the discrepancy. Inflation and discrepancy have the greatest density on
    a grid in their logs, likelihood × log-normal priors. A row that every member learned from
    has no left-out prediction: its mean is NaN.
    """
    out = (~seen).T.to(values.dtype)
    votes = out.sum(1)
    usable = ~torch.isnan(y) & (votes > 0)
    mean = (values * out).sum(1) / votes.clamp_min(1.0)
    spread = (values - values.mean(1, keepdim=True)).square().sum(1)
    spread = spread / max(values.shape[1] - 1, 1)
    # A mean of few votes errs by its members' spread too; the whole ensemble's does less.
    surplus = spread * (1.0 / votes.clamp_min(1.0) - 1.0 / max(values.shape[1], 1))
    inflation, discrepancy = _most_likely(
        spread[usable], (surplus + noise)[usable], (y - mean)[usable].square()
    )
    variance = inflation * spread + surplus + discrepancy + noise
    measured = ~torch.isnan(y)
    return Ensemble(
        of=of,
        response=response,
        inflation=inflation,
        discrepancy=discrepancy,
        level=torch.tensor(0.0 if bool(measured.any()) else LEVEL_VARIANCE, dtype=torch.float64),
        lengthscale=lengthscale,
        noise=noise[measured].mean() if bool(measured.any()) else noise.new_tensor(USUAL_NOISE),
        left_out_mean=torch.where(votes > 0, mean, torch.nan)[measured],
        left_out_variance=variance[measured],
    )


def _most_likely(spread: Tensor, fixed: Tensor, squared: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inflation of `spread` and the discrepancy that explain squared errors best.

    All arguments (n,); the variance of an error is inflation × spread + discrepancy + `fixed`.
    """
    inflation = torch.logspace(-1.3, 0.6, 20, dtype=spread.dtype)[:, None]
    discrepancy = torch.logspace(-2.3, 0.3, 20, dtype=spread.dtype)
    variance = inflation[..., None] * spread + discrepancy[:, None] + fixed
    likelihood = -0.5 * (variance.log() + squared / variance).sum(-1)
    prior = -0.5 * (
        (inflation / INFLATION).log().square() + (discrepancy / DISCREPANCY).log().square()
    )
    best = int((likelihood + prior).argmax())
    return inflation[best // len(discrepancy), 0], discrepancy[best % len(discrepancy)]


def plain_ensemble(response: int, columns: int, noise: Tensor) -> Ensemble:
    """Return the patent's ensemble: mean and variance of its members and nothing else."""
    zero = torch.zeros((), dtype=torch.float64)
    return Ensemble(
        "tuned", response, torch.ones_like(zero), zero, zero,
        torch.ones(columns, dtype=torch.float64), noise, torch.zeros(0), torch.zeros(0),
    )  # fmt: skip
