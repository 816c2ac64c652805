"""Random formulas to start from, spread over what the constraints leave, not over the ranges.

Where a total or the volume of a well binds, even margins would put most formulas far outside, and
pulling them back would pile them up. The margins are tilted instead: of all independent draws whose
sums meet the bounds on average, those of the greatest entropy take each level in proportion to its
share of the scale times exp(λ · what the level adds to the sums). This is what one component looks
like in a formula drawn evenly from all that satisfy the constraints, if there are many components.

Source: Csiszár (1984), "Sanov property, generalized I-projection and a conditional limit theorem",
Annals of Probability 12:768.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labloop.space.constraints import Bools, TableSum
from labloop.space.levels import Floats, Ints, LevelNumbers, LevelTable

_STEEPEST = 500.0  # largest log ratio by which a tilt may favour one end of a sum over the other


def tilted_cuts(
    tables: Sequence[LevelTable], sums: Sequence[TableSum]
) -> tuple[Floats | None, ...]:
    """Return for each component the (levels - 1,) places from 0 to 1 that part its levels.

    None stands for a component whose margin no constraint tilts.
    """
    linear = [s for s in sums if s.kind != "present"]
    columns = [j for j in range(len(tables)) if any(s.values[j] is not None for s in linear)]
    none: tuple[Floats | None, ...] = (None,) * len(tables)
    if not columns:
        return none
    width = max(len(tables[j]) for j in columns)
    share = np.zeros((len(columns), width))
    worth = np.zeros((len(linear), len(columns), width))
    for row, j in enumerate(columns):
        share[row, : len(tables[j])] = tables[j].shares
        for number, constraint in enumerate(linear):
            values = constraint.values[j]
            if values is not None:
                worth[number, row, : len(values)] = values
    slopes = _tilt(share, worth, _presence(tables, sums)[columns], linear)
    if not slopes.any():
        return none
    tilted = _tilted(share, worth, slopes)[0]
    cuts = dict(zip(columns, np.cumsum(tilted, axis=1), strict=True))
    return tuple(cuts[j][: len(table) - 1] if j in cuts else None for j, table in enumerate(tables))


def _tilt(share: Floats, worth: Floats, present: Floats, linear: Sequence[TableSum]) -> Floats:
    """Return the (constraints,) slopes λ at which the mean sums meet the bounds.

    They minimise the convex dual; one of a bound that even margins meet is zero.

    Args:
        share: (components, levels) shares of the levels, zero where there is none.
        worth: (constraints, components, levels) what each level adds to each sum.
        present: (components,) probability that thinning leaves the component in.
        linear: The constraints.
    """
    from scipy.optimize import minimize

    unit = np.abs(worth - worth[:, :, :1]).max(axis=(1, 2))
    unit[unit == 0] = 1.0
    worth = worth / unit[:, None, None]
    absent = worth[:, :, 0]
    lower = np.array([s.aim_lower for s in linear]) / unit
    upper = np.array([s.aim_upper for s in linear]) / unit
    below, above = (
        np.where(np.isfinite(lower), lower, 0.0),
        np.where(np.isfinite(upper), upper, 0.0),
    )

    def dual(both: Floats) -> tuple[float, Floats]:
        up, down = both[: len(linear)], both[len(linear) :]
        chance, logarithm = _tilted(share, worth, up - down)
        mean = present * np.einsum("kcl,cl->kc", worth, chance) + (1 - present) * absent
        mean = mean.sum(axis=1)
        rest = (up - down) @ ((1 - present) * absent).sum(axis=1)
        height = float(present @ logarithm + rest - up @ below + down @ above)
        return height, np.concatenate([mean - below, above - mean])

    ends = [
        *np.where(np.isfinite(lower), _STEEPEST, 0.0),
        *np.where(np.isfinite(upper), _STEEPEST, 0.0),
    ]
    answer = minimize(
        dual,
        np.zeros(2 * len(linear)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, e) for e in ends],
    )
    slopes = np.asarray(answer.x[: len(linear)] - answer.x[len(linear) :])
    return np.asarray(slopes / unit)


def _tilted(share: Floats, worth: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Return (components, levels) probabilities, and (components,) logs of what they sum to."""
    with np.errstate(divide="ignore"):
        height = np.log(share) + np.einsum("k,kcl->cl", slopes, worth)
    top = height.max(axis=1, keepdims=True)
    weight = np.exp(height - top)
    total = weight.sum(axis=1, keepdims=True)
    return weight / total, (top + np.log(total))[:, 0]


def _presence(tables: Sequence[LevelTable], sums: Sequence[TableSum]) -> Floats:
    """Return (components,) the probability that `thinned` leaves each component in."""
    chance = np.ones(len(tables))
    for constraint in sums:
        columns, stay, numbers, weights = _numbers(tables, constraint)
        if len(numbers) and numbers[-1] < len(columns):
            kept = (float(numbers @ weights) - stay.sum()) / max(1, (~stay).sum())
            for k, j in enumerate(columns):
                chance[j] = chance[j] if stay[k] else min(chance[j], max(0.0, kept))
    return chance


def _numbers(
    tables: Sequence[LevelTable], constraint: TableSum
) -> tuple[list[int], Bools, Ints, Floats]:
    """Return whose presence a constraint counts, which always are, and how many may be.

    The numbers come with their probabilities, which grow with the number: of few components there
    are few different formulas.
    """
    counted = [v is not None for v in constraint.values] if constraint.kind == "present" else []
    columns = [j for j, counts in enumerate(counted) if counts]
    stay: Bools = np.array([tables[j].present.all() for j in columns], dtype=bool)
    fewest = int(max(constraint.lower, stay.sum()))
    most = int(min(constraint.upper, len(columns)))
    numbers: Ints = np.arange(fewest, most + 1 if columns else fewest, dtype=np.int64)
    weights: Floats = (numbers - fewest + 1).astype(np.float64)
    weights /= max(1.0, float(weights.sum()))
    return columns, stay, numbers, weights


def thinned(
    levels: LevelNumbers,
    tables: Sequence[LevelTable],
    sums: Sequence[TableSum],
    rng: np.random.Generator,
) -> LevelNumbers:
    """Return formulas of which those that have too many components keep a random choice of them.

    How many are kept is drawn from all numbers allowed, larger ones more often; each component is
    kept equally often.

    Args:
        levels: (n, components) level numbers.
        tables: The components' levels.
        sums: The constraints.
        rng: Source of randomness.
    """
    levels = levels.copy()
    for constraint in sums:
        if constraint.kind != "present" or not np.isfinite(constraint.upper):
            continue
        columns, stay, numbers, weights = _numbers(tables, constraint)
        if not len(numbers):
            continue
        present = np.stack([tables[j].present[levels[:, j]] for j in columns], axis=1)
        many = np.flatnonzero(present.sum(axis=1) > constraint.upper)
        if not len(many):
            continue
        wanted = rng.choice(numbers, size=len(many), p=weights)
        # those that cannot go come first and the absent last, so that none of them is counted out
        order = rng.random((len(many), len(columns))).astype(np.float32)
        order += 2.0 * ~present[many] - 2.0 * stay
        last = np.take_along_axis(
            np.sort(order, axis=1), np.maximum(wanted - 1, 0)[:, None], axis=1
        )
        gone = present[many] & ~stay & ((order > last) | (wanted == 0)[:, None])
        for k, j in enumerate(columns):
            if not stay[k]:
                absent = int(np.flatnonzero(~tables[j].present)[0])
                levels[many[gone[:, k]], j] = absent
    return levels
