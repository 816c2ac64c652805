"""Wells that lie far from their replicates, by a rule that mishaps do not rule.

The usual spread is found from medians, so that a mishap in some wells does not widen it: the ratios
of formulas' variances to those expected are matched in median and in quartiles to the F
distribution, which tells how much formulas differ in their spread (after Smyth 2004 and, for the
robust match, Phipson et al. 2016, Ann. Appl. Stat. 10:946). A well is named where more than half of
its group agree with each other and it does not: its distance from the group's median is compared
with Student's t at four standard deviations, once in some 16,000 good wells. Of two replicates
that disagree, neither can be named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import chdtr, fdtr, fdtri, gammaincinv, ndtr, ndtri, stdtrit

from labloop.noise.groups import medians, sums
from labloop.noise.spread import Array, Counts, two_components

FAR: Final = 4.0
ENOUGH: Final = 8
"""Degrees of freedom from which a spread is known well enough to name a well by."""
_MOST: Final = 0.1  # share of replicated wells that may be named
_SAMPLE: Final = 1000
_PRIORS: Final = (np.inf, 60.0, 30.0, 15.0, 8.0, 5.0, 3.0, 2.0)


@dataclass(frozen=True)
class Usual:
    """The usual variance of a well, constant + relative · signal², little moved by mishaps.

    `prior` are the degrees of freedom with which it holds for each formula (∞: for all alike),
    `freedom` those it was found with.
    """

    constant: float
    relative: float
    prior: float
    freedom: int

    def variances(self, signal: Array) -> Array:
        """Return the usual variance of wells of these signals."""
        return np.asarray(self.constant + self.relative * signal**2)


def usual_spread(values: Array, group: Counts, groups: int) -> Usual:
    """Return the usual variance from (n,) values and the (n,) group of each."""
    count = np.bincount(group, minlength=groups)
    freedom = np.maximum(count - 1, 0)
    told = int(freedom.sum())
    total = sums(values, group, groups)
    mean = np.divide(total, count, out=np.zeros(groups), where=count > 0)
    squares = sums((values - mean[group]) ** 2, group, groups)
    squares = np.where(squares > 1e-24 * mean**2 * np.maximum(count, 1), squares, 0.0)
    replicated = freedom > 0
    if replicated.sum() < ENOUGH:
        lone = np.maximum(1.0 - 1.0 / np.maximum(count, 1), 0.5)
        residual = (values - mean[group]) / np.sqrt(lone[group])
        residual = residual[replicated[group]]
        size = float(np.median(np.abs(residual))) / 0.6745 if len(residual) else 0.0
        return Usual(size**2, 0.0, np.inf, told)
    freedom, mean, squares = freedom[replicated], mean[replicated], squares[replicated]
    variances = squares / freedom
    if not variances.any():
        return Usual(0.0, 0.0, np.inf, told)
    constant, relative = two_components(mean**2, variances, freedom.astype(np.float64))
    ratios = variances / (constant + relative * mean**2)
    prior, scale = _matched(ratios, freedom)
    return Usual(scale * constant, scale * relative, prior, told)


def _matched(ratios: Array, freedom: Counts) -> tuple[float, float]:
    """Return degrees of freedom and scale of the prior that quartiles of the ratios show."""
    spread = ratios > 0
    ratios, freedom = ratios[spread], freedom[spread]
    order = np.lexsort((freedom, ratios))
    if len(order) > _SAMPLE:
        order = order[np.linspace(0, len(order) - 1, _SAMPLE).astype(np.int64)]
    ratios, freedom = ratios[order], freedom[order]
    scale = 1.0
    for prior in _PRIORS:
        scale = _median_scale(ratios, freedom, prior)
        z = ndtri(np.clip(_below(ratios / scale, freedom, prior), 1e-12, 1 - 1e-12))
        lower, upper = np.quantile(z, [0.25, 0.75])
        # The standard error of such a width is 1.17 / √n.
        if (upper - lower) / 1.349 <= 1.0 + 1.17 / np.sqrt(len(z)):
            return prior, scale
    return _PRIORS[-1], scale


def _below(ratios: Array, freedom: Counts, prior: float) -> Array:
    """Return the probability of smaller ratios."""
    if np.isinf(prior):
        return np.asarray(chdtr(freedom, ratios * freedom))
    return np.asarray(fdtr(freedom, prior, ratios))


def _median_scale(ratios: Array, freedom: Counts, prior: float) -> float:
    """Return the scale at which half of the ratios have a probability below one half."""
    if np.isinf(prior):
        middle = 2.0 * gammaincinv(freedom / 2.0, 0.5) / freedom
    else:
        middle = np.asarray(fdtri(freedom, prior, 0.5), dtype=np.float64)
    return float(np.median(ratios / middle))


def outliers(
    values: Array, group: Counts, groups: int, usual: Usual, errors: Array
) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which of n wells lie far from their replicates, and every well's distance in sd.

    `values` (n) are measured, `group` (n) says which belong together; `errors` (n) are variances
    beyond chance, such as of the correction of their plates. The distance is signed, from the
    mean of the others that agree, zero for a well without replicates.
    """
    count = np.bincount(group, minlength=groups)
    middle = medians(values, group, groups)
    variance = usual.variances(middle)[group] + errors
    sd = np.sqrt(np.maximum(variance, 1e-300))
    known = usual.freedom if np.isinf(usual.prior) else min(usual.prior, usual.freedom)
    far = float(-stdtrit(float(max(known, 1.0)), float(ndtr(-FAR)))) if usual.freedom else np.inf
    agree = np.abs(values - middle[group]) <= far * sd
    agreeing = sums(agree.astype(np.float64), group, groups)
    total = sums(np.where(agree, values, 0.0), group, groups)
    others = agreeing[group] - agree
    mean = np.divide(
        total[group] - np.where(agree, values, 0.0), others, out=values.copy(), where=others > 0
    )
    lone = np.sqrt(1.0 + 1.0 / np.maximum(others, 1))
    differs = np.abs(values - mean) > 1e-12 * np.abs(values)
    scores = np.where(differs, (values - mean) / (sd * lone), 0.0)
    scores = np.clip(scores, -1e6, 1e6)
    told = (2 * agreeing > count) & (agreeing > 1) & (usual.freedom >= ENOUGH)
    named = told[group] & (np.abs(scores) > far) & ~agree
    most = int(_MOST * float(count[count > 2].sum())) or 1
    if named.sum() > most:
        least = np.sort(np.abs(scores[named]))[-most]
        named &= np.abs(scores) >= least
    return named, scores
