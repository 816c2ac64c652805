"""What is wanted of a plate as a whole: components that all formulas share, and few stocks.

The choice is made before there are candidates: it leaves a part of the space, in which every
formula that can be made grants the wishes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from labloop.definition import ProposalSettings
from labloop.errors import RefusedError
from labloop.proposal.acquisition import score_of, value_of
from labloop.proposal.candidates import Known
from labloop.proposal.goals import Goals
from labloop.proposal.local_moves import local_moves
from labloop.proposal.moments import Surrogate, moments_of
from labloop.space import FormulaSpace
from labloop.space.constraints import Bools
from labloop.space.levels import Floats, LevelNumbers
from labloop.space.narrowing import Part, part_of
from labloop.space.prices import prices

Score = Callable[[LevelNumbers], Floats]

_SAMPLE = 512
_GENERATIONS = 3
_BEST = 64
_COMBINATIONS = 24
_COUNTED = 16  # best formulas by whose scores alternatives are compared


def has_wishes(settings: ProposalSettings) -> bool:
    """Return whether anything is wanted of the plate as a whole."""
    return bool(settings.shared) or settings.most_stocks is not None


def score_alone(
    space: FormulaSpace,
    surrogate: Surrogate,
    goals: Goals,
    known: Known,
    settings: ProposalSettings,
    rng: np.random.Generator,
) -> Score:
    """Return the acquisition of single formulas, over all that is known and not the plate."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    best = np.argsort(-known.utility, kind="stable")[:_BEST]
    first_plate = not len(best)
    concentrations = known.measured[best]
    if first_plate:
        concentrations = space.concentrations(space.sample(_BEST, rng))
    incumbents = moments_of(surrogate, space.encode_concentrations(concentrations))
    acquisition = (value_of if first_plate else score_of)(goals, incumbents, generator)

    def score(levels: LevelNumbers) -> Floats:
        gain = acquisition(moments_of(surrogate, space.encode(levels))).numpy()
        if settings.well_price is None:
            return gain
        each = prices(space.components, space.concentrations(levels))
        return np.asarray(gain - np.log(settings.well_price + each))

    return score


def granted(
    space: FormulaSpace, score: Score | None, settings: ProposalSettings, rng: np.random.Generator
) -> Part:
    """Return the part of the space that grants the wishes and where the best formulas score best.

    Args:
        space: The formulas that can be made.
        score: The acquisition of (n, components) level numbers, as a logarithm; None where
            nothing is known.
        settings: The wishes.
        rng: Source of randomness.

    Raises:
        RefusedError: No formula that satisfies the constraints can be made of so few stocks.
    """
    rows = space.sample(_SAMPLE, rng)
    if score is not None:
        for _ in range(_GENERATIONS):
            children, _ = local_moves(space, _best(rows, score, _BEST), 2 * _SAMPLE, rng)
            rows = np.concatenate([_best(rows, score, _BEST), children])
        rows = _best(rows, score, 4 * _BEST)
    keep: list[Bools] = [np.ones(len(table), dtype=bool) for table in space.tables]
    columns = [space.names.index(name) for name in settings.shared]
    if columns:
        keep = _sharing(space, keep, columns, rows, score, rng)
        rows = _inside(space, keep, rows, rng)
    if settings.most_stocks is not None:
        keep = _of_few_stocks(space, keep, settings.most_stocks, rows, score, rng)
    return part_of(space, keep)


def _best(rows: LevelNumbers, score: Score, count: int) -> LevelNumbers:
    distinct = np.unique(rows, axis=0)
    return distinct[np.argsort(-score(distinct), kind="stable")[:count]]


def _inside(
    space: FormulaSpace, keep: list[Bools], rows: LevelNumbers, rng: np.random.Generator
) -> LevelNumbers:
    """Return formulas of a part of the space that are near the rows; none where it has none."""
    part = part_of(space, keep)
    snapped = np.stack(
        [_snap(space, keep, j)[rows[:, j]] for j in range(len(space.tables))], axis=1
    )
    place = [np.searchsorted(n, snapped[:, j]) for j, n in enumerate(part.numbers)]
    levels, holds = part.space.mend(np.stack(place, axis=1).astype(np.uint16), rng)
    return part.in_whole(levels[holds])


