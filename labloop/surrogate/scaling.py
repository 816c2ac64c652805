"""Scales of inputs and outputs: what the network sees instead of the lab's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from labloop.errors import RefusedError

Array = NDArray[np.float64]

# Squares of responses beyond these leave the range of double precision, and the fourth powers of
# inputs beyond that of single precision.
LARGEST, SMALLEST, FARTHEST = 1e100, 1e-100, 1e6
# A measurement that is off by a hundred times the spread of all says nothing; more would only
# drown the others in rounding.
MOST_ERROR = 100.0
FARTHEST_OWN = 10.0


def checked_inputs(X: ArrayLike, what: str) -> Array:
    """Return `X` as a (n, D) float64 array.

    Raises RefusedError where a value is not finite (an encoded formula always is) or a million
    times the campaign's range away.
    """
    table: Array = np.asarray(X, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"{what} must be a table of rows × columns, not {table.shape}")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise RefusedError(
            f"{what}: row {row + 1}, input column {column + 1} is not a number; "
            "give every component of every formula a concentration."
        )
    if (np.abs(table) > FARTHEST).any():
        row, column = np.argwhere(np.abs(table) > FARTHEST)[0]
        raise RefusedError(
            f"{what}: row {row + 1}, input column {column + 1} lies {abs(table[row, column]):.0e} "
            "times its component's range away; check the unit of its concentration."
        )
    return table


def checked_outputs(Y: ArrayLike, rows: int, what: str) -> Array:
    """Return `Y` as a (rows, m) float64 array whose missing values are NaN.

    Raises RefusedError where a value is infinite, or the values of a response are too large or
    all too small to be squared.
    """
    table: Array = np.asarray(Y, dtype=np.float64)
    if table.ndim != 2 or len(table) != rows:
        raise ValueError(
            f"{what} must have {rows} rows and one column a response, not {table.shape}"
        )
    if np.isinf(table).any():
        row, column = np.argwhere(np.isinf(table))[0]
        raise RefusedError(
            f"{what}: row {row + 1}, response {column + 1} is infinite; "
            "leave the value out, or drop the log transform where values are zero."
        )
    size = np.where(np.isnan(table), 0.0, np.abs(table)).max(axis=0, initial=0.0)
    outside = (size > LARGEST) | ((size > 0) & (size < SMALLEST))
    if outside.any():
        column = int(np.argmax(outside))
        raise RefusedError(
            f"{what}: the largest value of response {column + 1} is {size[column]:.0e}; "
            "give it in a unit that makes it less extreme."
        )
    return table


def checked_censoring(censored: ArrayLike | None, Y: Array, what: str) -> NDArray[np.int8]:
    """Return `censored` as an array of the shape of `Y` (n, m): 0, −1 or 1; None is all 0."""
    if censored is None:
        return np.zeros(Y.shape, dtype=np.int8)
    table = np.asarray(censored)
    if table.shape != Y.shape or not np.isin(table, (-1, 0, 1)).all():
        raise ValueError(f"{what}: censored must be -1, 0 or 1 in the shape of Y {Y.shape}")
    return table.astype(np.int8)


def standard_variances(variance: Array, scale: Array) -> Array:
    """Return variances (n, m) in squared units of `scale` (m,), NaN where unknown or below 0.

    Those of no information at all, infinite ones too, are cut at 100² scales.
    """
    known = np.where(variance >= 0, variance, np.nan)
    return np.minimum(np.sqrt(known) / scale, MOST_ERROR) ** 2


def in_range(X: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return rows (…, D) in units of a range from `low` to `high` (D,)."""
    low, high = low.to(X), high.to(X)
    return (X - low) / (high - low)


def input_ranges(X: Array) -> tuple[Array, Array]:
    """Return the least and greatest value of each column over the rows and the unit box.

    `X` (n, D). The campaign's own range is the unit box; the history may lie outside it, and
    both must land in [0, 1].
    """
    if not len(X):
        return np.zeros(X.shape[1]), np.ones(X.shape[1])
    return np.minimum(X.min(axis=0), 0.0), np.maximum(X.max(axis=0), 1.0)


@dataclass(frozen=True)
class SourceScales:
    """Level and scale of each response in each source.

    `level` and `scale` (S, m); `pooled_level` and `pooled_scale` (m,) summarise the sources,
    weighted by their rows: what is expected of a line that has not been measured. `present`
    (S, m) says which source has values of which response: the others take the pooled level and
    scale. A response that no source has gets level 0, scale 1.
    """

    level: Array
    scale: Array
    present: NDArray[np.bool_]
    pooled_level: Array
    pooled_scale: Array


