"""What the places of wells on their plates did, in sentences.

Effects of places are described by the outer ring and the two slopes, fitted by least squares to
what was taken off in each well; they are told where that is beyond the spread of wells.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labloop.report.numbers import with_unit
from labloop.report.plate_readings import BEYOND, PlateReadings, named, sentence
from labloop.wells import row_name

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_SHAPES: Final = 3  # outer ring, slope over the rows, slope over the columns


class _Kind(NamedTuple):
    """Effects that go into one sentence."""

    response: int
    shape: int
    rises: bool
    plate: tuple[int, int]
    unit: str


def what_places_did(readings: PlateReadings) -> list[str]:
    """Return what rings and slopes did on the plates that are shown, alike ones in a sentence."""
    found: dict[_Kind, list[tuple[str, float]]] = {}
    for j in range(len(readings.responses)):
        for plate in np.flatnonzero(readings.shown).tolist():
            for kind, size in _of_plate(readings, plate, j):
                found.setdefault(kind, []).append((readings.names[plate], size))
    return [
        _said(readings.responses[kind.response].name, kind, each) for kind, each in found.items()
    ]


def _of_plate(readings: PlateReadings, plate: int, j: int) -> list[tuple[_Kind, float]]:
    wells, seen = readings.wells, readings.seen
    on = readings.on(plate, j) & (wells.rows >= 0)
    if not seen.position[on, j].any():
        return []
    values = seen.corrected[on, j]
    single = np.hypot(seen.constant_sd[j], seen.relative_sd[j] * values)
    share = bool((values > 0).all())
    whole = values / 100.0 if share else np.ones(len(values))
    unit = "%" if share else readings.responses[j].unit
    rows, columns = wells.shapes[plate].tolist()
    fitted = _fitted(
        wells.rows[on], wells.columns[on], (rows, columns), seen.position[on, j] / whole,
        single / whole,
    )  # fmt: skip
    return [
        (_Kind(j, shape, bool(size > 0), (rows, columns), unit), abs(size))
        for shape, size in fitted.items()
    ]


def _fitted(
    rows: Counts, columns: Counts, plate: tuple[int, int], added: Array, errors: Array
) -> dict[int, float]:
    """Return the shapes that lie beyond their errors, and their sizes."""
    down, across = plate[0] - 1, plate[1] - 1
    depth = np.minimum.reduce([rows, down - rows, columns, across - columns])
    features = np.column_stack(
        [np.ones(len(rows)), depth == 0, rows / down - 0.5, columns / across - 0.5]
    )
    products = features.T @ features
    if np.linalg.matrix_rank(products) < features.shape[1] or not np.isfinite(errors).all():
        return {}
    inverse = np.linalg.inv(products)
    size = inverse @ (features.T @ added)
    beyond = np.abs(size) > BEYOND * np.sqrt(np.diag(inverse) * np.mean(errors**2))
    return {k: float(size[k + 1]) for k in range(_SHAPES) if beyond[k + 1]}


def _said(response: str, kind: _Kind, each: list[tuple[str, float]]) -> str:
    sizes = [size for _, size in each]
    least, most = f"{min(sizes):.2g}", f"{max(sizes):.2g}"
    size = with_unit(least if least == most else f"{least} to {most}", kind.unit)
    plates = named([name for name, _ in each])
    if kind.shape == 0:
        side = "higher" if kind.rises else "lower"
        return sentence(
            f"the outer ring of {plates} reads {response} {size} {side} than the inside; corrected"
        )
    ends = (
        f"row A to row {row_name(kind.plate[0] - 1)}",
        f"column 1 to column {kind.plate[1]}",
    )[kind.shape - 1]
    turn = "rises" if kind.rises else "falls"
    return f"On {plates} {response} {turn} by {size} from {ends}; corrected."
