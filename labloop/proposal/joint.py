"""The plate as a whole: what formulas are worth in joint draws, and the greedy choice of a set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labloop.proposal.goals import Goals
from labloop.proposal.scalarisation import Scalarisations
from labloop.space.levels import Floats

DRAWS = 512
DIRECTIONS = 16
SUPPORT = 2  # channels in which a formula has to improve, lest a single draw choose it
MOST_SETS = 12
APART = 0.1
LEAST_APART = 1e-3


def joint_values(
    goals: Goals, draws: Tensor, known: Tensor, directions: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return what each formula is worth in each channel, a channel being a draw in a direction.

    Args:
        goals: What is wanted of the responses.
        draws: (draws, n, responses) joint posterior draws at candidates.
        known: (draws, i, responses) the same functions at known and pending formulas, i ≥ 1.
        directions: How many scalarisations each draw is seen in, where there are several
            objectives.
        generator: Source of randomness.

    Returns:
        (channels, n) worth of the candidates, minus infinity where a bound is not met, and
        (channels,) worth of the best known formula.
    """
    repeats = 1 if goals.is_linear or len(goals.objective) == 1 else directions
    values, known_values = goals.values(draws), goals.values(known)
    scalarise = Scalarisations.of(
        goals, known_values.flatten(0, 1), len(draws) * repeats, generator
    )
    worth = scalarise(values.repeat_interleave(repeats, dim=0))
    base = scalarise(known_values.repeat_interleave(repeats, dim=0))
    worth = worth.masked_fill(~goals.met(draws).repeat_interleave(repeats, dim=0), -torch.inf)
    met = goals.met(known).repeat_interleave(repeats, dim=0)
    floor = base.amin(dim=1)
    best = base.masked_fill(~met, -torch.inf).amax(dim=1)
    return worth, torch.where(best.isfinite(), best, floor)


@dataclass(frozen=True, eq=False)
class Joint:
    """Joint draws of what candidates are worth; every call of `draw` draws new functions.

    Attributes:
        goals: What is wanted of the responses.
        posterior: BoTorch's joint posterior at the candidates, then known and pending formulas.
        candidates: How many of its rows are candidates.
        from_worst: Whether the plate has to improve on its own worst formula, as where nothing was
            measured yet, and not on the best known one.
        generator: Source of randomness.
    """

    goals: Goals
    posterior: Any
    candidates: int
    from_worst: bool
    generator: torch.Generator

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return (channels, candidates) worth, and the (channels,) worth to improve on."""
        from botorch.sampling import IIDNormalSampler

        several = len(self.goals.objective) > 1
        shape = torch.Size([DRAWS // 4 if several else DRAWS])
        seed = int(torch.randint(2**31, (1,), generator=self.generator))
        with torch.no_grad():
            draws = IIDNormalSampler(shape, seed=seed)(self.posterior)
        here, known = draws[:, : self.candidates], draws[:, self.candidates :]
        worth, best = joint_values(self.goals, here, known, DIRECTIONS, self.generator)
        if self.from_worst:
            best = worth.masked_fill(worth.isinf(), torch.inf).amin(dim=1).nan_to_num(posinf=0.0)
        return worth, best


def greedy(
    worth: Tensor, best: Tensor, count: int, allowed: Tensor, price: Tensor | None = None
) -> tuple[list[int], list[float], Tensor]:
    """Choose formulas one after another, each adding most to the expected best.

    It stops early where the draws cannot tell any more: where a formula adds nothing in all but a
    few channels. The first is chosen if it adds anything at all.

    Args:
        worth: (channels, n) worth of the candidates.
        best: (channels,) worth of the best formula so far.
        count: How many to choose at most.
        allowed: (n,) which candidates may be chosen.
        price: (n,) what each costs, above zero; then each adds most for its price.

    Returns:
        Numbers of the chosen, the improvement each added, and the new (channels,) best.
    """
    open_ = allowed.clone()
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(min(count, int(open_.sum()))):
        gain = (worth - best[:, None]).clamp_min(0).mean(dim=0)
        rank = gain if price is None else gain / price
        pick = int(rank.masked_fill(~open_, -1.0).argmax())
        support = int((worth[:, pick] > best).sum())
        if support < (SUPPORT if picks else 1):
            break
        picks.append(pick)
        gains.append(float(gain[pick]))
        best = torch.maximum(best, worth[:, pick])
        open_[pick] = False
    return picks, gains, best


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The candidates among which seats are filled.

    Attributes:
        codes: (n, columns) encoded formulas.
        score: (n,) the acquisition of each alone, bigger is better.
        reserved: (n,) which candidates have reserved seats.
        price: (n,) what each costs, above zero, where its gain is to count for its price.
    """

    codes: Floats
    score: Floats
    reserved: npt.NDArray[np.bool_]
    price: Floats | None = None


