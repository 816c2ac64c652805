"""Stop or go on: what the next plate may bring, and what the space may still hold.

Whole functions are drawn from the surrogate's posterior. Each is one way in which nature may be, so
within each the best formula of the plate, of those known and of the whole space are known too; what
the functions differ by is the uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labloop.proposal.advice import STEP, Measure, Prospects
from labloop.proposal.candidates import Known
from labloop.proposal.goals import Goals
from labloop.proposal.local_moves import local_moves
from labloop.proposal.scalarisation import Scalarisations
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

_FUNCTIONS = 128
_FUNCTIONS_IN_DIRECTIONS = 32
_DIRECTIONS = 16
_KNOWN = 1_024
_SPREAD = 2_048
_PARENTS = 24
_GENERATIONS = 12
_CHILDREN = 1_024
_LISTED = 16_384
_CHUNK = 2_048
_OF_RANGE = 0.2  # of the range of measured values; a share of a smaller best says nothing
_INTERVAL = (0.1, 0.9)
_FEWEST = 8  # functions that a probability can be told from

Bools = npt.NDArray[np.bool_]
Worth = Callable[[Tensor], Tensor]


class Surrogate(Protocol):
    """What prospects need of a model of the responses."""

    def sample_functions(self, samples: int, *, seed: int = 0) -> Any:
        """Return functions: their `values` at (n, columns) are (samples, n, responses).

        Their `in_steps` (samples,) says which of them move in steps.
        """
        ...


def prospects(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    known: Known,
    measured: Floats,
    logarithmic: Bools,
    noise: Floats,
    plate: LevelNumbers,
    listed: LevelNumbers | None = None,
    seed: int = 0,
) -> Prospects | None:
    """Return what a plate and the space may bring; None before anything was measured.

    Also None where gains have no scale: where it is the range of measured values and they do not
    differ, or several objectives dominate nothing yet.

    Args:
        space: The formulas that can be made.
        surrogate: The model of the responses.
        goals: What is wanted of the responses.
        known: Formulas measured and pending.
        measured: (n, responses) measured values on the surrogate's scale, NaN for none.
        logarithmic: (responses,) which are logarithms.
        noise: (responses,) variance of a repeated measurement on the surrogate's scale.
        plate: (q, components) level numbers of the plate's formulas.
        listed: (n, components) level numbers of the only formulas that may be chosen.
        seed: Makes the draws and the search repeatable.
    """
    if not len(known.measured):
        return None
    rng = np.random.default_rng(seed)
    several = len(goals.objective) > 1
    functions = surrogate.sample_functions(
        _FUNCTIONS_IN_DIRECTIONS if several else _FUNCTIONS, seed=seed
    )

    def draw(X: Floats) -> Tensor:
        return torch.from_numpy(functions.values(X))

    first = np.argsort(-known.utility, kind="stable")[:_KNOWN]
    earlier = np.concatenate([known.measured[first], known.pending])
    values = draw(space.encode_concentrations(earlier))
    scales = _scales(goals, goals.values(values), measured, logarithmic)
    worth = _worth_of(goals, values, seed)

    def on_levels(levels: LevelNumbers) -> Tensor:
        return worth(draw(space.encode(levels)))

    base = worth(values).amax(dim=1)
    met = goals.met(values).any(dim=1).numpy()
    of_plate = on_levels(plate).amax(dim=1)
    if listed is None:
        of_space = _climbed(space, on_levels, _starts(space, known, plate, rng), rng)
    else:
        of_space, _ = _tops(on_levels, rng.permutation(listed)[:_LISTED])
    of_space = torch.maximum(of_space, of_plate)
    scale = _of_hypervolume(base) if several else scales[0]
    if not all(each.unit > 0 for each in (scale, *scales)):
        return None
    of_objective = zip(scales, np.sqrt(noise[goals.objective.numpy()]).tolist(), strict=True)
    return _summed(
        scale,
        scale.shares(base, of_plate),
        scale.shares(base, of_space),
        met,
        _smooth(functions.in_steps),
        [(each.noise(sd), each.measure) for each, sd in of_objective],
    )


def _summed(
    scale: _Scale,
    gain: Floats,
    potential: Floats,
    met: Bools,
    smooth: Bools,
    noise: list[tuple[float, Measure]],
) -> Prospects:
    """Return what (functions,) improvements come to.

    `met` says in which functions a known formula meets the bounds, `smooth` which of them count
    for the space.
    """
    some = 2 * int(met.sum()) >= len(met)
    of_step = float((gain >= STEP).mean())
    left = potential[met & smooth] if (met & smooth).any() else gain[met]
    low, high = np.quantile(gain[met], _INTERVAL) if some else (np.nan, np.nan)
    return Prospects(
        measure=scale.measure,
        unit=scale.unit if scale.measure in ("best", "range") else float("nan"),
        gain=float(gain[met].mean()) if some else float("nan"),
        gain_low=float(low),
        gain_high=float(high),
        chance=float((gain > 0).mean()),
        chance_of_step=of_step,
        better=max(float((potential[smooth] >= STEP).mean()), of_step),
        potential=float(np.median(left)) if some else float("nan"),
        met=float(met.mean()),
        noise=tuple(share for share, _ in noise),
        noise_of=tuple(measure for _, measure in noise),
    )


def _smooth(in_steps: Bools) -> Bools:
    """Return (functions,) which are to be asked for their highest point.

    A function of trees is honest at any one formula, but over a whole space there is always a leaf
    that stands out by chance: nearly all of them promise more, whatever is known.
    """
    return np.asarray(~in_steps if (~in_steps).sum() >= _FEWEST else np.ones_like(in_steps))


@dataclass(frozen=True)
class _Scale:
    """How differences of an objective become shares; `sign` is -1 where less is better."""

    measure: Measure
    unit: float
    sign: float = 1.0

    def shares(self, base: Tensor, best: Tensor) -> Floats:
        """Return (functions,) improvements of (channels,) `best` on `base`, at least 0.

        Infinite where no known formula meets the bounds and one of the others does, of several
        objectives a multiple of the typical hypervolume.
        """
        if self.measure == "hypervolume":
            base, best = _volume(base), _volume(torch.maximum(base, best))
        gain = torch.where(best > base, best - base, 0.0).numpy()
        if self.measure == "ratio":
            finite = self.sign * np.expm1(self.sign * gain)
            return np.asarray(np.where(np.isfinite(gain), finite, np.inf))
        return np.asarray(gain / self.unit)

    def noise(self, sd: float) -> float:
        """Return the standard deviation of a measurement as a share."""
        return float(np.sinh(sd)) if self.measure == "ratio" else sd / self.unit


def _scales(goals: Goals, values: Tensor, measured: Floats, logarithmic: Bools) -> list[_Scale]:
    """Return the scale of each objective of which known formulas have (functions, n, k) values."""
    found = []
    for i, j in enumerate(goals.objective.tolist()):
        some = measured[np.isfinite(measured[:, j]), j]
        width = float(np.ptp(some)) if len(some) else 0.0
        near, sign = not bool(goals.target[i].isnan()), float(goals.sign[i])
        best = sign * float(values[..., i].amax(dim=1).median())
        if logarithmic[j] and not near:
            found.append(_Scale("ratio", 1.0, sign))
        elif not near and len(some) and some.min() >= 0 and best > _OF_RANGE * width:
            found.append(_Scale("best", best))
        else:
            found.append(_Scale("range", width))
    return found


def _of_hypervolume(base: Tensor) -> _Scale:
    """Return the scale of improvements on the hypervolume of known formulas."""
    volume = _volume(base)
    some = volume[volume > 0]
    return _Scale("hypervolume", float(some.median()) if len(some) else 0.0)


def _volume(worth: Tensor) -> Tensor:
    """Return (functions,) numbers proportional to a hypervolume of (channels,) best worths."""
    return worth.reshape(-1, _DIRECTIONS).mean(dim=1)


def _worth_of(goals: Goals, known: Tensor, seed: int) -> Worth:
    """Return how (functions, n, responses) values become (channels, n) worths.

    A channel is a function or, with several objectives, a function in a direction. A formula that
    misses a bound is worth minus infinity; with several objectives, nothing.
    """
    if len(goals.objective) == 1:
        return lambda Y: goals.values(Y)[..., 0].masked_fill(~goals.met(Y), -torch.inf)
    generator = torch.Generator().manual_seed(seed)
    scalarise = Scalarisations.of(goals, goals.values(known).flatten(0, 1), _DIRECTIONS, generator)
    scalarise = replace(scalarise, directions=scalarise.directions.repeat(len(known), 1))

    def worth(Y: Tensor) -> Tensor:
        scalars = scalarise(goals.values(Y).repeat_interleave(_DIRECTIONS, dim=0))
        return scalars.masked_fill(~goals.met(Y).repeat_interleave(_DIRECTIONS, dim=0), 0.0)

    return worth


def _starts(
    space: FormulaSpace, known: Known, plate: LevelNumbers, rng: np.random.Generator
) -> LevelNumbers:
    """Return formulas all over the space and around the best known ones and the plate's."""
    best = known.measured[np.argsort(-known.utility, kind="stable")[:_PARENTS]]
    near, holds = space.mend(space.nearest(best), rng)
    parents = np.concatenate([near[holds], plate])
    children, _ = local_moves(space, parents, _CHILDREN, rng)
    return np.concatenate([parents, children, space.sample(_SPREAD, rng)])


