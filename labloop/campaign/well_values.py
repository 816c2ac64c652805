"""Every measured well as its user sees it: raw value, status and why, corrected value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labloop import store
from labloop.campaign.measured import Plate, SeenWells, seen_wells
from labloop.definition import Definition
from labloop.store import Measurement, Store

if TYPE_CHECKING:
    import pandas as pd


def wells_frame(opened: Store, definition: Definition, number: int | None) -> pd.DataFrame:
    """Return one row a measured well and response, see `Campaign.wells`.

    Raises RefusedError where there is no such round.
    """
    if number is not None:
        store.read_round(opened, number)
    seen = seen_wells(opened, definition, blanks=True)
    frame = frame_of(opened, seen, number, listed=True)
    frame.attrs["plates"] = list(plates_did(opened, definition, seen, number))
    return frame


def frame_of(
    opened: Store, seen: SeenWells, number: int | None, *, listed: bool = False
) -> pd.DataFrame:
    """Return the frame of wells that were seen, those of one round or all, as they were recorded.

    `listed` puts them in the order of plates, and gives what was recorded by formula its round.
    """
    import pandas as pd

    found, observed = seen.found, seen.observed
    formulas = store.campaign_formulas(opened, [])
    names = dict(zip(formulas.ids, formulas.names, strict=True))
    rounds = _rounds_of_events(opened) if listed else {}
    rows = []
    for k in _in_order(seen, rounds) if listed else range(len(seen.measured)):
        m, row, column = seen.measured[k], int(found.rows[k]), int(found.columns[k])
        of_round = _round(m, rounds)
        if row < 0 or (number is not None and of_round != number):
            continue
        status, reason = m.status, m.reason
        if observed.flagged[row, column]:
            reason = f"outlier: {observed.scores[row, column]:.1f} sd from its replicates"
            status = "outlier"
        plate = found.wells.plates[row]
        of: Plate | None = None if plate < 0 else found.plates[plate]
        rows.append(
            (
                of_round, None if of is None else of.name, m.well or m.well_label,
                "" if m.formula is None else names[m.formula] or str(m.formula),
                m.response, m.value, status, reason, observed.corrected[row, column],
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


def _rounds_of_events(opened: Store) -> dict[int, int]:
    found = opened.rows("SELECT sequence, json_extract(detail, '$.round') FROM event")
    return {int(event): int(number) for event, number in found if number is not None}


def _round(m: Measurement, rounds: dict[int, int]) -> int | None:
    """Return a measurement's round; of what was recorded by formula, its event tells."""
    if m.round is not None or m.plate_label is not None or m.well_label is not None:
        return m.round
    return rounds.get(m.event)


def _in_order(seen: SeenWells, rounds: dict[int, int]) -> list[int]:
    """Return the measurements by round, plate, well and response; corrections change no place."""
    wells, found = seen.found.wells, seen.found

    def key(k: int) -> tuple[float, ...]:
        m, row = seen.measured[k], int(found.rows[k])
        number = _round(m, rounds)
        place = (wells.rows[row], wells.columns[row])
        is_placed = bool(wells.rows[row] >= 0)
        plate = wells.plates[row] if m.plate is None else m.plate
        first = (np.inf if number is None else number, not is_placed, plate)
        return (*first, *(place if is_placed else (m.formula or 0, 0)), found.columns[k])

    return sorted(range(len(seen.measured)), key=key)


def plates_did(
    opened: Store, definition: Definition, seen: SeenWells, number: int | None
) -> tuple[str, ...]:
    """Return what the plates of a round, or all, did to values, in sentences."""
    from labloop.report.plate_readings import PlateReadings
    from labloop.report.plate_sentences import what_plates_did
    from labloop.report.subjects import Response

    files = {file.id: file.name for file in store.read_files(opened)}
    plates = seen.found.plates
    return what_plates_did(
        PlateReadings(
            wells=seen.found.wells,
            seen=seen.observed,
            names=[_called(plate, files) for plate in plates],
            shown=np.array([number is None or p.round == number for p in plates], dtype=bool),
            responses=[Response(r.name, r.unit, r.goal, np.nan) for r in definition.responses],
            controls=_controls(opened),
            switches=definition.noise.model_dump(),
        )
    )


def _called(plate: Plate, files: dict[int, str]) -> str:
    if plate.round is not None:
        return f"plate {plate.name} of round {plate.round}"
    name = plate.name if plate.name.casefold().startswith("plate") else f"plate {plate.name}"
    return name if plate.file is None else f"{name} of {files[plate.file]}"


def _controls(opened: Store) -> set[int]:
    rows = opened.rows("SELECT DISTINCT formula FROM well WHERE role = 'control'")
    return {int(formula) for (formula,) in rows if formula is not None}
