"""What the colours of a plate map can mean: each response in several ways, and origins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from labloop.report.figures.plate_map import Scale
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order, spoken

_STATUSES = ("ok", "outlier", "excluded", "missing", "below range", "above range")
_WAITING = "waiting"


class WellReading(NamedTuple):
    """Numbers of wells, in their order: what they are called, in which group, and their colours."""

    name: str
    group: str
    numbers: pd.Series[float]
    scale: Scale


def well_readings(
    wells: pd.DataFrame,
    readings: pd.DataFrame,
    values: pd.DataFrame,
    responses: Sequence[Response],
) -> list[WellReading]:
    """Return all that the wells of a round can be coloured by, response after response.

    Measured, corrected and predicted values of a response have the same colours; values that are
    left out do not stretch their range. For the arguments see `bench.well_frame`; without any
    prediction or measurement only the origins remain.
    """
    found = [
        each for response in responses for each in _of_response(wells, readings, values, response)
    ]
    origins = values.drop_duplicates("formula").set_index("formula")["origin"]
    names = in_order(set(origins))
    kinds = [(spoken(name), _colour_of(name)) for name in names]
    numbers = wells["formula"].map(origins).map({name: k for k, name in enumerate(names)})
    found.append(
        WellReading("origin of the formula", "all", numbers.astype(float),
                    Scale("origin", kinds=tuple(kinds)))
    )  # fmt: skip
    return found


def _of_response(
    wells: pd.DataFrame, readings: pd.DataFrame, values: pd.DataFrame, response: Response
) -> list[WellReading]:
    of_response = readings[readings["response"] == response.name].set_index(["plate", "well"])
    of_response = of_response[~of_response.index.duplicated(keep="last")]
    read = of_response.reindex(pd.MultiIndex.from_frame(wells[["plate", "well"]]))
    read = read.reset_index(drop=True).set_index(wells.index)
    status = read["status"].astype(object)
    predicted = values[values["response"] == response.name].set_index("formula")["predicted"]
    foretold = wells["formula"].map(predicted).astype(float)
    measured = read["value"].where(status.isin(["ok", "outlier"])).astype(float)
    corrected = read["corrected"].where(status == "ok").astype(float)
    ends = _ends(measured[status == "ok"], corrected, foretold)
    same = Scale(response.title, ends)
    name, residual = response.name, corrected - foretold
    found: list[tuple[str, pd.Series[float], Scale]] = []
    if measured.notna().any():
        found.append((f"{name}, as measured", measured, same))
    if (corrected - measured).abs().max() > 1e-9 * measured.abs().max():
        found.append((f"{name}, corrected", corrected, same))
    if foretold.notna().any():
        found.append((f"{name}, predicted", foretold, same))
    if residual.notna().any():
        most = float(residual.abs().max()) or 1.0
        said = f"{response.title}, measured minus predicted"
        scale = Scale(said, (-most, most), diverges=True)
        found.append((f"{name}, measured minus predicted", residual, scale))
    if status.notna().any():
        found.append((f"{name}, status", *_statuses(wells, status, response)))
    return [WellReading(title, response.title, numbers, of) for title, numbers, of in found]


def _ends(*values: pd.Series[float]) -> tuple[float, float] | None:
    every = np.concatenate([each.to_numpy(dtype=float) for each in values])
    every = every[np.isfinite(every)]
    if not len(every) or np.ptp(every) == 0:
        return None
    return float(every.min()), float(every.max())


def _statuses(
    wells: pd.DataFrame, status: pd.Series[str], response: Response
) -> tuple[pd.Series[float], Scale]:
    """Return what became of each well that holds anything, as numbers of kinds."""
    said = status.where(status.isna(), status.astype(str).str.replace("_", " "))
    said = said.where(said.notna() | (wells["role"] == "empty"), _WAITING)
    colours: dict[str, Callable[[Theme], str]] = {
        "ok": lambda theme: theme.origins[2],
        "outlier": lambda theme: theme.origins[1],
        "excluded": lambda theme: theme.origins[3],
        "missing": lambda theme: theme.origins[6],
        "below range": lambda theme: theme.origins[4],
        "above range": lambda theme: theme.origins[0],
        _WAITING: lambda theme: theme.unknown,
    }
    present = [name for name in (*_STATUSES, _WAITING) if (said == name).any()]
    numbers = said.map({name: k for k, name in enumerate(present)}).astype(float)
    kinds = tuple((name, colours[name]) for name in present)
    return numbers, Scale(f"{response.name}, status", kinds=kinds)


def _colour_of(origin: str) -> Callable[[Theme], str]:
    return lambda theme: theme.colour(origin)
