"""From measured wells to one observation a formula and response.

Two rounds of three steps: plates, places, wells that lie far from their replicates. Each step works
on what the others have left; then what remains becomes means with standard errors.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from labloop.noise.censored import censored_means
from labloop.noise.groups import medians, sums
from labloop.noise.layouts import Layout
from labloop.noise.observed import Flags, Observed, Seen, joined
from labloop.noise.outliers import ENOUGH, Usual, outliers, usual_spread
from labloop.noise.plates import Cells, PlateEffects, fit_plates
from labloop.noise.positions import PlacedWells, PositionEffects, fit_positions
from labloop.noise.spread import Array, Counts, Spread
from labloop.noise.wells import Wells

_ROUNDS: Final = 2
# Fewer differences within formulas than this tell no places.
_LEAST_PLACED: Final = 30


def observe(
    wells: Wells, *, plates: bool = True, positions: bool = True, outliers: bool = True
) -> Observed:
    """Return one observation a formula and response, corrected for what is switched on.

    Values are on the scale of the median plate of those connected through common formulas. Wells
    that are missing or excluded say nothing; wells out of range say that they are, as far as their
    limit is known. A formula of which one well is below the range and another above, or one is
    measured and another beyond an unknown limit, is unknown. The wells' arrays are not changed.
    """
    names, group = np.unique(wells.formulas, return_inverse=True)
    shift = int((names < 0).sum())
    formulas = np.asarray(names[shift:], dtype=np.int64)
    subject = np.maximum(group.reshape(-1) - shift, -1)
    layout = Layout.of(wells, subject, len(formulas))
    with threadpool_limits(1):  # several threads mostly wait for each other over small matrices
        found = [
            _Response(
                wells, layout, k, plates=plates, positions=positions, outliers=outliers
            ).seen()
            for k in range(wells.values.shape[1])
        ]
    return joined(wells, formulas, found)


class _Response:
    """The steps from wells to observations of one response."""

    def __init__(
        self,
        wells: Wells,
        layout: Layout,
        k: int,
        *,
        plates: bool,
        positions: bool,
        outliers: bool,
    ) -> None:
        self.wells, self.layout = wells, layout
        self.plates, self.positions, self.outliers = plates, positions, outliers
        self.measured = wells.measured[:, k]
        values = wells.values[:, k]
        self.own = layout.subject >= 0
        # Blanks are not to change what formulas get.
        sizes = np.abs(values[self.measured & self.own])
        largest = float(sizes.max(initial=0.0)) or 1.0
        size = max(float(np.median(sizes)) if sizes.size else 1.0, 1e-9 * largest)
        # All steps work on numbers about one; a power of two, so that what nothing corrects comes
        # back to the last digit.
        self.size = size = float(np.exp2(np.round(np.log2(size))))
        self.raw = np.where(self.measured, values, np.nan) / size
        self.sides = np.where(self.measured, 0, wells.sides[:, k]).astype(np.int8)
        self.limits = np.where(self.sides != 0, wells.limits[:, k] / size, np.nan)
        count = len(wells.formulas)
        self.flagged, self.scores = np.zeros(count, dtype=bool), np.zeros(count)
        self.effects = PlateEffects.none(len(wells.shapes))
        self.placed: list[PositionEffects | None] = [None] * len(layout.places)
        self.added, self.share = np.zeros(count), np.zeros(count)

    def seen(self) -> Seen:
        """Return the observations."""
        for step in range(_ROUNDS if (self.measured & self.own).any() else 0):
            if self.plates:
                self._fit_plates(step == 0)
            if self.positions:
                self._fit_positions()
            if self.outliers:
                self._name_outliers()
            if not (self.flagged.any() or self.added.any() or self.share.any()):
                break
        return self._observations()

    @property
    def used(self) -> Flags:
        """(n,) wells that count."""
        return np.asarray(self.measured & self.own & ~self.flagged)

    def corrected(self, values: Array) -> Array:
        """Return (n,) values as the reference plate would read them in an average place."""
        level = self.effects.corrected(values, self.wells.plates)
        return np.asarray((level - self.added) / (1.0 + self.share))

    def _within(self, values: Array) -> Usual:
        """Return the usual spread of wells of one formula on one plate."""
        used = self.used
        return usual_spread(values[used], self.layout.cell[used], len(self.layout.cell_plate))

    def _between(self, values: Array) -> Usual:
        """Return the usual spread of wells of one formula."""
        used = self.used
        return usual_spread(values[used], self.layout.subject[used], self.layout.n_subjects)

    def _fit_plates(self, first: bool) -> None:
        layout = self.layout
        left = self.raw - self._position_as_read()
        usual = self._within(left)
        within = usual.freedom if usual.freedom >= ENOUGH else 0
        if not within or (self.effects.interaction == 0.0 and not first):
            # Once plates are corrected, all replicates tell the spread.
            usual = self._between(self.corrected(self.raw))
        used = self.used & (self.wells.plates >= 0)
        count = np.bincount(layout.cell[used], minlength=len(layout.cell_plate))
        total = sums(left[used], layout.cell[used], len(layout.cell_plate))
        some = count > 0
        cells = Cells(
            total[some] / count[some], count[some], layout.cell_subject[some],
            layout.cell_plate[some],
        )  # fmt: skip
        self.effects = fit_plates(
            cells, len(self.wells.shapes), max(usual.constant, 1e-10), usual.relative, within
        )

    def _position_as_read(self) -> Array:
        """Return (n,) what the place adds to the value as its plate reads it."""
        level = self.effects.corrected(self.raw, self.wells.plates)
        place = level - (level - self.added) / (1.0 + self.share)
        known = self.wells.plates >= 0
        gain = np.where(known, self.effects.gain[self.wells.plates], 1.0) if known.any() else 1.0
        return np.asarray(place * gain)

    def _fit_positions(self) -> None:
        layout, used = self.layout, self.used
        level = self.effects.corrected(self.raw, self.wells.plates)
        usual = self._between(self.corrected(self.raw))
        variances = usual.variances(self._typical(self.corrected(self.raw)))
        added, share = np.zeros(len(level)), np.zeros(len(level))
        # Where plates are left as they are, only differences within them tell of places.
        group = layout.subject if self.plates else layout.cell
        for number, (at, places) in enumerate(layout.places):
            counted = used[at]
            differences = int(counted.sum()) - len(np.unique(group[at][counted]))
            if differences < _LEAST_PLACED:
                self.placed[number] = None
                continue
            placed = PlacedWells(
                np.where(counted, level[at], 0.0),
                np.where(counted, np.maximum(variances[at], 1e-10), np.inf),
                np.maximum(group[at], 0),
                layout.cell[at],
                self.effects.interaction,
                places,
            )
            found = fit_positions(placed)
            self.placed[number] = found
            # No place takes more than nine tenths of a value.
            effect = np.maximum(found.effect, -0.9) if found.share else found.effect
            (share if found.share else added)[at] = effect
        self.added, self.share = added, share

    def _typical(self, values: Array) -> Array:
        """Return (n,) the median of each well's formula, zero where there is none."""
        used = self.used
        middle = medians(values[used], self.layout.subject[used], max(self.layout.n_subjects, 1))
        return middle[np.maximum(self.layout.subject, 0)]

    def _name_outliers(self) -> None:
        layout = self.layout
        self.flagged = np.zeros(len(self.raw), dtype=bool)
        values = self.corrected(self.raw)
        # Where formulas differ from plate to plate, replicates are those of one plate.
        within = self.effects.interaction > 0
        usual = self._within(values) if within else self._between(values)
        group = layout.cell if within else layout.subject
        groups = len(layout.cell_plate) if within else layout.n_subjects
        beyond = (self.sides != 0) & np.isfinite(self.limits) & self.own
        middle = medians(values[self.used], group[self.used], groups)[np.maximum(group, 0)]
        # A limit that is no surprise stands where its replicates are.
        limit = self.corrected(self.limits)
        surprise = beyond & (self.sides * (limit - middle) > 0)
        values = np.where(beyond, np.where(surprise, limit, middle), values)
        alone = np.bincount(group[self.used], minlength=groups)[np.maximum(group, 0)] == 0
        at = np.flatnonzero((self.used | beyond) & ~(beyond & alone))
        errors = np.zeros(len(at))
        found, scores = outliers(values[at], group[at], groups, usual, errors)
        self.flagged[at], self.scores[at] = found, scores

    def _observations(self) -> Seen:
        values, layout = self.corrected(self.raw), self.layout
        used, groups = self.used, layout.n_subjects
        subject = layout.subject[used]
        count = np.bincount(subject, minlength=groups)
        total = sums(values[used], subject, groups)
        means = np.divide(total, count, out=np.full(groups, np.nan), where=count > 0)
        spread, squares, freedom = self._spread(values, means)
        variances = spread.variances(means, squares, freedom)
        worth = count.astype(np.float64)
        means, worth, variances = self._with_limits(means, worth, variances, spread)
        shares = self._shares()
        errors = np.divide(variances, worth, out=np.full(groups, np.nan), where=worth > 0)
        errors = errors + self._correction_variances(means, variances, shares)
        censored = np.zeros(groups, dtype=np.int8)
        wells = count + self._out_of_range()
        means, errors, wells, censored = self._limits_alone(means, errors, wells, censored, spread)
        wells = np.where(np.isfinite(means), wells, 0)
        errors = np.where(np.isfinite(means), np.sqrt(errors), np.nan)
        position = np.where(self.measured, self._position(), 0.0)
        return Seen(
            means * self.size, errors * self.size, wells, censored, values * self.size,
            self.flagged, self.scores, self.effects, position * self.size, spread, self.size,
        )  # fmt: skip

    def _position(self) -> Array:
        level = self.effects.corrected(self.raw, self.wells.plates)
        return np.asarray(level - self.corrected(self.raw))

    def _spread(self, values: Array, means: Array) -> tuple[Spread, Array, Counts]:
        """Return the spread of wells, and each formula's sum of squares with its freedom."""
        layout, used = self.layout, self.used
        groups, subject = layout.n_subjects, layout.subject[used]
        count = np.bincount(subject, minlength=groups)
        squares = sums((values[used] - means[subject]) ** 2, subject, groups)
        freedom = np.maximum(count - 1, 0)
        # Wells on several plates differ by the interaction, too.
        in_cell = np.bincount(layout.cell[used], minlength=len(layout.cell_plate))
        own = layout.cell_subject >= 0
        pairs = sums(in_cell[own].astype(np.float64) ** 2, layout.cell_subject[own], groups)
        across = count - np.divide(pairs, count, out=np.zeros(groups), where=count > 0)
        share = np.divide(across, freedom, out=np.zeros(groups), where=freedom > 0)
        squares = squares / (1.0 + self.effects.interaction * share)
        told = self.effects.told + sum(one.told for one in self.placed if one is not None)
        spare = float(freedom.sum())
        squares = squares * (spare / max(spare - told, spare / 4, 1e-300))
        # A spread that is known with few degrees of freedom has the long tails of Student's t.
        known = max(spare - told, 1.0)
        squares = squares * (known / max(known - 2.0, known / 3)) if spare else squares
        return Spread.fit(means, squares, count), squares, freedom

    def _out_of_range(self) -> Counts:
        beyond = (self.sides != 0) & self.own & ~self.flagged
        return np.bincount(self.layout.subject[beyond], minlength=self.layout.n_subjects)

    def _with_limits(
        self, means: Array, worth: Array, variances: Array, spread: Spread
    ) -> tuple[Array, Array, Array]:
        """Return means, what they are worth in wells, and variances, limits taken in."""
        beyond = (self.sides != 0) & self.own & ~self.flagged
        subject = self.layout.subject
        groups = self.layout.n_subjects
        below = np.bincount(subject[beyond & (self.sides < 0)], minlength=groups)
        above = np.bincount(subject[beyond & (self.sides > 0)], minlength=groups)
        unknown = np.bincount(subject[beyond & ~np.isfinite(self.limits)], minlength=groups)
        lost = ((below > 0) & (above > 0)) | ((unknown > 0) & (worth > 0))
        means = np.where(lost, np.nan, means)
        mixed = (worth > 0) & ((below > 0) | (above > 0)) & ~lost
        if not mixed.any():
            return means, np.where(lost, 0.0, worth), variances
        names = np.flatnonzero(mixed)
        at = np.flatnonzero(beyond & mixed[np.maximum(subject, 0)])
        place = np.searchsorted(names, subject[at])
        limits, sides = self.corrected(self.limits)[at], self.sides[at].astype(np.float64)
        # A measured mean beyond its own limit says how far apart such replicates are.
        gap = np.maximum(sides * (limits - means[names][place]), 0.0)
        apart = np.zeros(len(names))
        np.maximum.at(apart, place, gap)
        known = np.where(np.isfinite(variances[names]), variances[names], 0.0)
        expected = spread.constant + spread.relative * means[names] ** 2
        expected = np.where(np.isfinite(expected), expected, 0.0)
        discordant = apart**2 > 10.8 * expected
        drawn = np.where(discordant, np.maximum(known, apart**2 / 2), known)
        found, counted = censored_means(
            means[names], worth[names].astype(np.int64), drawn, limits, sides, place
        )
        means, worth, variances = means.copy(), worth.copy(), variances.copy()
        means[names], worth[names] = found, counted
        still_unknown = np.isnan(variances[names]) & ~discordant
        variances[names] = np.where(still_unknown, np.nan, drawn)
        return means, np.where(lost, 0.0, worth), variances

    def _shares(self) -> Array:
        """Return (n,) the share of each well in the mean of its formula."""
        counted = self.used | ((self.sides != 0) & self.own & ~self.flagged)
        subject = np.maximum(self.layout.subject, 0)
        count = np.bincount(subject[counted], minlength=max(self.layout.n_subjects, 1))
        return np.where(counted, 1.0 / np.maximum(count[subject], 1), 0.0)

    def _correction_variances(self, means: Array, variances: Array, shares: Array) -> Array:
        """Return (g,) what the corrections and formulas made anew add to the variance of means."""
        layout, effects = self.layout, self.effects
        cell_share = sums(shares, layout.cell, len(layout.cell_plate))
        inside = (layout.cell_subject >= 0) & (cell_share > 0)
        known = inside & (layout.cell_plate < len(self.wells.shapes))
        subject, share = layout.cell_subject, cell_share
        level = np.where(np.isfinite(means), means, 0.0)
        added = effects.variances_of_means(
            level, share[known], subject[known], layout.cell_plate[known]
        )
        anew = sums(share[inside] ** 2, subject[inside], layout.n_subjects)
        if effects.interaction > 0:
            added = added + effects.interaction * variances * anew
        for found, (at, places) in zip(self.placed, layout.places, strict=True):
            if found is not None:
                weights = np.where(layout.subject[at] >= 0, shares[at], 0.0)
                of_place = found.variances_of_means(
                    places, weights, np.maximum(layout.subject[at], 0), layout.n_subjects
                )
                added = added + of_place * (level**2 if found.share else 1.0)
        return np.asarray(added)

    def _limits_alone(
        self,
        means: Array,
        errors: Array,
        wells: Counts,
        censored: npt.NDArray[np.int8],
        spread: Spread,
    ) -> tuple[Array, Array, Counts, npt.NDArray[np.int8]]:
        """Return the same with formulas all of whose wells are beyond known limits on one side."""
        beyond = (self.sides != 0) & self.own & ~self.flagged
        subject, groups = self.layout.subject[beyond], self.layout.n_subjects
        count = np.bincount(subject, minlength=groups)
        side = sums(self.sides[beyond].astype(np.float64), subject, groups)
        limits = self.corrected(self.limits)[beyond]
        known = np.isfinite(limits)
        some = np.bincount(subject[known], minlength=groups)
        total = sums(limits[known], subject[known], groups)
        measured = np.bincount(self.layout.subject[self.used], minlength=groups)
        alone = (measured == 0) & (count > 0) & (np.abs(side) == count) & (some == count)
        limit = np.divide(total, count, out=np.full(groups, np.nan), where=alone)
        single = spread.variances(limit, np.zeros(groups), np.zeros(groups, dtype=np.int64))
        usual = single / np.maximum(count, 1)
        return (
            np.where(alone, limit, means),
            np.where(alone, usual, errors),
            wells,
            np.where(alone, np.sign(side), censored).astype(np.int8),
        )
