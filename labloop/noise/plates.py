"""Offset and gain of plates, from formulas that several plates have in common.

A plate reads y = offset + gain · true value. Its two parameters are told by the means (cells) of
formulas that stand on several plates: controls, replicates that are dealt over plates, formulas
measured again. All formulas and plates are fitted together: formulas are unknown constants, offsets
and gains normal variates about 0 and 1 whose variances are estimated by MacKay's fixed point (1992,
Neural Computation 4:415), so that the plates of a quiet campaign are drawn to 0 and 1 and little
told is little corrected. A cell's variance is that of its wells' mean and an interaction of formula
and plate (a formula made anew is not quite the same), in proportion to the variance of a well; it
is found by equating the squared residuals with their expectation (Paule and Mandel 1982, J. Res.
NBS 87:377). Residuals beyond two standard deviations pull no harder than at two (Huber 1964).

Offset alone, gain alone and both are compared by Laplace's approximation of their evidence. Only
differences within a formula count, so the scale is free: it is that of the median plate of
those that are connected, which a new plate hardly moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from labloop.noise.groups import (
    huber_loss,
    huber_squares,
    huber_weights,
    means,
    medians,
    sums,
)
from labloop.noise.spread import Array, Counts

_STEPS: Final = 30
_CHANCE_AT: Final = (0, 1, 2, 4, 8, 12, 18, 24)  # steps that find the size of chance anew
_LEAST_GAIN: Final = 0.02
# How much more likely, in logarithms, plates must be to differ at all, and by two parameters; and
# within which offset and gain count as equally likely.
_ANY: Final = 1.0
_BOTH: Final = 4.0
_AS_LIKELY: Final = 1.5
_CHUNK: Final = 4096
_LEAST_LEVEL: Final = 1e-6
# Without replicates on a plate, this many differences must remain to tell plates from chance.
_ENOUGH: Final = 8


@dataclass(frozen=True, eq=False)
class Cells:
    """Means of the wells of one formula on one plate.

    Attributes:
        values: (c,) means as they were read, of one response.
        wells: (c,) behind each.
        formulas: (c,) number of the formula from 0.
        plates: (c,) number of the plate from 0.
    """

    values: Array
    wells: Counts
    formulas: Counts
    plates: Counts

    def take(self, rows: npt.NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        return Cells(self.values[rows], self.wells[rows], self.formulas[rows], self.plates[rows])


@dataclass(frozen=True, eq=False)
class PlateEffects:
    """How each plate reads one response: y = offset + gain · true value.

    Attributes:
        offset: (plates,) 0 where a plate has nothing in common with another.
        gain: (plates,) 1 there.
        component: (plates,) number of the group of plates that are connected through formulas, -1
            for a plate on its own.
        covariance: (2·plates, 2·plates) of the errors of offsets and gains, relative to the
            reference of their component; of a plate on its own, how plates usually differ.
        interaction: Variance of a formula made anew on another plate, as a share of a well's.
        told: Parameters that the cells told, of all.
    """

    offset: Array
    gain: Array
    component: Counts
    covariance: Array
    interaction: float
    told: float

    @classmethod
    def none(cls, plates: int) -> PlateEffects:
        """Return plates that all read the truth."""
        return cls(
            np.zeros(plates),
            np.ones(plates),
            np.full(plates, -1),
            np.zeros((2 * plates, 2 * plates)),
            0.0,
            0.0,
        )

    def corrected(self, values: Array, plates: Counts) -> Array:
        """Return (n,) raw values as the reference plate reads them; unknown plates (-1) as is."""
        known = plates >= 0
        offset = np.where(known, self.offset[plates], 0.0) if len(self.offset) else 0.0
        gain = np.where(known, self.gain[plates], 1.0) if len(self.gain) else 1.0
        return np.asarray((values - offset) / gain)

    def variances_of_means(
        self, levels: Array, shares: Array, formulas: Counts, plates: Counts
    ) -> Array:
        """Return (g,) the variance of formulas' means from errors of offset and gain.

        `levels` (g) are the means; formula `formulas[c]` has the share `shares[c]` of its wells
        on plate `plates[c]`.
        """
        found = np.zeros(len(levels))
        if not self.covariance.any():
            return found
        count = len(self.offset)
        pull = shares / self.gain[plates]
        weights = sparse.csr_matrix(
            (
                np.concatenate([pull, pull * levels[formulas]]),
                (np.tile(formulas, 2), np.concatenate([plates, plates + count])),
            ),
            shape=(len(levels), 2 * count),
        )
        for start in range(0, len(levels), _CHUNK):
            part = weights[start : start + _CHUNK].toarray()
            found[start : start + _CHUNK] = np.einsum("ij,ij->i", part @ self.covariance, part)
        return np.maximum(found, 0.0)


def fit_plates(
    cells: Cells, plates: int, constant: float, relative: float, within: int
) -> PlateEffects:
    """Return the plates' effects on one response.

    `constant` and `relative` are the parts of a single well's variance, found from replicates
    within plates with so many degrees of freedom `within`; 0 where only their ratio is known.
    """
    component = _components(cells, plates)
    shared = (component[cells.plates] >= 0) & _repeated(cells)
    if not shared.any():
        return PlateEffects.none(plates)
    used, names = np.unique(cells.plates[shared], return_inverse=True)
    formulas, of_cell = np.unique(cells.formulas[shared], return_inverse=True)
    typical = float(np.median(cells.values))
    cells = cells.take(shared)
    spare = len(of_cell) - len(formulas) - len(used)
    if not within and spare < _ENOUGH:
        return replace(PlateEffects.none(plates), component=component)
    problem = _Problem(
        cells.values,
        cells.wells,
        of_cell,
        names,
        len(formulas),
        len(used),
        constant,
        relative,
        within,
    )
    return _anchored(_best(problem, typical), used, component, plates)


def _repeated(cells: Cells) -> npt.NDArray[np.bool_]:
    """Return which cells are of formulas on two plates or more."""
    return np.asarray(np.bincount(cells.formulas)[cells.formulas] > 1)


def _components(cells: Cells, plates: int) -> Counts:
    """Return the component of each plate, -1 for one that shares no formula with another."""
    repeated = _repeated(cells)
    formulas = int(cells.formulas.max(initial=-1)) + 1
    rows, columns = cells.formulas[repeated] + plates, cells.plates[repeated]
    size = plates + formulas
    graph = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    label = label[:plates].astype(np.int64)
    met = np.zeros(plates, dtype=bool)
    met[columns] = True
    found = np.full(plates, -1)
    if met.any():
        found[met] = np.unique(label[met], return_inverse=True)[1]
    return found


@dataclass(frozen=True, eq=False)
class _Problem:
    values: Array
    wells: Counts
    formulas: Counts
    plates: Counts
    n_formulas: int
    n_plates: int
    constant: float
    relative: float
    within: int

    def variances(self, expected: Array, level: float, interaction: float) -> Array:
        """Return the variance of each cell's mean, given what the plate should read there."""
        single = self.constant + self.relative * expected**2
        return np.asarray(level * single * (interaction + 1.0 / self.wells))


