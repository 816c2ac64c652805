"""Problems of the virtual lab, where the truth is known."""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmarks.problem import Problem
from labloop.simulate.virtual_lab import VirtualLab

Likeness = Literal["related", "moderate", "unrelated"]
HISTORY = 1200
POOL = 1500


def lab(components: int, likeness: Likeness, seed: int) -> Problem:
    """Return the transfer of a log titre from a lab's source line to a line of this likeness."""
    family = VirtualLab(components, responses=1, seed=seed)
    line = family.line(likeness)
    rng = np.random.default_rng([seed, 30, components])
    X, X_pool = rng.random((HISTORY, components)), rng.random((POOL, components))
    return Problem(
        name=f"lab-{components}-{likeness}",
        family="virtual lab",
        X_history=X,
        Y_history=np.log(family.source.measure(X, rng)),
        source=np.zeros(HISTORY, dtype=np.int64),
        X_pool=X_pool,
        Y_pool=np.log(line.measure(X_pool, rng)),
        Y_truth=np.log(line.true_response(X_pool)),
        logarithmic=True,
    )


def two_sources(seed: int) -> Problem:
    """Return three responses and two sources: many rows of a line alike, few of one less alike.

    The second source yields another level and a wider range, and half of it lacks the third
    response, as where a lab began to measure something later.
    """
    family = VirtualLab(20, responses=3, seed=seed)
    alike, less = family.line("related", 1), family.line("moderate", 2)
    rng = np.random.default_rng([seed, 31])
    X, X_less, X_pool = rng.random((900, 20)), rng.random((300, 20)), rng.random((POOL, 20))
    second = 1.5 * np.log(less.measure(X_less, rng)) + 1.0
    second[: len(second) // 2, 2] = np.nan
    return Problem(
        name="lab-two-sources",
        family="virtual lab",
        X_history=np.concatenate([X, X_less]),
        Y_history=np.concatenate([np.log(alike.measure(X, rng)), second]),
        source=np.repeat([0, 1], [len(X), len(X_less)]),
        X_pool=X_pool,
        Y_pool=np.log(family.source.measure(X_pool, rng)),
        Y_truth=np.log(family.source.true_response(X_pool)),
        logarithmic=True,
    )