def _snap(space: FormulaSpace, keep: list[Bools], column: int) -> LevelNumbers:
    """Return for each level of a component the nearest one that is kept."""
    kept = np.flatnonzero(keep[column])
    marks = space.tables[column].concentration
    gaps = np.abs(marks[:, None] - marks[kept][None, :])
    nearest: LevelNumbers = kept[gaps.argmin(axis=1)].astype(np.uint16)
    return nearest


def _worth(scores: Floats) -> float:
    """Return the logarithm of the mean of the best of (n,) logarithmic scores."""
    best = np.sort(scores)[-_COUNTED:]
    return float(np.logaddexp.reduce(best) - np.log(_COUNTED)) if len(best) else -np.inf


def _sharing(
    space: FormulaSpace,
    keep: list[Bools],
    columns: list[int],
    rows: LevelNumbers,
    score: Score | None,
    rng: np.random.Generator,
) -> list[Bools]:
    """Return the levels with one of each shared component, the best of those of good formulas."""
    _, first = np.unique(rows[:, columns], axis=0, return_index=True)
    best, found = -np.inf, None
    for row in np.sort(first)[: _COMBINATIONS if score is not None else 1]:
        alone = list(keep)
        for j in columns:
            alone[j] = np.arange(len(space.tables[j])) == rows[row, j]
        # the row itself is a formula of this part, so no part is empty
        near = np.concatenate([rows[row : row + 1], _inside(space, alone, rows, rng)])
        worth = _worth(score(np.unique(near, axis=0))) if score is not None else 0.0
        if found is None or worth > best:
            best, found = worth, alone
    assert found is not None
    return found


def stocks_of(space: FormulaSpace, keep: list[Bools]) -> list[tuple[int, int]]:
    """Return the stocks, each a component's number and its stock's, that the levels are made of."""
    return [
        (j, int(stock))
        for j, table in enumerate(space.tables)
        for stock in np.unique(table.stock[keep[j]])
        if stock >= 0
    ]


def _of_few_stocks(
    space: FormulaSpace,
    keep: list[Bools],
    most: int,
    rows: LevelNumbers,
    score: Score | None,
    rng: np.random.Generator,
) -> list[Bools]:
    """Return the levels that are left when the stocks that are missed least are taken away."""
    while len(stocks := stocks_of(space, keep)) > most:
        some = rows[:_BEST]
        without = {stock: _without(space, keep, stock) for stock in stocks}
        open_ = [stock for stock in stocks if without[stock][stock[0]].any()]
        missed = np.array([-_loss(space, without[s], s[0], some, score) for s in open_])
        at_once = max(1, (len(stocks) - most) // 8)
        removed = 0
        for place in np.argsort(-missed, kind="stable"):
            fewer = _without(space, keep, open_[int(place)])
            if not fewer[open_[int(place)][0]].any():
                continue
            near = _inside(space, fewer, rows, rng)
            if len(near):
                keep, removed = fewer, removed + 1
                rows = near if score is None else _best(near, score, len(near))
            if removed == at_once:
                break
        if not removed:
            raise RefusedError(
                f"[proposal], most_stocks: no formula that satisfies all constraints was found "
                f"with {most} stocks; {len(stocks)} are needed."
            )
    return keep


def _without(space: FormulaSpace, keep: list[Bools], stock: tuple[int, int]) -> list[Bools]:
    fewer = list(keep)
    fewer[stock[0]] = keep[stock[0]] & (space.tables[stock[0]].stock != stock[1])
    return fewer


def _loss(
    space: FormulaSpace, keep: list[Bools], column: int, rows: LevelNumbers, score: Score | None
) -> float:
    """Return what good formulas lose where one component has only the levels that are kept."""
    changed = rows.copy()
    changed[:, column] = _snap(space, keep, column)[rows[:, column]]
    if score is None:
        return float(np.abs(space.encode(changed) - space.encode(rows)).mean())
    return -_worth(score(changed))
