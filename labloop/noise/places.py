"""Where wells are on their plates, as features whose coefficients are effects of places.

A ring, a row or a column is an indicator, a slope a number, all centred over the plate. Plates of
one shape have the same features, so that sums over wells become sums over a plate's places first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from labloop.noise.spread import Array, Counts

_RINGS: Final = 3


@dataclass(frozen=True, eq=False)
class Places:
    """Where n wells are, all on plates of one shape.

    Attributes:
        every: (places, k) features of every place of such a plate: rings, slopes, rows, columns.
        kinds: (k,) the kind of each feature from 0.
        place: (n,) row of `every` of each well.
        plates: (n,) number of each well's plate from 0.
        n_plates: How many there are.
    """

    every: Array
    kinds: Counts
    place: Counts
    plates: Counts
    n_plates: int

    @classmethod
    def on(cls, shape: tuple[int, int], rows: Counts, columns: Counts, plates: Counts) -> Places:
        """Return the places of wells whose (n,) plates are counted from zero."""
        every, kinds = _features(shape)
        count = int(plates.max(initial=-1)) + 1
        return cls(every, kinds, rows * shape[1] + columns, plates, count)

    @property
    def n_kinds(self) -> int:
        """How many kinds of effects there are."""
        return int(self.kinds.max(initial=-1)) + 1

    def by_place(self, values: Array) -> Array:
        """Return (plates, places) sums of (n,) values of wells."""
        size = len(self.every)
        total = np.bincount(
            self.plates * size + self.place, weights=values, minlength=self.n_plates * size
        )
        return total.astype(np.float64).reshape(self.n_plates, size)

    def sums_by(self, group: Counts, groups: int, weights: Array) -> Array:
        """Return (groups, k) weighted sums of the wells' features by the (n,) group of each."""
        at = sparse.csr_matrix((weights, (group, self.place)), shape=(groups, len(self.every)))
        return np.asarray(at @ self.every)

    def effects(self, common: Array, own: Array) -> Array:
        """Return (n,) what (k,) common and (plates, k) plates' own coefficients make of wells."""
        return np.asarray(((own + common) @ self.every.T)[self.plates, self.place])


def _features(shape: tuple[int, int]) -> tuple[Array, Counts]:
    """Return (places, k) centred features of every place of a plate, and their kinds."""
    rows, columns = shape
    row, column = np.divmod(np.arange(rows * columns), columns)
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
