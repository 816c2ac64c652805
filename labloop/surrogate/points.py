"""What the experts see of formulas: columns, frozen features, what the nets and trees say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from labloop.surrogate.forest import TREES, Floats, Grove
from labloop.surrogate.network import Network, basis

if TYPE_CHECKING:
    from labloop.surrogate.pretraining import Pretrained

# Ranges away from the campaign's own beyond which single precision would overflow.
FARTHEST = 1e6


@dataclass(frozen=True)
class Points:
    """What a kernel sees of formulas.

    `x` (…, n, d) columns that vary; `phi` (…, n, p) the frozen features of all members and the
    basis, scaled so that a row's square length is about 1; `prior` (…, n, m) the history's
    standardised prediction of each response; `tuned` (…, n, M, m) each fine-tuned member's;
    `trees` (…, n, T, m) each tree's. Without history `phi` has p = 0, `prior` is 0 and `tuned`
    has M = 0; where there is no forest, T = 0.
    """

    x: Tensor
    phi: Tensor
    prior: Tensor
    tuned: Tensor
    trees: Tensor

    def take(self, rows: Tensor) -> Points:
        """Return the points of some rows of the last row dimension."""
        return Points(*(each[rows] for each in vars(self).values()))

    def to(self, dtype: torch.dtype) -> Points:
        """Return the points in another precision."""
        return Points(*(each.to(dtype) for each in vars(self).values()))


class Describer:
    """Turns encoded rows into the points that experts see, in single and double precision."""

    def __init__(
        self, pretrained: Pretrained | None, tuned: Network | None, frozen: int, varying: Tensor,
        responses: int, *, features: bool = True, grove: Grove | None = None,
    ) -> None:  # fmt: skip
        self.pretrained, self.varying, self.responses = pretrained, varying, responses
        self.frozen, self.features, self.grove = frozen, features, grove
        networks = (pretrained.network if pretrained else None, tuned)
        self._networks = {
            dtype: tuple(net.to(dtype) if net is not None else None for net in networks)
            for dtype in (torch.float32, torch.float64)
        }

    def __call__(self, X: Tensor) -> Points:
        """Describe rows: (…, n, D) → points with the same leading dimensions."""
        X = X.clamp(-FARTHEST, FARTHEST)
        x = X[..., self.varying]
        lead = X.shape[:-1]
        source = self._source_trees(X)
        if self.pretrained is None:
            phi, prior = X.new_zeros(*lead, 0), X.new_zeros(*lead, self.responses)
            tuned = X.new_zeros(*lead, 0, self.responses)
        else:
            phi, prior, tuned = self._nets(X, x)
            if self.pretrained.forest is not None:
                share = self.pretrained.blend.to(X)
                trees = torch.as_tensor(source.mean(1), dtype=X.dtype).reshape(prior.shape)
                prior = share * prior + (1.0 - share) * trees
        return Points(x, phi, prior, tuned, self._trees(x, prior, source))

    def _source_trees(self, X: Tensor) -> Floats:
        """Return what each tree of the history says of all rows: (rows, T, m)."""
        rows = X.detach().reshape(math.prod(X.shape[:-1]), X.shape[-1])
        if self.pretrained is None or self.pretrained.forest is None:
            return np.zeros((len(rows), TREES, self.responses), dtype=np.float32)
        return self.pretrained.forest.values(rows.numpy())

    def _trees(self, x: Tensor, prior: Tensor, source: Floats) -> Tensor:
        """Return what each tree of the grove says: (…, n, T, m)."""
        if self.grove is None:
            return x.new_zeros(*x.shape[:-1], 0, self.responses)
        flat = x.detach().reshape(math.prod(x.shape[:-1]), x.shape[-1])
        said = prior.detach().reshape(len(flat), self.responses)
        values = self.grove.values(flat.numpy(), said.numpy(), source)
        return torch.as_tensor(values, dtype=x.dtype).reshape(*x.shape[:-1], *values.shape[1:])

    def _nets(self, X: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return frozen features (…, n, p), the untuned mean (…, n, m), tuned (…, n, M, m)."""
        lead = X.shape[:-1]
        source, tuned = self._networks[X.dtype]
        assert self.pretrained is not None
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
        return self._phi(features, x, lead), prior, values

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
