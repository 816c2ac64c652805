"""Normal equations of effects of places after what belongs to formulas is eliminated.

    y = mu_f + u_fp + level · (x · b_p) + error

y is a well of formula f on plate p, x the features of its place. The formula's mean mu_f is an
unknown constant. The interaction u_fp is a normal variate of each cell (wells of one formula on
one plate) whose variance is a share `interaction` of a well's: it is swept out by taking a part of
each cell's mean off (Fuller and Battese 1973, J. Am. Stat. Assoc. 68:626). `level` is 1 where
effects are added to values, the formula's level where they are shares of it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from labloop.noise.groups import row_sums, sums
from labloop.noise.places import Places
from labloop.noise.spread import Array, Counts

# Of what the best told combination of a kind's features shows, the least told one must show.
_LEAST_TOLD: Final = 0.08


class Eliminated:
    """Sums over n wells that normal equations are made of, formulas taken out."""

    def __init__(
        self,
        places: Places,
        weights: Array,
        formulas: Counts,
        cells: Counts,
        interaction: float,
        level: Array | None,
    ) -> None:
        self.places, self.weights, self.formulas, self.cells = places, weights, formulas, cells
        self.level = np.ones(len(weights)) if level is None else level
        self.groups = int(formulas.max(initial=-1)) + 1
        self.n_cells = int(cells.max(initial=-1)) + 1
        in_cell = sums((weights > 0).astype(np.float64), cells, self.n_cells)
        self.cell_weight = sums(weights, cells, self.n_cells)
        self.cell_unit = 1.0 / np.sqrt(1.0 + in_cell * interaction)  # what is left of a constant
        self.unit = self.cell_unit[cells]
        self.off = _ratio(1.0 - self.cell_unit, self.cell_weight)
        weight = sums(weights * self.unit**2, formulas, self.groups)
        self.inverse = _ratio(np.ones(self.groups), weight)

    @cached_property
    def in_cells(self) -> Array:
        """(cells, k) weighted sums of features within cells."""
        return self.places.sums_by(self.cells, self.n_cells, self.weights * self.level)

    @cached_property
    def at_places(self) -> Array:
        """(plates, places) sums of weights times squared levels."""
        return self.places.by_place(self.weights * self.level**2)

    @cached_property
    def swept(self) -> Array:
        """(cells,) the weight of each cell's sums that its interaction takes out of squares."""
        return _ratio(1.0 - self.cell_unit**2, self.cell_weight)

    @cached_property
    def of_cell(self) -> tuple[Counts, Counts]:
        """(cells,) the formula and the plate of each cell."""
        formulas, plates = np.zeros((2, self.n_cells), dtype=np.int64)
        formulas[self.cells], plates[self.cells] = self.formulas, self.places.plates
        return formulas, plates

    def centred(self, values: Array) -> Array:
        """Return (n,) values less their formula's part."""
        return self._without_formulas(self._without_cells(values))

    def _without_cells(self, values: Array) -> Array:
        if not self.off.any():
            return values
        taken = sums(values * self.weights, self.cells, self.n_cells) * self.off
        return np.asarray(values - taken[self.cells])

    def _without_formulas(self, values: Array) -> Array:
        pulled = sums(values * self.weights * self.unit, self.formulas, self.groups)
        return np.asarray(values - self.unit * (pulled * self.inverse)[self.formulas])

    @cached_property
    def feature_squares(self) -> Array:
        """(k,) squares of each feature less its cells' part, summed over the wells."""
        every = self.places.every
        whole = self.at_places.sum(axis=0) @ every**2
        return np.asarray(whole - self.swept @ self.in_cells**2 if self.swept.any() else whole)

    @cached_property
    def squares(self) -> Array:
        """(k, k) the matrix of the normal equations of effects common to all plates."""
        every, inside = self.places.every, self.in_cells
        whole = every.T @ (self.at_places.sum(axis=0)[:, None] * every)
        formulas, _ = self.of_cell
        known = self.cell_weight > 0
        lone = known & (np.bincount(formulas[known], minlength=self.groups)[formulas] == 1)
        taken = self.swept + np.where(lone, self.cell_unit**4 * self.inverse[formulas], 0.0)
        several = np.flatnonzero(known & ~lone)
        names, place = np.unique(formulas[several], return_inverse=True)
        shared = row_sums(inside[several] * self.cell_unit[several, None] ** 2, place, len(names))
        shared *= np.sqrt(self.inverse[names])[:, None]
        return np.asarray(whole - inside.T @ (inside * taken[:, None]) - shared.T @ shared)

    @cached_property
    def plate_squares(self) -> Array:
        """(plates, k, k) the blocks of the normal equations of each plate's effects."""
        every, at_places = self.places.every, self.at_places
        formulas, plates = self.of_cell
        order = np.argsort(plates, kind="stable")
        bounds = np.searchsorted(plates[order], np.arange(self.places.n_plates + 1))
        taken = self.swept + self.cell_unit**4 * self.inverse[formulas]
        found = np.zeros((self.places.n_plates, every.shape[1], every.shape[1]))
        for plate in range(len(found)):
            cells = order[bounds[plate] : bounds[plate + 1]]
            inside = self.in_cells[cells]
            found[plate] = every.T @ (at_places[plate][:, None] * every)
            found[plate] -= inside.T @ (inside * taken[cells, None])
        return found

    def apply(self, own: Array) -> Array:
        """Return (plates, k) the normal equations of each plate's effects times these effects."""
        shown = self.places.effects(np.zeros(own.shape[1]), own) * self.level
        return self._pulled(self._without_formulas(self._without_cells(shown)))

    def project(self, residual: Array) -> Array:
        """Return (plates, k) sums of features times (n,) centred values."""
        return self._pulled(residual)

    def _pulled(self, values: Array) -> Array:
        pulled = self.weights * values
        if self.off.any():
            taken = sums(pulled, self.cells, self.n_cells) * self.off
            pulled = pulled - self.weights * taken[self.cells]
        return np.asarray(self.places.by_place(pulled * self.level) @ self.places.every)

    def told_kinds(self) -> Array:
        """Return (kinds,) 1 where the layout tells all features of a kind apart, else 0.

        Replicates side by side show what neighbours differ by and nothing of what lies farther
        apart; to go on from the one to the other would be a guess.
        """
        every, kinds = self.places.every, self.places.kinds
        weight = self.places.by_place(self.weights).sum(axis=0)
        wells = self.places.by_place((self.weights > 0).astype(np.float64)).sum(axis=0)
        centred = every - wells @ every / max(float(wells.sum()), 1.0)
        total = centred.T @ (centred * weight[:, None])
        found = np.zeros(self.places.n_kinds)
        for kind in range(len(found)):
            at = np.flatnonzero(kinds == kind)
            if not len(at):
                continue
            values, vectors = np.linalg.eigh(total[np.ix_(at, at)])
            kept = values > 1e-9 * max(float(values[-1]), 1e-300)
            if kept.any():
                white = vectors[:, kept] / np.sqrt(values[kept])
                shown = np.linalg.eigvalsh(white.T @ self.squares[np.ix_(at, at)] @ white)
                found[kind] = shown[0] >= _LEAST_TOLD * shown[-1] > 0
        return found


def _ratio(of: Array, by: Array) -> Array:
    """Return quotients, zero where the divisor is."""
    return np.divide(of, by, out=np.zeros(len(of)), where=by > 0)
