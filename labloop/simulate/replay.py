"""A replay: strategies choose among formulas that were measured, and get what was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from labloop.definition import SurrogateSettings
from labloop.proposal.goals import Goals
from labloop.simulate.backtest import hypervolume
from labloop.simulate.results import Past, Played
from labloop.simulate.trial import Trial
from labloop.space import FormulaSpace
from labloop.space.levels import BY_HAND, Floats, LevelNumbers, LevelTable

_POOR = 0.1  # quantile of an objective that counts as no use where the user names none


@dataclass(frozen=True, eq=False)
class Answers:
    """What was measured of formulas.

    Attributes:
        row: From the bytes of a formula's level numbers to its row.
        Y: (n, responses) values on the model's scale.
    """

    row: dict[bytes, int]
    Y: Floats

    def truth(self, levels: LevelNumbers) -> Floats:
        """Return (n, responses) of (n, components) level numbers that were measured."""
        return self.Y[[self.row[formula.tobytes()] for formula in levels]]

    def measure(self, levels: LevelNumbers, rng: np.random.Generator) -> Floats:
        """Return the same: what is drawn in a replay was drawn by nature."""
        del rng
        return self.truth(levels)


def replay(
    space: FormulaSpace, goals: Goals, nets: SurrogateSettings, played: Played, past: Past
) -> Trial:
    """Return the trial whose pool is the formulas played, at their very concentrations.

    Measured formulas count although the campaign could not make them: the levels are those that
    were measured, and no constraint applies.
    """
    pool_space = _space_of(space, played.concentrations)
    pool, group = np.unique(pool_space.nearest(played.concentrations), axis=0, return_inverse=True)
    counts = np.bincount(group.reshape(-1))
    Y = np.stack([np.bincount(group.reshape(-1), column) / counts for column in played.Y.T], axis=1)
    answers = Answers({formula.tobytes(): k for k, formula in enumerate(pool)}, Y)
    values, met = goals.values(torch.from_numpy(Y)), goals.met(torch.from_numpy(Y))
    reference = scored_from(goals, values.numpy())
    single = len(goals.objective) == 1 and bool(met.any())
    whole = 1.0
    if len(goals.objective) > 1:
        whole = hypervolume(replace(goals, reference=reference), values[met].numpy()) or 1.0
    return Trial(
        name="replay",
        space=pool_space,
        goals=goals,
        X_history=pool_space.encode_concentrations(past.concentrations),
        Y_history=past.Y,
        source=past.source,
        performers=past.performers,
        measure=answers.measure,
        truth=answers.truth,
        pool=pool,
        optimum=float(values[met].max()) if single else float("nan"),
        nets=nets,
        reference=reference,
        volume=whole,
    )


def scored_from(goals: Goals, values: Floats) -> torch.Tensor:
    """Return (k,) objective values of no use: the user's, else the worst tenth of (n, k) ones."""
    poor = torch.from_numpy(np.quantile(values, _POOR, axis=0))
    return torch.where(goals.reference.isnan(), poor, goals.reference)


def _space_of(space: FormulaSpace, concentrations: Floats) -> FormulaSpace:
    """Return the space whose levels are those of (n, components) formulas."""
    tables = []
    for table, column in zip(space.tables, concentrations.T, strict=True):
        if table.component.choices is not None:
            tables.append(table)
            continue
        levels = np.unique(column)
        by_hand = np.full(len(levels), BY_HAND)
        tables.append(LevelTable(table.component, levels, by_hand, np.zeros_like(by_hand)))
    return FormulaSpace(tuple(tables), (), space.volumes)