def seat(
    draw: Callable[[], tuple[Tensor, Tensor]],
    seated: int,
    shortlist: Shortlist,
    reserved_seats: int,
    count: int,
) -> tuple[list[int], list[float]]:
    """Fill seats from a shortlist, those of reserved candidates first, then from all.

    When a set of draws has given what it can, new functions are drawn: each formula's gain is seen
    in draws that did not choose those before it. Where new draws see no gain in any candidate
    either, the best by their scores that keep a distance fill the seats.

    Args:
        draw: Gives (channels, seated + n) worth of formulas seated already and of the n of the
            shortlist, and the (channels,) worth to improve on; each time in new functions.
        seated: How many are seated already.
        shortlist: The candidates.
        reserved_seats: How many seats the reserved candidates have.
        count: How many to choose.

    Returns:
        Numbers of the chosen in the shortlist, and what each of the seated, then of the chosen,
        added.
    """
    gains: list[float] = []
    worth, best = draw()
    for k in range(seated):
        gains.append(float((worth[:, k] - best).clamp_min(0).mean()))
        best = torch.maximum(best, worth[:, k])
    price = None if shortlist.price is None else torch.from_numpy(shortlist.price)
    picks: list[int] = []
    everyone = np.ones(len(shortlist.score), dtype=bool)
    stages = (shortlist.reserved, min(reserved_seats, count)), (everyone, count)
    for eligible, until in stages:
        for attempt in range(MOST_SETS):
            allowed = torch.from_numpy(eligible.copy())
            allowed[picks] = False
            if len(picks) >= until or not allowed.any():
                break
            if attempt:
                worth, best = draw()
                taken = [*range(seated), *(seated + pick for pick in picks)]
                if taken:
                    best = torch.maximum(best, worth[:, taken].amax(dim=1))
            more, added, best = greedy(worth[:, seated:], best, until - len(picks), allowed, price)
            if attempt and not more:
                break
            picks, gains = [*picks, *more], [*gains, *added]
        spare = spaced(shortlist.codes, shortlist.score, picks, eligible, until - len(picks))
        picks, gains = [*picks, *spare], [*gains, *(0.0 for _ in spare)]
    return picks, gains


def spaced(
    codes: Floats, score: Floats, taken: list[int], eligible: npt.NDArray[np.bool_], count: int
) -> list[int]:
    """Return the best eligible candidates that keep a distance from those taken and each other.

    The distance, the root mean square over the columns, is 0.1 and halved whenever no candidate
    keeps it.

    Args:
        codes: (n, columns) encoded candidates.
        score: (n,) how good each is.
        taken: Numbers of candidates that were chosen already.
        eligible: (n,) which candidates may be chosen.
        count: How many to return; fewer where there are no more.
    """
    square = np.einsum("nc,nc->n", codes, codes)

    def gaps(row: int) -> Floats:
        away = square + square[row] - 2.0 * (codes @ codes[row])
        return np.asarray(np.sqrt(np.maximum(away, 0.0) / codes.shape[1]))

    open_ = eligible.copy()
    open_[taken] = False
    order = np.argsort(-score, kind="stable")
    gap = np.full(len(codes), np.inf)
    for row in taken:
        gap = np.minimum(gap, gaps(row))
    rows: list[int] = []
    apart = APART
    while len(rows) < count and open_.any():
        far = (open_ & (gap >= apart))[order]
        if not far.any():
            apart = apart / 2 if apart > LEAST_APART else 0.0
            continue
        row = int(order[far.argmax()])
        rows.append(row)
        open_[row] = False
        gap = np.minimum(gap, gaps(row))
    return rows
