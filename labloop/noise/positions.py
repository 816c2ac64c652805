"""Effects of a well's place on its plate: rings, slopes, rows and columns.

    y = mu_f + x · (a + b_p) + error        or        y = mu_f · (1 + x · (a + b_p)) + error

y is a well corrected for its plate, mu_f the mean of its formula, x the features of its place:
rings (edge, and two more inward, as far as Mansoury et al. 2021 saw an effect), slopes down the
rows and along the columns, single rows and single columns. Effects a that all plates of a shape
share and b_p of each plate are normal with a variance of each kind; formulas are eliminated, which
makes of the evidence the restricted likelihood. This is the model behind the B-score's median
polish (Malo et al. 2006, Nat. Biotechnol. 24:167), which takes a row's median as the row's effect
even where it is the formulas' and where it is chance.

Whether an effect is added to a value or a share of it is as the evidence prefers. Wells far from
what is expected pull less (Huber 1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from labloop.noise.elimination import Eliminated
from labloop.noise.groups import huber_weights, sums
from labloop.noise.place_variances import Own, common_effects, own_effects, robust_scale
from labloop.noise.places import Places
from labloop.noise.spread import Array, Counts

_ROBUST_STEPS: Final = 3
_SHARE_INSTEAD: Final = -2.0
_POSITIVE: Final = 0.9  # share of values above zero from which an effect may be a share of them


@dataclass(frozen=True, eq=False)
class PositionEffects:
    """Effects of n wells' places on one response.

    Attributes:
        share: Whether effects are shares of the value, (1 + effect)·value, or added to it.
        effect: (n,) of each well.
        common: (k, k) covariance of the common effects' errors.
        own: (plates, k, k) covariance of each plate's effects' errors; none where there are none.
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
        by_formula = places.sums_by(formulas, n_formulas, weights)
        found: Array = np.einsum("ij,ij->i", by_formula @ self.common, by_formula)
        if self.own.any():
            codes = formulas * places.n_plates + places.plates
            cells, of_well = np.unique(codes, return_inverse=True)
            inside = places.sums_by(of_well.reshape(-1), len(cells), weights)
            names, plates = np.divmod(cells, places.n_plates)
            for plate, errors in enumerate(self.own):
                at = plates == plate
                found[names[at]] += np.einsum("ij,ij->i", inside[at] @ errors, inside[at])
        return np.asarray(np.maximum(found, 0.0))


@dataclass(frozen=True, eq=False)
class PlacedWells:
    """What effects of places are fitted to.

    Attributes:
        values: (n,) corrected for their plates.
        variances: (n,) of single wells as far as they are known (their level is found anew),
            infinite for a well that must not count.
        formulas: (n,) numbers from zero.
        cells: (n,) number of what is of one formula on one plate, from zero.
        interaction: Variance of a formula made anew on another plate, as a share of a well's.
        places: Of the n wells.
    """

    values: Array
    variances: Array
    formulas: Counts
    cells: Counts
    interaction: float
    places: Places

    @property
    def counted(self) -> Array:
        """(n,) 1 for wells that count."""
        return np.isfinite(self.variances).astype(np.float64)

    def eliminated(self, weights: Array, effect: Array, *, share: bool) -> Eliminated:
        """Return the sums of normal equations; shares are of levels less the (n,) effect."""
        level = None
        if share:
            weight = sums(weights, self.formulas, int(self.formulas.max(initial=-1)) + 1)
            total = sums(weights * (self.values - effect), self.formulas, len(weight))
            mean = np.divide(total, weight, out=np.zeros(len(weight)), where=weight > 0)
            level = mean[self.formulas]
        return Eliminated(self.places, weights, self.formulas, self.cells, self.interaction, level)


