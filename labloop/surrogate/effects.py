"""What components do: partial dependence, and what pairs do together, with what is not known of it.

A partial dependence is the average of the predicted response over some base formulas in which one
component, or two, are set to the same amount (Friedman 2001, Ann. Stat. 29:1189). Of a pair, what
is left of it beside the effects of each alone is their interaction (Hoeffding's decomposition;
Sobol 1993, Math. Model. Comput. Exp. 1:407).

How sure an average is cannot be told from how sure its parts are: these err together. So whole
functions are drawn from the joint posterior, each is averaged over the base formulas, and what the
averages differ by is the uncertainty of the average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array

Levels = NDArray[np.integer[Any]]

DRAWS = 64
_INTERVAL = (0.05, 0.95)
_NEARLY = 0.9  # of a rise, before or after which the rest may be none
_EARLY = 0.6  # of the amounts, over which a curve is flat at most, so as to rise or fall
_LEAST_VARIANCE = 1e-12  # of the square of the level: what varies by less is rounding


class Surrogate(Protocol):
    """What effects need of a model of the responses."""

    def mean_and_variance(self, X: Array) -> Any:
        """Return moments of encoded rows (n, D): `mean` is (n, m)."""
        ...

    def sample_functions(self, samples: int, *, seed: int = 0) -> Any:
        """Return functions: their `values` at (n, D) are (samples, n, m)."""
        ...


@dataclass(frozen=True)
class Averages:
    """A surrogate's average at `a` settings of one or two components, of m responses.

    `mean` (a, m) is that of the mean function, `draws` (S, a, m) those of drawn functions, which
    have this mean.
    """

    mean: Array
    draws: Array

    @property
    def interval(self) -> tuple[Array, Array]:
        """The ends (a, m) of the 5–95 % interval of each average; it holds the mean."""
        low, high = np.quantile(self.draws, _INTERVAL, axis=0)
        return np.minimum(low, self.mean), np.maximum(high, self.mean)


def levelled(found: Averages, few: Averages, many: Averages) -> Averages:
    """Return averages over a few formulas at the level of many.

    `few` (1, m) is the average over the few as they come, `many` (b, m) are values of many. The
    level that the few have by chance is theirs at every setting, and is taken off.
    """
    return Averages(
        found.mean + many.mean.mean(axis=0) - few.mean,
        found.draws + many.draws.mean(axis=1, keepdims=True) - few.draws,
    )


def averages(
    surrogate: Surrogate, settings: Sequence[Array], base: Array, *, seed: int = 0
) -> tuple[list[Averages], Averages]:
    """Return the averages over base formulas of each of several settings, and the base's values.

    Each of `settings` is (a, n, D): the n base formulas, encoded, at each of a settings. All are
    averaged over the same drawn functions, and so are comparable draw by draw. `base` (b, D) are
    encoded formulas as they come, of which the values (b, m) themselves are returned: their
    variance is what shares are of.
    """
    rows = np.concatenate([*(each.reshape(-1, base.shape[1]) for each in settings), base])
    mean = np.asarray(surrogate.mean_and_variance(rows).mean)
    drawn = np.asarray(surrogate.sample_functions(DRAWS, seed=seed).values(rows))
    found, start = [], 0
    for each in [*settings, base[:, None]]:
        count, size = each.shape[:2]
        here = slice(start, start := start + count * size)
        centre = mean[here].reshape(count, size, -1).mean(axis=1)
        draws = drawn[:, here].reshape(len(drawn), count, size, -1).mean(axis=2)
        # Few draws err in their mean by chance, and that of all functions is known.
        found.append(Averages(centre, draws + (centre - draws.mean(axis=0))))
    return found[:-1], found[-1]


def interaction(
    cells: Averages, first: Levels, second: Levels, base: Averages, correction: float = 1.0
) -> tuple[Array, Array, Array]:
    """Return the share (m,) of the variance that is of a pair alone, and its 5–95 % interval.

    `cells` are averages at some of the cells of a grid, `first` and `second` (a,) each one's row
    and column in it; `base` are values at formulas as they come. The share is the variance over
    the cells of what an additive surface of both leaves unexplained, times `correction`, over the
    variance of the base. Exact where the two vary independently and the cells are the whole grid;
    else it is what the model makes of them together over the cells that there are. NaN where the
    cells are too few to tell it from additive effects; the interval always holds the share.
    """
    sides = [side[:, None] == np.unique(side) for side in (first, second)]
    design = np.concatenate(sides, axis=1).astype(float)
    left = np.eye(len(first)) - design @ np.linalg.pinv(design)
    if np.trace(left) < 0.5:
        unknown = np.full(cells.mean.shape[-1], np.nan)
        return unknown, unknown, unknown

    def share(values: Array, over: Array) -> Array:
        beyond = np.einsum("ab,...bm->...am", left, values)
        spread = over.var(axis=-2)
        real = spread > _LEAST_VARIANCE * np.maximum(over.mean(axis=-2) ** 2, _LEAST_VARIANCE)
        part = correction * (beyond**2).mean(axis=-2) / np.where(real, spread, 1.0)
        return np.where(real, np.minimum(part, 1.0), 0.0)

    value = share(cells.mean, base.mean)
    low, high = np.quantile(share(cells.draws, base.draws), _INTERVAL, axis=0)
    return value, np.minimum(low, value), np.maximum(high, value)


class Trend(NamedTuple):
    """What a curve does, as far as its draws agree on it.

    `kind` is `flat`, `rises`, `falls`, `levels off` (rises, then flat), `bottoms out` (falls, then
    flat), `takes off` (nothing sure, then rises), `drops` (nothing sure, then falls), `peak`,
    `valley` or, of choices, `differs`; `at` is the number of the amount where the curve turns or,
    of choices, is highest.
    """

    kind: str
    at: int = 0


def trend(mean: Array, draws: Array, *, ordered: bool = True) -> Trend:
    """Return what one response's curve does: `mean` (a,), `draws` (S, a).

    A difference counts where at least 95 % of the draws have it.
    """
    top, bottom = int(mean.argmax()), int(mean.argmin())

    def above(i: int, j: int) -> bool:
        return bool((draws[:, i] > draws[:, j]).mean() >= _INTERVAL[1])

    if not above(top, bottom):
        return Trend("flat")
    if not ordered:
        return Trend("differs", top)
    last = len(mean) - 1
    if 0 < top < last and above(top, 0) and above(top, last):
        return Trend("peak", top)
    if 0 < bottom < last and above(0, bottom) and above(last, bottom):
        return Trend("valley", bottom)
    rises = mean[last] > mean[0]
    end = top if rises else bottom
    sign = 1.0 if rises else -1.0
    reached = sign * (mean - mean[0]) >= _NEARLY * sign * (mean[end] - mean[0])
    more = (sign * (draws[:, last, None] - draws) > 0).mean(axis=0) >= _INTERVAL[1]
    turn = int((reached & ~more).argmax())
    if 0 < turn <= _EARLY * last:
        return Trend("levels off" if rises else "bottoms out", turn)
    start = bottom if rises else top
    barely = sign * (mean - mean[start]) <= (1 - _NEARLY) * sign * (mean[end] - mean[start])
    still = int(np.flatnonzero(barely)[-1])
    moved = (sign * (draws - draws[:, :1]) > 0).mean(axis=0) >= _INTERVAL[1]
    if (1 - _EARLY) * last <= still < last and not moved[: still + 1].any():
        return Trend("takes off" if rises else "drops", still)
    return Trend("rises" if rises else "falls", end)
