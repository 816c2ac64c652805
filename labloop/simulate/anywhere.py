"""Trials whose lab answers for any formula of the space: an emulator, or a virtual line."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from labloop.definition import Response, SurrogateSettings
from labloop.proposal.goals import Goals
from labloop.proposal.local_moves import local_moves
from labloop.simulate.backtest import hypervolume
from labloop.simulate.emulator import Emulator
from labloop.simulate.replay import scored_from
from labloop.simulate.results import Past
from labloop.simulate.trial import Trial, Truth
from labloop.simulate.virtual_lab import CellLine, Likeness, VirtualLab
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers

HISTORY = 500  # formulas of a virtual lab's history
_PERFORMERS = 24
_REFERENCE = 4096
_SAMPLED = 8192
_PARENTS = 64
_GENERATIONS = 24
_CHILDREN = 2048
_SPREAD = 0.45  # standard deviation of the logarithm over random formulas
_BOUND_AT = 0.5  # where a bound lies, in standard deviations above random formulas
_REFERENCE_AT = -1.0


@dataclass(frozen=True, eq=False)
class Emulated:
    """An emulator in the space of a campaign."""

    space: FormulaSpace
    emulator: Emulator

    def truth(self, levels: LevelNumbers) -> Floats:
        """Return (n, responses) on the model's scale, without error."""
        return self.emulator.truth(self.space.encode(levels))

    def measure(self, levels: LevelNumbers, rng: np.random.Generator) -> Floats:
        """Return the same with the error of measuring."""
        answers = self.truth(levels)
        return answers + self.emulator.noise * rng.standard_normal(answers.shape)


@dataclass(frozen=True, eq=False)
class Line:
    """A virtual line whose responses are the campaign's.

    Attributes:
        space: The formulas that can be made.
        line: What answers, in standard scores.
        responses: The campaign's responses that are wanted.
        centre, width: (responses,) mean and standard deviation of the scores of random formulas.
    """

    space: FormulaSpace
    line: CellLine
    responses: tuple[Response, ...]
    centre: Floats
    width: Floats

    @classmethod
    def of(
        cls, space: FormulaSpace, line: CellLine, responses: tuple[Response, ...], some: Floats
    ) -> Line:
        """Return a line that takes (n, columns) encoded formulas for random ones."""
        score = line.score(some)
        width = score.std(axis=0)
        return cls(space, line, responses, score.mean(axis=0), np.where(width > 0, width, 1.0))

    def truth(self, levels: LevelNumbers) -> Floats:
        """Return (n, responses) on the model's scale, without error."""
        return self._answers(levels, np.ones(len(self.responses)))

    def measure(self, levels: LevelNumbers, rng: np.random.Generator) -> Floats:
        """Return the same with the error of measuring, relative to the natural value."""
        error = self.line.noise * rng.standard_normal((len(levels), len(self.responses)))
        return self._answers(levels, np.exp(error))

    def _answers(self, levels: LevelNumbers, factor: Floats) -> Floats:
        score = (self.line.score(self.space.encode(levels)) - self.centre) / self.width
        natural = np.stack(
            [_natural(each, score[:, j]) for j, each in enumerate(self.responses)], axis=1
        )
        natural = natural * factor
        log = [response.transform == "log" for response in self.responses]
        return np.where(log, np.log(np.maximum(natural, 1e-300)), natural)


def _natural(response: Response, score: Floats) -> Floats:
    """Return natural values of scores: log-normal, such that bound and reference can be met.

    A third of random formulas meet a bound; a reference is worse than five in six of them.
    """
    anchor, at = 1.0, 0.0
    if response.bound is not None:
        anchor, at = response.bound, -_BOUND_AT if response.goal == "at_most" else _BOUND_AT
    elif response.reference is not None:
        anchor = response.reference
        at = -_REFERENCE_AT if response.goal == "minimize" else _REFERENCE_AT
    if anchor > 0:
        return np.asarray(anchor * np.exp(_SPREAD * (score - at)))
    return np.asarray(anchor + _SPREAD * (score - at))


