"""A plate of a round as a person reads it: formulas, origins, values or statuses in its wells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labloop.definition import Definition
from labloop.errors import RefusedError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from labloop.campaign.rounds import Round


@dataclass(frozen=True, eq=False)
class PlateReading:
    """What is shown of a round's plates.

    Attributes:
        shown: `formula`, `origin`, `status` or a response.
        kind: `formula`, `origin`, `status`, `measured` or `predicted`.
        unit: Of the values; empty for words.
        wells: Frame `plate`, `well`, `role`, `formula` (of a control its name), and what is shown:
            `value` of a response, `word` else; None or NaN where there is nothing.
    """

    shown: str
    kind: str
    unit: str
    wells: pd.DataFrame


def read_plate(
    round: Round,  # noqa: A002
    measured: pd.DataFrame,
    definition: Definition,
    shown: str | None,
) -> PlateReading:
    """Return what is shown of a round's plates.

    Args:
        round: The round.
        measured: Its wells as of `Campaign.wells`.
        definition: The campaign's.
        shown: `formula`, `origin`, `status` or a response; None for the first response that is to
            be made better where anything was measured, else the origin.

    Raises:
        RefusedError: There is no such reading.
    """
    names = definition.response_names
    if shown is None:
        wanted = next((r.name for r in definition.responses if r.is_objective), names[0])
        shown = wanted if len(measured) else "origin"
    known = ["formula", "origin", "status", *names]
    if shown not in known:
        raise RefusedError(
            f'A plate cannot show "{shown}"{did_you_mean(shown, known)}; choose one of '
            f"{', '.join(known)}."
        )
    wells = round.layout[["plate", "well", "role", "formula"]].copy()
    if shown in names:
        kind, wells["value"] = _values(round, measured, wells, shown)
        unit = next(r.unit for r in definition.responses if r.name == shown)
        return PlateReading(shown, kind, unit, wells)
    if shown == "formula":
        words: Any = wells["formula"]
    elif shown == "origin":
        words = wells["formula"].map(round.formulas["origin"])
        words = words.where(wells["role"] != "control", "control")
    else:
        words = _at(wells, _worst(measured)).where(wells["role"] != "empty", None)
        words = words.where(words.notna() | (wells["role"] == "empty"), "waiting")
    wells["word"] = words.astype(object).where(words.notna(), None)
    return PlateReading(shown, shown, "", wells)


def _values(
    round: Round,  # noqa: A002
    measured: pd.DataFrame,
    wells: pd.DataFrame,
    response: str,
) -> tuple[str, Any]:
    of_response = measured[measured["response"] == response]
    if len(of_response):
        counted = of_response["status"].isin(["ok", "outlier"])
        read = of_response["value"].where(counted).astype(float)
        places = zip(of_response["plate"].astype(str), of_response["well"], strict=True)
        return "measured", _at(wells, dict(zip(places, read, strict=True))).astype(float)
    return "predicted", wells["formula"].map(round.formulas[f"{response}_mean"]).astype(float)


def _worst(measured: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return (plate, well) → the status that needs most to be looked at, of all responses."""
    order = ["ok", "below_range", "above_range", "missing", "outlier", "excluded"]
    found: dict[tuple[str, str], str] = {}
    for plate, well, status in zip(
        measured["plate"].astype(str), measured["well"], measured["status"], strict=True
    ):
        before = found.get((plate, well), "ok")
        found[plate, well] = max(before, status, key=order.index)
    return found


def _at(wells: pd.DataFrame, found: Mapping[tuple[str, str], Any]) -> pd.Series[Any]:
    import pandas as pd

    places = zip(wells["plate"].astype(str), wells["well"], strict=True)
    return pd.Series([found.get(place) for place in places], index=wells.index, dtype=object)
