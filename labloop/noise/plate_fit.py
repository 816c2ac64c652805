"""One fit of offsets and gains of plates to means of formulas on plates.

    y_fp = offset_p + gain_p · mu_f + error,   variance = level · s²(y) · (interaction + 1 / wells)

mu_f is an unknown constant; offset_p ~ N(0, v_o) and gain_p ~ N(1, v_g), whose variances are
estimated by MacKay's fixed point (1992, Neural Computation 4:415): sum of squares over the number
of parameters that are told. s² is the variance of a well, `interaction` the share of it by which a
formula made anew on another plate differs; it is found by equating squared residuals with their
expectation (Paule and Mandel 1982, J. Res. NBS 87:377). Residuals beyond two standard deviations
pull no harder than at two (Huber 1964). Evidences are Laplace's approximation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import sparse

from labloop.noise.groups import huber_loss, huber_squares, huber_weights, means, medians, sums
from labloop.noise.inverses import bordered_inverse, inverse
from labloop.noise.spread import Array, Counts

_STEPS: Final = 30
_STEPS_OF_NOTHING: Final = 6
_CHANCE_AT: Final = (0, 1, 2, 4, 8, 12, 18, 24)  # steps that find the size of chance anew
_LEAST_GAIN: Final = 0.02
_LEAST_LEVEL: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Chance:
    """How large errors are: `level` times the variance of wells, and of formulas made anew."""

    level: float
    interaction: float


@dataclass(frozen=True, eq=False)
class Problem:
    """Means of formulas on plates that several have in common, numbered from zero.

    `constant` and `relative` are the parts of a well's variance, known with `within` degrees of
    freedom from replicates within plates; 0 where only their ratio is known. `spare` are the
    differences that are left when every plate has a parameter of its own: where there are none,
    a formula made anew cannot be told from its plate, and is taken for the same.
    """

    values: Array
    wells: Counts
    formulas: Counts
    plates: Counts
    n_formulas: int
    n_plates: int
    constant: float
    relative: float
    within: int
    spare: int

    def expected(self, at: Plates) -> Array:
        """Return (c,) what the plates should read."""
        return np.asarray(at.offset[self.plates] + at.gain[self.plates] * at.truth[self.formulas])

    def variances(self, expected: Array, chance: Chance) -> Array:
        """Return (c,) variances of means, given what the plates should read there."""
        single = self.constant + self.relative * expected**2
        return np.asarray(chance.level * single * (chance.interaction + 1.0 / self.wells))


@dataclass(frozen=True, eq=False)
class Plates:
    """Offsets and gains of plates, true values of formulas, and the prior's variances."""

    offset: Array
    gain: Array
    truth: Array
    offset_variance: float
    gain_variance: float

    @classmethod
    def start(cls, problem: Problem, offset: Array, gain: Array) -> Plates:
        """Return where to start from for these offsets and gains."""
        true = (problem.values - offset[problem.plates]) / gain[problem.plates]
        typical = _typical(problem)
        return cls(
            offset.copy(),
            gain.copy(),
            medians(true, problem.formulas, problem.n_formulas),
            max(float(offset @ offset) / len(offset), 1e-4 * typical**2),
            max(float((gain - 1) @ (gain - 1)) / len(gain), 1e-4),
        )

    def with_truth(self, problem: Problem, weights: Array) -> Plates:
        """Return the same with the formulas' likeliest true values."""
        on_plate = self.gain[problem.plates]
        true = (problem.values - self.offset[problem.plates]) / on_plate
        return replace(
            self,
            truth=means(true, weights * on_plate**2, problem.formulas, problem.n_formulas),
        )


@dataclass(frozen=True, eq=False)
class Fit:
    """Plates as fitted; `covariance` (2·plates, 2·plates) is that of offsets and gains."""

    at: Plates
    offsets: bool
    gains: bool
    covariance: Array
    chance: Chance
    told: float
    evidence: float


