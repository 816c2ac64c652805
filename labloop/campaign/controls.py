"""What the controls of each round read, after correction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labloop import store
from labloop.campaign.measured import SeenWells
from labloop.campaign.rounds import control_names
from labloop.campaign.well_values import frame_of
from labloop.definition import Definition
from labloop.store import Store


def control_means(opened: Store, definition: Definition, seen: SeenWells) -> pd.DataFrame:
    """Return the means of every round's controls: a row a round, control and response.

    As in the means of formulas the effects of plates and places are off and outliers out. `sem` is
    that of wells of this level, for two wells say little of their own, with the errors of the
    round's plates; NaN where there are no replicates anywhere. Columns: `round`, `formula` (the
    control's name), `response`, `measured`, `sem`, `wells`.
    """
    wells = frame_of(opened, seen, None)
    wells["place"] = _places(seen)
    named = {
        (r.number, n) for r in store.read_rounds(opened) for n in control_names(opened, r.number)
    }
    of_controls = [pair in named for pair in zip(wells["round"], wells["formula"], strict=True)]
    wells = wells[(wells["status"] == "ok").to_numpy() & np.array(of_controls, dtype=bool)]
    wells = wells.astype({"round": int})
    rows = []
    for (number, name, response), of_control in wells.groupby(
        ["round", "formula", "response"], sort=False
    ):
        mean, count = float(of_control["corrected"].mean()), len(of_control)
        j = definition.response_names.index(response)
        error = _error(seen, j, mean, of_control["place"].to_numpy(dtype=np.int64))
        rows.append((number, name, response, mean, error, count))
    columns = ["round", "formula", "response", "measured", "sem", "wells"]
    return pd.DataFrame(rows, columns=columns)


def _places(seen: SeenWells) -> list[int]:
    """Return the plate of each row of the frame of wells."""
    rows = seen.found.rows
    plates: list[int] = seen.found.wells.plates[rows[rows >= 0]].tolist()
    return plates


def _error(seen: SeenWells, j: int, mean: float, plates: np.ndarray) -> float:
    """Return the standard error of the mean of wells of one formula on some plates."""
    observed = seen.observed
    means = np.full((1, len(observed.replicate_sd)), np.nan)
    means[0, j] = mean
    usual = observed.usual_errors(means, np.full(means.shape, len(plates)))[0, j]
    which, count = np.unique(plates[plates >= 0], return_counts=True)
    share = count / len(plates) / observed.gain[which, j]
    variance = (
        observed.offset_error[which, j] ** 2
        + 2 * mean * observed.error_product[which, j]
        + (mean * observed.gain_error[which, j]) ** 2
    )
    return float(np.sqrt(usual**2 + np.sum(share**2 * np.maximum(variance, 0.0))))
