"""Curves: a response as the sum of one smooth curve a component, and of products of pairs.

What components do one by one carries far: beyond the best formulas of the history, where nets
level off and trees cannot go, the sum of their curves still says where better ones lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.surrogate.folds import near_groups
from labloop.surrogate.scaling import Array

KNOTS = 9
OWN_KNOTS = 5  # of the curves of own rows, which are fewer
LENGTH = 0.7  # of the curves' Matérn-5/2 kernel, in ranges of the history
PLACES = 193  # at which a curve is kept, from OUTSIDE below the range to as much above it
OUTSIDE = 0.5
PAIRED = 20  # components, those with the widest curves, whose products are taken
FOLDS = 5
FEW_ROWS = 400  # up to which the shares of components are learned again without each fold
_STEPS = 24
_PAIR_STEPS = 8
_PRIOR_ROWS = 0.2  # what the prior of a component's variance counts, in coefficients
_PRIOR_SHARE = 0.3  # of the response's variance that all curves together explain beforehand


@dataclass(frozen=True, eq=False)
class Curves:
    """The fitted curves of m responses over D inputs scaled to the history's range.

    Attributes:
        values: (D, PLACES, 2 m) at even places each response's curves, then the curves, one
            standard deviation high, whose products are taken; 0 for inputs that do not vary.
        pairs: (m, D, D) the coefficients of products, upper triangles.
        level: (m,) what is added.
    """

    values: Tensor
    pairs: Tensor
    level: Tensor

    def __call__(self, u: Tensor) -> Tensor:
        """Return the responses (…, m) at inputs `u` (…, D); outside they stay as at the edge."""
        u = u.clamp(-OUTSIDE, 1.0 + OUTSIDE)
        place = (u + OUTSIDE) * ((PLACES - 1) / (1.0 + 2.0 * OUTSIDE))
        left = place.detach().floor().clamp(0, PLACES - 2)
        numbers = left.long() + torch.arange(u.shape[-1]) * PLACES
        flat = self.values.to(u).flatten(0, 1)
        low, high = flat[numbers], flat[numbers + 1]
        curves = low + (high - low) * (place - left).unsqueeze(-1)
        own, multiplied = curves.split(len(self.level), -1)
        products = torch.einsum("...im,mij,...jm->...m", multiplied, self.pairs.to(u), multiplied)
        return own.sum(-2) + products + self.level.to(u)


def curve_features(x: Tensor) -> Tensor:
    """Return features (…, n, d · OWN_KNOTS) of rows (…, n, d), with a kernel of curves as product.

    The kernel of a sum of one curve a component, all alike, on the range from 0 to 1; over an even
    design the features have mean 0 and a row's square length is about 1.
    """
    knots = torch.linspace(0.0, 1.0, OWN_KNOTS, dtype=x.dtype)
    even = torch.linspace(0.0, 1.0, PLACES, dtype=torch.float64)
    wide = torch.linspace(0.0, 1.0, OWN_KNOTS, dtype=torch.float64)
    root = _root(wide)
    centred = _matern(even, wide) @ root
    centre = centred.mean(0)
    size = (centred - centre).square().sum(1).mean().sqrt() * max(x.shape[-1], 1) ** 0.5
    features = (_matern(x, knots) @ (root / size).to(x)).sub_((centre / size).to(x))
    return features.flatten(-2)


def fit_curves(u: Array, Z: Array) -> Curves:
    """Fit curves to rows of the history.

    Each curve has a Gaussian process prior (Matérn-5/2) on `KNOTS` knots whose variance is the
    component's own and has the greatest evidence, found by expectation maximisation (automatic
    relevance determination: Tipping 2001, JMLR 1:211). Products of the components with the widest
    curves share one variance.

    Args:
        u: (n, D) inputs scaled so that the history spans 0 to 1.
        Z: (n, m) standardised responses without gaps.
    """
    varying = np.flatnonzero(np.ptp(u, axis=0) > 0)
    x = torch.as_tensor(u[:, varying])
    design = _Design.of(x)
    fits = [_fit(design, x, z) for z in torch.as_tensor(Z).unbind(1)]
    return _tabulated(design, fits, varying, u.shape[1])


def left_out_curves(u: Array, Z: Array) -> Array:
    """Predict each row (n, m) by curves fitted without its fold; arguments as `fit_curves`.

    Rows that are nearly the same are in the same fold. Where all are, nothing is known of any.
    """
    groups = near_groups(u, most=max(1, len(u) // FOLDS))
    fold = np.random.default_rng(0).permutation(groups.max() + 1)[groups] % FOLDS
    x = torch.as_tensor(u[:, np.ptp(u, axis=0) > 0])
    design = _Design.of(x)
    left_out = torch.full(Z.shape, torch.nan, dtype=torch.float64)
    for j, z in enumerate(torch.as_tensor(Z).unbind(1)):
        fitted = _fit(design, x, z)
        for number in np.unique(fold):
            out = torch.as_tensor(fold == number)
            if not bool(out.all()):
                left_out[out, j] = _without(design, fitted, x, z, out)
    return left_out.numpy()


@dataclass(frozen=True, eq=False)
class _Design:
    """How rows become features: centred values of the curves' knots, then products of pairs.

    Attributes:
        root: (KNOTS, KNOTS) turns kernel values at the knots into independent coefficients.
        centre: (d, KNOTS) mean of each knot's feature over the rows.
    """

    root: Tensor
    centre: Tensor

    @classmethod
    def of(cls, x: Tensor) -> _Design:
        knots = torch.linspace(0.0, 1.0, KNOTS, dtype=x.dtype)
        root = _root(knots)
        return cls(root, (_matern(x, knots) @ root).mean(0))

    def curves(self, x: Tensor) -> Tensor:
        """Return the features (n, d · KNOTS) of rows (n, d)."""
        knots = torch.linspace(0.0, 1.0, KNOTS, dtype=x.dtype)
        return (_matern(x, knots) @ self.root - self.centre).flatten(1)

    def products(self, x: Tensor, shapes: Tensor, pairs: Tensor) -> Tensor:
        """Return the products (n, p) of curves of `shapes` (d, KNOTS), of (2, p) pairs."""
        v = (self.curves(x).unflatten(1, shapes.shape) * shapes).sum(2)
        return v[:, pairs[0]] * v[:, pairs[1]]


@dataclass(frozen=True, eq=False)
class _Fit:
    """The curves of one response over d inputs that vary.

    Attributes:
        coefficients: (p,) of the features: d · KNOTS of curves, then one a product.
        level: The mean of the rows.
        shapes: (d, KNOTS) coefficients of the curves, one standard deviation high, that are
            multiplied.
        pairs: (2, p − d · KNOTS) which inputs' curves.
        product_centre: The mean of each product over the rows.
        variance: (d,) of each curve's coefficients, then that of the products'.
        noise: Variance of what the curves leave over.
    """

    coefficients: Tensor
    level: float
    shapes: Tensor
    pairs: Tensor
    product_centre: Tensor
    variance: Tensor
    noise: float


def _root(knots: Tensor) -> Tensor:
    """Return what turns kernel values at the knots into features with the kernel as product."""
    gram = _matern(knots, knots) + 1e-6 * torch.eye(len(knots), dtype=knots.dtype)
    return torch.linalg.inv(torch.linalg.cholesky(gram)).mT


def _matern(a: Tensor, knots: Tensor) -> Tensor:
    s = (5.0**0.5 / LENGTH) * (a.unsqueeze(-1) - knots).abs()
    return (1.0 + s + s * s / 3.0) * torch.exp(-s)


def _fit(design: _Design, x: Tensor, z: Tensor) -> _Fit:
    features, level = design.curves(x), float(z.mean())
    d = x.shape[1]
    group = torch.arange(d).repeat_interleave(KNOTS)
    start = torch.full((d,), torch.nan, dtype=x.dtype)
    coefficients, variance, noise = _most_evident(features, z - level, group, start, _STEPS)
    curves = coefficients.reshape(d, KNOTS)
    width = (features.unflatten(1, (d, KNOTS)) * curves).sum(2).square().mean(0)
    shapes = curves / width.sqrt().clamp_min(1e-6).unsqueeze(1)
    widest = torch.argsort(-width, stable=True)[:PAIRED].sort().values
    pairs = widest[torch.triu_indices(len(widest), len(widest), 1)]
    products = design.products(x, shapes, pairs)
    centre = products.mean(0) if len(x) else products.new_zeros(pairs.shape[1])
    if pairs.shape[1]:
        features = torch.cat([features, products - centre], 1)
        group = torch.cat([group, torch.full((pairs.shape[1],), d)])
        start = torch.cat([variance, variance.new_full((1,), torch.nan)])
        coefficients, variance, noise = _most_evident(
            features, z - level, group, start, _PAIR_STEPS
        )
    return _Fit(coefficients, level, shapes, pairs, centre, variance, noise)


def _features(design: _Design, fitted: _Fit, x: Tensor) -> Tensor:
    products = design.products(x, fitted.shapes, fitted.pairs) - fitted.product_centre
    return torch.cat([design.curves(x), products], 1)


def _without(design: _Design, fitted: _Fit, x: Tensor, z: Tensor, out: Tensor) -> Tensor:
    """Predict the rows `out` (n,) by the others."""
    if len(x) <= FEW_ROWS:
        fitted = _fit(design, x[~out], z[~out])
        return _features(design, fitted, x[out]) @ fitted.coefficients + fitted.level
    features = _features(design, fitted, x)
    group = _groups(fitted, x.shape[1])
    level = float(z[~out].mean())
    coefficients = _posterior(
        features[~out].mT @ features[~out],
        features[~out].mT @ (z[~out] - level),
        fitted.variance[group],
        fitted.noise,
    )[0]
    return features[out] @ coefficients + level


def _groups(fitted: _Fit, columns: int) -> Tensor:
    of_curves = torch.arange(columns).repeat_interleave(KNOTS)
    return torch.cat([of_curves, torch.full((fitted.pairs.shape[1],), columns)])


def _posterior(
    gram: Tensor, moment: Tensor, variance: Tensor, noise: float
) -> tuple[Tensor, Tensor]:
    """Return the coefficients (p,) and their posterior variances over the prior's (p,)."""
    root = variance.sqrt()
    precision = root.unsqueeze(1) * gram * (root / noise)
    precision.diagonal().add_(1.0)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(precision))
    return root * (inverse @ (root * moment)) / noise, inverse.diagonal()


