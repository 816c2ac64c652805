"""The user's own list of formulas to choose among."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labloop.campaign.knowledge import Floats
from labloop.campaign.opening import read_formulas
from labloop.definition import Definition
from labloop.errors import RejectedError
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers

if TYPE_CHECKING:
    import pandas as pd

_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class Listed:
    """The only formulas to choose among.

    Attributes:
        levels: (n, components) their level numbers.
        labels: The (first) label of each row of `levels`, by its bytes.
        name: Of the file that they came from; None for a frame.
        sha256: Of their labels and concentrations in order, however the file writes them.
    """

    levels: LevelNumbers
    labels: dict[bytes, object]
    name: str | None
    sha256: str

    def labels_of(self, levels: LevelNumbers) -> list[object]:
        """Return the labels of rows that were chosen from the list."""
        return [self.labels[row.tobytes()] for row in levels]


def read_candidates(
    definition: Definition,
    space: FormulaSpace,
    candidates: pd.DataFrame | str | Path | None,
    seed: int,
) -> Listed | None:
    """Return the user's candidates, None for none.

    Raises:
        RejectedError: A candidate is off every level by more than 2 % of a component's range, or
            breaks a constraint.
    """
    if candidates is None:
        return None
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
    return Listed(
        levels=levels,
        labels=labels,
        name=Path(candidates).name if isinstance(candidates, str | Path) else None,
        sha256=_hash_of([str(label) for label in index], concentrations),
    )


def _hash_of(labels: Sequence[str], concentrations: Floats) -> str:
    rows = json.dumps([labels, concentrations.tolist()], ensure_ascii=False)
    return sha256(rows.encode("utf-8")).hexdigest()
