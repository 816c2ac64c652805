"""Which candidates of a long stream are worth an exact score.

A pilot of candidates is scored exactly. A quadratic function of the encoded formula, which costs a
hundredth of an exact score, learns to rank them, and lets those pass that may be among the best.
How many pass follows from how well it ranks candidates of the pilot that it did not learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from labloop.proposal.pool import ScoreLevels
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

if TYPE_CHECKING:
    from torch import Tensor

Bools: TypeAlias = npt.NDArray[np.bool_]

FEWEST_SCREENED = 65_536  # candidates; fewer are scored exactly one and all
MARGIN = 3.3  # standard deviations of the screen's error that a formula among the best may lose
LEAST_SHARE = 0.02  # that passes, however well the screen ranks
MOST_SHARE = 0.25  # beyond which the screen ranks too badly to be relied on
PILOT = 16_384
_JUDGED = 6_144  # of the pilot, which the screen does not learn from
_TOP = 0.02  # of these, among which errors are looked at by themselves
_PRODUCTS = 64  # columns whose products with one another enter
_RIDGE = 30.0  # in rows, of standardised terms
_BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class Screen:
    """A quadratic function of encoded formulas, and the least value that passes.

    Attributes:
        centre, scale: (columns,) how columns are standardised.
        slope: (columns,) of the standardised columns.
        curvature: (columns, columns) of their products.
        least: The value from which on a formula passes.
    """

    centre: Tensor
    scale: Tensor
    slope: Tensor
    curvature: Tensor
    least: float

    def values(self, X: Floats) -> Tensor:
        """Return (n,) how good (n, columns) encoded formulas seem, up to a constant."""
        import torch

        from labloop.surrogate.threads import one_thread

        with one_thread():  # so that no digit depends on the number of threads
            Z = (torch.as_tensor(X).float() - self.centre) / self.scale
            return (Z @ self.curvature).mul_(Z).sum(1).add_(Z @ self.slope)

    def passes(self, X: Floats) -> Bools:
        """Return (n,) which of (n, columns) encoded formulas are worth an exact score."""
        answer: Bools = (self.values(X) >= self.least).numpy()
        return answer


def learned_screen(X: Floats, score: Floats, keep: int, of: int) -> Screen | None:
    """Return the screen that keeps the best of a stream, or None where it would save too little.

    Only the ranks of the scores count, as normal scores. If the screen's rank of a formula and the
    true one have the correlation r, as over the judged quarter of the pilot, the `keep`-th best of
    `of` formulas stands at z, and the screen puts it at r z ± √(1 − r²).

    Args:
        X: (n, columns) encoded formulas of the pilot, in an order that says nothing.
        score: (n,) their exact scores, bigger is better.
        keep: How many of the best must not be lost.
        of: How many formulas the stream has.
    """
    import torch
    from scipy.stats import norm, rankdata

    from labloop.surrogate.threads import one_thread

    if np.ptp(score) == 0.0:
        return None
    learned = len(X) - min(_JUDGED, len(X) // 2)
    target = torch.as_tensor(norm.ppf((rankdata(score) - 0.5) / len(score)), dtype=torch.float32)
    rows = torch.as_tensor(X).float()
    with one_thread():
        screen = _fitted(rows[:learned], target[:learned])
    judged = screen.values(X[learned:])
    share = _share(judged.double().numpy(), target[learned:].double().numpy(), keep / of)
    if share > MOST_SHARE:
        return None
    least = float(torch.quantile(judged, 1.0 - share))
    return Screen(screen.centre, screen.scale, screen.slope, screen.curvature, least)


def _share(judged: Floats, target: Floats, best: float) -> float:
    """Return the share that has to pass so that the share `best` of all is not lost.

    `judged` (n,) is what the screen says of formulas that it did not learn from, `target` (n,) the
    normal scores of their exact scores.
    """
    from scipy.stats import norm

    if judged.std() == 0.0:
        return 1.0
    judged = (judged - judged.mean()) / judged.std()
    r = float(np.corrcoef(judged, target)[0, 1])
    error = np.sqrt(max(1.0 - r * r, 1e-6))
    # What rules the best may not be what rules the many: there the screen can err more, and low.
    top = np.argsort(-target)[: max(int(_TOP * len(target)), 2)]
    apart = judged[top] - r * target[top]
    error = max(error, float(apart.std(ddof=1)))
    reach = -r * norm.ppf(min(best, 0.5)) + min(float(apart.mean()), 0.0) - MARGIN * error
    # The screen's values need not be normal: what counts is how many reach as far.
    return max(LEAST_SHARE, float((judged >= reach).mean())) if r > 0.0 else 1.0


def _fitted(X: Tensor, target: Tensor) -> Screen:
    """Fit a ridge regression on columns, squares and products; X (n, columns), target (n,)."""
    import torch

    centre, scale = X.mean(0), X.std(0)
    scale = torch.where(scale > 1e-6, scale, torch.inf)
    Z = (X - centre) / scale
    target = target - target.mean()
    # The columns that say most of the score by themselves are the likeliest to say more together.
    alone = (Z.T @ target).abs() + ((Z.square() - Z.square().mean(0)).T @ target).abs()
    used = alone.argsort(descending=True, stable=True)[:_PRODUCTS].sort().values
    every = torch.arange(X.shape[1])
    pairs = used[torch.triu_indices(len(used), len(used), offset=1)]
    i, j = torch.cat([torch.stack([every, every]), pairs], 1)

    def terms(rows: Tensor) -> Tensor:
        return torch.cat([rows, rows[:, i] * rows[:, j]], 1)

    blocks = list(zip(torch.split(Z, _BLOCK), torch.split(target, _BLOCK), strict=True))
    middle = torch.stack([terms(rows).sum(0, dtype=torch.float64) for rows, _ in blocks]).sum(0)
    middle = middle / len(Z)
    gram = torch.zeros(len(middle), len(middle), dtype=torch.float64)
    moment = torch.zeros(len(middle), dtype=torch.float64)
    for rows, wanted in blocks:
        apart = terms(rows) - middle.float()
        gram += (apart.T @ apart).double()
        moment += (apart.T @ wanted).double()
    spread = (gram.diagonal() / len(Z)).sqrt()
    spread = torch.where(spread > 1e-6, spread, torch.inf)
    gram = gram / spread / spread[:, None] + _RIDGE * torch.eye(len(gram), dtype=torch.float64)
    found = torch.linalg.solve(gram, moment / spread) / spread
    columns = X.shape[1]
    curvature = X.new_zeros(columns, columns)
    curvature[i, j] = found[columns:].float()
    return Screen(centre, scale, found[:columns].float(), curvature, -torch.inf)


@dataclass(frozen=True, eq=False)
class Screened:
    """A score that is exact for formulas that pass a screen and -∞ for the others.

    Attributes:
        space: The formulas that can be made.
        score: The exact score of (n, components) level numbers.
        screen: Which formulas are worth it.
    """

    space: FormulaSpace
    score: ScoreLevels
    screen: Screen

    def __call__(self, levels: LevelNumbers) -> Floats:
        """Return (n,) scores of (n, components) level numbers."""
        answer = np.full(len(levels), -np.inf)
        rows = np.flatnonzero(self.screen.passes(self.space.encode(levels)))
        if len(rows):
            answer[rows] = self.score(levels[rows])
        return answer


def screening(
    space: FormulaSpace,
    score: ScoreLevels,
    pilot: Callable[[int], LevelNumbers],
    keep: int,
    of: int,
) -> ScoreLevels:
    """Return a score that finds the best of a long stream with few exact scores.

    That is `score` itself where the stream is short, or where a screen would lose good formulas.

    Args:
        space: The formulas that can be made.
        score: The exact score of (n, components) level numbers.
        pilot: Makes up to so many formulas like those of the stream, in an order that says nothing.
        keep: How many of the best are wanted.
        of: How many formulas the stream has.
    """
    if of < FEWEST_SCREENED:
        return score
    levels = pilot(PILOT)
    if len(levels) < PILOT // 2:
        return score
    screen = learned_screen(space.encode(levels), score(levels), keep, of)
    return score if screen is None else Screened(space, score, screen)
