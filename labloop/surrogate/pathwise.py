"""Draws that are functions: one evaluation a formula, over any number of formulas.

A draw at q formulas by the Cholesky factor costs q³ and knows nothing of a formula that comes
later. Here a draw is made once, as weights, by Matheron's rule (Wilson et al. 2020, "Efficiently
sampling functions from Gaussian process posteriors", ICML): a draw of the prior, in which only the
Matérn kernel is approximated, by random Fourier features (Rahimi and Recht 2007, NeurIPS), plus the
exact kernel's correction of it towards the own rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaincinv
from torch import Tensor
from torch.quasirandom import SobolEngine

from labloop.surrogate.experts import Ensemble, Expert
from labloop.surrogate.gp import GaussianProcess
from labloop.surrogate.kernels import LEVEL_VARIANCE, TRUST_VARIANCE, covariance, matern
from labloop.surrogate.points import Describer, Points
from labloop.surrogate.posterior import block_ends, coupled
from labloop.surrogate.scaling import Array
from labloop.surrogate.threads import one_thread
from labloop.surrogate.training import Progress, silent

# Each has a cosine and a sine: 1024 features, whose kernel errs by some 3 % at most.
FREQUENCIES = 512


@dataclass(frozen=True)
class Normals:
    """Standard normal numbers of S draws of one response.

    `level`, `trust` (S,), `linear` (S, p), `waves` (S, 2·FREQUENCIES), `noise` (S, own rows),
    `members` (S, M).
    """

    level: Tensor
    trust: Tensor
    linear: Tensor
    waves: Tensor
    noise: Tensor
    members: Tensor

    def take(self, draws: Tensor) -> Normals:
        """Return the numbers of some of the draws."""
        return Normals(**{field.name: getattr(self, field.name)[draws] for field in fields(self)})


@dataclass(frozen=True)
class Path:
    """Draws of one expert of one response, as weights of what the expert sees of a formula.

    `expert`, and for each of its S draws: `level` (S,) a constant, `trust` (S,) the weight of the
    history's prediction beyond 1, `linear` (p, S) of the frozen features, `waves` (2·FREQUENCIES,
    S) of the random features, `pulls` (n, S) of the Matérn kernel with each own row, `members`
    (M, S) of each member's deviation. Those of terms that the expert has not are None.
    """

    expert: Expert
    level: Tensor
    trust: Tensor | None = None
    linear: Tensor | None = None
    waves: Tensor | None = None
    pulls: Tensor | None = None
    members: Tensor | None = None

    def to(self, dtype: torch.dtype) -> Path:
        """Return the draws in another precision."""
        tensors = {
            name: value.to(dtype) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, expert=self.expert.to(dtype), **tensors)

    def values(self, points: Points, waves: Waves) -> Tensor:
        """Return the draws at points: (n, S)."""
        expert = self.expert
        total = self.level
        if self.linear is not None:
            assert isinstance(expert, GaussianProcess)
            total = total + expert.shape.of(points) @ self.linear
        if self.waves is not None:
            total = total + waves(points.x, _lengthscale(expert)) @ self.waves
        if isinstance(expert, GaussianProcess):
            if self.trust is not None:
                history = points.prior[..., expert.response, None]
                total = total + history * (1.0 + self.trust)
            if self.pulls is not None:
                x, length = points.x, expert.theta.lengthscale
                total = total + matern(x / length, expert.anchors.x / length) @ self.pulls
        elif isinstance(expert, Ensemble) and self.members is not None:
            mean, deviations = expert.spread(points)
            members = self.members[: deviations.shape[-1]]
            total = total + mean.unsqueeze(-1) + deviations @ members
        return total.expand(len(points.x), len(self.level))


class Waves:
    """Random features of a unit Matérn-5/2 kernel, remembered for the points of one chunk.

    Their frequencies follow the kernel's spectrum, a multivariate t distribution with five
    degrees of freedom (Rasmussen and Williams 2006, equation 4.15); of a Sobol sequence, so that
    they cover it more evenly than chance would.
    """

    def __init__(self, frequencies: Tensor) -> None:
        """Take `frequencies` (d, FREQUENCIES) for lengthscales of 1."""
        self._frequencies = frequencies
        self._seen: dict[bytes, Tensor] = {}

    def __call__(self, x: Tensor, lengthscale: Tensor) -> Tensor:
        """Return the features of points (n, d): (n, 2·FREQUENCIES), of square length 1."""
        key = lengthscale.numpy().tobytes()
        if key not in self._seen:
            phase = x @ (self._frequencies.to(x.dtype) / lengthscale.unsqueeze(-1))
            both = torch.cat([torch.cos(phase), torch.sin(phase)], -1)
            self._seen[key] = both.mul_(FREQUENCIES**-0.5)
        return self._seen[key]


def spectrum(columns: int, seed: int) -> Tensor:
    """Draw frequencies of the unit Matérn-5/2 kernel: (columns, FREQUENCIES)."""
    engine = SobolEngine(columns + 1, scramble=True, seed=seed)
    uniform = engine.draw(FREQUENCIES, dtype=torch.float64).clamp(1e-9, 1.0 - 1e-9)
    normal = torch.special.ndtri(uniform[:, 1:])
    chi_square = torch.as_tensor(2.0 * gammaincinv(2.5, uniform[:, 0].numpy()))
    return (normal * (5.0 / chi_square).sqrt().unsqueeze(-1)).mT.contiguous()


@dataclass(frozen=True)
class FunctionDraws:
    """Functions drawn from a surrogate's posterior, each consistent over all formulas.

    `samples` is their number S. The same draws at the same formula have the same value, up to
    rounding, however the formulas are handed in.
    """

    samples: int
    describe: Describer
    frequencies: Tensor
    paths: tuple[tuple[int, Tensor, Path], ...]  # response, numbers of its draws, and they
    level: Array
    scale: Array
    dtype: torch.dtype

    @property
    def in_steps(self) -> NDArray[np.bool_]:
        """(S,) which functions follow trees in any response, and so move in steps."""
        stepped = np.zeros(self.samples, dtype=bool)
        for _, draws, path in self.paths:
            if isinstance(path.expert, Ensemble) and path.expert.of == "trees":
                stepped[draws.numpy()] = True
        return stepped

    def values(
        self,
        X: NDArray[np.floating] | Tensor,
        *,
        chunk: int = 1024,
        progress: Progress = silent,
    ) -> Array:
        """Return the functions at encoded rows (n, D): (S, n, m) in the units of Y.

        Time is proportional to n; memory beyond the answer's does not grow with n.
        """
        n = len(X)
        out = np.empty((self.samples, n, len(self.level)))

        def evaluate(start: int) -> int:
            stop = min(start + chunk, n)
            with torch.no_grad():
                rows = torch.as_tensor(np.asarray(X[start:stop]), dtype=self.dtype)
                points, waves = self.describe(rows), Waves(self.frequencies)
                for response, draws, path in self.paths:
                    values = path.values(points, waves).mT.double().numpy()
                    values = values * self.scale[response] + self.level[response]
                    out[draws.numpy(), start:stop, response] = values
            return stop

        # One chunk a thread: threads inside each small product would wait for one another.
        workers = torch.get_num_threads()
        with one_thread(), ThreadPoolExecutor(workers) as pool:
            for stop in pool.map(evaluate, range(0, n, chunk)):
                progress(stop, n)
        return out


def draw_functions(
    describe: Describer,
    experts: Mapping[str, Sequence[Expert]],
    weights: Tensor,
    correlation: Tensor,
    own_rows: int,
    samples: int,
    seed: int,
) -> tuple[Tensor, tuple[tuple[int, Tensor, Path], ...]]:
    """Draw functions of every response in standardised units: frequencies (d, F), and paths.

    Experts take their `weights` (K, m) of the draws, coupled as in the joint posterior and in
    random order; what remains by rounding falls to them by chance. Within a draw the normal
    numbers of the m responses have their `correlation` (m, m), so that responses of equal
    kernels and rows are correlated as in the joint posterior, others less, the less their kernels
    have in common.
    """
    generator = torch.Generator().manual_seed(seed)
    responses = len(correlation)
    columns = int(describe.varying.sum())
    frequencies = spectrum(columns, seed)
    with torch.no_grad():
        probe = describe(torch.zeros(1, len(describe.varying), dtype=torch.float64))
    linear = max(probe.phi.shape[-1], probe.curves.shape[-1])
    sizes = (1, 1, linear, 2 * FREQUENCIES, own_rows, _most_members(probe))
    z = torch.randn(samples, responses, sum(sizes), generator=generator, dtype=torch.float64)
    z = torch.einsum("jk,skz->jsz", torch.linalg.cholesky(correlation), z)
    shares, chosen = coupled(weights)
    ends = torch.tensor(block_ends(shares, samples, float(torch.rand((), generator=generator))))
    segment = torch.bucketize(torch.arange(samples), ends, right=True)
    segment = segment[torch.randperm(samples, generator=generator)]
    paths: list[tuple[int, Tensor, Path]] = []
    for j in range(responses):
        level, trust, *rest = z[j].split(sizes, -1)
        normals = Normals(level.squeeze(-1), trust.squeeze(-1), *rest)
        for number, each in enumerate(experts.values()):
            draws = torch.nonzero(chosen[segment, j] == number).squeeze(1)
            if len(draws):
                path = _path(each[j], normals.take(draws), Waves(frequencies))
                paths.append((j, draws, path))
    return frequencies, tuple(paths)


def _path(expert: Expert, normals: Normals, waves: Waves) -> Path:
    if isinstance(expert, GaussianProcess):
        return _process_path(expert, normals, waves)
    if isinstance(expert, Ensemble):
        return Path(
            expert,
            level=normals.level * expert.level.sqrt(),
            waves=normals.waves.mT * expert.discrepancy.sqrt() if expert.discrepancy > 0 else None,
            members=normals.members.mT,
        )
    raise NotImplementedError(f"{type(expert).__name__} has no draws of whole functions.")


def _most_members(points: Points) -> int:
    return max(points.tuned.shape[-2], points.trees.shape[-2])


def _process_path(process: GaussianProcess, normals: Normals, waves: Waves) -> Path:
    """Draw the prior and correct it by the rows: f + K(·, X) (K + N)⁻¹ (y − f(X) − ε)."""
    shape, theta, anchors = process.shape, process.theta, process.anchors
    history = anchors.prior[:, process.response, None]
    level = LEVEL_VARIANCE**0.5 * normals.level
    trust = TRUST_VARIANCE**0.5 * normals.trust if shape.history else None
    features, linear = shape.of(anchors), None
    if shape.features is not None:
        linear = theta.linear.sqrt() * normals.linear.mT[: features.shape[1]]
    wavy = theta.signal.sqrt() * normals.waves.mT
    pulls = None
    if len(process.weights):
        drawn = level.expand(len(history), -1)
        if trust is not None:
            drawn = drawn + history * trust
        if linear is not None:
            drawn = drawn + features @ linear
        drawn = drawn + waves(anchors.x, theta.lengthscale) @ wavy
        noise = normals.noise[:, process.rows].mT
        drawn = drawn + _row_noise(process).sqrt().unsqueeze(-1) * noise
        whitener = process.whitener
        moved = process.weights.unsqueeze(-1) - whitener.mT @ (whitener @ drawn)
        level = level + LEVEL_VARIANCE * moved.sum(0)
        if trust is not None:
            trust = trust + TRUST_VARIANCE * (history * moved).sum(0)
        if linear is not None:
            linear = linear + theta.linear * (features.mT @ moved)
        pulls = theta.signal * moved
    return Path(process, level, trust, linear, wavy, pulls)


def _row_noise(process: GaussianProcess) -> Tensor:
    """Return the noise variance of each own row (n,), from K + N = LLᵀ and the whitener L⁻¹."""
    eye = torch.eye(len(process.weights), dtype=process.whitener.dtype)
    lower = torch.linalg.solve_triangular(process.whitener, eye, upper=False)
    anchors = process.anchors
    prior = covariance(process.shape, process.theta, anchors, anchors, process.response)
    return (lower.square().sum(-1) - prior.expand_as(lower).diagonal()).clamp_min(0.0)


def _lengthscale(expert: Expert) -> Tensor:
    if isinstance(expert, GaussianProcess):
        return expert.theta.lengthscale
    assert isinstance(expert, Ensemble)
    return expert.lengthscale
