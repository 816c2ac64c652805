"""Whole campaigns with BoTorch's default process, and with BayBE in its own environment.

BoTorch begins with a Latin hypercube, as its users do who have no formulas yet.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from benchmarks.continuous import equalities, makeable
from benchmarks.peers.client import baybe
from labloop.definition import ProposalSettings
from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.space_filling import space_filling
from labloop.simulate.strategies import Strategy
from labloop.simulate.trial import Plate, Propose, SoFar, Trial
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

RESTARTS, RAW_SAMPLES, MAX_ITERATIONS = 4, 256, 25
DRAWS = 128
_CHOICES_AT_ONCE = 2048


def single_task(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return `SingleTaskGP` with qLogEI, of several objectives qLogNEHVI.

    Without a pool the acquisition is maximised over the unit cube, one formula after another, under
    the mixture's equality; the formulas then become the nearest that can be made.
    """
    del settings, seed

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        if not len(so_far.levels):
            return first_plate(trial.space, so_far, count, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            acquisition = acquisition_of(trial, so_far)
            if so_far.left is not None:
                levels = best_listed(trial.space, acquisition, so_far.left, count)
            else:
                levels = best_free(trial.space, acquisition, count, rng)
        return Plate(levels, np.full(len(levels), "acquisition"))

    return propose


def first_plate(space: FormulaSpace, so_far: SoFar, count: int, rng: np.random.Generator) -> Plate:
    """Return a Latin hypercube, or of a pool formulas that fill its space."""
    if so_far.left is None:
        levels = latin_hypercube(space, count, rng)
    else:
        none = np.empty((0, len(space.component_of_column)))
        levels = space_filling(space, count, none, rng, so_far.left)
    return Plate(levels, np.full(len(levels), "latin_hypercube"))


def acquisition_of(trial: Trial, so_far: SoFar) -> Any:
    """Return the acquisition on a process fitted to all that was measured."""
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.acquisition.multi_objective import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    X = torch.from_numpy(trial.space.encode(so_far.levels))
    values = trial.goals.values(torch.from_numpy(so_far.Y))
    models = []
    for column in values.T:
        model = SingleTaskGP(X, column[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        models.append(model)
    sampler = SobolQMCNormalSampler(torch.Size([DRAWS]))
    if len(models) == 1:
        return qLogExpectedImprovement(models[0], best_f=values.max(), sampler=sampler)
    return qLogNoisyExpectedHypervolumeImprovement(
        ModelListGP(*models), trial.goals.reference.tolist(), X, sampler=sampler,
        prune_baseline=True,
    )  # fmt: skip


def best_listed(
    space: FormulaSpace, acquisition: Any, left: LevelNumbers, count: int
) -> LevelNumbers:
    """Return the formulas of a pool that the acquisition likes best together."""
    from botorch.optim import optimize_acqf_discrete

    choices = torch.from_numpy(space.encode(left))
    picked, _ = optimize_acqf_discrete(
        acquisition, q=min(count, len(left)), choices=choices, max_batch_size=_CHOICES_AT_ONCE,
        unique=True,
    )  # fmt: skip
    rows = (picked[:, None, :] == choices).all(dim=-1).double().argmax(dim=1)
    chosen: LevelNumbers = left[rows.numpy()]
    return chosen


def best_free(
    space: FormulaSpace, acquisition: Any, count: int, rng: np.random.Generator
) -> LevelNumbers:
    """Return the formulas that can be made nearest to those that the acquisition likes best."""
    from botorch.optim import optimize_acqf

    columns = len(space.component_of_column)
    bounds = torch.tensor([[0.0] * columns, [1.0] * columns], dtype=torch.float64)
    picked, _ = optimize_acqf(
        acquisition, bounds, q=count, num_restarts=RESTARTS, raw_samples=RAW_SAMPLES,
        options={"maxiter": MAX_ITERATIONS, "batch_limit": RESTARTS}, sequential=True,
        equality_constraints=equalities(space) or None,
    )  # fmt: skip
    return makeable(space, picked.numpy(), rng)


RIVALS: dict[str, Strategy] = {
    "SingleTaskGP": single_task,
    "BayBE": baybe(with_history=False),
    "BayBE+task": baybe(with_history=True),
}
