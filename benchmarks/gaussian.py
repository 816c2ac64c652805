"""BoTorch's Gaussian processes by default: on own rows alone, and with rows of the history."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from botorch.posteriors import Posterior

from benchmarks.problem import Array, Problem, Rows

Predict = Callable[[Problem, Rows, int, int], tuple[Array, Array]]
"""(problem, own rows, response, seed) → mean (N,), sd of a new measurement (N,)."""

SOURCE_ROWS = 150  # of the history, for the multi-task process: its cost grows with their cube


def single_task(problem: Problem, own: Rows, response: int, seed: int) -> tuple[Array, Array]:
    """Predict with `SingleTaskGP` on own rows; variances of replicates go in where they are known.

    The columns that the pool does not vary are left out.
    """
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    X, y, variance = problem.measured_response(own, response)
    if len(y) < 2:
        return _constant(problem, y)
    known = bool(np.isfinite(variance).all() and (variance > 0).all())
    x = torch.as_tensor(X[:, problem.varying])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SingleTaskGP(
            x, torch.as_tensor(y)[:, None], torch.as_tensor(variance)[:, None] if known else None
        )
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            pool = torch.as_tensor(problem.X_pool[:, problem.varying])
            posterior = model.posterior(pool, observation_noise=not known)
    extra = float(variance.mean()) if known else 0.0
    return moments(posterior, extra)


def multi_task(problem: Problem, own: Rows, response: int, seed: int) -> tuple[Array, Array]:
    """Predict with `MultiTaskGP` on own rows and a random few of the history, a task a source.

    Each task is standardised by itself, so that a source may have another level and scale.
    """
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import MultiTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    X, y, _ = problem.measured_response(own, response)
    if len(y) < 2:
        return _constant(problem, y)
    earlier, values, task = thinned_history(problem, response, SOURCE_ROWS, seed)
    level, scale = y.mean(), max(float(y.std(ddof=1)), 1e-12)
    tasks = np.concatenate([np.full(len(y), 0), task + 1])
    rows = torch.as_tensor(np.column_stack([np.concatenate([X, earlier]), tasks]))
    z = torch.as_tensor(np.concatenate([(y - level) / scale, values]))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MultiTaskGP(rows, z, task_feature=-1, output_tasks=[0], outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            posterior = model.posterior(torch.as_tensor(problem.X_pool), observation_noise=True)
    mean, sd = moments(posterior, 0.0)
    return mean * scale + level, sd * scale


def thinned_history(
    problem: Problem, response: int, rows: int, seed: int
) -> tuple[Array, Array, Rows]:
    """Return at most `rows` random rows of the history: X, standardised responses, source.

    Each source is standardised by its own mean and standard deviation.
    """
    measured = np.flatnonzero(~np.isnan(problem.Y_history[:, response]))
    values, source = problem.Y_history[measured, response], problem.source[measured]
    numbers = np.unique(source)
    level = np.array([values[source == number].mean() for number in numbers])
    spread = np.array([values[source == number].std() or 1.0 for number in numbers])
    place = np.searchsorted(numbers, source)
    standard = (values - level[place]) / spread[place]
    chosen = np.sort(np.random.default_rng([seed, 72]).permutation(len(measured))[:rows])
    return problem.X_history[measured[chosen]], standard[chosen], place[chosen]


def moments(posterior: Posterior, extra: float) -> tuple[Array, Array]:
    """Return mean (N,) and sd (N,) of a posterior of one output, `extra` variance added."""
    variance = posterior.variance.detach() + extra
    return posterior.mean.detach().numpy()[:, 0], variance.sqrt().numpy()[:, 0]


def _constant(problem: Problem, y: Array) -> tuple[Array, Array]:
    mean = float(y.mean()) if len(y) else 0.0
    return np.full(len(problem.X_pool), mean), np.ones(len(problem.X_pool))
