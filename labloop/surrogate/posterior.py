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

from labloop.surrogate.gp import factor


class MixturePosterior(Posterior):
    """Mixture of K experts, each jointly Gaussian over q points.

    A draw comes whole from one expert, at all points and responses, so joint draws are functions
    that the mixture holds possible. Responses are independent within an expert.
    """

    def __init__(self, means: Tensor, covariances: Tensor, weights: Tensor) -> None:
        """Take `means` (*b, K, m, q), `covariances` (*b, K, m, q, q), `weights` (K, m).

        The weights of each response are positive or zero and sum to 1.
        """
        self.weights = weights
        self.means = means
        self.covariances = covariances

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

    @cached_property
    def _roots(self) -> Tensor:
        return factor(self.covariances)

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
        return self._from(base, self._shares(shape.numel(), float(torch.rand(()))), shape)

    def rsample_from_base_samples(self, sample_shape: torch.Size, base_samples: Tensor) -> Tensor:
        """Turn standard normal base samples, sample_shape × (*b, q, m), into joint samples.

        Consecutive blocks come from the experts in turn, each as long as its weight. Blocks,
        because the base samples are usually a Sobol sequence: every K-th point of one covers
        only a part of the first coordinate's range, a run of them covers all of it.
        """
        if base_samples.shape[: len(sample_shape)] != sample_shape:
            raise RuntimeError(
                f"base_samples of shape {tuple(base_samples.shape)} do not start with "
                f"sample_shape {tuple(sample_shape)}"
            )
        return self._from(base_samples, self._shares(sample_shape.numel(), 0.5), sample_shape)

    def _shares(self, count: int, offset: float) -> Tensor:
        """Return the expert of each sample and response, in blocks: (count, m)."""
        place = (torch.arange(count, dtype=self.dtype) + offset) / max(count, 1)
        passed = place.view(-1, 1, 1) >= self.weights.detach().cumsum(0)[:-1]
        return passed.sum(1)

    def _from(self, base: Tensor, chosen: Tensor, sample_shape: torch.Size) -> Tensor:
        """Shape `base` by the expert chosen for each sample and response; `chosen` (s, m)."""
        extended = self._extended_shape(sample_shape)
        z = base.expand(extended).reshape(-1, *self._extended_shape()).mT
        responses = []
        for j in range(self.means.shape[-2]):
            blocks = []
            for expert in range(self.experts):
                # Shares come in blocks, so joining the experts in turn restores the order.
                mine = z[chosen[:, j] == expert][..., j, :]
                root = self._roots[..., expert, j, :, :]
                drawn = torch.einsum("...qr,s...r->s...q", root, mine)
                blocks.append(drawn + self.means[..., expert, j, :])
            responses.append(torch.cat(blocks))
        return torch.stack(responses, -1).reshape(extended)


@GetSampler.register(MixturePosterior)  # type: ignore[untyped-decorator]
def _sampler(
    posterior: MixturePosterior, sample_shape: torch.Size, *, seed: int | None = None
) -> NormalMCSampler:
    """Choose Sobol base samples where the dimension allows, else independent ones."""
    if posterior.base_sample_shape[-2:].numel() <= SobolEngine.MAXDIM:
        return SobolQMCNormalSampler(sample_shape=sample_shape, seed=seed)
    logger.warning("Too many points for the Sobol engine. Using IIDNormalSampler instead.")
    return IIDNormalSampler(sample_shape=sample_shape, seed=seed)