def fitted_nothing(problem: Problem, chance: Chance | None = None) -> Fit:
    """Return the fit of plates that do not differ, with errors of this size if it is given."""
    size = problem.n_plates
    at = replace(
        Plates.start(problem, np.zeros(size), np.ones(size)), offset_variance=0.0, gain_variance=0.0
    )
    found, loss = chance or Chance(1.0, 0.0), 0.0
    for step in range(_STEPS_OF_NOTHING):
        expected = problem.expected(at)
        if chance is None and step in _CHANCE_AT:
            found = _chance(problem, expected, len(problem.values) - problem.n_formulas)
        weights, variances = _weights(problem, expected, found)
        at = at.with_truth(problem, weights)
        loss = _loss(problem.values - problem.expected(at), variances)
    return Fit(at, False, False, np.zeros((2 * size, 2 * size)), found, 0.0, -loss)


def fitted(problem: Problem, at: Plates, *, offsets: bool, gains: bool) -> Fit:
    """Fit by Gauss and Newton's steps, formulas eliminated, with variances found on the way."""
    size = problem.n_plates
    chosen = np.repeat([offsets, gains], size)
    fit = Fit(at, offsets, gains, np.zeros((2 * size,) * 2), Chance(1.0, 0.0), 0.0, -np.inf)
    for step in range(_STEPS):
        expected = problem.expected(fit.at)
        if step in _CHANCE_AT:
            freedom = len(problem.values) - problem.n_formulas - fit.told
            fit = replace(fit, chance=_chance(problem, expected, freedom))
        weights, variances = _weights(problem, expected, fit.chance)
        old = fit.at.with_truth(problem, weights)
        residual = problem.values - problem.expected(old)
        prior = np.repeat([old.offset_variance, old.gain_variance], size)[chosen]
        theta = np.concatenate([old.offset, old.gain - 1.0])
        covariance, log_det = _covariance(problem, old, weights, prior, chosen)
        pull = _gradient(problem, old, weights, residual)[chosen] - theta[chosen] / prior
        lacks = (theta[chosen] ** 2 / prior + np.log(prior)).sum() + log_det
        evidence = -_loss(residual, variances) - float(lacks) / 2
        moved = covariance @ pull
        theta[chosen] += moved
        errors = covariance.diagonal()
        new = _with_variances(problem, old, theta, errors, offsets=offsets, gains=gains)
        told = float(chosen.sum() - (errors / prior).sum())
        fit = replace(fit, at=new, told=told, evidence=evidence)
        still = (np.abs(moved) < 1e-3 * np.sqrt(errors)).all()
        if step > 5 and still and _alike(old, new):
            break
    whole = fit.covariance
    whole[np.ix_(chosen, chosen)] = covariance
    at = replace(
        fit.at,
        offset_variance=fit.at.offset_variance if offsets else 0.0,
        gain_variance=fit.at.gain_variance if gains else 0.0,
    )
    return replace(fit, at=at, covariance=whole)


def _typical(problem: Problem) -> float:
    return max(float(np.median(np.abs(problem.values))), 1e-6)


def _weights(problem: Problem, expected: Array, chance: Chance) -> tuple[Array, Array]:
    """Return (c,) weights and variances of the means."""
    variances = problem.variances(expected, chance)
    z = (problem.values - expected) / np.sqrt(variances)
    return huber_weights(z) / variances, variances


def _loss(residual: Array, variances: Array) -> float:
    """Return minus the logarithm of the likelihood."""
    return float((np.log(variances) / 2 + huber_loss(residual / np.sqrt(variances))).sum())


def _with_variances(
    problem: Problem, old: Plates, theta: Array, errors: Array, *, offsets: bool, gains: bool
) -> Plates:
    """Return plates with these parameters, and the next variances of offsets and gains."""
    size = problem.n_plates
    offset, gain = theta[:size], np.maximum(1.0 + theta[size:], _LEAST_GAIN)
    of_offset, of_gain = old.offset_variance, old.gain_variance
    if offsets:
        least = 1e-9 * _typical(problem) ** 2
        of_offset = _prior_variance(offset, errors[:size], of_offset, least)
    if gains:
        of_gain = _prior_variance(gain - 1.0, errors[-size:], of_gain, 1e-9)
    return Plates(offset, gain, old.truth, of_offset, of_gain)