def _most_evident(
    features: Tensor, z: Tensor, group: Tensor, start: Tensor, steps: int
) -> tuple[Tensor, Tensor, float]:
    """Return coefficients (p,), each group's variance (g,) and the noise of greatest evidence.

    `start` (g,) are variances to begin with, NaN where the prior's will do.
    """
    groups, count = len(start), torch.bincount(group, minlength=len(start))
    gram, moment, total = features.mT @ features, features.mT @ z, float(z @ z)
    size = features.new_zeros(groups).scatter_add_(0, group, gram.diagonal() / len(z))
    prior = _PRIOR_SHARE / (size.clamp_min(1e-9) * groups)
    variance, noise = torch.where(start.isnan(), prior, start), 0.3
    coefficients = torch.zeros_like(moment)
    for _ in range(steps):
        coefficients, left = _posterior(gram, moment, variance[group], noise)
        unknown = left.new_zeros(groups).scatter_add_(0, group, left)
        square = left.new_zeros(groups).scatter_add_(0, group, coefficients.square())
        variance = (square + variance * unknown + _PRIOR_ROWS * prior) / (count + _PRIOR_ROWS)
        error = total - 2.0 * float(coefficients @ moment)
        error += float(coefficients @ (gram @ coefficients))
        known = float((count - unknown).sum())
        noise = max((error + 0.1) / (max(len(z) - known, 1.0) + 1.0), 1e-4)
    return coefficients, variance, noise


def _tabulated(design: _Design, fits: list[_Fit], varying: NDArray[np.intp], inputs: int) -> Curves:
    m, d = len(fits), len(varying)
    places = torch.linspace(-OUTSIDE, 1.0 + OUTSIDE, PLACES, dtype=torch.float64)
    of_place = design.curves(places.unsqueeze(1).expand(-1, d)).reshape(PLACES, d, KNOTS)
    values = torch.zeros(inputs, PLACES, 2 * m)
    pairs = torch.zeros(m, inputs, inputs, dtype=torch.float64)
    level = torch.zeros(m, dtype=torch.float64)
    columns = torch.as_tensor(varying)
    for j, fitted in enumerate(fits):
        curves = fitted.coefficients[: d * KNOTS].reshape(d, KNOTS)
        for place, each in ((j, curves), (m + j, fitted.shapes)):
            values[columns, :, place] = torch.einsum("pdk,dk->dp", of_place, each).float()
        products = fitted.coefficients[d * KNOTS :]
        one, other = columns[fitted.pairs]
        pairs[j, one, other] = products
        level[j] = fitted.level - float(products @ fitted.product_centre)
    return Curves(values, pairs, level)
