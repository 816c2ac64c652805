"""Several objectives: which measured formulas no other surpasses in all, and how much they gain.

Objectives are taken as the choice of plates takes them: bigger is better, of a response that is
modelled as its logarithm the logarithm, of one that is to come near a value minus its distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from labloop.report.subjects import Response

_DIRECTIONS = 1024
_DRAWS = 48
_WORST = 0.1  # quantile
_NO_USE = -1e300  # of a value that has no logarithm

Floats = npt.NDArray[np.float64]


def complete(values: pd.DataFrame, objectives: Sequence[Response]) -> pd.DataFrame:
    """Return `round`, `origin`, `meets` and the measured means of formulas that have them all.

    A row a formula, with its number as `formula`, at its first round, controls left out; columns
    `<k>` and `<k>_sem` of the k-th objective, from 0.
    """
    own = values[values["origin"] != "control"].sort_values("round", kind="stable")
    found = own.drop_duplicates("formula").set_index("formula")[["round", "origin", "meets"]]
    for k, objective in enumerate(objectives):
        rows = own[(own["response"] == objective.name) & own["measured"].notna()]
        rows = rows.drop_duplicates("formula").set_index("formula")
        found[f"{k}"], found[f"{k}_sem"] = rows["measured"], rows["sem"]
    return found.dropna(subset=[f"{k}" for k in range(len(objectives))]).reset_index()


def waiting(values: pd.DataFrame, objectives: Sequence[Response]) -> pd.DataFrame:
    """Return the formulas that wait for results, as `complete` does, as they were predicted.

    The columns `<k>_low` and `<k>_high` are the ends of the 90 % intervals, instead of `<k>_sem`.
    """
    rows = values[values["waits"] & values["measured"].isna() & (values["origin"] != "control")]
    found = rows.drop_duplicates("formula").set_index("formula")[["round", "origin", "meets"]]
    found = found.assign(meets=True)
    for k, objective in enumerate(objectives):
        own = rows[rows["response"] == objective.name].drop_duplicates("formula")
        own = own.set_index("formula")
        found[f"{k}"], found[f"{k}_low"] = own["predicted"], own["low"]
        found[f"{k}_high"] = own["high"]
    return found.dropna(subset=[f"{k}" for k in range(len(objectives))]).reset_index()


def on_front(formulas: pd.DataFrame, objectives: Sequence[Response]) -> npt.NDArray[np.bool_]:
    """Return (n,) which `complete` formulas meet the bounds and are surpassed by none that does.

    One surpasses another that is as good in all objectives and better in one.
    """
    worth = _worths(formulas, objectives)
    meets = formulas["meets"].to_numpy(dtype=bool)
    found = meets.copy()
    for k in np.flatnonzero(meets).tolist():
        as_good = (worth[meets] >= worth[k]).all(axis=1)
        found[k] = not (as_good & (worth[meets] > worth[k]).any(axis=1)).any()
    return found


def references(formulas: pd.DataFrame, objectives: Sequence[Response]) -> list[float]:
    """Return of each objective the value that counts as no use, in the response's unit.

    The user's `reference`, else what nine of ten measured formulas surpass, as in the choice of
    plates; of one that is to come near a value, the smaller of the two that are as far.
    """
    worst = _reference(_worths(formulas, objectives), objectives)
    found = []
    for objective, worth in zip(objectives, worst.tolist(), strict=True):
        value = _target(objective) + worth if objective.goal == "near" else worth
        value = -value if objective.goal == "minimize" else value
        found.append(math.exp(value) if objective.log else value)
    return found


def hypervolumes(formulas: pd.DataFrame, objectives: Sequence[Response]) -> pd.DataFrame:
    """Return `round`, `volume` and its standard error `sd` after each round.

    The hypervolume is what the formulas known by then surpass of the box from the reference to the
    best value of each objective, 0 to 1. It is the mean over directions of what the best formula
    reaches, the measure that plates are chosen by (Golovin and Zhang 2020, "Random hypervolume
    scalarizations for provable multi-objective black box optimization", ICML), weights left out.
    Its error is the spread when measured means are drawn again with their standard errors.
    """
    columns = ["round", "volume", "sd"]
    kept = formulas[formulas["meets"]]
    worth = _worths(formulas, objectives)
    if not len(kept):
        return pd.DataFrame(columns=columns)
    reference, best = _reference(worth, objectives), worth[formulas["meets"]].max(axis=0)
    scale = np.where(best > reference, best - reference, 1.0)
    rng = np.random.default_rng(0)
    normal = np.abs(rng.standard_normal((_DIRECTIONS, len(objectives))))
    directions = np.maximum(normal / np.linalg.norm(normal, axis=1, keepdims=True), 1e-3)
    rounds = kept["round"].to_numpy(dtype=int)
    ends = np.unique(rounds)

    def after_rounds(worths: Floats, some: Floats) -> Floats:
        shares = np.clip((worths - reference) / scale, 0.0, None)
        k = shares.shape[1]
        reach = np.min(shares[None] / some[:, None], axis=2) ** k
        by_round = np.stack([reach[:, rounds == r].max(axis=1) for r in ends])
        unit = math.pi ** (k / 2) / (2**k * math.gamma(k / 2 + 1))
        found: Floats = unit * np.maximum.accumulate(by_round).mean(axis=1)
        return found

    names = range(len(objectives))
    means = kept[[f"{k}" for k in names]].to_numpy(dtype=float)
    sems = np.nan_to_num(kept[[f"{k}_sem" for k in names]].to_numpy(dtype=float))
    drawn = []
    for _ in range(_DRAWS):
        noisy = means + sems * rng.standard_normal(means.shape)
        floor = np.where([each.log for each in objectives], means * 1e-3, -np.inf)
        noisy = np.where(noisy > floor, noisy, floor)
        drawn.append(after_rounds(_worth(noisy, objectives), directions[::8]))
    volume = after_rounds(_worth(means, objectives), directions)
    return pd.DataFrame(
        {"round": ends, "volume": volume, "sd": np.std(drawn, axis=0, ddof=1)}, columns=columns
    )


def _worths(formulas: pd.DataFrame, objectives: Sequence[Response]) -> Floats:
    columns = [f"{k}" for k in range(len(objectives))]
    return _worth(formulas[columns].to_numpy(dtype=float), objectives)


def _worth(values: Floats, objectives: Sequence[Response]) -> Floats:
    """Return (n, objectives) measured values as bigger is better."""
    found = []
    for k, objective in enumerate(objectives):
        with np.errstate(divide="ignore", invalid="ignore"):
            of_one = np.log(values[:, k]) if objective.log else values[:, k]
        if objective.goal == "near":
            of_one = -np.abs(of_one - _target(objective))
        found.append(-of_one if objective.goal == "minimize" else of_one)
    worths = np.column_stack(found)
    return np.where(np.isfinite(worths), worths, _NO_USE)


def _target(objective: Response) -> float:
    return math.log(objective.bound) if objective.log else objective.bound


def _reference(worth: Floats, objectives: Sequence[Response]) -> Floats:
    own = np.array([[each.reference] for each in objectives], dtype=float)
    given = np.array(
        [_worth(np.full((1, len(own)), value), objectives)[0, k]
         for k, value in enumerate(own[:, 0].tolist())]
    )  # fmt: skip
    worst = np.quantile(worth, _WORST, axis=0)
    return np.asarray(np.where(np.isnan(own[:, 0]), worst, given), dtype=np.float64)
