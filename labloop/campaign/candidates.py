"""The user's own list of formulas to choose among."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labloop.campaign.recording import read_formulas
from labloop.definition import Definition
from labloop.errors import RejectedError
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

if TYPE_CHECKING:
    import pandas as pd

_TOLERANCE = 0.02


def read_candidates(
    definition: Definition,
    space: FormulaSpace,
    candidates: pd.DataFrame | str | Path | None,
    seed: int,
) -> tuple[LevelNumbers | None, dict[bytes, object] | None]:
    """Return the user's candidates as level numbers, and each one's (first) label.

    Raises:
        RejectedError: A candidate is off every level by more than 2 % of a component's range, or
            breaks a constraint.
    """
    if candidates is None:
        return None, None
    concentrations, index = read_formulas(definition, candidates)
    wanted = space.encode_concentrations(concentrations)
    nearest = space.nearest(concentrations)
    levels, holds = space.mend(nearest, np.random.default_rng(seed))
    off = np.abs(space.encode(nearest) - wanted)
    moved = np.abs(space.encode(levels) - wanted)
    made = np.all(off <= _TOLERANCE, axis=1)
    holds = holds & np.all(moved <= _TOLERANCE, axis=1)
    problems = []
    for row in np.flatnonzero(~(made & holds)).tolist():
        name = space.names[int(space.component_of_column[int(np.argmax(off[row]))])]
        why = f"its {name} is out of reach of the range, the levels or the stocks"
        if made[row]:
            why = f"it breaks {' and '.join(space.broken(nearest[row : row + 1]))}"
        problems.append(f"candidate {index[row]}: {why}; leave it out or change it")
    if problems:
        raise RejectedError(
            f"{len(problems)} of {len(levels)} candidates were rejected; nothing was changed:",
            problems[:20] + ([f"(+{len(problems) - 20} more)"] if len(problems) > 20 else []),
        )
    labels: dict[bytes, object] = {}
    for row, label in zip(levels, index, strict=True):
        labels.setdefault(row.tobytes(), label)
    return levels, labels
