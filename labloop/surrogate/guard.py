"""The guard: an expert whose left-out rows go clearly worse loses its vote."""

from __future__ import annotations

import math

import torch
from torch import Tensor

FEW_ROWS = 8
# A single surprising row must not decide over an expert: differences are cut here (nats).
MOST = 3.0


def log_density(y: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Return the normal log density of each value: all arguments (n,)."""
    return -0.5 * (torch.log(2 * math.pi * variance) + (y - mean).square() / variance)


def vote(own: Tensor, other: Tensor) -> float:
    """Return an expert's vote from 0 to 1, given left-out log densities (n,).

    `own` are those of the Gaussian process on own rows alone, `other` the expert's; rows that
    either of them could not leave out (NaN) do not count. The vote is 1 from half a standard
    error of the paired difference above zero, and falls to 0 at one and a half below: equal
    votes are hard to beat, so nobody gains from being better still. Under eight rows nothing is
    clear.
    """
    if len(other) != len(own):
        return 1.0
    difference = other - own
    difference = difference[~torch.isnan(difference)].clamp(-MOST, MOST)
    if len(difference) < FEW_ROWS:
        return 1.0
    error = float(difference.std()) * math.sqrt(len(difference))
    z = float(difference.sum()) / max(error, 1e-9)
    return min(max((z + 1.5) / 2.0, 0.0), 1.0)
