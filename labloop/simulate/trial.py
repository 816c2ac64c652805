"""What strategies are tried on: a campaign whose every answer is known or can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from torch import Tensor

from labloop.definition import ProposalSettings, SurrogateSettings
from labloop.proposal.goals import Goals
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

Measure = Callable[[LevelNumbers, np.random.Generator], Floats]
Truth = Callable[[LevelNumbers], Floats]


@dataclass(frozen=True, eq=False)
class Trial:
    """One campaign to try strategies on: what is known before it, and what measuring would give.

    Responses are on the surrogate's scale: logarithms where the response has a log transform.

    Attributes:
        name: Which lab it is.
        space: The formulas that can be made.
        goals: What is wanted of the responses.
        X_history: (h, columns) encoded formulas of the history, h = 0 where there is none.
        Y_history: (h, responses) what was measured of them, NaN = missing.
        source: (h,) which source each row is of, whole numbers from 0.
        performers: (k, components) concentrations of the history's best, best first.
        measure: From (n, components) level numbers to (n, responses) measured values.
        truth: The same without any error, as far as it is known.
        pool: (p, components) level numbers of the only formulas with an answer; None for any.
        optimum: The objective's best true value; NaN where it is not known, or of several.
        logarithmic: Whether the objective is a logarithm.
        nets: The campaign's [surrogate] settings.
        reference: (k,) objective values from which hypervolume counts; None for those of the goals.
        volume: The hypervolume that counts as 1.
    """

    name: str
    space: FormulaSpace
    goals: Goals
    X_history: Floats
    Y_history: Floats
    source: npt.NDArray[np.int64]
    performers: Floats
    measure: Measure
    truth: Truth
    pool: LevelNumbers | None = None
    optimum: float = float("nan")
    logarithmic: bool = False
    nets: SurrogateSettings = field(default_factory=SurrogateSettings)
    reference: Tensor | None = None
    volume: float = 1.0


@dataclass(frozen=True, eq=False)
class SoFar:
    """What a campaign on trial has measured.

    Attributes:
        levels: (n, components) level numbers of measured formulas.
        Y: (n, responses) what was measured.
        left: (l, components) level numbers of the pool that were not measured; None without a pool.
    """

    levels: LevelNumbers
    Y: Floats
    left: LevelNumbers | None


@dataclass(frozen=True, eq=False)
class Plate:
    """What a strategy wants measured next.

    Attributes:
        levels: (n, components) level numbers.
        origin: (n,) how each was found.
    """

    levels: LevelNumbers
    origin: npt.NDArray[np.str_]


Propose = Callable[[SoFar, int, int], Plate]
"""(what was measured so far, how many formulas, seed) → the next plate."""

Strategy = Callable[[Trial, ProposalSettings, int], Propose]
"""(trial, [proposal] settings, seed) → how to propose; learns from the history once."""
