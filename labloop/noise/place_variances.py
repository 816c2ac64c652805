"""Effects of places with the variance of each kind: restricted maximum likelihood.

Coefficients of a kind are normal with a variance of their own, found by MacKay's fixed point (1992,
Neural Computation 4:415): a variance becomes the sum of the squared coefficients over the number of
them that the wells tell, told_k = sum(1 - error variance / prior variance). A kind that the wells
do not show is drawn to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from labloop.noise.elimination import Eliminated
from labloop.noise.groups import huber_squares, sums
from labloop.noise.inverses import inverse
from labloop.noise.spread import Array

_VARIANCE_STEPS: Final = 60
_STRIDE: Final = 1.7
_PLATE_STEPS: Final = 6
_SOLVER_STEPS: Final = 3
# Of the variance of a well: a kind of effect whose variance falls to it is none.
_LEAST: Final = 1e-3
_UNSEEN: Final = 1e-3
# How much more likely, in logarithms, places must make the values, and more by this over the number
# of differences between wells; and of these, the share that places may use up: rows and columns
# with one well each explain everything.
_SHOWN: Final = 3.0
_SHOWN_BY_FEW: Final = 100.0
_MOST_TOLD: Final = 0.5
# Of the variance that wells are thought to have: what is below it is rounding.
_LEAST_SCALE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Common:
    """Effects that all plates share.

    `found` (k) are zero where nothing is shown, `errors` (k, k) their covariance, `variance`
    (kinds,) that of each kind, `scale` the level of the wells' variance, `told` the parameters that
    wells tell, `evidence` in logarithms, `there` whether there are any.
    """

    found: Array
    errors: Array
    variance: Array
    scale: float
    told: float
    evidence: float
    there: bool


@dataclass(frozen=True, eq=False)
class Own:
    """Effects that each plate has for itself: (plates, k) with (plates, k, k) errors."""

    found: Array
    errors: Array
    variance: Array
    told: float
    there: bool


def common_effects(
    one: Eliminated, values: Array, freedom: float, start: Array, allowed: Array
) -> Common:
    """Return the effects common to all plates of (n,) values.

    `freedom` are the differences that wells of the same formulas show, `start` (kinds,) variances
    to start from or NaN, `allowed` (kinds,) 0 for those that the layout does not tell.
    """
    kinds = one.places.kinds
    squares, residual = one.squares, one.centred(values)
    pull = one.project(residual).sum(axis=0)
    total = float(residual @ (one.weights * residual))
    scale = robust_scale(residual, one, freedom)
    variance, least = _starting(one, scale, start, allowed)
    for _ in range(_VARIANCE_STEPS):
        prior = variance[kinds]
        error, log_det = inverse(squares / scale, 1.0 / prior)
        found = error @ pull / scale
        shown = 1.0 - error.diagonal() / prior
        before = variance
        by_kind = sums(shown, kinds, len(before)) * allowed
        variance = _next(sums(found**2, kinds, len(before)), by_kind, before, least)
        # The steps shrink slowly; longer ones come to rest at the same place.
        variance = np.maximum(before * (variance / before) ** _STRIDE, least)
        told = float(shown.sum())
        left = max(total - 2 * float(found @ pull) + float(found @ squares @ found), 0.0)
        scale = max(left / max(freedom - told, 1.0), _LEAST_SCALE)
        if (np.abs(variance - before) <= 1e-3 * before).all():
            break
    prior = variance[kinds]
    error, log_det = inverse(squares / scale, 1.0 / prior)
    evidence = (
        -freedom * np.log(scale) / 2
        - (total - float(found @ pull)) / scale / 2
        - (log_det + float(np.log(prior).sum())) / 2
    )
    nothing = -freedom * np.log(max(total / max(freedom, 1.0), _LEAST_SCALE)) / 2 - freedom / 2
    there = (variance > least)[kinds]
    ahead = evidence - nothing - _SHOWN - _SHOWN_BY_FEW / max(freedom, 1.0)
    if ahead < 0.0 or told > _MOST_TOLD * freedom:
        there[:] = False
        told, evidence = 0.0, nothing
    errors = error * np.outer(there, there)
    return Common(found * there, errors, variance, scale, told, float(evidence), bool(there.any()))


def own_effects(
    one: Eliminated, values: Array, common: Common, freedom: float, before: Own, allowed: Array
) -> Own:
    """Return effects of each plate beyond the common ones of (n,) values, from `before` on.

    Plates are coupled by formulas that they have in common: the equations are solved by conjugate
    gradients with each plate's own block as preconditioner, and the blocks tell the errors.
    """
    kinds = one.places.kinds
    scale, freedom = common.scale, max(freedom - common.told, 1.0)
    blocks = one.plate_squares / scale
    pull = one.project(one.centred(values)) / scale
    plates = max(len(blocks), 1)
    variance, least = _starting(one, scale, before.variance, allowed)
    found = before.found
    for _ in range(_PLATE_STEPS):
        prior = variance[kinds]
        error, log_det = _inverses(blocks, 1.0 / prior)
        found = _solved(one, scale, 1.0 / prior, error, pull, found)
        shown = 1.0 - np.einsum("pkk->k", error) / plates / prior
        by_kind = sums(shown, kinds, len(variance)) * plates
        squared = sums((found**2).sum(axis=0), kinds, len(variance))
        variance = _next(squared, by_kind * allowed, variance, least)
    there = (variance > least)[kinds]
    told = float(by_kind.sum())
    evidence = float((pull * found).sum() - log_det.sum() - plates * np.log(prior).sum()) / 2
    if evidence < _SHOWN + _SHOWN_BY_FEW / freedom or told > _MOST_TOLD * freedom:
        there[:] = False
        told = 0.0
    return Own(found * there, error * np.outer(there, there), variance, told, bool(there.any()))


def robust_scale(residual: Array, one: Eliminated, freedom: float) -> float:
    """Return the level of the wells' variance, not ruled by mishaps."""
    scale = float(residual @ (one.weights * residual)) / max(freedom, 1.0)
    for _ in range(5):
        if scale <= 0.0:
            break
        z = residual * np.sqrt(one.weights / scale)
        scale *= float(huber_squares(z).sum()) / max(freedom, 1.0)
    return max(scale, _LEAST_SCALE)