def fit_positions(wells: PlacedWells) -> PositionEffects:
    """Return the effects of the places of n wells on one response."""
    counted = wells.counted > 0
    freedom = float(counted.sum()) - len(np.unique(wells.formulas[counted]))
    if freedom < 1:
        return _nothing(len(wells.values), wells.places.every.shape[1])
    added = _Fit(wells, freedom, share=False)
    if (wells.values[counted] > 0).mean() < _POSITIVE:
        return added.effects()
    share = _Fit(wells, freedom, share=True)
    likelier = share.common.evidence > added.common.evidence + _SHARE_INSTEAD
    return (share if likelier else added).effects()


def _nothing(wells: int, features: int) -> PositionEffects:
    none = np.zeros((features, features))
    return PositionEffects(False, np.zeros(wells), none, np.zeros((0, features, features)), 0.0)


class _Fit:
    """Common effects in one form, added or shares; `effects` goes on to those of plates."""

    def __init__(self, wells: PlacedWells, freedom: float, *, share: bool) -> None:
        self.wells, self.freedom, self.share = wells, freedom, share
        counts = wells.counted
        self.base = np.divide(1.0, wells.variances, out=np.zeros(len(counts)), where=counts > 0)
        groups = int(wells.formulas.max(initial=-1)) + 1
        count = sums(counts, wells.formulas, groups)[wells.formulas]
        # Residuals are smaller than errors by what their own formula's mean took.
        self.lost = np.sqrt(np.maximum(1.0 - 1.0 / np.maximum(count, 1), 0.25))
        self.one = wells.eliminated(self.base, np.zeros(len(counts)), share=share)
        self.allowed = self.one.told_kinds()
        self.own: Own | None = None
        unknown = np.full(len(self.allowed), np.nan)
        self.common = common_effects(self.one, wells.values, freedom, unknown, self.allowed)

    def effects(self) -> PositionEffects:
        """Return the effects after wells that are far from what is expected count less."""
        self._fit_own()
        for _ in range(_ROBUST_STEPS - 1):
            effect, was_there = self._effect() * self.one.level, self._there()
            weights = self._robust_weights(effect)
            self.one = self.wells.eliminated(weights, effect, share=self.share)
            left = self.wells.values - self._own_effect() * self.one.level
            self.common = common_effects(
                self.one, left, self.freedom, self.common.variance, self.allowed
            )
            self._fit_own()
            if not (was_there or self._there()):
                break
        own = self.own
        none = np.zeros((0, *self.common.errors.shape))
        return PositionEffects(
            self.share,
            self._effect(),
            self.common.errors,
            none if own is None else own.errors,
            self.common.told + (own.told if own else 0.0),
        )

    def _fit_own(self) -> None:
        places = self.wells.places
        if places.n_plates < 2:
            return
        here = places.effects(self.common.found, np.zeros((places.n_plates, 1)))
        before = self.own
        if before is not None and not before.there:
            return
        if before is None:
            none = np.zeros((places.n_plates, len(places.kinds)))
            unknown = np.full(len(self.allowed), np.nan)
            before = Own(none, none, unknown, 0.0, False)
        left = self.wells.values - here * self.one.level
        self.own = own_effects(self.one, left, self.common, self.freedom, before, self.allowed)

    def _there(self) -> bool:
        return self.common.there or (self.own is not None and self.own.there)

    def _own_effect(self) -> Array:
        if self.own is None:
            return np.zeros(len(self.wells.values))
        return self.wells.places.effects(np.zeros(len(self.common.found)), self.own.found)

    def _effect(self) -> Array:
        none = np.zeros((self.wells.places.n_plates, 1))
        own = none if self.own is None else self.own.found
        return self.wells.places.effects(self.common.found, own)

    def _robust_weights(self, effect: Array) -> Array:
        told = self.common.told + (self.own.told if self.own else 0.0)
        residual = self.one.centred(self.wells.values - effect)
        scale = robust_scale(residual, self.one, self.freedom - told)
        return self.base * huber_weights(residual * np.sqrt(self.base / scale) / self.lost)
