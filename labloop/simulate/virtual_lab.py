"""A virtual cell-culture lab: a family of cell lines that answer to formulas.

Formulas are rows of [0, 1] here: each component from its low to its high. Nutrients saturate
(Michaelis–Menten) or inhibit when there is too much (Haldane: x / (K + x + x²/Kᵢ)), pairs of them
interact, and a share does nothing at all. The sum of it is a normal score, of which the titre is
the exponential, so that most formulas are poor and the best is many times the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from labloop.wells import position, ring, shape

Floats = npt.NDArray[np.float64]
Likeness = Literal["related", "moderate", "unrelated"]

LIKENESS = {"related": 0.95, "moderate": 0.75, "unrelated": 0.4}
"""Spearman correlation of the titre of two lines over random formulas."""

_INERT = 0.2
_INHIBITING = 0.4
_SHARED = 0.6  # of a response's score, what all responses share
_PAIRS_SPREAD = 0.5
_SPREAD = 0.45  # standard deviation of the log titre over random formulas
_CHUNK = 32_768
_REFERENCE = 2048


@dataclass(frozen=True, eq=False)
class Response:
    """How a score (mean 0, sd 1 over random formulas) becomes what the lab measures."""

    name: str
    kind: Literal["titre", "percentage", "density"]
    typical: float  # value at score 0; for a percentage on its logit
    spread: float

    def of(self, score: Floats) -> Floats:
        """Return the response of scores of any shape; always above zero."""
        if self.kind == "percentage":
            return np.asarray(100.0 / (1.0 + np.exp(-(self.typical + self.spread * score))))
        return np.asarray(self.typical * np.exp(self.spread * score))


def _responses(count: int) -> tuple[Response, ...]:
    named = (
        Response("titre", "titre", 1.0, _SPREAD),
        Response("viability", "percentage", 1.8, 0.8),
        Response("density", "density", 8.0, 0.25),
    )
    more = tuple(Response(f"metabolite {n}", "density", 2.0, 0.3) for n in range(1, count - 2))
    return (named + more)[:count]


@dataclass(frozen=True, eq=False)
class _Biology:
    """What makes a line: everything in logs or weights, so that two of them can be blended."""

    log_half: Floats  # (d,) log K: where the effect is half of its most
    log_inhibition: Floats  # (d,) log Kᵢ: where too much begins to harm
    weights: Floats  # (m, d)
    pair_weights: Floats  # (m, p)

    def blend(self, other: _Biology, share: float) -> _Biology:
        """Return the biology at `share` of the way to another."""
        near, far = np.cos(share * np.pi / 2), np.sin(share * np.pi / 2)
        return _Biology(
            (1 - share) * self.log_half + share * other.log_half,
            (1 - share) * self.log_inhibition + share * other.log_inhibition,
            near * self.weights + far * other.weights,
            near * self.pair_weights + far * other.pair_weights,
        )


@dataclass(frozen=True, eq=False)
class CellLine:
    """One line of a virtual lab; `true_response` is what nature does, `measure` what one sees.

    Attributes:
        responses: What is measured, in the order of the columns.
        likeness: Spearman correlation of its titre with the lab's source line.
        noise: (m,) relative error of a well at the typical value, 5 to 10 %.

    """

    responses: tuple[Response, ...]
    likeness: float
    noise: Floats
    biology: _Biology = field(repr=False)
    active: npt.NDArray[np.bool_] = field(repr=False)  # (d,)
    pairs: npt.NDArray[np.int64] = field(repr=False)  # (p, 2)
    reference: Floats = field(repr=False)  # (r, d) random formulas that set the score's scale

    @property
    def components(self) -> int:
        """Number of components."""
        return int(self.active.size)

    def true_response(self, X: npt.ArrayLike) -> Floats:
        """Return the responses (n, m) of formulas (n, d) in [0, 1], without any error."""
        rows = self._rows(X)
        chunks = [self._score(rows[at : at + _CHUNK]) for at in range(0, len(rows), _CHUNK)]
        score = np.concatenate(chunks) if chunks else np.empty((0, len(self.responses)))
        return self._answer(score)

    def score(self, X: npt.ArrayLike) -> Floats:
        """Return what the responses are made of, (n, m): about 0 ± 1 over random formulas."""
        return self._score(self._rows(X))

    def measure(
        self,
        X: npt.ArrayLike,
        rng: np.random.Generator,
        *,
        plates: Sequence[int] | npt.NDArray[np.int64] | None = None,
        wells: Sequence[str] | None = None,
        plate_wells: int = 96,
    ) -> Floats:
        """Return what the lab measures (n, m) of formulas (n, d), one row a well.

        The error grows with the signal. With `plates` (n,) each plate has its own gain; with
        `wells` (n,) the outer rings yield less (16, 7 and 1 %, Mansoury et al. 2021) and there is
        a slope along the columns. Values stay above zero and percentages at most 100.
        """
        truth = self.true_response(X)
        scale = np.ones(len(truth))
        if plates is not None:
            numbers, plate = np.unique(np.asarray(plates), return_inverse=True)
            scale *= np.exp(rng.normal(0.0, 0.06, numbers.size))[plate]
        if wells is not None:
            scale *= _well_effect(wells, plate_wells, slope=float(rng.normal(0.0, 0.03)))
        relative = np.exp(self.noise * rng.standard_normal(truth.shape))
        # A percentage near its ceiling is touched less by where the well stands.
        measured = (
            truth
            * relative
            * np.column_stack(
                [scale if each.kind != "percentage" else np.sqrt(scale) for each in self.responses]
            )
        )
        ceiling = [100.0 if each.kind == "percentage" else np.inf for each in self.responses]
        return np.asarray(np.minimum(measured, ceiling))

    def best(
        self, response: int = 0, *, starts: int = 48, sweeps: int = 12, seed: int = 0
    ) -> tuple[Floats, float]:
        """Return the formula (d,) with the highest true response, and that value.

        Coordinate ascent on 41 values a component from many random starts, all at once. With
        pairwise interactions this may miss the very top, by little: it is an estimate from below.
        """
        rng = np.random.default_rng(seed)
        values = np.linspace(0.0, 1.0, 41)
        X = rng.random((starts, self.components))
        height = self._score(X)[:, response]
        for _ in range(sweeps):
            before = height.copy()
            for component in rng.permutation(np.flatnonzero(self.active)):
                tries = np.repeat(X[:, None, :], values.size, axis=1)
                tries[:, :, component] = values
                score = self._score(tries.reshape(-1, self.components))[:, response]
                score = score.reshape(starts, values.size)
                choice = score.argmax(axis=1)
                top = score[np.arange(starts), choice]
                better = top > height
                X[better, component] = values[choice[better]]
                height = np.maximum(height, top)
            if np.allclose(before, height, rtol=0, atol=1e-9):
                break
        winner = int(height.argmax())
        return X[winner], float(self.true_response(X[winner : winner + 1])[0, response])

    def _rows(self, X: npt.ArrayLike) -> Floats:
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.components:
            raise ValueError(f"X must be (n, {self.components}) (got {rows.shape})")
        return rows

    def _answer(self, score: Floats) -> Floats:
        return np.column_stack([each.of(score[:, j]) for j, each in enumerate(self.responses)])

    def _raw(self, X: Floats) -> Floats:
        """Return unscaled scores (n, m)."""
        biology = self.biology
        half, inhibition = np.exp(biology.log_half), np.exp(biology.log_inhibition)
        effect = X / (half + X + X * X / inhibition)
        # The most that a nutrient can do is one, whatever its constants.
        peak = np.minimum(np.sqrt(half * inhibition), 1.0)
        effect *= self.active * (half + peak + peak * peak / inhibition) / peak
        effect -= self.active * 0.6
        pair = effect[:, self.pairs[:, 0]] * effect[:, self.pairs[:, 1]]
        return np.asarray(effect @ biology.weights.T + pair @ biology.pair_weights.T)

    @cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        raw = self._raw(self.reference)
        return raw.mean(axis=0), raw.std(axis=0)

    def _score(self, X: Floats) -> Floats:
        mean, spread = self._scale
        return (self._raw(X) - mean) / spread


@dataclass(frozen=True)
class VirtualLab:
    """A family of cell lines; the same numbers give the same family.

    Attributes:
        components: Number of components (d), at least 2.
        responses: Number of responses (m): titre, viability, density, then metabolites.
        seed: What else makes the family.

    """

    components: int
    responses: int = 3
    seed: int = 0

    @cached_property
    def source(self) -> CellLine:
        """The line that the others are measured against: the one the lab has its history of."""
        rng = np.random.default_rng([self.seed, 0])
        d = self.components
        inert = rng.permutation(d)[: round(_INERT * d)]
        active = ~np.isin(np.arange(d), inert)
        alive = np.flatnonzero(active)
        every = np.array([(a, b) for i, a in enumerate(alive) for b in alive[i + 1 :]])
        pairs = every[rng.permutation(len(every))[:d]].reshape(-1, 2)
        return CellLine(
            responses=_responses(self.responses),
            likeness=1.0,
            noise=rng.uniform(0.05, 0.10, self.responses),
            biology=self._biology(rng, len(pairs)),
            active=active,
            pairs=pairs,
            reference=np.random.default_rng([self.seed, 1]).random((_REFERENCE, d)),
        )

    def line(self, likeness: Likeness | float, seed: int = 1) -> CellLine:
        """Return a line whose titre has this Spearman correlation with the source's.

        `likeness` is a name of `LIKENESS` or a number up to 1; lines of one family share which
        components are inert, so that a line cannot be much less alike than about .1.
        """
        wanted = LIKENESS[likeness] if isinstance(likeness, str) else float(likeness)
        if not 0.0 <= wanted <= 1.0:
            raise ValueError(f"likeness must be between 0 and 1 (got {wanted})")
        source = self.source
        if wanted == 1.0:
            return source
        rng = np.random.default_rng([self.seed, 2, seed])
        other = self._biology(rng, len(source.pairs))
        own = replace(source, noise=rng.uniform(0.05, 0.10, self.responses))
        titre = source._raw(source.reference)[:, 0]

        def at(share: float) -> tuple[CellLine, float]:
            line = replace(own, biology=source.biology.blend(other, share))
            return line, float(spearmanr(titre, line._raw(source.reference)[:, 0]).statistic)

        near, far = 0.0, 1.0
        for _ in range(24):
            middle = (near + far) / 2
            near, far = (middle, far) if at(middle)[1] > wanted else (near, middle)
        line, reached = at(far)
        return replace(line, likeness=reached)

    def _biology(self, rng: np.random.Generator, pairs: int) -> _Biology:
        d, m = self.components, self.responses
        inhibiting = rng.random(d) < _INHIBITING
        shared = _weights(rng, 1, d)
        weights = _SHARED * shared + np.sqrt(1 - _SHARED**2) * _weights(rng, m, d)
        weights[0] = shared[0]
        return _Biology(
            log_half=np.log(rng.uniform(0.05, 0.5, d)),
            log_inhibition=np.log(np.where(inhibiting, rng.uniform(0.1, 0.8, d), 30.0)),
            weights=weights,
            pair_weights=_PAIRS_SPREAD * rng.normal(size=(m, pairs)) * np.abs(weights).mean(),
        )


def _weights(rng: np.random.Generator, rows: int, components: int) -> Floats:
    """Return (rows, components) weights: few that matter much, one in five harmful."""
    sign = np.where(rng.random((rows, components)) < 0.2, -1.0, 1.0)
    return np.asarray(sign * rng.gamma(1.2, 1.0, (rows, components)))


def _well_effect(wells: Sequence[str], plate_wells: int, slope: float) -> Floats:
    loss = np.array([0.16, 0.07, 0.01, 0.0])
    depth = np.minimum([ring(well, plate_wells) for well in wells], 3)
    columns = shape(plate_wells)[1] - 1
    across = np.array([position(well, plate_wells)[1] for well in wells]) / columns - 0.5
    return np.asarray((1.0 - loss[depth]) * (1.0 + slope * across))