def _starting(one: Eliminated, scale: float, start: Array, allowed: Array) -> tuple[Array, Array]:
    """Return variances of kinds to start from, effects as large as the noise, and the least."""
    counted = max(float((one.weights > 0).sum()), 1.0)
    per_well = np.bincount(one.places.kinds, weights=one.feature_squares) / counted
    usual = np.divide(scale, per_well, out=np.zeros_like(per_well), where=per_well > 0)
    least = _LEAST * usual + 1e-300
    return np.maximum(np.where(np.isnan(start), usual, start) * allowed, least), least


def _next(squared: Array, shown: Array, before: Array, least: Array) -> Array:
    """Return MacKay's next variances of kinds with these sums of squares and parameters shown.

    A kind that the wells do not show at all has none.
    """
    found = np.clip(squared / np.maximum(shown, _UNSEEN), least, 100 * before)
    return np.where(shown > _UNSEEN, found, least)


def _inverses(squares: Array, precision: Array) -> tuple[Array, Array]:
    """Return the same of (plates, k, k) squares."""
    found = [inverse(each, precision) for each in squares]
    return np.array([each for each, _ in found]), np.array([det for _, det in found])


def _solved(
    one: Eliminated, scale: float, precision: Array, blocks: Array, pull: Array, start: Array
) -> Array:
    """Return the solution of the normal equations by preconditioned conjugate gradients."""
    found = start
    residual = pull - one.apply(found) / scale - found * precision
    direction = better = np.einsum("pij,pj->pi", blocks, residual)
    size = float((residual * better).sum())
    for _ in range(_SOLVER_STEPS):
        if size <= 0.0:
            break
        image = one.apply(direction) / scale + direction * precision
        step = size / float((direction * image).sum())
        found = found + step * direction
        residual = residual - step * image
        better = np.einsum("pij,pj->pi", blocks, residual)
        new = float((residual * better).sum())
        direction, size = better + direction * (new / size), new
    return found
