"""Formulas whose results would teach most of the whole space, whatever is predicted of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.moments import Surrogate
from labloop.proposal.pool import Pool, free, thinned
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

EXPLORATION = "exploration"
_CANDIDATES = 512
_DRAWS = 512


def exploring(
    space: FormulaSpace,
    surrogate: Surrogate,
    count: int,
    taken: Floats,
    coming: Floats,
    rng: np.random.Generator,
    listed: LevelNumbers | None,
) -> LevelNumbers:
    """Return formulas that together lower the uncertainty over the space most.

    Args:
        space: The formulas that can be made.
        surrogate: The model of the responses.
        count: How many to return; fewer where a list or a small space has no more.
        taken: (m, columns) encoded formulas that may not come again.
        coming: (p, columns) encoded formulas that will be measured in any case.
        rng: Source of randomness.
        listed: (n, components) level numbers of the only formulas allowed; None for any.
    """
    if not count:
        return np.empty((0, len(space.tables)), dtype=np.uint16)
    spread = max(_CANDIDATES, 4 * count)
    if listed is None:
        levels = latin_hypercube(space, spread, rng)
    else:
        levels = rng.permutation(np.unique(listed, axis=0))[:spread]
    levels = levels[free(space, levels, taken, listed=listed is not None)]
    if listed is None:
        none = np.zeros(len(levels))
        levels = thinned(space, Pool(levels, np.full(len(levels), ""), none), len(levels)).levels
    if not len(levels):
        return levels
    from botorch.sampling import IIDNormalSampler

    sampler = IIDNormalSampler(torch.Size([_DRAWS]), seed=int(rng.integers(2**31)))
    inputs = torch.from_numpy(np.concatenate([coming, space.encode(levels)]))
    with torch.no_grad():
        draws = sampler(surrogate.posterior(inputs))
    rows = most_telling(draws, len(coming), count)
    return np.asarray(levels[rows])


def most_telling(draws: Tensor, coming: int, count: int) -> list[int]:
    """Choose formulas one after another, each lowering the variance of the others most.

    Responses count alike: each in shares of its variance before the plate. A measurement is taken
    to be as noisy as a tenth of that variance, so that a formula is not chosen for itself alone.

    Args:
        draws: (draws, coming + n, responses) joint posterior draws; the disagreement of the
            experts is part of what they vary by.
        coming: How many formulas, the first, will be measured in any case.
        count: How many to choose.

    Returns:
        Numbers of the chosen among the n.
    """
    away = draws - draws.mean(dim=0)
    away = away / away[:, coming:].square().mean(dim=(0, 1)).sqrt().clamp_min(1e-12)
    covariance = torch.einsum("snm,spm->mnp", away, away) / len(draws)
    noise = 0.1

    def learn(row: int) -> None:
        column = covariance[:, :, row]
        covariance.sub_(
            column[:, :, None] * column[:, None, :] / (column[:, row] + noise)[:, None, None]
        )

    for row in range(coming):
        learn(row)
    open_ = torch.ones(covariance.shape[1] - coming, dtype=torch.bool)
    rows: list[int] = []
    while len(rows) < min(count, len(open_)):
        variance = covariance.diagonal(dim1=1, dim2=2)[:, coming:]
        told = covariance[:, coming:, coming:].square().sum(dim=1) / (variance + noise)
        row = int(told.sum(dim=0).masked_fill(~open_, -1.0).argmax())
        rows.append(row)
        open_[row] = False
        learn(coming + row)
    return rows
