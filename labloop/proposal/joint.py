"""The plate as a whole: what formulas are worth in joint draws, and the greedy choice of a set."""

from __future__ import annotations

import torch
from torch import Tensor

from labloop.proposal.goals import Goals
from labloop.proposal.scalarisation import Scalarisations


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


def greedy(
    worth: Tensor, best: Tensor, count: int, allowed: Tensor
) -> tuple[list[int], list[float], Tensor]:
    """Choose formulas one after another, each adding most to the expected best.

    Args:
        worth: (channels, n) worth of the candidates.
        best: (channels,) worth of the best formula so far.
        count: How many to choose.
        allowed: (n,) which candidates may be chosen.

    Returns:
        Numbers of the chosen, the improvement each added, and the new (channels,) best.
    """
    open_ = allowed.clone()
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(min(count, int(open_.sum()))):
        gain = (worth - best[:, None]).clamp_min(0).mean(dim=0).masked_fill(~open_, -1.0)
        pick = int(gain.argmax())
        picks.append(pick)
        gains.append(float(gain[pick]))
        best = torch.maximum(best, worth[:, pick])
        open_[pick] = False
    return picks, gains, best
