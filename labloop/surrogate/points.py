"""What the experts see of formulas: columns, frozen features, what the nets and trees say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from labloop.surrogate.curves import curve_features
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
    `trees` (…, n, T, m) each tree's, or, where they are streamed, two values of the same mean
    and variance; `curves` (…, n, c) features of one curve a component, scaled as `phi` is.
    Without history `phi` has p = 0, `prior` is 0 and `tuned` has M = 0; where there
    is no forest, T = 0.
    """

    x: Tensor
    phi: Tensor
    prior: Tensor
    tuned: Tensor
    trees: Tensor
    curves: Tensor

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
        source = self._source_trees(X)
        points = self._without_trees(X, torch.as_tensor(source.mean(1), dtype=X.dtype))
        return replace(points, trees=self._trees(points.x, points.prior, source))

    def stream(self, X: Tensor, chunk: int) -> Iterator[Points]:
        """Describe `chunk` rows at a time of (n, D), but walk through the trees with all of them.

        Of the trees only mean and variance are kept, as two values that have them; no gradients.
        """
        X = X.clamp(-FARTHEST, FARTHEST)
        zero = np.zeros((len(X), self.responses))
        forest = self.pretrained.forest if self.pretrained else None
        source = (zero, zero) if forest is None else forest.moments(X.numpy())
        means = torch.as_tensor(source[0], dtype=X.dtype).split(chunk)
        parts = [self._without_trees(*both) for both in zip(X.split(chunk), means, strict=True)]
        if self.grove is None:
            yield from parts
            return
        prior = torch.cat([part.prior for part in parts])
        mean, variance = self.grove.moments(X[:, self.varying].numpy(), prior.numpy(), source)
        apart = np.sqrt(0.5 * variance)
        pair = torch.as_tensor(np.stack([mean - apart, mean + apart], 1), dtype=X.dtype)
        for part, trees in zip(parts, pair.split(chunk), strict=True):
            yield replace(part, trees=trees)

    def _without_trees(self, X: Tensor, source: Tensor) -> Points:
        """Describe rows but for their trees; `source` (rows, m) the history's trees' mean."""
        x = X[..., self.varying]
        lead = X.shape[:-1]
        none = X.new_zeros(*lead, 0, self.responses)
        if self.pretrained is None:
            nothing = X.new_zeros(*lead, 0), X.new_zeros(*lead, self.responses)
            return Points(x, *nothing, none, none, curve_features(x))
        phi, prior, tuned = self._nets(X, x)
        if self.pretrained.curves is not None:
            nets, trees, curves = self.pretrained.blend.to(X)
            bent = self.pretrained.curves(self.pretrained.in_range(X))
            prior = nets * prior + trees * source.reshape(prior.shape) + curves * bent
        curves = curve_features(x) if self.features else X.new_zeros(*lead, 0)
        return Points(x, phi, prior, tuned, none, curves)

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
        flat = features.permute(1, 0, 2).reshape(*lead, len(features) * features.shape[-1])
        both = torch.cat([flat, basis(x)], dim=-1)
        # Means and deviations of the basis over an even design on [0, 1].
        even = x.new_tensor([[0.5, 2.0 / 3.0, 1.0 / 12.0], [0.2887, 0.2357, 0.0745]])
        of_basis = even.repeat_interleave(x.shape[-1], 1)
        known = torch.stack([self.pretrained.feature_mean, self.pretrained.feature_scale])
        centre, spread = torch.cat([known.to(x).flatten(1), of_basis], 1)
        return both.sub_(centre).div_(spread * math.sqrt(len(spread)))
