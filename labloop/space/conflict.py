"""Which constraints exclude each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labloop.space.constraints import TableSum
from labloop.space.levels import LevelTable, Volumes


def conflicting(
    tables: Sequence[LevelTable], constraints: Sequence[TableSum], volumes: Volumes
) -> list[str]:
    """Return a smallest set of constraints that cannot hold together, as text.

    The question is put as a mixed-integer program on concentrations and presences (HiGHS, through
    scipy): where even that relaxation has no answer, no levels have. Each constraint is left out in
    turn; those whose absence changes nothing are not part of the conflict. Where the relaxation has
    an answer, none is returned.
    """
    kept = list(constraints)
    if _feasible(tables, kept, volumes):
        return []
    for constraint in constraints:
        others = [c for c in kept if c is not constraint]
        if not _feasible(tables, others, volumes):
            kept = others
    return [constraint.text for constraint in kept]


def _feasible(
    tables: Sequence[LevelTable], constraints: Sequence[TableSum], volumes: Volumes
) -> bool:
    """Whether concentrations between the tables' ends, and presences, satisfy the constraints."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    d = len(tables)
    low = np.array([table.concentration[0] for table in tables])
    high = np.array([table.concentration[-1] for table in tables])
    always = np.array([float(table.present.all()) for table in tables])
    # variables: d concentrations, then d presences; x <= high * present
    rows = [LinearConstraint(np.hstack([np.eye(d), -np.diag(high)]), -np.inf, 0.0)]
    for constraint in constraints:
        weights = np.zeros(2 * d)
        for j, values in enumerate(constraint.values):
            if values is None:
                continue
            if constraint.kind == "present":
                weights[d + j] = 1.0
            elif constraint.kind == "total":
                weights[j] = values[-1] / (high[j] or 1.0)
            else:
                per_tick = max(tables[j].component.stocks) * volumes.increment_ul
                weights[j] = volumes.well_ul / per_tick
        upper = constraint.upper if constraint.also is None else constraint.also
        rows.append(LinearConstraint(weights, constraint.lower, upper))
    answer = milp(
        np.zeros(2 * d),
        constraints=rows,
        integrality=np.repeat([0, 1], d),
        bounds=Bounds(np.append(low, always), np.append(high, np.ones(d))),
    )
    return bool(answer.success)