@dataclass(frozen=True, eq=False)
class _Fit:
    offset: Array
    gain: Array
    truth: Array
    covariance: Array
    offset_variance: float
    gain_variance: float
    interaction: float
    told: float
    evidence: float


def _best(problem: _Problem, typical: float) -> _Fit:
    """Return the likeliest of no effect, offset, gain, and both.

    Where offset and gain explain as much, because what is repeated is alike in level, the one is
    taken that changes the others less: gain if they lie lower than what is repeated, offset if
    higher. That it may be the other one is part of the error.
    """
    zeros, ones = np.zeros(problem.n_plates), np.ones(problem.n_plates)
    start = (zeros, ones)
    nothing = _fitted(problem, start, offsets=False, gains=False)
    best = offset = _fitted(problem, _start_offset(problem), offsets=True, gains=False)
    if (problem.values > 0).all():
        start = _start_gain(problem)
        gain = _fitted(problem, start, offsets=False, gains=True)
        lower = typical < float(np.median(gain.truth))
        ahead = gain.evidence - offset.evidence
        best, other = (gain, offset) if ahead > (-_AS_LIKELY if lower else _AS_LIKELY) else (
            offset, gain)  # fmt: skip
        best = _in_doubt(best, other)
    both = _fitted(problem, start, offsets=True, gains=True)
    best = both if both.evidence > best.evidence + _BOTH else best
    return best if best.evidence > nothing.evidence + _ANY else nothing


def _in_doubt(fit: _Fit, other: _Fit) -> _Fit:
    """Return the fit with the errors that it has if the other one is right."""
    doubt = 1.0 / (1.0 + np.exp(np.clip(fit.evidence - other.evidence, 0.0, 50.0)))
    apart = np.concatenate([other.offset - fit.offset, other.gain - fit.gain])
    return replace(fit, covariance=fit.covariance + doubt * np.outer(apart, apart))


