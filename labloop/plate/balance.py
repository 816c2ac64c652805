"""Fair shares of the plate for every formula, by exchanges of pairs of wells.

The wells of one formula are a group; so are a control's wells on one plate, which must tell that
plate's level. What a group has of the rings, rows and columns is weighed against the average well,
and the subjects of two wells of a plate are exchanged as long as that makes the groups more alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labloop.wells import shape

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

EDGE_PROFILES = ((0.35, 0.25, 0.10), (0.16, 0.07, 0.01))
"""Relative loss at ring 0, 1, 2 on two makers' plates (Mansoury et al. 2021)."""

_RING_WEIGHT = 4.0
_GRADIENT_WEIGHT = 1.0
_LINE_WEIGHT = 0.25
# More than any fair share is worth: that controls part comes first.
_CROWDING_WEIGHT = 1000.0
_SWEEPS = 200
_IDLE_SWEEPS = 50


def balance(
    seats: _Ints, well_of: _Ints, formulas: int, wells: int, rng: np.random.Generator
) -> _Ints:
    """Return the subject of every filled well after exchanges within plates.

    The sum over groups of |sum of features|² / size, and the number of controls side by side, are
    lowered by exchanging the subjects of two wells. Each sweep pairs all wells at random, scores
    every pair at once, and makes the exchanges that are the best on offer for both groups; of those
    that move a control, one a plate.

    Args:
        seats: (n, 2) plate (from 0) and subject of each filled well, sorted by plate; subjects from
            `formulas` on are controls.
        well_of: (n,) number of each well along the rows of its plate.
        formulas: How many formulas there are.
        wells: Of a plate.
        rng: Decides which pairs are tried.
    """
    plate_of, subject = seats[:, 0], seats[:, 1].copy()
    plates = int(plate_of.max(initial=0)) + 1
    group = _groups(subject, plate_of, formulas, plates)
    features = _features(well_of, wells)
    neighbours = _neighbours(plate_of * wells + well_of, wells)
    groups = int(group.max(initial=-1)) + 1
    share = 1 / np.maximum(np.bincount(group, minlength=groups), 1)
    sums = np.zeros((groups, features.shape[1]))
    np.add.at(sums, group, features)
    idle = 0
    for _ in range(_SWEEPS):
        first, second = _pairs(plate_of, plates, rng)
        differ = group[first] != group[second]
        first, second = first[differ], second[differ]
        one, two = group[first], group[second]
        move = features[second] - features[first]
        pull = sums[one] * share[one, None] - sums[two] * share[two, None]
        gain = 2 * np.einsum("ij,ij->i", pull, move)
        gain += np.einsum("ij,ij->i", move, move) * (share[one] + share[two])
        is_control = subject >= formulas
        parts = is_control[first] != is_control[second]
        at, to = first[parts], second[parts]
        gain[parts] += _CROWDING_WEIGHT * _crowding(at, to, is_control, neighbours)
        # A plate's controls count as one group more, so that no two are moved side by side at once.
        third = np.where(parts, groups + plate_of[first], one)
        better = _compatible(gain, np.stack([one, two, third]), groups + plates)
        idle = 0 if better.size else idle + 1
        if idle == _IDLE_SWEEPS:
            break
        first, second, move = first[better], second[better], move[better]
        one, two = one[better], two[better]
        sums[one] += move
        sums[two] -= move
        subject[first], subject[second] = subject[second], subject[first]
        group[first], group[second] = two, one
    return subject


def _groups(subject: _Ints, plate_of: _Ints, formulas: int, plates: int) -> _Ints:
    """Return the group of each subject: formulas by number, then each control of each plate."""
    control = formulas + (subject - formulas) * plates + plate_of
    return np.where(subject < formulas, subject, control)


def _pairs(plate_of: _Ints, plates: int, rng: np.random.Generator) -> tuple[_Ints, _Ints]:
    """Return wells that are neighbours in a random order of each plate's wells."""
    mixed = np.argsort(plate_of + rng.random(plate_of.size))
    first, second = mixed[: mixed.size - 1 : 2], mixed[1::2]
    if plates == 1:
        return first, second
    same = plate_of[first] == plate_of[second]
    return first[same], second[same]


def _compatible(gain: _Floats, touched: _Ints, groups: int) -> _Ints:
    """Return the exchanges that lower the sum and are the best on offer for all they touch."""
    lower = np.flatnonzero(gain < -1e-9)
    # Ranks, not gains: two exchanges of one group may tie, and only one of them can be made.
    lower = lower[np.argsort(gain[lower], kind="stable")]
    rank = np.arange(lower.size)
    best = np.full(groups, lower.size)
    for each in touched[:, lower]:
        np.minimum.at(best, each, rank)
    return np.asarray(lower[(best[touched[:, lower]] == rank).all(axis=0)])


def _crowding(
    at: _Ints, to: _Ints, is_control: npt.NDArray[np.bool_], neighbours: _Ints
) -> _Floats:
    """Return by how many the pairs of controls side by side grow if wells are exchanged.

    One well of each pair `at`, `to` holds a control.
    """
    here = is_control[at]
    left, reached = np.where(here, at, to), np.where(here, to, at)
    control = np.append(is_control, False)
    before = control[neighbours[left]].sum(axis=1)
    after = (control[neighbours[reached]] & (neighbours[reached] != left[:, None])).sum(axis=1)
    return np.asarray(after - before, dtype=np.float64)


def _neighbours(place: _Ints, wells: int) -> _Ints:
    """Return (n, 4) the filled wells above, below, left and right of each; n where there is none.

    `place` (n,) is the number of a well counted through all plates.
    """
    rows, columns = shape(wells)
    at = np.full(int(place.max(initial=0)) + 1 + wells, place.size)
    at[place] = np.arange(place.size)
    row, column = np.divmod(place % wells, columns)
    steps = (
        (row > 0, -columns),
        (row < rows - 1, columns),
        (column > 0, -1),
        (column < columns - 1, 1),
    )
    return np.column_stack([np.where(on, at[place + step * on], place.size) for on, step in steps])


def rings(well_of: _Ints, wells: int) -> _Ints:
    """Return how many wells lie between each well and the nearest edge."""
    rows, columns = shape(wells)
    row, column = np.divmod(well_of, columns)
    inward = np.minimum(np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column))
    return np.asarray(inward)


def _features(well_of: _Ints, wells: int) -> _Floats:
    """Return what a fair share is a share of: edge profiles, gradients, rings, rows, columns.

    One row a filled well; every column is centred and has the weight of its kind.
    """
    rows, columns = shape(wells)
    row, column = np.divmod(well_of, columns)
    depth = np.minimum(rings(well_of, wells), 3)
    weighted = (
        (np.array([(*profile, 0.0) for profile in EDGE_PROFILES]).T[depth], _RING_WEIGHT),
        (np.eye(4)[depth, :3], _RING_WEIGHT / 4),
        (np.column_stack([row, column]), _GRADIENT_WEIGHT),
        (np.eye(rows)[row], _LINE_WEIGHT),
        (np.eye(columns)[column], _LINE_WEIGHT),
    )
    standard = [weight * _standard(values) for values, weight in weighted]
    features = np.concatenate(standard, axis=1)
    return np.ascontiguousarray(features[:, features.any(axis=0)])


def _standard(values: npt.NDArray[np.floating] | _Ints) -> _Floats:
    centred = np.asarray(values - values.mean(axis=0), dtype=np.float64)
    spread = centred.std(axis=0)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12))
