"""The experts of the mixture besides the Gaussian processes: the fine-tuned nets and the forest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from labloop.surrogate.kernels import LEVEL_VARIANCE, matern
from labloop.surrogate.points import Points

# Where the priors of an ensemble's two variances have their middle; their logs have sd 1.
INFLATION = 0.5
DISCREPANCY = 0.3


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
    def rows(self) -> Tensor:
        """Numbers of the own rows that it can leave out: (r,) whole numbers."""
        ...

    @property
    def left_out_mean(self) -> Tensor:
        """Prediction of each of these rows by what did not see it, NaN if nothing: (r,)."""
        ...

    @property
    def left_out_variance(self) -> Tensor:
        """Variance of that prediction, noise included: (r,)."""
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
class Ensemble:
    """Members' mean and covariance, made honest by the rows that each of them left out.

    The members are fine-tuned nets or trees (`of`). The covariance is `inflation` × the members'
    own plus `discrepancy` × a Matérn-5/2 kernel with `lengthscale` (d,), plus `level` for a level
    that no row has fixed yet. `rows` (r,) are the numbers of the measured rows, which
    `left_out_mean` and `left_out_variance` (r,) predict.
    """

    of: Literal["tuned", "trees"]
    response: int
    inflation: Tensor
    discrepancy: Tensor
    level: Tensor
    lengthscale: Tensor
    noise: Tensor
    rows: Tensor
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
    row_noise: Tensor,
    lengthscale: Tensor,
    noise: Tensor,
) -> Ensemble:
    """Set an ensemble's spread so that it covers the errors on rows that members left out.

    `values` (n, M) what members say of n own rows, `y` (n,) with NaN = missing, `seen` (M, n)
    which member learned from which row, `row_noise` (n,) the variance of each measurement,
    `lengthscale` (d,) of the discrepancy, `noise` the variance of a new measurement. Inflation
    and discrepancy have the greatest density on a grid in their logs, likelihood × log-normal
    priors. A row that every member learned from has no left-out prediction: its mean is NaN.
    """
    out = (~seen).T.to(values.dtype)
    count = out.sum(1)
    usable = ~torch.isnan(y) & (count > 0)
    mean = (values * out).sum(1) / count.clamp_min(1.0)
    spread = (values - values.mean(1, keepdim=True)).square().sum(1)
    spread = spread / max(values.shape[1] - 1, 1)
    # A mean of few members errs by their spread too; the whole ensemble's does less.
    surplus = spread * (1.0 / count.clamp_min(1.0) - 1.0 / max(values.shape[1], 1))
    inflation, discrepancy = _most_likely(
        spread[usable], (surplus + row_noise)[usable], (y - mean)[usable].square()
    )
    variance = inflation * spread + surplus + discrepancy + row_noise
    measured = torch.nonzero(~torch.isnan(y)).squeeze(1)
    return Ensemble(
        of=of,
        response=response,
        inflation=inflation,
        discrepancy=discrepancy,
        level=torch.tensor(0.0 if len(measured) else LEVEL_VARIANCE, dtype=torch.float64),
        lengthscale=lengthscale,
        noise=noise,
        rows=measured,
        left_out_mean=torch.where(count > 0, mean, torch.nan)[measured],
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
    none = zero.new_zeros(0)
    return Ensemble(
        "tuned", response, torch.ones_like(zero), zero, zero,
        torch.ones(columns, dtype=torch.float64), noise, none.long(), none, none,
    )  # fmt: skip
