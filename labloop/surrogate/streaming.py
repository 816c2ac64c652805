"""The mixture's predictions at any number of formulas, streamed in constant memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.surrogate.experts import Expert
from labloop.surrogate.gp import GaussianProcess
from labloop.surrogate.points import Describer, Points
from labloop.surrogate.scaling import Array
from labloop.surrogate.threads import side_by_side
from labloop.surrogate.training import Progress

# Below this share of noise in the prior variance, single precision loses the posterior: its
# variance is the small difference of numbers of the prior's size.
SINGLE_PRECISION_NOISE = 1e-3
# Chunks, at most, that walk through the forests' trees together and that a thread takes at a time.
BLOCK = 8


@dataclass(frozen=True)
class Predictions:
    """Streamed predictions in the units of Y.

    `mean`, `variance` (n, m) of the mixture, of the response itself without measurement noise;
    `expert_mean`, `expert_variance` (K, n, m) where they were asked for, else None.
    """

    mean: Array
    variance: Array
    expert_mean: Array | None = None
    expert_variance: Array | None = None


def needs_double(experts: Mapping[str, Sequence[Expert]]) -> bool:
    """Say whether single precision would lose the posterior of any Gaussian process."""
    processes = (e for each in experts.values() for e in each if isinstance(e, GaussianProcess))
    return min((e.noise_share for e in processes), default=1.0) < SINGLE_PRECISION_NOISE


def stream_predictions(
    describe: Describer,
    experts: Mapping[str, Sequence[Expert]],
    weights: Array,
    level: Array,
    scale: Array,
    X: NDArray[np.floating] | Tensor,
    dtype: torch.dtype,
    *,
    chunk: int,
    by_expert: bool,
    progress: Progress,
) -> Predictions:
    """Predict encoded rows `X` (n, D) by the mixture of `experts` with `weights` (K, m).

    `level`, `scale` (m,) turn standardised responses into the units of Y; `dtype` is that of the
    experts. Work is done by `chunk` rows; `by_expert` also returns each expert's moments.
    """
    n, m, k = len(X), len(level), len(experts)
    workers = torch.get_num_threads()
    # Of few rows every thread has its part. What a chunk predicts does not depend on its block.
    block = chunk * min(BLOCK, max(1, math.ceil(n / (chunk * workers))))
    means = np.empty((k, n, m)) if by_expert else None
    variances = np.empty((k, n, m)) if by_expert else None
    mean, variance = np.empty((n, m)), np.empty((n, m))
    share = weights[..., None]

    def predict(start: int) -> int:
        stop = min(start + block, n)
        rows = torch.as_tensor(np.asarray(X[start:stop]), dtype=dtype)
        with torch.no_grad():
            for points in describe.stream(rows, chunk):
                here = slice(start, start + len(points.x))
                start = here.stop
                each_mean, each_variance = _marginals(experts, points)
                centre = (share * each_mean).sum(0)
                spread = (share * (each_variance + (each_mean - centre) ** 2)).sum(0)
                mean[here] = centre.T * scale + level
                variance[here] = spread.T * scale**2
                if means is not None and variances is not None:
                    means[:, here] = each_mean.swapaxes(1, 2) * scale + level
                    variances[:, here] = each_variance.swapaxes(1, 2) * scale**2
        return stop

    # One block a thread: threads inside each small product would wait for one another.
    for stop in side_by_side(predict, range(0, n, block), workers):
        progress(stop, n)
    return Predictions(mean, variance, means, variances)


def _marginals(experts: Mapping[str, Sequence[Expert]], points: Points) -> tuple[Array, Array]:
    """Return every expert's standardised mean and variance: (K, m, n) each."""
    grams: dict[tuple[str, bytes], Tensor] = {}

    def marginal(expert: Expert) -> Tensor:
        if isinstance(expert, GaussianProcess) and expert.shape.features is not None:
            # Responses measured in the same rows share the costliest product.
            shape, key = expert.shape, (expert.shape.features, expert.rows.numpy().tobytes())
            if key not in grams:
                grams[key] = shape.of(points) @ shape.of(expert.anchors).mT
            return torch.stack(expert.marginal(points, grams[key]))
        return torch.stack(expert.marginal(points))

    each = [torch.stack([marginal(e) for e in row]) for row in experts.values()]
    both = torch.stack(each).double().numpy()
    return both[:, :, 0], both[:, :, 1]
