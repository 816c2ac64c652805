"""Correlated normal values of which one improves and others meet bounds, in closed form.

The values are taken one after another. What is asked of one changes what is expected of the
others: its truncated mean and variance pass on to them as regression says, and they count as
normal again. Independent values come out exactly; of correlated ones the error is small beside
what sampling a few draws would leave, and there is nothing to sample.

Source: Mendell and Elston (1974), "Multifactorial qualitative traits: genetic analysis and
prediction of recurrence risks", Biometrics 30:41.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from botorch.acquisition.analytic import _log_ei_helper
from torch import Tensor

_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_LEAST_VARIANCE = 1e-9
_NO_WIDTH = 1e-3  # standard deviations within which a density counts as constant


class Normals:
    """Normal values with a covariance, conditioned step by step.

    Each of the r values has, at each of any number of points, a mean and covariances, which
    `improved` and `kept` change for the values that come later.
    """

    def __init__(self, covariance: Tensor) -> None:
        """Take the (r, r) covariance, the same at all points, of values whose means are zero."""
        size = len(covariance)
        self._mean: list[Tensor] = [covariance.new_zeros(()) for _ in range(size)]
        self._cov: list[list[Tensor]] = [list(row.unbind()) for row in covariance]
        self._open = list(range(size))

    def improved(self, height: Tensor, rows: Tensor) -> Tensor:
        """Require that the first value, of variance 1, improves; weigh it by how far it does.

        `height` (e, …) is how many standard deviations the mean lies above what is to be improved
        on; `rows` (s,) are the rows of it that the points have. Returns the (s, …) logarithm of
        the expected improvement in standard deviations.
        """
        this = self._open.pop(0)
        log_gain = _log_ei(height)
        if self._matters(this):
            above = (torch.special.log_ndtr(height) - log_gain).exp()
            variance = 1.0 + _density(height, log_gain) - above.square()
            self._learn(this, above[rows], variance[rows])
        return log_gain[rows]

    def nearer(self, offset: Tensor, distance: Tensor, rows: Tensor) -> Tensor:
        """Require that the first value, of variance 1, comes nearer to a target than something.

        `offset` (e, …) is how far the mean lies from the target, `distance` (e, …) how far what is
        to be improved on does, both in standard deviations; `rows` (s,) as in `improved`. Returns
        the (s, …) logarithm of the expected decrease of the distance. It is a second difference of
        the expected improvement, whose derivatives are the moments (Stein's identity).
        """
        this = self._open.pop(0)
        side, far = torch.where(offset > 0, -1.0, 1.0).to(offset), -offset.abs()
        close = distance < _NO_WIDTH
        width = distance.clamp_min(_NO_WIDTH)
        first, middle, last = (_log_ei(far + step) for step in (width, 0.0, -width))
        rest = 1.0 - 2.0 * (middle - first).exp() + (last - first).exp()
        wide = first + rest.clamp_min(_LEAST_VARIANCE).log()
        point = 2.0 * distance.clamp_min(1e-12).log() - 0.5 * far.square() - _LOG_ROOT_TWO_PI
        log_gain = torch.where(close, point, wide)
        if self._matters(this):

            def share(place: Tensor) -> Tensor:
                below: Tensor = torch.special.log_ndtr(place)
                return (below - log_gain).exp()

            steps = [(1.0, far + width), (-2.0, far), (1.0, far - width)]
            mean = torch.stack([f * share(place) for f, place in steps]).sum(dim=0)
            bend = torch.stack([f * _density(place, log_gain) for f, place in steps]).sum(dim=0)
            mean = torch.where(close, -far, mean)
            square = torch.where(close, far.square(), 1.0 + bend)
            self._learn(this, (side * mean)[rows], (square - mean.square())[rows])
        return log_gain[rows]

    def kept(self, lower: Tensor | None, upper: Tensor | None) -> Tensor:
        """Require that the next value lies between two limits, in its standard deviations.

        None is no limit; one of the two is given. Returns the (…) logarithm of the probability,
        given what was required before.
        """
        this = self._open.pop(0)
        sd = self._cov[this][this].sqrt()
        low = None if lower is None else (lower - self._mean[this]) / sd
        high = None if upper is None else (upper - self._mean[this]) / sd
        log_share = log_between(low, high)
        if self._matters(this):
            self._learn(this, *_truncated(low, high, log_share))
        return log_share

    def _matters(self, this: int) -> bool:
        """Whether what becomes of a value tells anything of the later ones."""
        return any(bool(self._cov[this][other].any()) for other in self._open)

    def _learn(self, this: int, mean: Tensor, variance: Tensor) -> None:
        """Pass on that a value, in its own standard deviations, has this mean and variance."""
        own = self._cov[this][this]
        less = variance.clamp(_LEAST_VARIANCE, 1.0) - 1.0
        slopes = {other: self._cov[this][other] / own.sqrt() for other in self._open}
        for j, slope in slopes.items():
            self._mean[j] = self._mean[j] + slope * mean
            for k, other_slope in slopes.items():
                changed = self._cov[j][k] + slope * other_slope * less
                self._cov[j][k] = changed.clamp_min(_LEAST_VARIANCE) if j == k else changed


def _log_ei(height: Tensor) -> Tensor:
    logs: Tensor = _log_ei_helper(height)
    return logs


def _density(place: Tensor, log_share: Tensor) -> Tensor:
    """Return the (…) standard normal density over a share that is given by its logarithm."""
    return (-0.5 * place.square() - _LOG_ROOT_TWO_PI - log_share).exp()


def log_between(lower: Tensor | None, upper: Tensor | None) -> Tensor:
    """Return the (…) logarithm of a standard normal's share between limits, exact in its tails.

    None is no limit; one of the two is given.
    """
    if lower is None or upper is None:
        assert lower is not None or upper is not None
        one_sided: Tensor = torch.special.log_ndtr(-lower if lower is not None else upper)
        return one_sided
    flip = lower > 0  # in the upper tail both shares are nearly 1
    low, high = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    below_high = torch.special.log_ndtr(high)
    below_low = torch.special.log_ndtr(low)
    share: Tensor = below_high + torch.log1p(-(below_low - below_high).exp().clamp_max(1 - 1e-15))
    return share


def _truncated(low: Tensor | None, high: Tensor | None, log_share: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of a standard normal between limits of the given log share."""
    mean, square = torch.zeros_like(log_share), torch.ones_like(log_share)
    for limit, side in ((low, 1.0), (high, -1.0)):
        if limit is not None:
            density = _density(limit, log_share)
            mean = mean + side * density
            square = square + side * limit * density
    return mean, square - mean.square()


Limits = tuple[Tensor | None, Tensor | None]


def log_all_kept(covariance: Tensor, limits: Sequence[Limits]) -> Tensor:
    """Return the (…) log probability that each of r centred values lies between its (…) limits.

    `covariance` (r, r) is the same at all points; see `Normals.kept` for the limits.
    """
    values = Normals(covariance)
    logs = [values.kept(lower, upper) for lower, upper in limits]
    return sum(logs[1:], logs[0])
