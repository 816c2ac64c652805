"""Small spaces, and a surrogate that is a Gaussian process in a dozen lines."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit while it is imported, which new torch deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import botorch  # noqa: F401

import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal

from labloop.definition import parse
from labloop.proposal import batch, candidates, joint, refinement, wishes
from labloop.space import FormulaSpace

JITTER = 1e-6


class FakeSurrogate:
    """Gaussian processes with fixed kernels, one an expert; joint draws are the first expert's."""

    def __init__(self, X, Y, lengths=(0.3, 0.6)):
        self.X, self.Y, self.lengths = X, Y, lengths
        self.centre = Y.mean(axis=0)
        self.weights = np.full((len(lengths), Y.shape[1]), 1 / len(lengths))
        self.correlation = np.eye(Y.shape[1])

    def _kernel(self, A, B, length):
        square = ((A[:, None, :] - B[None, :, :]) ** 2).sum(axis=-1)
        return np.exp(-square / (2 * length**2 * A.shape[1]))

    def _condition(self, X, length):
        own = self._kernel(self.X, self.X, length) + 1e-4 * np.eye(len(self.X))
        cross = self._kernel(X, self.X, length)
        weights = np.linalg.solve(own, cross.T).T
        return self.centre + weights @ (self.Y - self.centre), cross, weights

    def mean_and_variance(self, X, *, by_expert):
        assert by_expert
        means, variances = [], []
        for length in self.lengths:
            mean, cross, weights = self._condition(X, length)
            variance = np.maximum(1.0 - (weights * cross).sum(axis=1), JITTER)
            means.append(mean)
            variances.append(np.repeat(variance[:, None], self.Y.shape[1], axis=1))
        return SimpleNamespace(expert_mean=np.stack(means), expert_variance=np.stack(variances))

    def posterior(self, X):
        X = X.numpy()
        mean, cross, weights = self._condition(X, self.lengths[0])
        covariance = self._kernel(X, X, self.lengths[0]) - weights @ cross.T
        covariance = torch.from_numpy(covariance + JITTER * np.eye(len(X)))
        each = [MultivariateNormal(torch.from_numpy(m.copy()), covariance) for m in mean.T]
        if len(each) == 1:
            return GPyTorchPosterior(each[0])
        return GPyTorchPosterior(MultitaskMultivariateNormal.from_independent_mvns(each))


@pytest.fixture
def fake_surrogate():
    return FakeSurrogate


@pytest.fixture
def space_of():
    def make(components, constraints=(), **sections):
        definition = {
            "name": "x",
            "component": [{"unit": "mM", **c} if "choices" not in c else c for c in components],
            "response": [{"name": "titre"}],
            "constraint": list(constraints),
            **sections,
        }
        return FormulaSpace.of(parse(definition))

    return make


@pytest.fixture
def free(space_of):
    """Four components without constraints."""
    return space_of([{"name": name, "high": 1.0} for name in "abcd"])


@pytest.fixture
def hard(space_of):
    """Five components of every kind, a total, a presence limit and a well that may overflow."""
    return space_of(
        [
            {"name": "a", "high": 60.0, "stocks": [200.0, 20.0]},
            {"name": "b", "high": 60.0, "stocks": [100.0]},
            {"name": "c", "levels": [0, 1, 10, 60]},
            {"name": "d", "high": 10.0, "scale": "log"},
            {"name": "e", "fixed": 3.0},
            {"name": "f", "choices": ["soy", "wheat"]},
        ],
        [
            {"total": {"a": 1.0, "b": 1.0, "c": 0.5}, "at_most": 70.0},
            {"present": ["a", "b", "c", "d"], "at_most": 3},
            {"total": {"a": 1.0, "d": -1.0}, "at_least": 2.0},
        ],
        robot={"kind": "ot2"},
        plate={"well_volume_ul": 200.0, "inoculum_ul": 20.0},
    )


@pytest.fixture
def mixture(space_of):
    """Five parts that sum to one."""
    return space_of(
        [{"name": name, "high": 1.0} for name in "abcde"],
        [{"total": dict.fromkeys("abcde", 1.0), "equals": 1.0}],
    )


@pytest.fixture
def small_pools(monkeypatch):
    """Fewer candidates, so that a plate is chosen in a fraction of a second."""
    for name, value in {
        "KEPT": 128,
        "SHORTLIST": 150,
        "_LOCAL_COUNT": 1_000,
        "_MIXING_COUNT": 400,
        "_REFINED_SCORINGS": 2_048,
    }.items():
        monkeypatch.setattr(candidates, name, value)
    monkeypatch.setattr(refinement, "_PARENTS", 64)
    for name, value in {"KEPT": 128, "SHORTLIST": 150}.items():
        monkeypatch.setattr(batch, name, value)
    monkeypatch.setattr(joint, "DRAWS", 128)
    for name, value in {"_SAMPLE": 128, "_COMBINATIONS": 6}.items():
        monkeypatch.setattr(wishes, name, value)
