"""Which components matter for each response: total-order Sobol indices with intervals.

The total-order index of a component is the share of a response's variance over the rows that is
lost to whoever does not know that component: its own effect and all its interactions (Homma and
Saltelli 1996, Reliab. Eng. Syst. Saf. 52:1). It is estimated by giving each row another row's
value of the component and taking half the mean square of what that changes (Jansen 1999, Comput.
Phys. Commun. 117:35). Where components are not independent, as in mixtures, it is no longer a
share of anything: it still says how much the model makes of that component alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array
from labloop.surrogate.threads import one_thread

if TYPE_CHECKING:
    from labloop.surrogate.model import Surrogate
    from labloop.surrogate.pretraining import Pretrained

BASE_ROWS = 512
MOST_ROWS = 10_000  # that are predicted for the indices themselves
DRAWS = 64
_FEWEST_MOST = (24, 128)  # rows at which functions are drawn
_NUMBERS = 3_000_000  # of all joint covariances together
_AT_ONCE = 8
_SMALL = 0.02  # an index below which the error of few rows no longer goes with its size
_CHUNK = 4096
_INTERVAL = (0.05, 0.95)


@dataclass(frozen=True)
class Importance:
    """Total-order indices (components, m) and the ends of their 5–95 % intervals.

    Zero for components that do not vary over the rows and for constant responses; NaN for a
    response of which nothing is known. The interval always holds the value.
    """

    value: Array
    low: Array
    high: Array


def importance(
    surrogate: Surrogate,
    rows: Array,
    component_of_column: NDArray[np.integer],
    *,
    seed: int = 0,
) -> Importance:
    """Return what the surrogate says of each component's importance over the given rows.

    `rows` (n, D) encoded formulas in random order, drawn as the campaign's candidates are; up to
    512 are used, fewer with many components; `component_of_column` (D,) groups the columns that
    change together. The value is that of the mean function. The interval has what functions drawn
    from the joint posterior differ by from the mean function (what the experts do not agree on,
    and what none of them knows), on top of bootstraps of the rows.
    """
    moving = _moving(rows, component_of_column)
    rows = rows[: base_rows(len(moving))]
    pairs = _with_swapped(rows, moving, component_of_column)
    mean = surrogate.mean_and_variance(pairs.reshape(-1, rows.shape[1])).mean
    mean = mean.reshape(*pairs.shape[:2], -1)
    value = total_order(mean[0], mean[1:])
    few = min(len(rows), _draw_rows(len(surrogate.experts) * len(moving) * mean.shape[-1]))
    drawn = _drawn(surrogate, pairs[:, :few], seed)
    # The few rows err by chance, the mean function and the draws alike: the mean function, whose
    # index at all rows is known, says by how much.
    amiss = (value + _SMALL) / (total_order(mean[0, :few], mean[1:, :few]) + _SMALL)
    again = bootstrapped(mean[0], mean[1:], _bootstraps(len(rows), DRAWS, seed))
    again = drawn * amiss[:, None] + again - value[:, None]
    return _placed(value, again, moving, component_of_column)


def network_importance(
    pretrained: Pretrained,
    rows: Array,
    component_of_column: NDArray[np.integer],
    *,
    seed: int = 0,
) -> Importance:
    """Return what the untouched networks say of each component's importance over the rows.

    Arguments as for `importance`. The value is that of the members' mean, the interval that of
    single members, each on bootstraps of the rows; NaN for a response that the history lacks.
    """
    moving = _moving(rows, component_of_column)
    rows = rows[: base_rows(len(moving))]
    pairs = _with_swapped(rows, moving, component_of_column)
    flat = torch.as_tensor(pairs.reshape(-1, rows.shape[1]), dtype=torch.float32)
    with torch.no_grad(), one_thread():
        parts = [
            pretrained.network(pretrained.scaled(part)).double() for part in flat.split(_CHUNK)
        ]
    answers = torch.cat(parts, 1).numpy()
    answers = answers.reshape(len(answers), *pairs.shape[:2], -1)
    mean = answers.mean(0)
    shares = np.array_split(_bootstraps(len(rows), DRAWS, seed), len(answers))
    again = [bootstrapped(y[0], y[1:], share) for y, share in zip(answers, shares, strict=True)]
    found = _placed(
        total_order(mean[0], mean[1:]), np.concatenate(again, 1), moving, component_of_column
    )
    for values in (found.value, found.low, found.high):
        values[:, ~pretrained.known.numpy()] = np.nan
    return found


def base_rows(components: int) -> int:
    """Return how many rows are used where that many components vary."""
    return min(BASE_ROWS, MOST_ROWS // (components + 1))


def total_order(base: Array, swapped: Array) -> Array:
    """Return Jansen's estimate of the total-order indices: (c, …, m).

    `base` (…, n, m) values at the rows, `swapped` (c, …, n, m) with one component of each row
    exchanged.
    """
    lost = 0.5 * ((base - swapped) ** 2).mean(-2)
    return _shares(lost, base.mean(-2), base.var(-2), base.shape[-2])


def bootstrapped(base: Array, swapped: Array, shares: Array) -> Array:
    """Return the indices on bootstraps of the rows: (c, b, m).

    `base` (n, m) and `swapped` (c, n, m) as for `total_order`; `shares` (b, n) of the rows in
    each bootstrap, summing to 1.
    """
    level = base.mean(0)
    centre = shares @ (base - level)
    spread = shares @ (base - level) ** 2 - centre**2
    lost = 0.5 * (shares @ (base - swapped) ** 2)
    return _shares(lost, level, spread, len(base))


def _shares(lost: Array, level: Array, spread: Array, rows: int) -> Array:
    """Return lost (c, …, m) over the variances `spread` (…, m), zero where nothing varies."""
    spread = spread * (rows / max(rows - 1, 1))
    # What varies by less than rounding does not vary.
    real = spread > 1e-12 * np.maximum(level**2, 1e-12)
    return np.where(real, lost / np.where(real, spread, 1.0), 0.0)


def _moving(rows: Array, component_of_column: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the components that take more than one value over the rows."""
    varies = (rows != rows[:1]).any(axis=0)
    return np.unique(component_of_column[varies]).astype(np.int64)


