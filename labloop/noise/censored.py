"""Means of replicates some of which are only known to lie beyond a limit.

The likelihood of a normal mean has the density of what was measured and, for a well below or above
the range, the probability to be there (Tobin 1958, Econometrica 26:24). A limit is never taken for
a measured value.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import log_ndtr

from labloop.noise.groups import sums
from labloop.noise.spread import Array, Counts

_STEPS: Final = 60
_LOG_ROOT_2PI: Final = 0.5 * float(np.log(2 * np.pi))


def censored_means(
    start: Array, measured: Array, variances: Array, limits: Array, sides: Array, group: Counts
) -> tuple[Array, Array]:
    """Return (g,) likeliest means and how many measured wells each is worth.

    Args:
        start: (g,) means of the measured wells.
        measured: (g,) number of measured wells, at least one.
        variances: (g,) of a single well.
        limits: (k,) of wells out of range.
        sides: (k,) -1 below the limit, 1 above it.
        group: (k,) number of the formula of each.
    """
    groups = len(start)
    sd = np.sqrt(np.maximum(variances, 1e-300))
    means, worth = start.copy(), measured.astype(np.float64)
    for _ in range(_STEPS):
        a = np.clip(sides * (means[group] - limits) / sd[group], -1e100, 1e100)
        hazard = np.exp(np.clip(-(a**2) / 2 - _LOG_ROOT_2PI - log_ndtr(a), -700.0, 700.0))
        # h(h + a) lies between 0 and 1; far beyond the limit its terms cancel.
        bent = np.clip(np.where(a < -1e4, 1.0, hazard * (hazard + a)), 0.0, 1.0)
        pull = measured * (start - means) / sd + sums(sides * hazard, group, groups)
        worth = measured + sums(bent, group, groups)
        step = sd * pull / worth
        means = means + step
        if (np.abs(step) <= 1e-9 * sd).all():
            break
    return means, worth
