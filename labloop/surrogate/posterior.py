"""A mixture of jointly Gaussian experts as a BoTorch posterior."""

from __future__ import annotations

from functools import cached_property

import torch
from botorch.logging import logger
from botorch.posteriors.posterior import Posterior
from botorch.sampling.get_sampler import GetSampler
from botorch.sampling.normal import IIDNormalSampler, NormalMCSampler, SobolQMCNormalSampler
from torch import Tensor
from torch.quasirandom import SobolEngine

from labloop.errors import RefusedError
from labloop.surrogate.gp import factor


def coupled(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Couple the responses' choices of an expert so that they agree as often as they can.

    `weights` (K, m) are the shares of K experts in each response's mixture. Returns `shares` (S,)
    that sum to 1 and `experts` (S, m): in `shares[s]` of all draws response j follows expert
    `experts[s, j]`. Each expert has its share of each response, and all responses follow the same
    expert in Σ min over responses of its weights, which no coupling exceeds.
    """
    weights = weights.detach()
    number, responses = weights.shape
    common = weights.amin(1)
    steps = (weights - common.unsqueeze(-1)).cumsum(0)
    edges = torch.cat([steps.new_zeros(1), steps.flatten()]).sort().values
    lengths = edges.diff()
    middle = edges[:-1] + lengths / 2.0
    others = (middle.view(-1, 1, 1) >= steps).sum(1).clamp_max(number - 1)
    same = torch.arange(number).unsqueeze(-1).expand(number, responses)
    shares, experts = torch.cat([common, lengths]), torch.cat([same, others])
    kept = shares > 1e-9  # what is left of equal weights by rounding is no share
    return shares[kept] / shares[kept].sum(), experts[kept]


class MixturePosterior(Posterior):
    """Mixture of K experts, each jointly Gaussian over q points.

    A draw comes whole from one expert, at all points and, where their weights agree, responses,
    so joint draws are functions that the mixture holds possible. Within a draw the responses are
    correlated: with L_j the root of response j's covariance, Cov(f_j, f_k) = L_j R_jk L_kᵀ, which
    is R_jk times the covariance where both have the same, and leaves each response's as it is.
    """

    def __init__(
        self, means: Tensor, covariances: Tensor, weights: Tensor,
        correlation: Tensor | None = None,
    ) -> None:  # fmt: skip
        """Take `means` (*b, K, m, q), `covariances` (*b, K, m, q, q), `weights` (K, m).

        The weights of each response are positive or zero and sum to 1. `correlation` (m, m) of
        the responses is R, positive definite with ones on its diagonal; None is independence.
        """
        self.weights = weights
        self.means = means
        self.covariances = covariances
        self.correlation = correlation

    @property
    def experts(self) -> int:
        """Number of experts."""
        return self.means.shape[-3]

    @property
    def batch_shape(self) -> torch.Size:
        """Leading dimensions *b."""
        return self.means.shape[:-3]

    @property
    def device(self) -> torch.device:
        """Device of the moments."""
        return self.means.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the moments."""
        return self.means.dtype

    @property
    def mean(self) -> Tensor:
        """Exact mean of the mixture: (*b, q, m)."""
        return (self.weights.unsqueeze(-1) * self.means).sum(-3).mT

    @property
    def variance(self) -> Tensor:
        """Exact marginal variance of the mixture: (*b, q, m)."""
        weights = self.weights.unsqueeze(-1)
        between = (self.means - self.mean.mT.unsqueeze(-3)).square()
        within = self.covariances.diagonal(dim1=-2, dim2=-1)
        return (weights * (within + between)).sum(-3).mT.clamp_min(1e-300)

    @property
    def covariance_matrix(self) -> Tensor:
        """Exact joint covariance of the mixture: (*b, q·m, q·m), the responses of a point together.

        The order is that of GPyTorch's interleaved multitask normal.
        """
        shares, experts = self._coupled
        spread = self.means.new_zeros(())
        for share, chosen in zip(shares, experts, strict=True):
            mean, root = self._of(self.means, chosen), self._of(self._roots, chosen)
            cross = torch.einsum("...jqr,...kpr,jk->...qjpk", root, root, self._mixing[1])
            away = mean.mT - self.mean
            spread = spread + share * (
                cross + away[..., :, :, None, None] * away[..., None, None, :, :]
            )
        size = self.means.shape[-1] * self.means.shape[-2]
        return spread.reshape(*self.batch_shape, size, size)

    def scalarize(self, weights: Tensor, offset: float | Tensor = 0.0) -> MixturePosterior:
        """Return the posterior of `offset` + Σ_j `weights`[j] · response j, exactly: m = 1.

        `weights` (m,). Its experts are those of the coupled draws, so where an expert's share
        differs by response there are more of them.
        Raises RefusedError where there are not as many weights as responses.
        """
        responses = self.means.shape[-2]
        if weights.shape != (responses,):
            raise RefusedError(
                f"The responses are weighed by a tensor of shape {tuple(weights.shape)}, "
                f"the posterior has {responses}: give one weight for each."
            )
        factors = weights.to(self.means)
        shares, experts = self._coupled
        means, covariances = [], []
        for chosen in experts:
            means.append(torch.einsum("j,...jq->...q", factors, self._of(self.means, chosen)))
            if self.correlation is None:
                each = self._of(self.covariances, chosen)
                covariances.append(torch.einsum("j,...jqr->...qr", factors.square(), each))
            else:
                root = self._of(self._roots, chosen)
                mixed = torch.einsum("j,jk,...jqr->...kqr", factors, self._mixing[0], root)
                covariances.append((mixed @ mixed.mT).sum(-3))
        return MixturePosterior(
            (torch.stack(means, -2) + offset).unsqueeze(-2),
            torch.stack(covariances, -3).unsqueeze(-3),
            shares.unsqueeze(-1),
        )

    @cached_property
    def _roots(self) -> Tensor:
        return factor(self.covariances)

    @cached_property
    def _mixing(self) -> tuple[Tensor, Tensor]:
        """Return the lower root of the responses' correlation, and that correlation: (m, m)."""
        if self.correlation is None:
            eye = torch.eye(self.means.shape[-2], dtype=self.dtype, device=self.device)
            return eye, eye
        correlation = self.correlation.to(self.means)
        return torch.linalg.cholesky(correlation), correlation

    @cached_property
    def _coupled(self) -> tuple[Tensor, Tensor]:
        return coupled(self.weights)

    def _of(self, values: Tensor, chosen: Tensor) -> Tensor:
        """Return each response's values (*b, m, q, …) by its expert, from (*b, K, m, q, …)."""
        responses = torch.arange(len(chosen), device=chosen.device)
        index: list[slice | Tensor] = [slice(None)] * len(self.batch_shape)
        return values[(*index, chosen, responses)]

    @property
    def base_sample_shape(self) -> torch.Size:
        """Shape of one base sample: (*b, q, m)."""
        return self._extended_shape()

    @property
    def batch_range(self) -> tuple[int, int]:
        """Dimensions of the base samples over which they are the same."""
        return (0, -2)

    def _extended_shape(self, sample_shape: torch.Size = torch.Size()) -> torch.Size:  # noqa: B008
        responses, points = self.means.shape[-2:]
        return sample_shape + self.means.shape[:-3] + torch.Size([points, responses])

    def rsample(self, sample_shape: torch.Size | None = None) -> Tensor:
        """Draw joint samples with gradients: sample_shape × (*b, q, m).

        Each expert gives its share of the samples; a random offset decides about remainders.
        """
        shape = torch.Size([1]) if sample_shape is None else sample_shape
        base = torch.randn(self._extended_shape(shape), dtype=self.dtype, device=self.device)
        return self.rsample_from_base_samples(shape, base, offset=float(torch.rand(())))

    def rsample_from_base_samples(
        self, sample_shape: torch.Size, base_samples: Tensor, *, offset: float = 0.5
    ) -> Tensor:
        """Turn standard normal base samples, sample_shape × (*b, q, m), into joint samples.

        Consecutive blocks come from the experts in turn, each as long as its weight; `offset`
        from 0 to 1 decides about remainders, so with a random one every expert has its chance in
        a single draw. Blocks, because the base samples are usually a Sobol sequence: every K-th
        point of one covers only a part of the first coordinate's range, a run of them covers all
        of it.
        """
        if base_samples.shape[: len(sample_shape)] != sample_shape:
            raise RuntimeError(
                f"base_samples of shape {tuple(base_samples.shape)} do not start with "
                f"sample_shape {tuple(sample_shape)}"
            )
        extended = self._extended_shape(sample_shape)
        count = sample_shape.numel()
        z = base_samples.expand(extended).reshape(count, *self._extended_shape()).mT
        if self.correlation is not None:
            z = torch.einsum("jk,s...kq->s...jq", self._mixing[0], z)
        shares, experts = self._coupled
        blocks, start = [], 0
        for stop, chosen in zip(block_ends(shares, count, offset), experts, strict=True):
            root = self._of(self._roots, chosen)
            drawn = torch.einsum("...jqr,s...jr->s...jq", root, z[start:stop])
            blocks.append(drawn + self._of(self.means, chosen))
            start = stop
        return torch.cat(blocks).mT.reshape(extended)


def block_ends(shares: Tensor, count: int, offset: float) -> list[int]:
    """Return where the blocks of `count` samples end that have these shares of them."""
    reached = (shares.cumsum(0)[:-1] * count - offset).ceil().clamp(0, count)
    return [*(int(stop) for stop in reached), count]


@GetSampler.register(MixturePosterior)  # type: ignore[untyped-decorator]
def _sampler(
    posterior: MixturePosterior, sample_shape: torch.Size, *, seed: int | None = None
) -> NormalMCSampler:
    """Choose Sobol base samples where the dimension allows, else independent ones."""
    if posterior.base_sample_shape[-2:].numel() <= SobolEngine.MAXDIM:
        return SobolQMCNormalSampler(sample_shape=sample_shape, seed=seed)
    logger.warning("Too many points for the Sobol engine. Using IIDNormalSampler instead.")
    return IIDNormalSampler(sample_shape=sample_shape, seed=seed)
