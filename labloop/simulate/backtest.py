"""Whole campaigns on trial, round by round, and what they found."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from labloop.definition import ProposalSettings
from labloop.simulate.trial import SoFar, Strategy, Trial
from labloop.space.levels import Floats, LevelNumbers

if TYPE_CHECKING:
    from labloop.proposal.goals import Goals

TOP_SHARES = (0.01, 0.05)

Record = dict[str, str | float]


def campaign(
    trial: Trial, name: str, strategy: Strategy, settings: ProposalSettings, rounds: int, seed: int
) -> list[Record]:
    """Run one campaign; return one record a round.

    A record has `trial`, `strategy`, `seed`, `round`, `formulas` measured so far, `best` the best
    true objective among them (of those that meet all bounds, NaN before any does), `optimum` that
    of the trial, `regret` what is lacking of it, `found_1` and `found_5` the shares of the pool's
    best hundredth and twentieth among them (NaN without a pool), `hypervolume` of several
    objectives, `seconds` that the proposal took.
    """
    rng = np.random.default_rng([seed, 17])
    none = np.empty((0, len(trial.space.tables)), dtype=np.uint16)
    so_far = SoFar(none, np.empty((0, len(trial.goals.lower))), trial.pool)
    started = time.perf_counter()
    propose = strategy(trial, settings, seed)
    tops = [_top(trial, share) for share in TOP_SHARES]
    records: list[Record] = []
    for number in range(1, rounds + 1):
        plate = propose(so_far, settings.formulas, 1000 * seed + number)
        seconds = time.perf_counter() - started
        measured = trial.measure(plate.levels, rng)
        so_far = SoFar(
            np.concatenate([so_far.levels, plate.levels]),
            np.concatenate([so_far.Y, measured]),
            None if so_far.left is None else _without(so_far.left, plate.levels),
        )
        record: Record = {"trial": trial.name, "strategy": name, "seed": seed, "round": number}
        record["formulas"] = len(so_far.levels)
        records.append(record | _found(trial, so_far.levels, tops) | {"seconds": seconds})
        started = time.perf_counter()
    return records


def _found(trial: Trial, levels: LevelNumbers, tops: list[set[bytes]]) -> Record:
    truth = torch.from_numpy(trial.truth(levels))
    values, met = trial.goals.values(truth), trial.goals.met(truth)
    best, volume = float("nan"), float("nan")
    if values.shape[1] == 1:
        if met.any():
            best = float(values[met, 0].max())
    else:
        goals = trial.goals
        if trial.reference is not None:
            goals = replace(goals, reference=trial.reference)
        volume = hypervolume(goals, values[met].numpy()) / trial.volume
    chosen = {row.tobytes() for row in levels}
    shares = [len(chosen & top) / len(top) if top else float("nan") for top in tops]
    return {
        "best": best,
        "optimum": trial.optimum,
        "regret": trial.optimum - best,
        "found_1": shares[0],
        "found_5": shares[1],
        "hypervolume": volume,
    }


def hypervolume(goals: Goals, values: Floats) -> float:
    """Return the hypervolume that (n, k) objective values dominate over the goals' reference."""
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    if not len(values):
        return 0.0
    points = torch.as_tensor(values)
    return float(Hypervolume(goals.reference.to(points)).compute(points[is_non_dominated(points)]))


def _top(trial: Trial, share: float) -> set[bytes]:
    """Return the pool's best of one objective that meet all bounds, none without a pool."""
    if trial.pool is None or len(trial.goals.objective) > 1:
        return set()
    truth = torch.from_numpy(trial.truth(trial.pool))
    values = torch.where(trial.goals.met(truth), trial.goals.values(truth)[:, 0], -torch.inf)
    count = max(1, round(share * len(trial.pool)))
    best = torch.argsort(-values, stable=True)[:count]
    return {trial.pool[row].tobytes() for row in best[values[best].isfinite()]}


def _without(left: LevelNumbers, taken: LevelNumbers) -> LevelNumbers:
    chosen = {row.tobytes() for row in taken}
    return left[[row.tobytes() not in chosen for row in left]]
