"""Effects of a well's place on its plate: rings, slopes, rows and columns.

Wells of one formula differ by their places and by chance. Rings (edge, and two more inward, as far
as Mansoury et al. 2021 saw an effect), slopes down the rows and along the columns, single rows and
single columns are normal variates, those that all plates of a shape share and those of each plate,
with one variance a kind. The variances are found by MacKay's fixed point (1992, Neural Computation
4:415) on the evidence with formulas eliminated, which is restricted maximum likelihood; a kind of
effect that the wells do not show is drawn to zero. This is the model behind the B-score's median
polish (Malo et al. 2006, Nat. Biotechnol. 24:167), which takes a row's median as the row's effect
even where it is the formulas' and where it is chance.

An effect is added to a value, or is a share of it: whichever the evidence prefers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from labloop.noise.elimination import Eliminated
from labloop.noise.groups import huber_squares, huber_weights, row_sums, sums
from labloop.noise.spread import Array, Counts

_RINGS: Final = 3
_VARIANCE_STEPS: Final = 60
_PLATE_STEPS: Final = 6
_SOLVER_STEPS: Final = 3
_ROBUST_STEPS: Final = 3
# Of the variance of a well: a kind of effect whose variance falls to it is none.
_LEAST: Final = 1e-3
_SHARE_INSTEAD: Final = -2.0
_POSITIVE: Final = 0.9  # share of values above zero from which an effect may be a share of them
_SHOWN: Final = 3.0  # how much more likely, in logarithms, places must make the values
_UNSEEN: Final = 1e-3
# Of the variance that wells are thought to have: what is below it is rounding.
_LEAST_SCALE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Places:
    """Where n wells are, all on plates of one shape, sorted by plate.

    Attributes:
        features: (n, k) what effects are of: rings, slopes, rows, columns; centred over the plate.
        kinds: (k,) the kind of each feature from 0.
        plates: (n,) number of the plate from 0.
        bounds: (plates + 1,) first well of each plate.
    """

    features: Array
    kinds: Counts
    plates: Counts
    bounds: Counts

    @classmethod
    def on(cls, shape: tuple[int, int], rows: Counts, columns: Counts, plates: Counts) -> Places:
        """Return the features of wells whose (n,) plates are sorted and counted from zero."""
        every_row, every_column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
        every, kinds = _features(shape, every_row, every_column)
        of_wells = every[rows * shape[1] + columns]
        count = int(plates.max(initial=-1)) + 1
        return cls(of_wells, kinds, plates, np.searchsorted(plates, np.arange(count + 1)))

    def by_plate(self) -> Iterator[slice]:
        """Yield the wells of each plate."""
        for start, end in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield slice(int(start), int(end))


def _features(shape: tuple[int, int], row: Counts, column: Counts) -> tuple[Array, Counts]:
    """Return (wells, k) centred features of every well of a plate, and their kinds."""
    rows, columns = shape
    depth = np.minimum(np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column))
    slopes = np.column_stack([row, column]).astype(np.float64)
    blocks = (
        (depth[:, None] == np.arange(_RINGS)).astype(np.float64),
        slopes[:, :1],
        slopes[:, 1:],
        np.eye(rows)[row],
        np.eye(columns)[column],
    )
    parts, kinds = [], []
    for kind, block in enumerate(blocks):
        centred = block - block.mean(axis=0)
        if kind in (1, 2) and (spread := float(centred.std())) > 0:
            centred /= spread
        varies = centred.any(axis=0)
        parts.append(centred[:, varies])
        kinds.append(np.full(int(varies.sum()), kind))
    return np.concatenate(parts, axis=1), np.concatenate(kinds)


@dataclass(frozen=True, eq=False)
class PositionEffects:
    """Effects of n wells' places on one response.

    Attributes:
        share: Whether effects are shares of the value, (1 + effect)·value, or added to it.
        effect: (n,) of each well.
        common: (k, k) covariance of the common effects' errors.
        own: (plates, k, k) covariance of each plate's effects' errors.
        told: Parameters that the wells told, of all.
    """

    share: bool
    effect: Array
    common: Array
    own: Array
    told: float

    def variances_of_means(
        self, places: Places, weights: Array, formulas: Counts, n_formulas: int
    ) -> Array:
        """Return (n_formulas,) variances of formulas' means from errors of the effects.

        `weights` (n) are the wells' shares of their formula's mean; they sum to at most one over a
        formula. Where effects are shares of the value, so is this, squared.
        """
        weighted = places.features * weights[:, None]
        by_formula = row_sums(weighted, formulas, n_formulas)
        found: Array = np.einsum("ij,ij->i", by_formula @ self.common, by_formula)
        for number, wells in enumerate(places.by_plate()):
            if number < len(self.own):
                names, place = np.unique(formulas[wells], return_inverse=True)
                inside = row_sums(weighted[wells], place, len(names))
                found[names] += np.einsum("ij,ij->i", inside @ self.own[number], inside)
        return np.asarray(np.maximum(found, 0.0))


def fit_positions(
    values: Array,
    variances: Array,
    formulas: Counts,
    cells: Counts,
    interaction: float,
    places: Places,
) -> PositionEffects:
    """Return the effects of the places of n wells on one response.

    `values` (n) are corrected for their plates, `variances` (n) those of single wells as far as
    they are known (their level is found anew), infinite for a well that must not count, `formulas`
    (n) and `cells` (n; of one formula on one plate) numbers from zero. `interaction` is the
    variance of a formula made anew on another plate, as a share of a well's.
    """
    counted = np.isfinite(variances)
    share = False
    if (values[counted] > 0).mean() >= _POSITIVE:
        likelihoods = [
            _fit(values, variances, formulas, cells, interaction, places, share=form, quick=True)[1]
            for form in (True, False)
        ]
        share = likelihoods[0] > likelihoods[1] + _SHARE_INSTEAD
    return _fit(values, variances, formulas, cells, interaction, places, share=share, quick=False)[
        0
    ]


def _fit(
    values: Array,
    variances: Array,
    formulas: Counts,
    cells: Counts,
    interaction: float,
    places: Places,
    *,
    share: bool,
    quick: bool,
) -> tuple[PositionEffects, float]:
    """Return effects and evidence of one form; if quick, of what plates have in common alone."""
    groups = int(formulas.max(initial=-1)) + 1
    counted = np.isfinite(variances)
    base = np.where(counted, 1.0 / np.where(counted, variances, 1.0), 0.0)
    kinds = int(places.kinds.max(initial=-1)) + 1
    plates = len(places.bounds) - 1
    common_variance, own_variance = np.full(kinds, np.nan), np.full(kinds, np.nan)
    weights, effect = base, np.zeros(len(values))
    common, own = np.zeros(len(places.kinds)), np.zeros((plates, len(places.kinds)))
    scale, freedom = 1.0, float(counted.sum()) - len(np.unique(formulas[counted]))
    common_error = np.zeros((len(places.kinds),) * 2)
    own_error = np.zeros((0, len(places.kinds), len(places.kinds)))
    told = evidence = 0.0
    allowed: Array | None = None
    for _ in range((1 if quick else _ROBUST_STEPS) if freedom >= 1 else 0):
        level = _levels(values - effect, weights, formulas, groups) if share else None
        one = Eliminated(places, weights, formulas, cells, interaction, level)
        left = values - own_effects(places, own, level)
        allowed = one.told_kinds(one.squares()) if allowed is None else allowed
        common, common_error, common_variance, scale, told, evidence = _common(
            one, left, freedom, common_variance, allowed
        )
        here = places.features @ common * (1.0 if level is None else level)
        effect = here
        if plates > 1 and not quick:
            own, own_error, own_variance, own_told = _each(
                one, values - here, scale, own, own_variance, allowed
            )
            effect = here + own_effects(places, own, level)
            told += own_told
        residual = one.centred(values - effect)
        count = sums(counted.astype(np.float64), formulas, groups)[formulas]
        lost = np.sqrt(np.maximum(1.0 - 1.0 / np.maximum(count, 1), 0.25))
        z = residual * np.sqrt(base / _robust_scale(residual, one, freedom - told)) / lost
        weights = base * huber_weights(z)
    effect = places.features @ common + own_effects(places, own, None)
    return PositionEffects(share, effect, common_error, own_error, told), evidence


def _levels(values: Array, weights: Array, formulas: Counts, groups: int) -> Array:
    """Return (n,) the level of each well's formula."""
    weight = sums(weights, formulas, groups)
    total = sums(weights * values, formulas, groups)
    return np.divide(total, weight, out=np.zeros(groups), where=weight > 0)[formulas]


