"""Stacking: each expert's share of the mixture, by how well it foretells rows that it left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from labloop.surrogate.experts import Expert

# Rows' worth of the prior's shares: what a few rows cannot decide stays undecided.
PRIOR_ROWS = 1.0
LEAST_SHARE = 0.1
STEPS = 500
CLOSE = 1e-6


def log_density(y: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Return the normal log density of each value: all arguments (n,)."""
    return -0.5 * (torch.log(2 * math.pi * variance) + (y - mean).square() / variance)


def left_out_densities(experts: Mapping[str, Sequence[Expert]], y: Tensor) -> Tensor:
    """Return the log density of each own row under each expert that had left it out: (K, n, m).

    `y` (n, m) the standardised own rows. NaN where a value is missing or was not left out.
    """
    found = torch.full((len(experts), *y.shape), torch.nan, dtype=y.dtype)
    for number, each in enumerate(experts.values()):
        for j, expert in enumerate(each):
            rows = expert.rows
            mean, variance = expert.left_out_mean.to(y), expert.left_out_variance.to(y)
            found[number, rows, j] = log_density(y[rows, j], mean, variance)
    return found


def prior_rows(experts: Sequence[str], blend: Tensor | None) -> Tensor:
    """Return how many rows' worth of votes each expert (K,) begins with, one on average.

    The fine-tuned nets and the forest begin with the shares (3,) that nets and trees have in the
    history's prediction, where there is one: `blend`, None without history.
    """
    rows = torch.ones(len(experts), dtype=torch.float64)
    if blend is not None:
        for name, share in (("tuned", blend[0]), ("forest", blend[1])):
            if name in experts:
                rows[list(experts).index(name)] = share.clamp_min(LEAST_SHARE)
    return PRIOR_ROWS * rows * len(rows) / rows.sum()


def stacked_weights(densities: Tensor, prior: Tensor) -> Tensor:
    """Return the shares (K,) that make left-out rows most likely under the mixture.

    `densities` (K, n) log densities, NaN where unknown: there an expert counts as differing from
    the first expert as it does on average. The maximum of Σ log Σ w·p over the rows (stacking of
    predictive distributions; Yao, Vehtari, Simpson and Gelman 2018, Bayesian Analysis 13:917)
    with a Dirichlet prior worth `prior` (K,) rows for each expert, by expectation maximisation.
    The prior's shares without rows; no share is ever zero.
    """
    weights = prior.to(densities) / prior.sum()
    densities = _without_gaps(densities)
    if not densities.shape[1]:
        return weights
    likelihood = torch.exp(densities - densities.max(0).values)
    rows = densities.shape[1]
    for _ in range(STEPS):
        share = weights.unsqueeze(1) * likelihood
        share = share / share.sum(0)
        moved = (share.sum(1) + prior) / (rows + prior.sum())
        close = bool((moved - weights).abs().max() < CLOSE)
        weights = moved
        if close:
            break
    return weights


def _without_gaps(densities: Tensor) -> Tensor:
    """Drop rows that the first expert does not know, and fill the gaps of the others (K, r)."""
    first = densities[0]
    kept = densities[:, torch.isfinite(first)]
    ahead = kept - kept[0]
    known = torch.isfinite(ahead)
    mean = torch.where(known, ahead, 0.0).sum(1) / known.sum(1).clamp_min(1)
    return kept[0] + torch.where(known, ahead, mean.unsqueeze(1))
