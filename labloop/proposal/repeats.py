"""When measuring a known formula again is a better use of a well than another new formula.

A plate is worth what the best formula is expected to be once its results are in and the formula
with the best mean is taken. A new formula adds to that by what it may turn out to be; a known one,
measured again, by showing whether it is as good as it looks.

Source: Frazier, Powell and Dayanik (2009), "The knowledge-gradient policy for correlated normal
beliefs", INFORMS Journal on Computing 21:599.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labloop.proposal.goals import Goals
from labloop.proposal.moments import Surrogate
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, Ints, LevelNumbers

REPLICATE = "replicate"
_SCENARIOS = 1024
_SURE = 2.0  # standard errors by which a repeat has to be better
_CONSIDERED = 16
_MOST = 48  # repeats of one plate: beyond, comparing them would take longer than it is worth
_DRAWS = 4096


@dataclass(frozen=True, eq=False)
class Repeatable:
    """Measured formulas that may be measured again.

    Attributes:
        rows: (r,) their numbers among the measured ones.
        noise: (responses,) variance of a new measurement of a formula, on the model's scale.
    """

    rows: Ints
    noise: Floats


def again(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    measured: Floats,
    repeatable: Repeatable,
    plate: LevelNumbers,
    most: int,
    seed: int,
    listed: LevelNumbers | None,
) -> tuple[Ints, LevelNumbers]:
    """Return which measured formulas to measure again in place of the last ones of a plate.

    Args:
        space: The formulas that can be made; those that cannot, exactly, are not repeated.
        surrogate: The model of the responses.
        goals: What is wanted of the responses; of several objectives nothing is repeated.
        measured: (n, components) concentrations of measured formulas.
        repeatable: Which of them may be repeated, and how noisy that is.
        plate: (p, components) level numbers of the plate's new formulas, the most useful first.
        most: How many of them may be replaced; at most 48 are.
        seed: Makes the draws repeatable.
        listed: (n, components) level numbers of the only formulas allowed; None for any.

    Returns:
        Numbers of measured formulas, the most useful first, each at most once, and their
        (r, components) level numbers.
    """
    levels = space.nearest(measured[repeatable.rows])
    exact = (space.concentrations(levels) == measured[repeatable.rows]).all(axis=1)
    exact &= space.satisfied(levels)
    if listed is not None:
        allowed = {row.tobytes() for row in listed}
        exact &= np.array([row.tobytes() in allowed for row in levels], dtype=bool)
    rows, levels = repeatable.rows[exact], levels[exact]
    if not len(rows) or most < 1 or len(goals.objective) != 1:
        return rows[:0], levels[:0]
    together = torch.from_numpy(np.concatenate([space.encode(levels), space.encode(plate)]))
    values, noise = _utility(surrogate, goals, together, repeatable.noise, len(rows), seed)
    picks = repeats(values.mean(dim=0), values.T.cov(), noise, len(rows), min(most, _MOST))
    return rows[picks], levels[picks]


def _utility(
    surrogate: Surrogate, goals: Goals, X: Tensor, noise: Floats, known: int, seed: int
) -> tuple[Tensor, float]:
    """Return (draws, a) values of the objective, and the variance that noise gives one of them.

    A formula that does not meet the bounds counts as the worst of the known ones.
    """
    from botorch.sampling import IIDNormalSampler

    with torch.no_grad():
        draws = IIDNormalSampler(torch.Size([_DRAWS]), seed=seed)(surrogate.posterior(X))
    generator = torch.Generator().manual_seed(seed)
    error = torch.randn(draws.shape, generator=generator, dtype=draws.dtype)
    objective = goals.values(draws)[..., 0]
    floor = objective[:, :known].mean(dim=0).amin()

    def of(responses: Tensor) -> Tensor:
        return torch.where(goals.met(responses), goals.values(responses)[..., 0], floor)

    values = of(draws)
    disturbed = of(draws + error * torch.as_tensor(noise).sqrt())
    return values, max(float((disturbed - values).var()), 1e-12)


def value_of_plate(mean: Tensor, covariance: Tensor, noise: float, plate: list[int]) -> Tensor:
    """Return what the best formula's mean will be after a plate, in (scenarios,) possible results.

    Args:
        mean: (a,) means of the formulas between which will be chosen.
        covariance: (a, a) of their values.
        noise: Variance of one measurement of a formula.
        plate: Numbers of the formulas that are measured; one that is named twice, twice.
    """
    shifted = mean + _learned(covariance, noise, plate, _normals(len(plate), mean.dtype))
    best: Tensor = shifted.amax(dim=1)
    return best


def repeats(mean: Tensor, covariance: Tensor, noise: float, known: int, most: int) -> list[int]:
    """Return which known formulas to measure again in place of the last new ones of a plate.

    One after another takes the place of the plate's last new formula, while that makes the plate
    worth more by a clear margin.

    Args:
        mean: (known + plate,) means of known formulas, then of the plate's new ones in their order.
        covariance: (known + plate, known + plate) of their values.
        noise: Variance of one measurement of a formula, above zero.
        known: How many are known.
        most: How many new formulas may be replaced.

    Returns:
        Numbers of known formulas, the most useful first, each at most once.
    """
    plate = list(range(known, len(mean)))
    open_ = mean[:known].argsort(descending=True, stable=True)[:_CONSIDERED].tolist()
    most = min(most, len(plate) - 1, len(open_))
    if most < 1:
        return []
    # what the formulas tell that stay in any case is learned once
    certain, replaceable = plate[: len(plate) - most], plate[len(plate) - most :]
    normals = _normals(len(plate), mean.dtype)
    means = mean + _learned(covariance, noise, certain, normals[:, : len(certain)])
    covariance, normals = _conditioned(covariance, noise, certain), normals[:, len(certain) :]

    def worth(measured: list[int]) -> Tensor:
        best: Tensor = (means + _learned(covariance, noise, measured, normals)).amax(dim=1)
        return best

    chosen: list[int] = []
    value = worth(replaceable)
    while len(chosen) < most:
        kept = replaceable[: most - len(chosen) - 1]
        options = [worth([*kept, *chosen, one]) for one in open_]
        best = max(range(len(options)), key=lambda k: float(options[k].mean()))
        gain = options[best] - value
        if float(gain.mean()) <= _SURE * float(gain.std()) / _SCENARIOS**0.5:
            break
        chosen.append(open_.pop(best))
        value = options[best]
    return chosen


def _normals(count: int, dtype: torch.dtype) -> Tensor:
    """Return (scenarios, count) normal numbers, the same at every call, in pairs of opposites."""
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(_SCENARIOS // 2, count, generator=generator, dtype=dtype)
    return torch.cat([half, -half])


def _gains(covariance: Tensor, noise: float, measured: list[int]) -> Tensor:
    """Return (m, a) by how much each measured one, after those before it, moves the means."""
    rows = torch.tensor(measured, dtype=torch.long)
    observed = covariance[rows][:, rows] + noise * torch.eye(len(rows), dtype=covariance.dtype)
    root = torch.linalg.cholesky(observed)
    gains: Tensor = torch.linalg.solve_triangular(root, covariance[rows], upper=False)
    return gains


def _learned(covariance: Tensor, noise: float, measured: list[int], normals: Tensor) -> Tensor:
    """Return (scenarios, a) by how much the results of measured formulas move the means."""
    return normals @ _gains(covariance, noise, measured)


def _conditioned(covariance: Tensor, noise: float, measured: list[int]) -> Tensor:
    """Return the covariance that is left when some were measured."""
    gains = _gains(covariance, noise, measured)
    return covariance - gains.T @ gains