def own_effects(places: Places, own: Array, level: Array | None) -> Array:
    """Return (n,) the part of the effects that each plate has for itself."""
    effect = np.zeros(len(places.features))
    for number, wells in enumerate(places.by_plate()):
        effect[wells] = places.features[wells] @ own[number]
    return effect if level is None else effect * level


def _start(one: Eliminated) -> Array:
    """Return variances of each kind to start from, so that effects are as large as the noise."""
    squares = np.einsum("ij,ij,i->j", one.features, one.features, one.weights, optimize=True)
    counted = max(float((one.weights > 0).sum()), 1.0)
    per_well = np.bincount(one.places.kinds, weights=squares) / counted
    return np.divide(1.0, per_well, out=np.zeros_like(per_well), where=per_well > 0)


def _next(squared: Array, shown: Array, before: Array, least: Array) -> Array:
    """Return MacKay's next variances of kinds with these sums of squares and parameters shown.

    A kind that the wells do not show at all has none.
    """
    found = np.clip(squared / np.maximum(shown, _UNSEEN), least, 100 * before)
    return np.where(shown > _UNSEEN, found, least)


def _common(
    one: Eliminated, values: Array, freedom: float, start: Array, allowed: Array
) -> tuple[Array, Array, Array, float, float, float]:
    """Return effects, their errors, variances by kind, the noise's scale, parameters, evidence."""
    kinds = one.places.kinds
    squares, residual = one.squares(), one.centred(values)
    pull = one.features.T @ (one.weights * residual)
    total = float(residual @ (one.weights * residual))
    robust = _robust_scale(residual, one, freedom)
    scale = robust
    usual = _start(one) * scale
    least = _LEAST * usual + 1e-300
    variance: Array = np.maximum(np.where(np.isnan(start), usual, start) * allowed, least)
    told = 0.0
    for _ in range(_VARIANCE_STEPS):
        prior = variance[kinds]
        error = np.linalg.inv(squares / scale + np.diag(1.0 / prior))
        found = error @ pull / scale
        shown = 1.0 - np.diag(error) / prior
        by_kind = sums(shown, kinds, len(usual))
        told = float(shown.sum())
        before = variance
        variance = _next(sums(found**2, kinds, len(usual)), by_kind * allowed, before, least)
        left = max(total - 2 * float(found @ pull) + float(found @ squares @ found), 0.0)
        scale = max(left / max(freedom - told, 1.0), _LEAST_SCALE)
        if np.allclose(variance, before, rtol=1e-3):
            break
    prior = variance[kinds]
    hessian = squares / scale + np.diag(1.0 / prior)
    _, log_det = np.linalg.slogdet(hessian)
    evidence = (
        -freedom * np.log(scale) / 2
        - (total - float(found @ pull)) / scale / 2
        - (float(log_det) + float(np.log(prior).sum())) / 2
    )
    nothing = -freedom * np.log(max(total / max(freedom, 1.0), _LEAST_SCALE)) / 2 - freedom / 2
    there = (variance > least)[kinds]
    if evidence < nothing + _SHOWN:
        there[:] = False
        told, evidence = 0.0, float(nothing)
    errors = np.asarray(np.linalg.inv(hessian)) * np.outer(there, there)
    return found * there, errors, variance, scale, told, float(evidence)


