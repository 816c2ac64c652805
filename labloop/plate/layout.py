"""Which formula stands in which well.

Wells near the edge grow less, and the effect reaches three wells inward (Mansoury et al. 2021), so
that a formula whose replicates happen to stand outside is judged too low. Replicates and controls
are therefore placed at random and then exchanged, pair by pair, until every formula has its fair
share of rings, rows and columns and no two controls stand side by side where that can be avoided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from labloop.errors import RefusedError
from labloop.plate.balance import balance, rings
from labloop.wells import edge_wells, normalise, well_names

if TYPE_CHECKING:
    import pandas as pd

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def arrange(
    formulas: Sequence[str | int],
    controls: Mapping[str, int],
    *,
    wells: int,
    replicates: int,
    plates: int = 1,
    empty_wells: Sequence[str] | Literal["edge"] = (),
    seed: int,
) -> pd.DataFrame:
    """Give every replicate of every formula, and the controls, a well.

    `controls` says how many wells each control has on every plate. There are as many plates as it
    takes, and at least `plates`, but none without a formula. Replicates of a formula are dealt over
    the plates as evenly as can be, the plates are evenly loaded, and every plate has its controls.
    A plate that is not full leaves its outer wells empty first.

    Returns one row a well of every plate, plate by plate along the rows: `plate` (from 1), `well`,
    `role` (formula, control, empty), `formula` (the control's name in a control's well, None in an
    empty one), `replicate` (from 1 and counted across plates; 0 in an empty well).

    Raises RefusedError where the controls leave no well for a formula, an empty well is not on the
    plate, or a formula is named twice or like a control.
    """
    _check_names(formulas, controls)
    usable = _usable(wells, empty_wells)
    formula_wells = len(formulas) * replicates
    needed = _plates(formula_wells, sum(controls.values()), len(usable))
    plates = max(needed, min(plates, formula_wells))
    rng = np.random.default_rng(seed)
    seats = _seats(len(formulas), replicates, list(controls.values()), plates, rng)
    load = np.bincount(seats[:, 0], minlength=plates)
    well_of = np.concatenate([_inner_wells(usable, int(count), wells, rng) for count in load])
    subject = balance(seats, well_of, len(formulas), wells, rng)
    row = seats[:, 0] * wells + well_of
    return _frame(row, subject, [*formulas, *controls], len(formulas), plates, wells)


def _frame(
    row: _Ints,
    subject: _Ints,
    names: Sequence[str | int],
    formulas: int,
    plates: int,
    wells: int,
) -> pd.DataFrame:
    """Return the layout's frame, given the subject of each filled row of it."""
    import pandas as pd

    subject_of = np.full(plates * wells, len(names))
    subject_of[row] = subject
    role = np.array([*["formula"] * formulas, *["control"] * (len(names) - formulas), "empty"])
    label = np.empty(len(names) + 1, dtype=object)
    label[:-1] = names
    by_subject = np.argsort(subject_of, kind="stable")
    counts = np.bincount(subject_of, minlength=label.size)
    replicate = np.empty(subject_of.size, dtype=np.int64)
    replicate[by_subject] = (
        1 + np.arange(subject_of.size) - np.repeat(np.cumsum(counts) - counts, counts)
    )
    return pd.DataFrame(
        {
            "plate": np.repeat(np.arange(1, plates + 1), wells),
            "well": list(well_names(wells)) * plates,
            "role": role[subject_of].astype(object),
            "formula": pd.Series(label[subject_of], dtype=object),
            "replicate": np.where(subject_of < len(names), replicate, 0),
        }
    )


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

    Each formula has as many wells on every plate as it has replicates for all of them; those left
    over go to the plates that have the least, by lot where several do, so that plates are evenly
    loaded and every two plates share formulas.
    """
    everywhere, over = divmod(replicates, plates)
    extra = np.zeros(plates, dtype=np.int64)
    dealt = np.empty((formulas, over), dtype=np.int64)
    for number in rng.permutation(formulas) if over else ():
        dealt[number] = np.lexsort((rng.random(plates), extra))[:over]
        extra[dealt[number]] += 1
    numbers = np.arange(formulas)
    control = formulas + np.repeat(np.arange(len(controls)), controls)
    plate_of = [
        np.repeat(np.arange(plates), formulas * everywhere),
        dealt.reshape(-1),
        np.repeat(np.arange(plates), control.size),
    ]
    subject_of = [
        np.tile(numbers, plates * everywhere),
        np.repeat(numbers, over),
        np.tile(control, plates),
    ]
    seats = np.column_stack([np.concatenate(plate_of), np.concatenate(subject_of)])
    seats = seats[rng.permutation(len(seats))]
    return seats[np.argsort(seats[:, 0], kind="stable")]


def _inner_wells(usable: _Ints, count: int, wells: int, rng: np.random.Generator) -> _Ints:
    """Return `count` of the usable wells, inner rings first, at random within the last ring."""
    order = np.lexsort((rng.random(usable.size), -rings(usable, wells)))
    return np.sort(usable[order[:count]])
