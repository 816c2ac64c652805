"""Weighted sums over wells after what belongs to their formulas is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from labloop.noise.groups import row_sums, sums
from labloop.noise.spread import Array, Counts

if TYPE_CHECKING:
    from labloop.noise.positions import Places

# Of what the best told combination of a kind's features shows, the least told one must show.
_LEAST_TOLD: Final = 0.08


class Eliminated:
    """Features and values of wells less what is constant within a formula.

    The interaction of formula and plate is a normal variate of each cell (wells of one formula on
    one plate), whose variance is a share `interaction` of a well's: a part of each cell's mean is
    taken off first (Fuller and Battese 1973, J. Am. Stat. Assoc. 68:626).
    """

    def __init__(
        self,
        places: Places,
        weights: Array,
        formulas: Counts,
        cells: Counts,
        interaction: float,
        level: Array | None,
    ) -> None:
        self.places, self.weights, self.formulas = places, weights, formulas
        self.groups = int(formulas.max(initial=-1)) + 1
        self.cells, self.n_cells = cells, int(cells.max(initial=-1)) + 1
        in_cell = sums((weights > 0).astype(np.float64), cells, self.n_cells)
        weight = sums(weights, cells, self.n_cells)
        off = 1.0 - 1.0 / np.sqrt(1.0 + in_cell * interaction)
        self.off = np.divide(off, weight, out=np.zeros(self.n_cells), where=weight > 0)
        features = places.features if level is None else places.features * level[:, None]
        self.unit = np.ones(len(weights))
        if interaction > 0:
            taken = row_sums(features * weights[:, None], cells, self.n_cells)
            features = features - (taken * self.off[:, None])[cells]
            self.unit = self.unit - off[cells]
        self.features = features
        weight = sums(weights * self.unit**2, formulas, self.groups)
        self.inverse = np.divide(1.0, weight, out=np.zeros(self.groups), where=weight > 0)

    def centred(self, values: Array) -> Array:
        """Return (n,) values less their formula's part."""
        taken = sums(values * self.weights, self.cells, self.n_cells) * self.off
        return self._without_formulas(values - taken[self.cells])

    def _without_formulas(self, values: Array) -> Array:
        pulled = sums(values * self.weights * self.unit, self.formulas, self.groups)
        return np.asarray(values - self.unit * (pulled * self.inverse)[self.formulas])

    def squares(self) -> Array:
        """Return (k, k) the matrix of the normal equations of effects common to all plates."""
        weighted = self.features * self.weights[:, None]
        by_formula = row_sums(weighted * self.unit[:, None], self.formulas, self.groups)
        by_formula *= np.sqrt(self.inverse)[:, None]
        return np.asarray(self.features.T @ weighted - by_formula.T @ by_formula)

    def plate_squares(self) -> Array:
        """Return (plates, k, k) the blocks of the normal equations of each plate's effects."""
        k = self.features.shape[1]
        found = np.zeros((len(self.places.bounds) - 1, k, k))
        for number, wells in enumerate(self.places.by_plate()):
            weighted = self.features[wells] * self.weights[wells, None]
            names, place = np.unique(self.formulas[wells], return_inverse=True)
            inside = row_sums(weighted * self.unit[wells, None], place, len(names))
            inside *= np.sqrt(self.inverse[names])[:, None]
            found[number] = self.features[wells].T @ weighted - inside.T @ inside
        return found

    def apply(self, own: Array) -> Array:
        """Return (plates, k) the normal equations of each plate's effects times these effects."""
        found = np.zeros(len(self.features))
        for number, wells in enumerate(self.places.by_plate()):
            found[wells] = self.features[wells] @ own[number]
        return self._pulled(self._without_formulas(found))

    def project(self, values: Array) -> Array:
        """Return (plates, k) sums of features times values with formulas taken out."""
        return self._pulled(self.centred(values))

    def _pulled(self, values: Array) -> Array:
        pulled = self.weights * values
        found = np.zeros((len(self.places.bounds) - 1, self.features.shape[1]))
        for number, wells in enumerate(self.places.by_plate()):
            found[number] = pulled[wells] @ self.features[wells]
        return found

    def told_kinds(self, squares: Array) -> Array:
        """Return (kinds,) 1 where the layout tells all features of a kind apart, else 0.

        Replicates side by side show what neighbours differ by and nothing of what lies farther
        apart; to go on from the one to the other would be a guess.
        """
        counted = self.weights > 0
        features = self.places.features[counted]
        centred = features - features.mean(axis=0) if len(features) else features
        scale = self.weights[counted, None]
        total = centred.T @ (centred * scale)
        kinds = self.places.kinds
        found = np.zeros(int(kinds.max(initial=-1)) + 1)
        for kind in np.unique(kinds):
            at = np.flatnonzero(kinds == kind)
            values, vectors = np.linalg.eigh(total[np.ix_(at, at)])
            kept = values > 1e-9 * max(float(values[-1]), 1e-300)
            if kept.any():
                white = vectors[:, kept] / np.sqrt(values[kept])
                shown = np.linalg.eigvalsh(white.T @ squares[np.ix_(at, at)] @ white)
                found[kind] = shown[0] >= _LEAST_TOLD * shown[-1] > 0
        return found
