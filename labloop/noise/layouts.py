"""What stands where: formulas, cells (wells of one formula on one plate) and places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labloop.noise.places import Places
from labloop.noise.spread import Counts
from labloop.noise.wells import Wells


@dataclass(frozen=True, eq=False)
class Layout:
    """What stands where: subjects from zero (-1 none), cells, and places by shape of plate."""

    subject: Counts
    n_subjects: int
    cell: Counts
    cell_subject: Counts
    cell_plate: Counts
    places: tuple[tuple[Counts, Places], ...]

    @classmethod
    def of(cls, wells: Wells, subject: Counts, n_subjects: int) -> Layout:
        """Return the layout of wells whose (n,) subjects are counted from zero."""
        plates = np.where(wells.plates >= 0, wells.plates, len(wells.shapes))
        codes, cell = np.unique(subject * (len(wells.shapes) + 1) + plates, return_inverse=True)
        cell_subject, cell_plate = np.divmod(codes, len(wells.shapes) + 1)
        return cls(
            subject,
            n_subjects,
            cell.reshape(-1),
            cell_subject,
            cell_plate,
            tuple(_places(wells)),
        )


def _places(wells: Wells) -> list[tuple[Counts, Places]]:
    """Return the wells on the plates of each shape, plate by plate, and their places."""
    placed = (wells.plates >= 0) & (wells.rows >= 0) & (wells.columns >= 0)
    found = []
    for shape in np.unique(wells.shapes, axis=0):
        alike = (wells.shapes == shape).all(axis=1)
        at = np.flatnonzero(placed)
        at = at[alike[wells.plates[at]]]
        at = at[(wells.rows[at] < shape[0]) & (wells.columns[at] < shape[1])]
        at = at[np.argsort(wells.plates[at], kind="stable")]
        if len(at):
            _, plate = np.unique(wells.plates[at], return_inverse=True)
            size = (int(shape[0]), int(shape[1]))
            found.append((at, Places.on(size, wells.rows[at], wells.columns[at], plate)))
    return found