def _climbed(
    space: FormulaSpace,
    on_levels: Callable[[LevelNumbers], Tensor],
    starts: LevelNumbers,
    rng: np.random.Generator,
) -> Tensor:
    """Return (channels,) the highest worth found from some formulas on by moves along the levels.

    Each generation has the children of the channels' best formulas. A channel takes the best
    of all children: what is found for one function often serves another, and costs nothing.
    """
    best, where = _tops(on_levels, starts)
    for _ in range(_GENERATIONS):
        parents = np.unique(where, axis=0)
        children, _ = local_moves(space, parents, _CHILDREN, rng)
        top, place = _tops(on_levels, children)
        higher = top > best
        where = np.where(higher.numpy()[:, None], place, where)
        best = torch.maximum(best, top)
    return best


def _tops(
    on_levels: Callable[[LevelNumbers], Tensor], levels: LevelNumbers
) -> tuple[Tensor, LevelNumbers]:
    """Return (channels,) the highest worth among formulas, and (channels, components) which."""
    best, row = torch.tensor(-torch.inf), torch.tensor(0)
    for start in range(0, len(levels), _CHUNK):
        top, place = on_levels(levels[start : start + _CHUNK]).max(dim=1)
        row = torch.where(top > best, place + start, row)
        best = torch.maximum(best, top)
    return best, levels[row.numpy()]
