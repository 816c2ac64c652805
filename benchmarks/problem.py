"""One transfer problem: a history, and a pool of formulas whose responses are known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SIZES = (0, 24, 50, 100, 200, 500)
MOST_OWN = 0.6  # of the pool; the rest is for testing
FEWEST_TESTED = 20


@dataclass(frozen=True, eq=False)
class Problem:
    """A history to learn from, and a pool: some of its rows are measured, the others predicted.

    `X_history` (n, D) and `X_pool` (N, D) are encoded so that the pool spans 0 to 1; the history
    may lie outside. `Y_history` (n, m), NaN = missing; `source` (n,) whole numbers from 0.
    `Y_pool` (N, m) is what was measured, `Y_pool_var` (N, m) the variance of that from its
    replicates, or None; `Y_truth` (N, m) the response without any error, known for virtual labs
    alone. `component_of_column` (D,) groups the columns of a choice. `maximize` says whether high
    responses are the good ones, `logarithmic` whether they are logarithms of what was measured.
    `feature_share` is the share of components that the network sees.
    """

    name: str
    family: str
    X_history: Array
    Y_history: Array
    source: Rows
    X_pool: Array
    Y_pool: Array
    Y_pool_var: Array | None = None
    Y_truth: Array | None = None
    component_of_column: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    maximize: bool = True
    logarithmic: bool = False
    feature_share: float = 0.7

    def __post_init__(self) -> None:
        if not len(self.component_of_column):
            object.__setattr__(self, "component_of_column", np.arange(self.X_pool.shape[1]))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of own rows that leave enough of the pool for testing."""
        pool = len(self.X_pool)
        return tuple(
            n for n in SIZES if n <= MOST_OWN * pool and pool - n >= max(FEWEST_TESTED, 0.3 * pool)
        )

    @property
    def varying(self) -> npt.NDArray[np.bool_]:
        """Which columns (D,) the campaign can vary: those that vary in the pool."""
        return np.asarray(np.ptp(self.X_pool, axis=0) > 0)

    def own_rows(self, size: int, seed: int) -> Rows:
        """Return the rows of the pool (size,) that were measured; more rows hold the fewer."""
        return self.order(seed)[:size]

    def order(self, seed: int) -> Rows:
        """Return the rows of the pool (N,) in the order in which a seed measures them."""
        return np.random.default_rng([seed, 71]).permutation(len(self.X_pool))

    def measured(self, own: Rows) -> tuple[Array, Array, Array | None]:
        """Return X, Y and the variance of Y of own rows."""
        variance = None if self.Y_pool_var is None else self.Y_pool_var[own]
        return self.X_pool[own], self.Y_pool[own], variance

    def measured_response(self, own: Rows, response: int) -> tuple[Array, Array, Array]:
        """Return X, y and the variance of y (NaN = unknown) of the own rows that have it."""
        X, Y, variance = self.measured(own)
        has = ~np.isnan(Y[:, response])
        of = np.full_like(Y, np.nan) if variance is None else variance
        return X[has], Y[has, response], of[has, response]

    def tested_rows(self, own: Rows) -> Rows:
        """Return the rows of the pool that are not among the own ones."""
        return np.setdiff1d(np.arange(len(self.X_pool)), own)


def encoded(history: Array, pool: Array, *, logarithmic: bool = False) -> tuple[Array, Array]:
    """Return concentrations of history (n, D) and pool (N, D) as numbers, 0 to 1 in the pool.

    With `logarithmic`, of log(1 + c/u), u the least amount above zero in the pool, as campaigns
    do with `scale = "log"`. A component that the pool does not vary is scaled by the range that
    it has in both.
    """
    if logarithmic:
        positive = np.where(pool > 0, pool, np.inf).min(axis=0)
        unit = np.where(np.isfinite(positive), positive, 1.0)
        history, pool = np.log1p(history / unit), np.log1p(pool / unit)
    both = np.concatenate([history, pool])
    varies = np.ptp(pool, axis=0) > 0
    low = np.where(varies, pool.min(axis=0), both.min(axis=0))
    high = np.where(varies, pool.max(axis=0), both.max(axis=0))
    extent = np.where(high > low, high - low, 1.0)
    return (history - low) / extent, (pool - low) / extent
