"""Measured wells as arrays: what `observe` reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labloop.noise.spread import Array, Counts


@dataclass(frozen=True, eq=False)
class Wells:
    """n measured wells and their m responses.

    Attributes:
        values: (n, m) in the responses' units, NaN where there is none.
        statuses: (n, m) ok, below_range, above_range, missing or excluded.
        limits: (n, m) the limit of the range that a well lies beyond, NaN where unknown.
        formulas: (n,) what is in the well; below zero for a well without a formula, which tells
            nothing of others and is only corrected.
        plates: (n,) number of the plate from 0, -1 unknown.
        rows: (n,) from 0, -1 unknown.
        columns: (n,) from 0, -1 unknown.
        shapes: (plates, 2) rows and columns of each plate.

    Raises ValueError for arrays that do not fit together.
    """

    values: Array
    statuses: npt.NDArray[np.str_]
    limits: Array
    formulas: Counts
    plates: Counts
    rows: Counts
    columns: Counts
    shapes: Counts

    def __post_init__(self) -> None:
        shape = np.shape(self.values)
        if len(shape) != 2:
            raise ValueError(f"values must be wells × responses (got {shape})")
        for name in ("statuses", "limits"):
            if np.shape(getattr(self, name)) != shape:
                got = np.shape(getattr(self, name))
                raise ValueError(f"{name} must have the shape of values (got {got} and {shape})")
        for name in ("formulas", "plates", "rows", "columns"):
            if np.shape(getattr(self, name)) != shape[:1]:
                got = np.shape(getattr(self, name))
                raise ValueError(f"{name} must have one entry a well (got {got} and {shape[:1]})")
        if len(np.shape(self.shapes)) != 2 or np.shape(self.shapes)[1] != 2:
            raise ValueError(f"shapes must be plates × 2 (got {np.shape(self.shapes)})")
        if np.size(self.plates) and int(np.max(self.plates)) >= len(self.shapes):
            raise ValueError(
                f"plates must be below the number of shapes "
                f"(got {int(np.max(self.plates))} and {len(self.shapes)})"
            )

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """(n, m) which values are numbers that count."""
        return np.asarray((self.statuses == "ok") & np.isfinite(self.values))

    @property
    def sides(self) -> npt.NDArray[np.int8]:
        """(n, m) -1 below the range, 1 above it, 0 otherwise."""
        below, above = self.statuses == "below_range", self.statuses == "above_range"
        return np.asarray(above.astype(np.int8) - below.astype(np.int8))