def _polished(values: Array, problem: _Problem) -> Array:
    """Return plates' levels by Tukey's median polish of formulas and plates (1977)."""
    level = np.zeros(problem.n_plates)
    for _ in range(5):
        truth = medians(values - level[problem.plates], problem.formulas, problem.n_formulas)
        level = medians(values - truth[problem.formulas], problem.plates, problem.n_plates)
        level -= np.median(level)
    return level


def _start_offset(problem: _Problem) -> tuple[Array, Array]:
    return _polished(problem.values, problem), np.ones(problem.n_plates)


def _start_gain(problem: _Problem) -> tuple[Array, Array]:
    levels = np.clip(_polished(np.log(problem.values), problem), -20.0, 20.0)
    return np.zeros(problem.n_plates), np.maximum(np.exp(levels), _LEAST_GAIN)


def _fitted(problem: _Problem, start: tuple[Array, Array], *, offsets: bool, gains: bool) -> _Fit:
    """Fit by Gauss and Newton's steps, formulas eliminated, with variances found on the way."""
    offset, gain = start[0].copy(), start[1].copy()
    typical = max(float(np.median(np.abs(problem.values))), 1e-6)
    offset_variance = max(float(offset @ offset) / len(offset), 1e-4 * typical**2)
    gain_variance = max(float((gain - 1) @ (gain - 1)) / len(gain), 1e-4)
    level, interaction = 1.0, 0.0
    chosen = np.repeat([offsets, gains], problem.n_plates)
    covariance = np.zeros((chosen.size, chosen.size))
    truth = medians(
        (problem.values - offset[problem.plates]) / gain[problem.plates],
        problem.formulas,
        problem.n_formulas,
    )
    evidence, told_parameters = -np.inf, 0.0
    for step in range(_STEPS):
        on_plate = gain[problem.plates]
        expected = offset[problem.plates] + on_plate * truth[problem.formulas]
        freedom = len(problem.values) - problem.n_formulas - told_parameters
        if step in _CHANCE_AT:
            level, interaction = _chance(problem, expected, max(freedom, 1.0))
        variances = problem.variances(expected, level, interaction)
        z = (problem.values - expected) / np.sqrt(variances)
        weights = huber_weights(z) / variances
        truth = means(
            (problem.values - offset[problem.plates]) / on_plate,
            weights * on_plate**2,
            problem.formulas,
            problem.n_formulas,
        )
        residual = problem.values - offset[problem.plates] - on_plate * truth[problem.formulas]
        z = residual / np.sqrt(variances)
        loss = float((np.log(variances) / 2 + huber_loss(z)).sum())
        if not chosen.any():
            evidence = -loss
            if step == 5:
                break
            continue
        prior = np.repeat([offset_variance, gain_variance], problem.n_plates)
        theta = np.concatenate([offset, gain - 1.0])
        hessian, gradient = _normal_equations(problem, truth, on_plate, weights, residual)
        hessian[np.diag_indices_from(hessian)] += 1.0 / prior
        kept = np.ix_(chosen, chosen)
        covariance[kept] = np.linalg.inv(hessian[kept])
        _, log_det = np.linalg.slogdet(hessian[kept])
        evidence = (
            -loss
            - float((theta[chosen] ** 2 / prior[chosen] + np.log(prior[chosen])).sum()) / 2
            - float(log_det) / 2
        )
        moved = covariance[kept] @ (gradient - theta / prior)[chosen]
        theta[chosen] += moved
        offset, gain = (
            theta[: problem.n_plates],
            np.maximum(1.0 + theta[problem.n_plates :], _LEAST_GAIN),
        )
        known = np.diag(covariance)
        told_parameters = float(chosen.sum() - (known / prior)[chosen].sum())
        old = (offset_variance, gain_variance)
        if offsets:
            offset_variance = _prior_variance(
                offset, known[: problem.n_plates], offset_variance, 1e-9 * typical**2
            )
        if gains:
            gain_variance = _prior_variance(
                gain - 1.0, known[problem.n_plates :], gain_variance, 1e-9
            )
        still = np.abs(moved) < 1e-3 * np.sqrt(known[chosen])
        if step > 5 and still.all() and np.allclose(old, (offset_variance, gain_variance), 1e-2):
            break
    return _Fit(
        offset, gain, truth, covariance, offset_variance if offsets else 0.0,
        gain_variance if gains else 0.0, interaction, told_parameters, evidence,
    )  # fmt: skip