def centre_and_spread(Y: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return each column's mean, standard deviation and number of present values, NaN-aware.

    Columns without values have mean 0; those that do not vary have spread 0.
    """
    present = ~np.isnan(Y)
    count = present.sum(axis=0)
    # Dividing by the largest value first keeps squares of huge numbers from overflowing.
    largest = np.max(np.abs(np.where(present, Y, 0.0)), axis=0, initial=0.0)
    unit = np.where(largest > 0, largest, 1.0)
    scaled = np.where(present, Y, 0.0) / unit
    mean = scaled.sum(axis=0) / np.maximum(count, 1)
    deviation = np.where(present, scaled - mean, 0.0)
    spread = np.sqrt((deviation**2).sum(axis=0) / np.maximum(count - 1, 1))
    spread = np.where(spread > 1e-9, spread, 0.0)
    return mean * unit, spread * unit, count


def least_and_range(Y: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return each column's minimum, range and number of present values, NaN-aware."""
    present = ~np.isnan(Y)
    least = np.where(present, Y, np.inf).min(axis=0, initial=np.inf)
    most = np.where(present, Y, -np.inf).max(axis=0, initial=-np.inf)
    found = present.any(axis=0)
    least = np.where(found, least, 0.0)
    return least, np.where(found, most, 0.0) - least, present.sum(axis=0)


def source_scales(Y: Array, source: NDArray[np.int64], *, min_max: bool = False) -> SourceScales:
    """Measure each source's own level and scale of each response.

    `Y` (n, m) with NaN = missing, `source` (n,) whole numbers from 0. Level and scale are mean
    and standard deviation, or minimum and range with `min_max`. A source that does not vary, or
    has one value, takes the pooled scale; one without values the pooled level too.
    """
    measure = least_and_range if min_max else centre_and_spread
    sources, responses = int(source.max(initial=0)) + 1, Y.shape[1]
    level, scale = np.zeros((sources, responses)), np.zeros((sources, responses))
    count = np.zeros((sources, responses))
    for number in range(sources):
        level[number], scale[number], count[number] = measure(Y[source == number])
    share = count / np.maximum(count.sum(axis=0), 1)
    freedom = np.where(scale > 0, count, 0)
    pooled = np.sqrt((freedom * scale**2).sum(axis=0) / np.maximum(freedom.sum(axis=0), 1))
    pooled = np.where(pooled > 0, pooled, 1.0)
    pooled_level = (share * level).sum(axis=0)
    return SourceScales(
        level=np.where(count > 0, level, pooled_level),
        scale=np.where(scale > 0, scale, pooled),
        present=count > 0,
        pooled_level=pooled_level,
        pooled_scale=pooled,
    )


def standardised(Y: Array, source: NDArray[np.int64], scales: SourceScales) -> Array:
    """Return `Y` (n, m) in units of its own source's level and scale."""
    return (Y - scales.level[source]) / scales.scale[source]


def own_scales(Y: Array, prior_level: Array, prior_scale: Array) -> tuple[Array, Array]:
    """Return the level and scale (m,) of the campaign's own responses, refitted to `Y` (n, m).

    `prior_level`, `prior_scale` (m,) are the history's, both NaN for a response that it lacks.
    With fewer than five values the scale leans, geometrically, on the history's where there is
    one, but never to less than a tenth of their own spread; without values both come from the
    history, else they are 0 and 1.
    """
    level, scale, count = centre_and_spread(Y)
    known = ~(np.isnan(prior_level) | np.isnan(prior_scale))
    level = np.where(known & (count == 0), prior_level, level)
    # One value, or values all alike, and nothing else known: their size is the only clue.
    size = np.where(np.abs(level) > 0, np.abs(level), 1.0)
    fallback = np.where(known, prior_scale, size)
    own = np.where(scale > 0, scale, fallback)
    trust = np.clip((count - 1) / 4, 0.0, 1.0)
    leaning = np.exp(trust * np.log(own) + (1 - trust) * np.log(fallback))
    # However little is known: values many scales away would leave what the nets can follow.
    return level, np.where(known, np.maximum(leaning, scale / FARTHEST_OWN), own)
