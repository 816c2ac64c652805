"""Campaigns on the virtual lab, where any formula of the space can be made and its truth asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.case import Array, Case, best_rows
from labloop.definition import Definition
from labloop.proposal.goals import Goals
from labloop.simulate.backtest import hypervolume
from labloop.simulate.trial import Trial
from labloop.simulate.virtual_lab import CellLine, Likeness, VirtualLab
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

ROUNDS, FORMULAS = 6, 24
HISTORY = 1200
ORDINARY = 4096  # random formulas that say what is ordinary
PARTS, FINEST, PRESENT = 6, 0.02, 4
_STARTS, _SWEEPS = 64, 200
_DIRECTIONS, _CHILDREN, _GENERATIONS = 128, 256, 200
_TITRE, _DENSITY = 0, 2  # columns of what a virtual lab measures


def lab(components: int, likeness: Likeness, seed: int) -> Case:
    """Return the campaign for the best log titre of a line of this likeness."""
    family = VirtualLab(components, responses=1, seed=seed)
    line = family.line(likeness)
    made = definition(components, 0.01, [{"name": "titre"}])
    optimum = float(np.log(line.best()[1]))
    name = f"lab-{components}-{likeness}"
    return on_lines(name, "virtual lab", likeness, made, family.source, line, [0], seed, optimum)


def free_mixture(seed: int) -> Case:
    """Return the campaign for the best log titre of six parts, of which at most four are there.

    Where parts have to sum to one even unrelated lines answer much alike.
    """
    family = VirtualLab(PARTS, responses=1, seed=seed)
    line = family.line("unrelated")
    names = [f"c{number}" for number in range(PARTS)]
    constraints = [
        {"total": dict.fromkeys(names, 1.0), "equals": 1.0},
        {"present": names, "at_most": PRESENT},
    ]
    made = definition(PARTS, FINEST, [{"name": "titre"}], constraint=constraints)
    optimum = best_mixture(FormulaSpace.of(made), line)
    return on_lines(
        "mixture-free", "mixture", "alike", made, family.source, line, [0], seed, optimum
    )


def two_goals(components: int, likeness: Likeness, seed: int) -> Case:
    """Return the campaign for much titre and few cells, which go with each other.

    Both are logarithms; the reference is the worst tenth of random formulas.
    """
    family = VirtualLab(components, responses=3, seed=seed)
    line = family.line(likeness)
    X = np.random.default_rng([seed, 32]).random((ORDINARY, components))
    Y = np.log(line.true_response(X))
    least, most = np.quantile(Y[:, _TITRE], 0.1), np.quantile(Y[:, _DENSITY], 0.9)
    responses = [
        {"name": "titre", "reference": float(least)},
        {"name": "density", "goal": "minimize", "reference": float(most)},
    ]
    name = f"goals-{components}-{likeness}"
    made = definition(components, 0.01, responses)
    columns = [_TITRE, _DENSITY]
    return on_lines(name, "two responses", likeness, made, family.source, line, columns, seed)


def definition(
    components: int, step: float, responses: list[dict[str, Any]], **more: Any
) -> Definition:
    """Return a campaign of components from 0 to 1."""
    parts = [
        {"name": f"c{number}", "low": 0.0, "high": 1.0, "step": step}
        for number in range(components)
    ]
    return Definition.model_validate(
        {"name": "lab", "component": parts, "response": responses, **more}
    )


def on_lines(
    name: str,
    kind: str,
    likeness: str,
    of: Definition,
    source: CellLine,
    line: CellLine,
    columns: list[int],
    seed: int,
    optimum: float = float("nan"),
) -> Case:
    """Return the campaign on a line, with a history of random formulas on the source.

    `columns` are those of the lab's responses that are measured; all become logarithms.
    """
    space, goals = FormulaSpace.of(of), Goals.of(of.responses)
    rng = np.random.default_rng([seed, 30, line.components])
    if space.constraints:
        X = space.concentrations(space.sample(HISTORY, rng))
        ordinary = space.concentrations(space.sample(ORDINARY, rng))
    else:
        X, ordinary = (
            rng.random((HISTORY, line.components)),
            rng.random((ORDINARY, line.components)),
        )
    Y = np.log(source.measure(X, rng))[:, columns]

    def measure(levels: LevelNumbers, rng: np.random.Generator) -> Floats:
        return np.log(line.measure(space.concentrations(levels), rng))[:, columns]

    def truth(levels: LevelNumbers) -> Floats:
        return np.log(line.true_response(space.concentrations(levels)))[:, columns]

    now, then = (np.log(each.true_response(ordinary))[:, columns] for each in (line, source))
    single = len(columns) == 1
    none = np.zeros(len(X), dtype=np.int64)
    trial = Trial(
        name, space, goals, X, Y, none, X[best_rows(goals, Y)], measure, truth, None, optimum,
        logarithmic=single,
    )  # fmt: skip
    return Case(
        trial, kind, likeness, float(spearmanr(now[:, 0], then[:, 0]).statistic), FORMULAS, ROUNDS,
        float(np.median(now[:, 0])) if single else float("nan"),
        float("nan") if single else best_hypervolume(trial, seed),
    )  # fmt: skip


def best_mixture(space: FormulaSpace, line: CellLine) -> float:
    """Return the best log titre on a lattice of parts that sum to one, by local search.

    From many starts, moving one to ten steps from one part to another while that helps: an
    estimate from below, by little.
    """
    levels = space.sample(_STARTS, np.random.default_rng(0)).astype(np.int64)
    moves = np.array(
        [
            step * (np.eye(PARTS, dtype=np.int64)[to] - np.eye(PARTS, dtype=np.int64)[off])
            for off in range(PARTS)
            for to in range(PARTS)
            for step in (1, 2, 4, 10)
            if off != to
        ]
    )
    height = np.log(line.true_response(space.concentrations(levels.astype(np.uint16)))[:, 0])
    for _ in range(_SWEEPS):
        tries = levels[:, None, :] + moves
        inside = ((tries >= 0) & (tries < space.counts)).all(axis=2)
        flat = np.clip(tries, 0, space.counts - 1).reshape(-1, PARTS).astype(np.uint16)
        inside &= space.satisfied(flat).reshape(inside.shape)
        value = np.log(line.true_response(space.concentrations(flat))[:, 0])
        value = np.where(inside, value.reshape(inside.shape), -np.inf)
        choice = value.argmax(axis=1)
        top = value[np.arange(len(levels)), choice]
        better = top > height
        if not better.any():
            break
        levels[better] = tries[better, choice[better]]
        height = np.maximum(height, top)
    return float(height.max())


def best_hypervolume(trial: Trial, seed: int) -> float:
    """Return about the highest hypervolume that the truth allows, from below; without constraints.

    Formulas evolve, one for each of many directions, in which it keeps the best of all that were
    made: by crossing, by new levels and by small steps.

    Source: Zhang and Li (2007), IEEE Trans Evol Comput 11:712 (decomposition).
    """
    rng = np.random.default_rng([seed, 33])
    space, columns = trial.space, len(trial.space.tables)

    def heights(levels: LevelNumbers) -> Array:
        values = trial.goals.values(torch.from_numpy(trial.truth(levels))).numpy()
        return np.asarray(values - trial.goals.reference.numpy())

    angle = np.linspace(0.0, np.pi / 2, _DIRECTIONS)[:, None]
    best = space.sample(ORDINARY, rng)
    direction = np.clip(np.hstack([np.cos(angle), np.sin(angle)]), 1e-3, 1.0)
    direction *= heights(best).std(axis=0)
    for _ in range(_GENERATIONS):
        one, other = best[rng.integers(len(best), size=(2, _CHILDREN))]
        crossed = np.where(rng.random(one.shape) < 0.5, one, other)
        kind = rng.random(one.shape) * columns
        fresh = rng.integers(space.counts, size=one.shape)
        near = np.clip(crossed + rng.integers(-5, 6, size=one.shape), 0, space.counts - 1)
        children = np.where(kind < 1, fresh, np.where(kind < 2, near, crossed)).astype(np.uint16)
        every = np.concatenate([best, children])
        reached = (heights(every) / direction[:, None, :]).min(axis=2)
        best = every[reached.argmax(axis=1)]
    return hypervolume(trial.goals, heights(best) + trial.goals.reference.numpy())
