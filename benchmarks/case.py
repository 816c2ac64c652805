"""A trial of the benchmark with what it takes to compare its results with those of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from labloop.proposal.acquisition import merit
from labloop.proposal.goals import Goals
from labloop.simulate.trial import Trial

Array = npt.NDArray[np.float64]

PERFORMERS = 24  # formulas of the history that mixing starts from


@dataclass(frozen=True, eq=False)
class Case:
    """One campaign of the benchmark.

    Attributes:
        trial: What strategies are tried on.
        kind: "virtual lab", "replay", "mixture" or "two responses".
        likeness: The class that its results are averaged in.
        similarity: Spearman correlation of what the history foretells with what is true.
        formulas: How many a plate has.
        rounds: How many plates a campaign has.
        ordinary: Objective of an ordinary formula, which counts as nothing found.
        whole: Hypervolume of the best that is known, NaN of one objective.
    """

    trial: Trial
    kind: str
    likeness: str
    similarity: float
    formulas: int
    rounds: int
    ordinary: float = float("nan")
    whole: float = float("nan")


def best_rows(goals: Goals, Y: Array) -> npt.NDArray[np.int64]:
    """Return the rows of the best of (n, responses) measured values, best first."""
    order = np.argsort(-merit(goals, torch.from_numpy(Y)).numpy(), kind="stable")
    return order[:PERFORMERS]
