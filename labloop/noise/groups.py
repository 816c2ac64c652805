"""Sums, medians and robust weights of values that belong to groups."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from labloop.noise.spread import Array, Counts

_HUBER: Final = 2.0
_MISHAP: Final = 6.0


def sums(values: Array, group: Counts, groups: int) -> Array:
    """Return (groups,) sums of (n,) values by the (n,) group of each."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)


def means(values: Array, weights: Array, group: Counts, groups: int) -> Array:
    """Return (groups,) weighted means; zero for a group without weight."""
    weight = sums(weights, group, groups)
    total = sums(values * weights, group, groups)
    return np.divide(total, weight, out=np.zeros(groups), where=weight > 0)


def medians(values: Array, group: Counts, groups: int) -> Array:
    """Return (groups,) medians of (n,) values; zero for a group without values."""
    order = np.lexsort((values, group))
    count = np.bincount(group, minlength=groups)
    first = np.cumsum(count) - count
    if not len(order):
        return np.zeros(groups)
    last = len(order) - 1
    lower = values[order[np.minimum(first + np.maximum(count - 1, 0) // 2, last)]]
    upper = values[order[np.minimum(first + count // 2, last)]]
    return np.where(count > 0, (lower + upper) / 2, 0.0)


def row_sums(values: Array, group: Counts, groups: int) -> Array:
    """Return (groups, k) sums of (n, k) rows."""
    n = len(group)
    table = sparse.csc_matrix((np.ones(n), group, np.arange(n + 1)), shape=(groups, n))
    return np.asarray(table @ values)


def huber_weights(z: Array) -> Array:
    """Return the weights of standardised residuals that bound their pull (Huber 1964).

    Residuals within two standard deviations have the weight one; those beyond six, mishaps, none.
    """
    size = np.abs(z)
    return np.where(size > _MISHAP, 0.0, np.minimum(1.0, _HUBER / np.maximum(size, _HUBER)))


def huber_loss(z: Array) -> Array:
    """Return minus the logarithm of the density that the weights are of, up to a constant."""
    size = np.minimum(np.abs(z), _MISHAP)
    return np.where(size > _HUBER, _HUBER * size - _HUBER**2 / 2, size**2 / 2)


def huber_squares(z: Array) -> Array:
    """Return squares of residuals, at most 4, made to average one if normal.

    Huber's second proposal for a scale; of a normal variate, min(z², 4) averages 0.9205.
    """
    return np.asarray(np.minimum(z**2, _HUBER**2) / 0.9205)