def emulated(
    space: FormulaSpace, goals: Goals, nets: SurrogateSettings, emulator: Emulator, past: Past
) -> Trial:
    """Return the trial that an emulator answers."""
    lab = Emulated(space, emulator)
    trial = Trial(
        name="emulator",
        space=space,
        goals=goals,
        X_history=space.encode_concentrations(past.concentrations),
        Y_history=past.Y,
        source=past.source,
        performers=past.performers,
        measure=lab.measure,
        truth=lab.truth,
        nets=nets,
    )
    return with_best(trial, np.random.default_rng(0))


@dataclass(frozen=True, eq=False)
class Virtual:
    """Virtual lines in the space of a campaign, for each seed another family of lines.

    Attributes:
        space: The formulas that can be made.
        responses: The campaign's responses that are wanted.
        nets: The campaign's [surrogate] settings.
        likeness: How alike the new line is to that of the history.
    """

    space: FormulaSpace
    responses: tuple[Response, ...]
    nets: SurrogateSettings
    likeness: Likeness

    def __call__(self, seed: int) -> Trial:
        """Return the trial of a seed, with a history of 500 random formulas of the other line."""
        rng = np.random.default_rng([seed, 23])
        lab = VirtualLab(len(self.space.component_of_column), len(self.responses), seed=seed)
        some = self.space.encode(self.space.sample(_REFERENCE, rng))
        earlier = Line.of(self.space, lab.source, self.responses, some)
        new = Line.of(self.space, lab.line(self.likeness), self.responses, some)
        goals = Goals.of(self.responses)
        made = self.space.sample(HISTORY, rng)
        Y = earlier.measure(made, rng)
        trial = Trial(
            name=self.likeness,
            space=self.space,
            goals=goals,
            X_history=self.space.encode(made),
            Y_history=Y,
            source=np.zeros(len(made), dtype=np.int64),
            performers=self.space.concentrations(made)[_best_first(goals, Y)[:_PERFORMERS]],
            measure=new.measure,
            truth=new.truth,
            nets=self.nets,
        )
        return with_best(trial, rng)


def _best_first(goals: Goals, Y: Floats) -> np.ndarray:
    from labloop.proposal.acquisition import merit

    return np.argsort(-merit(goals, torch.from_numpy(Y)).numpy(), kind="stable")


def with_best(trial: Trial, rng: np.random.Generator) -> Trial:
    """Return the trial with the best that its lab can give, as far as a search finds it.

    Of one objective that is the best value of 8192 random formulas and 24 generations of moves
    along the levels from the best 64: an estimate from below. Of several objectives, 1 is what
    the random formulas dominate together.
    """
    goals = trial.goals
    levels = trial.space.sample(_SAMPLED, rng)
    values, met = _values(goals, trial.truth, levels)
    if len(goals.objective) > 1:
        reference = scored_from(goals, values)
        whole = hypervolume(replace(goals, reference=reference), values[met]) or 1.0
        return replace(trial, reference=reference, volume=whole)
    height = np.where(met, values[:, 0], -np.inf)
    for _ in range(_GENERATIONS):
        best = np.argsort(-height, kind="stable")[:_PARENTS]
        children, _ = local_moves(trial.space, levels[best], _CHILDREN, rng)
        values, met = _values(goals, trial.truth, children)
        levels = np.concatenate([levels[best], children])
        height = np.append(height[best], np.where(met, values[:, 0], -np.inf))
    return replace(trial, optimum=float(height.max()) if np.isfinite(height.max()) else np.nan)


def _values(goals: Goals, truth: Truth, levels: LevelNumbers) -> tuple[Floats, np.ndarray]:
    """Return (n, k) objective values of formulas and (n,) whether they meet all bounds."""
    Y = torch.from_numpy(truth(levels))
    return goals.values(Y).numpy(), goals.met(Y).numpy()