def _prior_variance(effects: Array, errors: Array, variance: float, least: float) -> float:
    """Return MacKay's next estimate of the variance of effects with error variances `errors`."""
    told = float((1.0 - errors / variance).sum())
    found = float(effects @ effects) / max(told, 1e-3)
    return max(min(found, 100.0 * variance), least)


def _alike(old: Plates, new: Plates) -> bool:
    """Return whether the prior's variances have come to rest."""
    return (
        abs(new.offset_variance - old.offset_variance) <= 1e-2 * new.offset_variance
        and abs(new.gain_variance - old.gain_variance) <= 1e-2 * new.gain_variance
    )


def _covariance(
    problem: Problem, at: Plates, weights: Array, prior: Array, chosen: Array
) -> tuple[Array, float]:
    """Return the inverse of the Hessian in the chosen parameters, and its log determinant.

    Formulas are eliminated: the Hessian is one block a plate, less what formulas have in common.
    """
    size = problem.n_plates
    on_plate, signal = at.gain[problem.plates], at.truth[problem.formulas]
    by_formula = sums(weights * on_plate**2, problem.formulas, problem.n_formulas)
    pulled = weights * on_plate / np.sqrt(np.maximum(by_formula, 1e-300))[problem.formulas]
    slopes = [np.ones_like(signal), signal]
    slopes = [slope for slope, has in zip(slopes, chosen[::size], strict=True) if has]
    blocks = np.array([
        [sums(weights * one * other, problem.plates, size) for other in slopes] for one in slopes
    ])  # fmt: skip
    shared = sparse.hstack([
        sparse.csr_matrix(
            (pulled * slope, (problem.formulas, problem.plates)), shape=(problem.n_formulas, size)
        )
        for slope in slopes
    ]).tocsr()  # fmt: skip
    if 2 * problem.n_formulas < size:
        return bordered_inverse(blocks, prior, shared.toarray())
    hessian = np.zeros((len(prior), len(prior)))
    for i in range(len(slopes)):
        for j in range(len(slopes)):
            rows, columns = np.arange(size) + i * size, np.arange(size) + j * size
            hessian[rows, columns] = blocks[i, j]
    hessian -= (shared.T @ shared).toarray()
    return inverse(hessian, 1.0 / prior)


def _gradient(problem: Problem, at: Plates, weights: Array, residual: Array) -> Array:
    """Return the gradient in offsets and gains."""
    pulled = weights * residual
    signal = at.truth[problem.formulas]
    return np.concatenate([
        sums(pulled, problem.plates, problem.n_plates),
        sums(pulled * signal, problem.plates, problem.n_plates),
    ])  # fmt: skip


def _chance(problem: Problem, expected: Array, freedom: float) -> Chance:
    """Return how large errors must be for squared residuals to be as large as they are.

    Residuals larger than replicates within plates explain are an interaction only where that is
    beyond chance; otherwise both tell the level.
    """
    if problem.within and problem.spare <= 0:
        return Chance(1.0, 0.0)
    residual, freedom = problem.values - expected, max(freedom, 1.0)

    def surplus(level: float, interaction: float) -> float:
        z = residual / np.sqrt(problem.variances(expected, Chance(level, interaction)))
        return float(huber_squares(z).sum()) - freedom

    if problem.within:
        beyond = freedom * 2 * np.sqrt(2 / freedom + 2 / problem.within)
        if surplus(1.0, 0.0) > beyond:
            return Chance(1.0, _root(lambda interaction: surplus(1.0, interaction), 0.0))
    level = _root(lambda level: surplus(level, 0.0), _LEAST_LEVEL)
    pooled = (problem.within + freedom * level) / (problem.within + freedom)
    return Chance(max(pooled, _LEAST_LEVEL), 0.0)


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
