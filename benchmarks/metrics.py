"""How good predictions are: of the response, of its uncertainty, of its best formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, spearmanr

from benchmarks.problem import Array, Problem, Rows

TOP = 0.05
COVERED = 0.90


@dataclass(frozen=True)
class Scores:
    """Scores of one model, size, seed and response on the rows that were not its own.

    `r2`, `spearman` and `recall` compare the mean with the truth where it is known, else with
    what was measured; `nll` (nats a value, of the response divided by its standard deviation in
    the pool) and `coverage` of 90 % intervals ask how a new measurement fell into the predicted
    normal distribution, noise included, on every problem. `recall` is the share of the best
    twentieth among the twentieth that was predicted best.
    """

    r2: float
    spearman: float
    nll: float
    coverage: float
    recall: float


def scores(problem: Problem, own: Rows, mean: Array, sd: Array, response: int) -> Scores:
    """Score a prediction `mean`, `sd` (N, m) of the whole pool on what is not among `own`."""
    tested = problem.tested_rows(own)
    measured = problem.Y_pool[tested, response]
    tested, measured = tested[~np.isnan(measured)], measured[~np.isnan(measured)]
    truth = measured if problem.Y_truth is None else problem.Y_truth[tested, response]
    centre, spread = mean[tested, response], np.maximum(sd[tested, response], 1e-12)
    off = (measured - centre) / spread
    unit = float(np.nanstd(problem.Y_pool[:, response]))
    nll = 0.5 * off**2 + np.log(spread / unit) + 0.5 * math.log(2 * math.pi)
    return Scores(
        r2=1.0 - float(((truth - centre) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()),
        spearman=rank_correlation(truth, centre),
        nll=float(nll.mean()),
        coverage=float((np.abs(off) <= norm.ppf(0.5 + COVERED / 2)).mean()),
        recall=top_recall(truth, centre, maximize=problem.maximize),
    )


def rank_correlation(truth: Array, predicted: Array) -> float:
    """Return Spearman's correlation; 0 for a prediction that is the same everywhere."""
    if np.ptp(predicted) == 0 or np.ptp(truth) == 0:
        return 0.0
    return float(spearmanr(truth, predicted).statistic)


def top_recall(truth: Array, predicted: Array, *, maximize: bool) -> float:
    """Return which share of the best twentieth is in the twentieth predicted best.

    A row that is as good as the worst of the best counts as one of them. Equal predictions count by
    chance: a prediction that is the same everywhere earns about a twentieth.
    """
    sign = -1.0 if maximize else 1.0
    count = max(1, round(TOP * len(truth)))
    good = sign * truth <= np.partition(sign * truth, count - 1)[count - 1]
    edge = np.partition(sign * predicted, count - 1)[count - 1]
    surely, tied = sign * predicted < edge, sign * predicted == edge
    chance = (count - int(surely.sum())) / int(tied.sum())
    return float((good[surely].sum() + chance * good[tied].sum()) / count)
