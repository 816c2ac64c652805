"""Sums, medians and robust weights of values that belong to groups."""

from __future__ import annotations

from typing import Final

import numpy as np

from labloop.noise.spread import Array, Counts

_HUBER: Final = 2.0


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


def huber_weights(z: Array) -> Array:
    """Return the weights of standardised residuals that bound their pull (Huber 1964).

    Residuals within two standard deviations have the weight one.
    """
    return np.minimum(1.0, _HUBER / np.maximum(np.abs(z), _HUBER))


def huber_loss(z: Array) -> Array:
    """Return minus the logarithm of Huber's density, up to a constant."""
    beyond = np.abs(z) > _HUBER
    return np.where(beyond, _HUBER * np.abs(z) - _HUBER**2 / 2, z**2 / 2)


def huber_squares(z: Array) -> Array:
    """Return squared residuals as Huber's weights count them, made to average one if normal.

    Of a normal variate, the expectation of min(1, 2/|z|)·z² is 0.978.
    """
    return huber_weights(z) * z**2 / 0.978
