"""Stored measurements as wells for `noise.observe`: which plate, which place, which limit."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labloop import noise, store
from labloop.definition import Definition, Response
from labloop.noise import Wells, observe
from labloop.store import NOW, Measurement, Store
from labloop.wells import SHAPES, parse_well, position

Ints = npt.NDArray[np.int64]

_SIZES = (24, 48, 96, 384, 1536)


class Plate(NamedTuple):
    """A plate of a round, by its number; or the lab's own, by the file and its name there."""

    round: int | None
    file: int | None
    name: str


@dataclass(frozen=True, eq=False)
class MeasuredWells:
    """Measurements as wells.

    Attributes:
        wells: (n,) wells by (m,) responses, as `noise.observe` reads them.
        plates: What each plate is.
        rows: (measurements,) the well of each measurement; -1 of a response that is not asked for.
        columns: (measurements,) the number of its response, -1 likewise.
    """

    wells: Wells
    plates: tuple[Plate, ...]
    rows: Ints
    columns: Ints


@dataclass(frozen=True, eq=False)
class SeenWells:
    """The campaign's own measurements and what was made of them.

    Attributes:
        measured: As the store has them.
        found: The same as wells.
        observed: Their corrections, and one observation a formula and response.
    """

    measured: Sequence[Measurement]
    found: MeasuredWells
    observed: noise.Observed


def seen_wells(
    opened: Store, definition: Definition, *, blanks: bool = False, up_to: int = NOW
) -> SeenWells:
    """Return the own wells as they were known after an event; those of no formula on demand.

    Wells of no formula change nothing of the others.
    """
    measured = store.campaign_measurements(opened, blanks=blanks, up_to=up_to)
    found = measured_wells(opened, measured, definition.responses)
    return SeenWells(measured, found, observe(found.wells, **definition.noise.model_dump()))


def measured_wells(
    opened: Store, measured: Sequence[Measurement], responses: Sequence[Response]
) -> MeasuredWells:
    """Return measurements as wells; a limit that a file did not give is that of the response."""
    column = {response.name: j for j, response in enumerate(responses)}
    places: dict[tuple[object, ...], int] = {}
    plates: dict[Plate, int] = {}
    of_well: list[tuple[int, int, tuple[int, int] | None]] = []
    met: dict[tuple[object, ...], int] = {}
    rows, columns = np.full((2, len(measured)), -1, dtype=np.int64)
    for k, m in enumerate(measured):
        j = column.get(m.response)
        if j is None:
            continue
        plate = _plate_of(m)
        well = m.well if m.round is not None else m.well_label
        if well is not None:
            key: tuple[object, ...] = (plate, well, m.formula)
        else:  # the k-th value of a formula's response joins the k-th of its others
            count = met[plate, m.formula, j] = met.get((plate, m.formula, j), -1) + 1
            key = (plate, None, m.formula, count)
        row = places.get(key)
        if row is None:
            row = places[key] = len(of_well)
            number = -1 if plate is None else plates.setdefault(plate, len(plates))
            formula = -1 if m.formula is None else m.formula
            of_well.append((formula, number, None if well is None else _place(well)))
        rows[k], columns[k] = row, j
    return MeasuredWells(
        _as_arrays(opened, measured, responses, rows, columns, of_well, list(plates)),
        tuple(plates),
        rows,
        columns,
    )


def _plate_of(m: Measurement) -> Plate | None:
    if m.round is not None:
        return Plate(m.round, None, str(m.plate))
    return None if m.plate_label is None else Plate(None, m.file, m.plate_label)


@cache
def _place(label: str) -> tuple[int, int] | None:
    """Return row and column of a well; None for a label that is none."""
    well = parse_well(label)
    return None if well is None else position(well, _SIZES[-1])


def _as_arrays(
    opened: Store,
    measured: Sequence[Measurement],
    responses: Sequence[Response],
    rows: Ints,
    columns: Ints,
    of_well: Sequence[tuple[int, int, tuple[int, int] | None]],
    plates: Sequence[Plate],
) -> Wells:
    kept = rows >= 0
    at = rows[kept], columns[kept]
    shape = len(of_well), len(responses)
    number = np.array([np.nan if m.value is None else m.value for m in measured], dtype=float)
    status = np.array([m.status for m in measured], dtype="U11")
    statuses = np.full(shape, "missing", dtype="U11")
    statuses[at] = status[kept]
    values, limits = np.full((2, *shape), np.nan)
    inside = (status == "ok") | (status == "excluded")
    values[at] = np.where(inside, number, np.nan)[kept]
    limits[at] = np.where(inside, np.nan, number)[kept]
    for j, response in enumerate(responses):
        if response.range is not None:
            for name, end in zip(("below_range", "above_range"), response.range, strict=True):
                unknown = (statuses[:, j] == name) & np.isnan(limits[:, j])
                limits[unknown, j] = end if np.isfinite(end) else np.nan
    formulas = np.array([formula for formula, _, _ in of_well], dtype=np.int64)
    of_plate = np.array([plate for _, plate, _ in of_well], dtype=np.int64)
    place = np.array([place or (-1, -1) for _, _, place in of_well], dtype=np.int64).reshape(-1, 2)
    return Wells(
        values=values,
        statuses=statuses,
        limits=limits,
        formulas=formulas,
        plates=of_plate,
        rows=place[:, 0],
        columns=place[:, 1],
        shapes=_shapes(opened, plates, of_plate, place),
    )


def _shapes(opened: Store, plates: Sequence[Plate], of_plate: Ints, place: Ints) -> Ints:
    """Return (plates, 2) rows and columns of each plate.

    A round's plate is as its definition says, or larger where its wells are; the lab's own is the
    smallest that has its wells.
    """
    reach = np.full((len(plates), 2), -1, dtype=np.int64)
    known = of_plate >= 0
    np.maximum.at(reach, of_plate[known], place[known])
    definitions = {r.number: r.definition for r in store.read_rounds(opened)}

    @cache
    def of_definition(number: int) -> int:
        text = tomllib.loads(store.definition_text(opened, number))
        return int(text.get("plate", {}).get("wells", 96))

    found = np.zeros((len(plates), 2), dtype=np.int64)
    for k, plate in enumerate(plates):
        least = _SIZES[0] if plate.round is None else of_definition(definitions[plate.round])
        sizes = [size for size in _SIZES if size >= least]
        fitting = [SHAPES[size] for size in sizes if (reach[k] < SHAPES[size]).all()]
        found[k] = fitting[0] if fitting else SHAPES[_SIZES[-1]]
    return found
