"""What is known of the variance of a single well of one response.

Two to four replicates say little about their own spread, all the replicates of a plate together say
much. So the spread of a formula's replicates is drawn towards what formulas of that signal usually
have. The usual variance follows the two-component error of Rocke and Lorenzato (1995,
Technometrics 37:176): a constant part and a part in proportion to the signal. How strongly it
draws is estimated from the data by the moments of the log variances, as in Smyth (2004, Stat. Appl.
Genet. Mol. Biol. 3:3): with prior degrees of freedom d0 and prior variance s0², the posterior
variance of a formula with d degrees of freedom and variance s² has the mean
(d0 s0² + d s²) / (d0 + d - 2), which also makes up for the long tails of a spread that is little
known; below three degrees of freedom the divisor is (d0 + d) / 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, digamma, gammaincinv, polygamma

Array: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

# Below this many formulas with replicates, neither the signal's part nor d0 can be told apart.
_ENOUGH_FORMULAS: Final = 8
_FIT_STEPS: Final = 10
# A variance beyond this quantile of chance is of a mishap, as long as so few formulas are.
_CHANCE: Final = 1e-3
_FEW: Final = 0.05
# A variance that is smaller by chance or rounding must not rule the logs.
_LEAST_RATIO: Final = 1e-3


@dataclass(frozen=True)
class Spread:
    """What is known of the variance of a single well of one response."""

    pooled: float
    constant: float
    relative: float
    prior_wells: float

    @classmethod
    def fit(cls, means: Array, squares: Array, wells: Counts) -> Spread:
        """Estimate from formulas with two wells or more; all NaN when there are none."""
        replicated = wells > 1
        if not replicated.any():
            return cls(np.nan, np.nan, np.nan, np.nan)
        freedom = (wells[replicated] - 1).astype(np.float64)
        squares, means = squares[replicated], means[replicated]
        # What is left of equal values after subtracting their mean is rounding.
        squares = np.where(squares > 1e-24 * means**2, squares, 0.0)
        variances = squares / freedom
        pooled = float(squares.sum() / freedom.sum())
        if pooled == 0.0:
            return cls(0.0, 0.0, 0.0, np.inf)
        if replicated.sum() < _ENOUGH_FORMULAS:
            return cls(pooled, pooled, 0.0, np.inf)
        constant, relative = two_components(means**2, variances, freedom)
        expected = constant + relative * means**2
        prior_wells, scale = _prior(variances / expected, freedom)
        return cls(pooled, scale * constant, scale * relative, prior_wells)

    def variances(self, means: Array, squares: Array, freedom: Counts) -> Array:
        """Return the variance of a single well of each formula.

        `squares` are the sums of the squared deviations of its wells, with so many degrees of
        freedom. Where nothing else draws the variance, replicates that disagree beyond chance
        (99.9 %) count for themselves.
        """
        expected = self.constant + self.relative * means**2
        if not np.isinf(self.prior_wells):
            known = self.prior_wells + freedom
            drawn = self.prior_wells * expected + squares
            return np.asarray(drawn / np.maximum(known - 2.0, known / 3))
        seen = np.maximum(freedom, 1)
        discordant = squares > chdtri(seen, 1e-3) * expected
        return np.where(discordant, squares / seen, expected)

    def standard_errors(self, means: Array, squares: Array, wells: Counts) -> Array:
        """Return the standard error of each mean, NaN where there is no mean."""
        variances = self.variances(means, squares, np.maximum(wells - 1, 0))
        return np.sqrt(
            np.divide(variances, wells, out=np.full_like(means, np.nan), where=wells > 0)
        )


def two_components(signal2: Array, variances: Array, freedom: Array) -> tuple[float, float]:
    """Fit variance = constant + relative · signal², neither part below zero.

    Sample variances are gamma variates whose sd is in proportion to their mean, so least squares
    are weighted by freedom / expected² and iterated. A variance beyond chance (a mishap in a well,
    a control that failed on one plate; not noise) counts as the largest that chance allows where
    the median formula has the variance that is expected of it.
    """
    pooled = float((variances * freedom).sum() / freedom.sum())
    median = 2.0 * gammaincinv(freedom / 2.0, 0.5) / freedom
    most = chdtri(freedom, _CHANCE) / freedom
    typical = float(np.median(variances / median)) or pooled
    expected = np.full_like(variances, typical)
    for _ in range(_FIT_STEPS):
        weights = freedom / expected**2
        level = float(np.median(variances / median / expected)) or 1.0
        capped = np.minimum(variances, most * expected * min(level, 1.0))
        constant, relative = _line_above_zero(signal2, capped, weights)
        # A floor keeps a formula without signal from taking all the weight.
        expected = np.maximum(constant + relative * signal2, 1e-3 * typical)
    return max(constant, 1e-6 * typical), relative


def _line_above_zero(x: Array, y: Array, weights: Array) -> tuple[float, float]:
    """Return intercept and slope, both at least zero, of the weighted least squares line."""
    weights = weights / weights.sum()
    x_mean, y_mean = float(weights @ x), float(weights @ y)
    variance = float(weights @ (x - x_mean) ** 2)
    slope = float(weights @ ((x - x_mean) * (y - y_mean))) / variance if variance > 0.0 else 0.0
    intercept = y_mean - slope * x_mean
    if slope < 0.0:
        return y_mean, 0.0
    if intercept < 0.0:
        return 0.0, float(weights @ (x * y)) / float(weights @ x**2)
    return intercept, slope


def _prior(ratios: Array, freedom: Array) -> tuple[float, float]:
    """Return d0 and the scale of the prior from the logs of variance / expected variance.

    Smyth 2004, section 6.2. d0 is infinite and the scale 1 unless the logs scatter more than those
    of equal spreads do, by more than the standard error that this scatter would then have.
    Replicates that are equal to the last digit were rounded, and say nothing here; a few beyond
    chance are mishaps, and count as the largest that chance allows (after Phipson et al. 2016, Ann.
    Appl. Stat. 10:946).
    """
    spread = ratios > 0.0
    ratios, freedom = ratios[spread], freedom[spread]
    if len(ratios) < _ENOUGH_FORMULAS:
        return float("inf"), 1.0
    half = freedom / 2.0
    most = chdtri(freedom, _CHANCE) / freedom
    if (ratios > most).sum() <= max(1.0, _FEW * len(ratios)):
        ratios = np.minimum(ratios, most)
    ratios = np.maximum(ratios, _LEAST_RATIO * float(np.median(ratios)))
    logs = np.log(ratios) - digamma(half) + np.log(half)
    scatter = (logs - logs.mean()) ** 2 * len(logs) / (len(logs) - 1)
    equal = polygamma(1, half)
    # The variance of a squared deviation is the fourth cumulant and twice the squared variance.
    doubt = np.sqrt((polygamma(3, half) + 2.0 * equal**2).mean() / len(logs))
    excess = float((scatter - equal).mean() - doubt)
    if excess <= 0.0:
        return float("inf"), 1.0
    half_prior = _inverse_trigamma(excess)
    scale = float(np.exp(logs.mean() + digamma(half_prior) - np.log(half_prior)))
    return 2.0 * half_prior, scale


def _inverse_trigamma(value: float) -> float:
    """Return y with trigamma(y) = value > 0, by Newton's method on 1 / trigamma (Smyth 2004)."""
    if value > 1e7:
        return float(1.0 / np.sqrt(value))
    if value < 1e-6:
        return 1.0 / value
    y = 0.5 + 1.0 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1.0 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y
