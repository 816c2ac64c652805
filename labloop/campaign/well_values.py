"""Every measured well as its user sees it: raw value, status and why, corrected value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labloop import store
from labloop.campaign.measured import Plate, measured_wells
from labloop.definition import Definition
from labloop.noise import observe
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd


def wells_frame(opened: Store, definition: Definition, number: int | None) -> pd.DataFrame:
    """Return one row a measured well and response, see `Campaign.wells`.

    Raises RefusedError where there is no such round.
    """
    import pandas as pd

    if number is not None:
        store.read_round(opened, number)
    measured = store.campaign_measurements(opened, blanks=True)
    found = measured_wells(opened, measured, definition.responses)
    seen = observe(found.wells, **definition.noise.model_dump())
    formulas = store.campaign_formulas(opened, [])
    names = dict(zip(formulas.ids, formulas.names, strict=True))
    rows = []
    for k, m in enumerate(measured):
        row, column = int(found.rows[k]), int(found.columns[k])
        if row < 0 or (number is not None and m.round != number):
            continue
        status, reason = m.status, m.reason
        if seen.flagged[row, column]:
            reason = f"outlier: {seen.scores[row, column]:.1f} sd from its replicates"
            status = "outlier"
        plate = found.wells.plates[row]
        of: Plate | None = None if plate < 0 else found.plates[plate]
        rows.append(
            (
                m.round, None if of is None else of.name, m.well or m.well_label,
                "" if m.formula is None else names[m.formula] or str(m.formula),
                m.response, m.value, status, reason, seen.corrected[row, column],
            )
        )  # fmt: skip
    frame = pd.DataFrame(
        rows,
        columns=[
            "round", "plate", "well", "formula", "response", "value", "status", "reason",
            "corrected",
        ],
    )  # fmt: skip
    frame["round"] = frame["round"].astype("Int64")
    frame["value"] = frame["value"].astype(np.float64)
    return frame