def _with_swapped(
    rows: Array, moving: NDArray[np.int64], component_of_column: NDArray[np.integer]
) -> Array:
    """Return (1 + c, n, D): the rows, then with one component each taken from the row before."""
    own = component_of_column == moving[:, None]
    swapped = np.where(own[:, None, :], np.roll(rows, 1, axis=0), rows)
    return np.concatenate([rows[None], swapped])


def _bootstraps(rows: int, count: int, seed: int) -> Array:
    """Return (count, rows) shares of the rows in as many bootstraps."""
    drawn = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1.0 / rows), count)
    return np.asarray(drawn / rows)


def _draw_rows(processes: int) -> int:
    """Return at how many rows functions are drawn where that many covariances are needed."""
    wanted = math.sqrt(_NUMBERS / max(processes, 1)) / 2.0
    return int(np.clip(wanted, *_FEWEST_MOST))


def _drawn(surrogate: Surrogate, pairs: Array, seed: int) -> Array:
    """Return (c, draws, m) the indices of whole drawn functions; `pairs` (1 + c, n, D)."""
    n, outputs = pairs.shape[1], surrogate.num_outputs
    generator = torch.Generator().manual_seed(seed)
    # The rows come first, so that with one set of base samples each draw is the same function
    # at them whatever component is exchanged behind them.
    base = torch.randn(DRAWS, 1, 2 * n, outputs, generator=generator, dtype=torch.float64)
    found = np.empty((len(pairs) - 1, DRAWS, outputs))
    for start in range(0, len(found), _AT_ONCE):
        some = pairs[1:][start : start + _AT_ONCE]
        both = np.concatenate([np.broadcast_to(pairs[0], some.shape), some], axis=1)
        with torch.no_grad(), one_thread():
            posterior = surrogate.posterior(torch.as_tensor(both, dtype=torch.float64))
            each = base.expand(DRAWS, len(some), 2 * n, outputs)
            drawn = posterior.rsample_from_base_samples(torch.Size([DRAWS]), each).numpy()
        for offset, values in enumerate(np.moveaxis(drawn, 1, 0)):
            found[start + offset] = total_order(values[:, :n], values[None, :, n:])[0]
    return found


def _placed(
    value: Array, again: Array, moving: NDArray[np.int64], component_of_column: NDArray[np.integer]
) -> Importance:
    """Put the moving components' indices (c, m) among all, with intervals of (c, draws, m)."""
    low, high = np.quantile(again, _INTERVAL, axis=1)
    every = np.zeros((3, int(component_of_column.max()) + 1, value.shape[-1]))
    every[0, moving] = value
    every[1, moving] = np.clip(low, 0.0, value)
    every[2, moving] = np.maximum(high, value)
    return Importance(*every)
