"""What the experts see of formulas: columns, frozen features, and what the nets say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from labloop.surrogate.network import Network, basis
from labloop.surrogate.pretraining import Pretrained


@dataclass(frozen=True)
class Points:
    """What a kernel sees of formulas.

    `x` (…, n, d) columns that vary; `phi` (…, n, p) the frozen features of all members and the
    basis, scaled so that a row's square length is about 1; `prior` (…, n, m) the untuned
    ensemble's standardised mean of each response; `tuned` (…, n, M, m) each fine-tuned member's.
    Without history `phi` has p = 0, `prior` is 0 and `tuned` has M = 0.
    """

    x: Tensor
    phi: Tensor
    prior: Tensor
    tuned: Tensor

    def take(self, rows: Tensor) -> Points:
        """Return the points of some rows of the last row dimension."""
        return Points(self.x[rows], self.phi[rows], self.prior[rows], self.tuned[rows])

    def to(self, dtype: torch.dtype) -> Points:
        """Return the points in another precision."""
        return Points(
            self.x.to(dtype), self.phi.to(dtype), self.prior.to(dtype), self.tuned.to(dtype)
        )


class Describer:
    """Turns encoded rows into the points that experts see, in single and double precision."""

    def __init__(
        self, pretrained: Pretrained | None, tuned: Network | None, frozen: int, varying: Tensor,
        responses: int, *, features: bool = True,
    ) -> None:  # fmt: skip
        self.pretrained, self.varying, self.responses = pretrained, varying, responses
        self.frozen, self.features = frozen, features
        networks = (pretrained.network if pretrained else None, tuned)
        self._networks = {
            dtype: tuple(net.to(dtype) if net is not None else None for net in networks)
            for dtype in (torch.float32, torch.float64)
        }

    def __call__(self, X: Tensor) -> Points:
        """Describe rows: (…, n, D) → points with the same leading dimensions."""
        x = X[..., self.varying]
        lead = X.shape[:-1]
        if self.pretrained is None:
            empty = X.new_zeros(*lead, 0)
            return Points(x, empty, X.new_zeros(*lead, self.responses),
                          X.new_zeros(*lead, 0, self.responses))  # fmt: skip
        source, tuned = self._networks[X.dtype]
        assert source is not None
        inputs = self.pretrained.scaled(X).reshape(-1, len(self.pretrained.columns))
        shared = max(0, min(self.frozen - 1, source.hidden.shape[1]))
        entered = source.advance(source.begin(inputs), 0, shared)
        features = source.finish(source.advance(entered, shared))
        prior = source.respond(features).mean(0).reshape(*lead, self.responses)
        values = X.new_zeros(*lead, 0, self.responses)
        if tuned is not None:
            out = tuned.respond(tuned.finish(tuned.advance(entered, shared)))
            values = out.permute(1, 0, 2).reshape(*lead, tuned.members, self.responses)
        return Points(x, self._phi(features, x, lead), prior, values)

    def _phi(self, features: Tensor, x: Tensor, lead: torch.Size) -> Tensor:
        assert self.pretrained is not None
        if not self.features:
            return x.new_zeros(*lead, 0)
        standard = (features - self.pretrained.feature_mean.to(x)) / (
            self.pretrained.feature_scale.to(x)
        )
        flat = standard.permute(1, 0, 2).reshape(*lead, len(standard) * standard.shape[-1])
        # Means and deviations of the basis over an even design on [0, 1].
        centre = x.new_tensor([0.5, 2.0 / 3.0, 1.0 / 12.0]).repeat_interleave(x.shape[-1])
        spread = x.new_tensor([0.2887, 0.2357, 0.0745]).repeat_interleave(x.shape[-1])
        both = torch.cat([flat, (basis(x) - centre) / spread], dim=-1)
        return both / math.sqrt(both.shape[-1])