def _robust_scale(residual: Array, one: Eliminated, freedom: float) -> float:
    """Return the level of the variance, not ruled by mishaps."""
    scale = float(residual @ (one.weights * residual)) / max(freedom, 1.0)
    for _ in range(5):
        if scale <= 0.0:
            break
        z = residual * np.sqrt(one.weights / scale)
        scale *= float(huber_squares(z).sum()) / max(freedom, 1.0)
    return max(scale, _LEAST_SCALE)


def _each(
    one: Eliminated, values: Array, scale: float, own: Array, start: Array, allowed: Array
) -> tuple[Array, Array, Array, float]:
    """Return effects of each plate, their errors, variances by kind, and parameters told.

    Plates are coupled by formulas that they have in common: the equations are solved by conjugate
    gradients with each plate's own block as preconditioner, and the blocks tell the errors.
    """
    kinds = one.places.kinds
    blocks = one.plate_squares() / scale
    pull = one.project(values) / scale
    plates = max(len(blocks), 1)
    usual = _start(one) * scale
    least = _LEAST * usual + 1e-300
    variance: Array = np.maximum(np.where(np.isnan(start), usual, start) * allowed, least)
    found, told = own, 0.0
    for _ in range(_PLATE_STEPS):
        prior = variance[kinds]
        precision = 1.0 / prior
        error = np.asarray(np.linalg.inv(blocks + np.diag(precision)))
        found = _solved(one, scale, precision, error, pull, found)
        shown = 1.0 - np.einsum("pkk->k", error) / plates * precision
        by_kind = sums(shown, kinds, len(usual)) * plates
        told = float(by_kind.sum())
        squared = sums((found**2).sum(axis=0), kinds, len(usual))
        variance = _next(squared, by_kind * allowed, variance, least)
    there = (variance > least)[kinds]
    _, log_det = np.linalg.slogdet(error)
    evidence = float((pull * found).sum() + log_det.sum() - plates * np.log(prior).sum()) / 2
    if evidence < _SHOWN:
        there[:] = False
        told = 0.0
    return found * there, error * np.outer(there, there), variance, told


def _solved(
    one: Eliminated,
    scale: float,
    precision: Array,
    blocks: npt.NDArray[np.float64],
    pull: Array,
    start: Array,
) -> Array:
    """Return the solution of the normal equations by preconditioned conjugate gradients."""
    found = start
    residual = pull - one.apply(found) / scale - found * precision
    direction = better = np.einsum("pij,pj->pi", blocks, residual)
    size = float((residual * better).sum())
    for _ in range(_SOLVER_STEPS):
        if size <= 0.0:
            break
        image = one.apply(direction) / scale + direction * precision
        step = size / float((direction * image).sum())
        found = found + step * direction
        residual = residual - step * image
        better = np.einsum("pij,pj->pi", blocks, residual)
        new = float((residual * better).sum())
        direction, size = better + direction * (new / size), new
    return found
