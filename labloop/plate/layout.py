"""Which formula stands in which well.

Wells near the edge grow less, and the effect reaches three wells inward (Mansoury et al. 2021), so
that a formula whose replicates happen to stand outside is judged too low. Replicates and controls
are therefore placed at random and then exchanged, pair by pair, until every formula has its fair
share of rings, rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from labloop.errors import RefusedError
from labloop.wells import edge_wells, normalise, position, ring, shape, well_names

if TYPE_CHECKING:
    import pandas as pd

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Relative loss at ring 0, 1, 2 on two makers' plates (Mansoury et al. 2021).
_EDGE_PROFILES = ((0.35, 0.25, 0.10), (0.16, 0.07, 0.01))
_RING_WEIGHT = 4.0
_GRADIENT_WEIGHT = 1.0
_LINE_WEIGHT = 0.25
_SWEEPS = 600


def arrange(
    formulas: Sequence[str | int],
    controls: Mapping[str, int],
    *,
    wells: int,
    replicates: int,
    empty_wells: Sequence[str] | Literal["edge"] = (),
    seed: int,
) -> pd.DataFrame:
    """Give every replicate of every formula, and the controls, a well.

    `controls` says how many wells each control has on every plate. Where one plate is too small,
    replicates of a formula go to different plates, and every plate has its controls. A plate that
    is not full leaves its outer wells empty first.

    Returns one row a well of every plate, plate by plate along the rows: `plate` (from 1), `well`,
    `role` (formula, control, empty), `formula` (the control's name in a control's well, None in an
    empty one), `replicate` (from 1 and counted across plates; 0 in an empty well).

    Raises RefusedError where the controls leave no well for a formula, an empty well is not on the
    plate, or a formula is named twice or like a control.
    """
    import pandas as pd

    _check_names(formulas, controls)
    usable = _usable(wells, empty_wells)
    plates = _plates(len(formulas) * replicates, sum(controls.values()), len(usable))
    rng = np.random.default_rng(seed)
    names = [*formulas, *controls]
    seats = _seats(len(formulas), replicates, list(controls.values()), plates, rng)
    chosen = [
        _inner_wells(usable, int((seats[:, 0] == p).sum()), wells, rng) for p in range(plates)
    ]
    plate_of = np.repeat(np.arange(plates), [len(each) for each in chosen])
    well_of = np.concatenate([np.asarray(each, dtype=np.int64) for each in chosen])
    subject = _balance(plate_of, well_of, seats, len(formulas), wells, rng)

    order = well_names(wells)
    frame = pd.DataFrame(
        {
            "plate": np.repeat(np.arange(1, plates + 1), wells),
            "well": list(order) * plates,
            "role": "empty",
            "formula": pd.Series([None] * (wells * plates), dtype=object),
            "replicate": 0,
        }
    )
    row = plate_of * wells + well_of
    frame.loc[row, "role"] = np.where(subject < len(formulas), "formula", "control")
    frame.loc[row, "formula"] = np.array([*names, None], dtype=object)[subject]
    in_plate_order = np.argsort(row, kind="stable")
    count = pd.Series(subject[in_plate_order]).groupby(subject[in_plate_order]).cumcount() + 1
    frame.loc[row[in_plate_order], "replicate"] = count.to_numpy()
    return frame


def _check_names(formulas: Sequence[str | int], controls: Mapping[str, int]) -> None:
    seen: set[str | int] = set(controls)
    for formula in formulas:
        if formula in seen:
            what = "like a control" if formula in controls else "twice"
            raise RefusedError(f'Formula "{formula}" is named {what}; give each its own name.')
        seen.add(formula)


def _usable(wells: int, empty_wells: Sequence[str] | Literal["edge"]) -> _Ints:
    names = edge_wells(wells) if empty_wells == "edge" else empty_wells
    empty = {normalise(well, wells) for well in names}
    return np.array([i for i, well in enumerate(well_names(wells)) if well not in empty], np.int64)


def _plates(formula_wells: int, control_wells: int, usable: int) -> int:
    room = usable - control_wells
    if room < 0 or (room == 0 and formula_wells):
        raise RefusedError(
            f"The controls take {control_wells} wells and the plate has {usable} that are not kept "
            "empty, which leaves none for a formula; have fewer controls, fewer empty wells or a "
            "larger plate."
        )
    return max(1, math.ceil(formula_wells / room)) if room else 1


def _seats(
    formulas: int,
    replicates: int,
    controls: Sequence[int],
    plates: int,
    rng: np.random.Generator,
) -> _Ints:
    """Return (plate, subject) of every filled well, sorted by plate; controls come after formulas.

    Dealing the replicates out in turn puts those of one formula on different plates and loads the
    plates evenly.
    """
    dealt = np.repeat(rng.permutation(formulas), replicates)
    formula_seats = np.column_stack([np.arange(dealt.size) % plates, dealt])
    control = formulas + np.repeat(np.arange(len(controls)), controls)
    control_seats = np.column_stack(
        [np.repeat(np.arange(plates), control.size), np.tile(control, plates)]
    )
    seats = np.concatenate([formula_seats, control_seats]).astype(np.int64)
    seats = seats[rng.permutation(len(seats))]
    return seats[np.argsort(seats[:, 0], kind="stable")]


def _inner_wells(usable: _Ints, count: int, wells: int, rng: np.random.Generator) -> _Ints:
    """Return `count` of the usable wells, inner rings first, at random within the last ring."""
    names = well_names(wells)
    depth = np.array([ring(names[index], wells) for index in usable])
    order = np.lexsort((rng.random(usable.size), -depth))
    return np.sort(usable[order[:count]])


def _features(well_of: _Ints, wells: int) -> _Floats:
    """Return what a fair share is a share of: edge profiles, gradients, rings, rows, columns.

    One row a filled well; every column is centred and has the weight of its kind.
    """
    names = well_names(wells)
    rows, columns = shape(wells)
    at = np.array([position(names[index], wells) for index in well_of])
    depth = np.minimum([ring(names[index], wells) for index in well_of], 3)
    profiles = [np.array([*profile, 0.0])[depth] for profile in _EDGE_PROFILES]
    rings = [(depth == each).astype(float) for each in range(3)]
    gradients = [at[:, 0].astype(float), at[:, 1].astype(float)]
    lines = [(at[:, 0] == row).astype(float) for row in range(rows)]
    lines += [(at[:, 1] == column).astype(float) for column in range(columns)]
    weighted = [
        *((each, _RING_WEIGHT) for each in profiles),
        *((each, _RING_WEIGHT / 4) for each in rings),
        *((each, _GRADIENT_WEIGHT) for each in gradients),
        *((each, _LINE_WEIGHT) for each in lines),
    ]
    return np.column_stack([weight * _standard(each) for each, weight in weighted])


def _standard(values: _Floats) -> _Floats:
    centred = values - values.mean()
    spread = float(centred.std())
    return np.asarray(centred / spread) if spread > 0 else centred


def _balance(
    plate_of: _Ints,
    well_of: _Ints,
    seats: _Ints,
    formulas: int,
    wells: int,
    rng: np.random.Generator,
) -> _Ints:
    """Return the subject of every filled well after exchanges within plates.

    The wells of one subject are a group (a control's wells on one plate are a group of their own:
    they must tell that plate's level). The sum over groups of |sum of features|² / size is lowered
    by exchanging the subjects of two wells; each sweep pairs all wells at random, scores every pair
    at once, and makes the exchanges that are the best on offer for both groups.
    """
    subject = seats[:, 1].copy()
    plates = int(plate_of.max(initial=0)) + 1
    # Groups of formulas are numbered as the formulas, those of controls by control and plate.
    group = np.where(
        subject < formulas, subject, formulas + (subject - formulas) * plates + plate_of
    )
    features = _features(well_of, wells)
    groups = int(group.max(initial=-1)) + 1
    size = np.maximum(np.bincount(group, minlength=groups), 1).astype(float)
    sums = np.zeros((groups, features.shape[1]))
    np.add.at(sums, group, features)
    for _ in range(_SWEEPS):
        mixed = np.lexsort((rng.random(subject.size), plate_of))
        first, second = mixed[0 : mixed.size - 1 : 2], mixed[1::2]
        keep = (plate_of[first] == plate_of[second]) & (group[first] != group[second])
        first, second = first[keep], second[keep]
        one, two = group[first], group[second]
        move = features[second] - features[first]
        square = np.einsum("ij,ij->i", move, move)
        gain = (2 * np.einsum("ij,ij->i", sums[one], move) + square) / size[one]
        gain += (-2 * np.einsum("ij,ij->i", sums[two], move) + square) / size[two]
        # Ranks, not gains: two exchanges of one group may tie, and only one of them can be made.
        rank = np.argsort(np.argsort(gain, kind="stable"), kind="stable")
        best = np.full(groups, rank.size)
        np.minimum.at(best, one, rank)
        np.minimum.at(best, two, rank)
        better = np.flatnonzero((gain < -1e-9) & (rank == best[one]) & (rank == best[two]))
        first, second, move = first[better], second[better], move[better]
        one, two = one[better], two[better]
        sums[one] += move
        sums[two] -= move
        subject[first], subject[second] = subject[second], subject[first]
        group[first], group[second] = two, one
    return subject