def _normal_equations(
    problem: _Problem, truth: Array, on_plate: Array, weights: Array, residual: Array
) -> tuple[Array, Array]:
    """Return Hessian and gradient in offsets and gains after formulas are eliminated."""
    signal = truth[problem.formulas]
    size = problem.n_plates
    slopes = (np.ones_like(signal), signal)
    by_formula = sums(weights * on_plate**2, problem.formulas, problem.n_formulas)
    root = 1.0 / np.sqrt(np.maximum(by_formula, 1e-300))
    shared = sparse.hstack([
        sparse.csr_matrix(
            (weights * slope * on_plate * root[problem.formulas],
             (problem.formulas, problem.plates)),
            shape=(problem.n_formulas, size),
        )
        for slope in slopes
    ]).tocsr()  # fmt: skip
    hessian = -np.asarray((shared.T @ shared).todense())
    for i, one in enumerate(slopes):
        for j, other in enumerate(slopes):
            diagonal = sums(weights * one * other, problem.plates, size)
            at = np.arange(size)
            hessian[i * size + at, j * size + at] += diagonal
    gradient = np.concatenate([
        sums(weights * slope * residual, problem.plates, size) for slope in slopes
    ])  # fmt: skip
    return hessian, gradient


def _prior_variance(effects: Array, errors: Array, variance: float, least: float) -> float:
    """Return MacKay's next estimate of the variance of effects with error variances `errors`."""
    told = float((1.0 - errors / variance).sum())
    found = float(effects @ effects) / max(told, 1e-3)
    return max(min(found, 100.0 * variance), least)


def _chance(problem: _Problem, expected: Array, freedom: float) -> tuple[float, float]:
    """Return level and interaction at which squared residuals are as large as they should be.

    Residuals larger than replicates within plates explain are an interaction only where that is
    beyond chance; otherwise both tell the level.
    """
    residual = problem.values - expected

    def surplus(level: float, interaction: float) -> float:
        z = residual / np.sqrt(problem.variances(expected, level, interaction))
        return float(huber_squares(z).sum()) - freedom

    if problem.within:
        beyond = freedom * 2 * np.sqrt(2 / freedom + 2 / problem.within)
        if surplus(1.0, 0.0) > beyond:
            return 1.0, _root(lambda interaction: surplus(1.0, interaction), 0.0)
    level = _root(lambda level: surplus(level, 0.0), _LEAST_LEVEL)
    pooled = (problem.within + freedom * level) / (problem.within + freedom)
    return max(pooled, _LEAST_LEVEL), 0.0


def _root(surplus: Callable[[float], float], least: float) -> float:
    """Return where a falling function crosses zero, at least `least`."""
    if surplus(least) <= 0.0:
        return least
    lower, upper = least, 1.0
    while surplus(upper) > 0.0 and upper < 1e15:
        lower, upper = upper, 10 * upper
    for _ in range(14):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if surplus(middle) > 0.0 else (lower, middle)
    return (lower + upper) / 2


def _anchored(fit: _Fit, used: Counts, component: Counts, plates: int) -> PlateEffects:
    """Return the effects relative to the median plate of each component, and their errors."""
    found = PlateEffects.none(plates)
    count = len(used)
    level = float(np.median(fit.truth))
    offset, gain = fit.offset, fit.gain
    change = np.zeros((2 * count, 2 * count))
    own = component[used]
    for which in np.unique(own):
        at = np.flatnonzero(own == which)
        gain_there = float(np.median(gain[at]))
        offset_there = float(np.median(offset[at] + gain[at] * level)) - gain_there * level
        new_gain = gain[at] / gain_there
        found.gain[used[at]] = new_gain
        found.offset[used[at]] = offset[at] - new_gain * offset_there
        # Errors are those relative to the component's average plate.
        average = np.full(len(at), gain_there / (gain[at].mean() * len(at)))
        of_gain = (np.eye(len(at)) - np.outer(gain[at], average) / gain_there) / gain_there
        change[np.ix_(at + count, at + count)] = of_gain
        change[np.ix_(at, at)] = np.eye(len(at)) - np.outer(new_gain, average)
        change[np.ix_(at, at + count)] = -offset_there * of_gain
    covariance = found.covariance
    covariance[np.diag_indices_from(covariance)] = np.repeat(
        [fit.offset_variance, fit.gain_variance], plates
    )
    at = np.concatenate([used, used + plates])
    covariance[np.ix_(at, at)] = change @ fit.covariance @ change.T
    return PlateEffects(
        found.offset, found.gain, component, covariance, max(fit.interaction, 0.0), fit.told
    )
