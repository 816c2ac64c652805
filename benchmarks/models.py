"""labloop's surrogate and what it is compared with, all behind one small contract.

A model is prepared once for a problem and seed, what it takes from the history included, and then
asked for predictions from growing numbers of own rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks import forests, gaussian
from benchmarks.problem import Array, Problem, Rows
from labloop.surrogate import Surrogate, fit, pretrain
from labloop.surrogate.training import PLAIN


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of a pool: `mean` (N, m), `sd` (N, m) of a new measurement, `seconds`.

    `seconds` are those of the fit and the prediction, NaN for an expert that came with the
    mixture; `prepare_seconds` those of what was learned from the history, once.
    """

    model: str
    mean: Array
    sd: Array
    seconds: float
    prepare_seconds: float = 0.0


Learn = Callable[[Rows], list[Prediction]]
Prepare = Callable[[Problem, int], Learn]


def labloop(problem: Problem, seed: int) -> Learn:
    """Return labloop's mixture and each of its experts alone, all from one fit."""
    started = time.perf_counter()
    pretrained = pretrain(
        problem.X_history, problem.Y_history, problem.source,
        component_of_column=problem.component_of_column,
        feature_share=problem.feature_share, seed=seed,
    )  # fmt: skip
    prepared = time.perf_counter() - started

    def learn(own: Rows) -> list[Prediction]:
        started = time.perf_counter()
        surrogate = fit(pretrained, *problem.measured(own), varying=problem.varying, seed=seed)
        said = surrogate.mean_and_variance(problem.X_pool, by_expert=True)
        seconds = time.perf_counter() - started
        assert said.expert_mean is not None
        assert said.expert_variance is not None
        sd = np.sqrt(said.variance + surrogate.noise)
        predictions = [Prediction("labloop", said.mean, sd, seconds, prepared)]
        if len(surrogate.experts) > 1:
            sds = np.sqrt(said.expert_variance + expert_noise(surrogate, problem)[:, None, :])
            predictions += [
                Prediction(f"expert {name}", mean, sd, np.nan)
                for name, mean, sd in zip(surrogate.experts, said.expert_mean, sds, strict=True)
            ]
        return predictions

    return learn


def patent(problem: Problem, seed: int) -> Learn:
    """Return the patent's model: plain nets, 70 % of the components, its two stages."""
    started = time.perf_counter()
    pretrained = pretrain(
        problem.X_history, problem.Y_history, problem.source,
        component_of_column=problem.component_of_column,
        recipe=PLAIN, feature_share=0.7, seed=seed,
    )  # fmt: skip
    prepared = time.perf_counter() - started

    def learn(own: Rows) -> list[Prediction]:
        started = time.perf_counter()
        surrogate = fit(
            pretrained, *problem.measured(own),
            transfer="patent", varying=problem.varying, seed=seed,
        )  # fmt: skip
        said = surrogate.mean_and_variance(problem.X_pool)
        sd = np.sqrt(said.variance + surrogate.noise)
        return [Prediction("patent", said.mean, sd, time.perf_counter() - started, prepared)]

    return learn


def expert_noise(surrogate: Surrogate, problem: Problem) -> Array:
    """Return the variance of a new measurement by each expert (K, m), in squared units of Y.

    What the posterior says of one formula with the noise of a measurement, less what it says
    without.
    """
    row = torch.as_tensor(problem.X_pool[:1])
    with torch.no_grad():
        noisy, clean = (surrogate.posterior(row, observation_noise=on) for on in (True, False))
        extra = (noisy.covariances - clean.covariances)[..., 0, 0].clamp_min(0)
    return np.asarray(extra.numpy())


def by_response(name: str, predict: gaussian.Predict) -> Prepare:
    """Return the model that predicts every response by itself with `predict`."""

    def prepare(problem: Problem, seed: int) -> Learn:
        def learn(own: Rows) -> list[Prediction]:
            if not len(own):
                return []
            started = time.perf_counter()
            each = [predict(problem, own, j, seed) for j in range(problem.Y_pool.shape[1])]
            mean, sd = (np.stack(part, axis=1) for part in zip(*each, strict=True))
            return [Prediction(name, mean, sd, time.perf_counter() - started)]

        return learn

    return prepare


def forest_with_source(problem: Problem, seed: int) -> Learn:
    """Return the forest that gets the prediction of a forest of the history as one more input."""
    started = time.perf_counter()
    sources = forests.of_history(problem, seed)
    prepared = time.perf_counter() - started

    def learn(own: Rows) -> list[Prediction]:
        started = time.perf_counter()
        each = [
            forests.with_source(problem, own, j, seed, sources[j])
            for j in range(problem.Y_pool.shape[1])
        ]
        mean, sd = (np.stack(part, axis=1) for part in zip(*each, strict=True))
        seconds = time.perf_counter() - started
        return [Prediction("forest+source", mean, sd, seconds, prepared)]

    return learn


MODELS: dict[str, Prepare] = {
    "labloop": labloop,
    "patent": patent,
    "SingleTaskGP": by_response("SingleTaskGP", gaussian.single_task),
    "MultiTaskGP": by_response("MultiTaskGP", gaussian.multi_task),
    "forest": by_response("forest", forests.own_rows_only),
    "forest+source": forest_with_source,
}
"""Name → model; "labloop" also gives each of its experts, as "expert <name>"."""

SIMPLE = ("SingleTaskGP", "forest", "forest+source", "BayBE")
"""The simple models that labloop must not fall behind; BayBE comes from `make bench-peers`."""
