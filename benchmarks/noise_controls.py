"""How well the controls that a lab repeats on its plates agree, raw and corrected."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from labloop.noise import Wells, observe

Floats: TypeAlias = npt.NDArray[np.float64]

_REPLICATES = 6
_LEAST_PLATES = 3
_ANALYSES = ("raw", "corrected", "left out", "authors")


def cftx_wells(folder: Path, response: str) -> pd.DataFrame:
    """Return one row a well: plate, formula, row, column, value, and the authors' yield."""
    table = pd.read_csv(folder / "cftx" / "cftx.csv", encoding="utf-8")
    parts = []
    for k in range(1, _REPLICATES + 1):
        part = pd.DataFrame({
            "plate": table["name_plate"].str.split().str[1].astype(int),
            "formula": table["Buffer"],
            "well": table[f"well_{k}"],
            "value": table[f"{response}_fluo_{k}"],
            "authors": table[f"{response}_yield_{k}"],
        })  # fmt: skip
        parts.append(part.dropna(subset=["well", "value"]))
    found = pd.concat(parts, ignore_index=True)
    found["row"] = found["well"].str[0].map(ord) - ord("A")
    found["column"] = found["well"].str[1:].astype(int) - 1
    return found


def corrected(frame: pd.DataFrame, formulas: pd.Series[str]) -> Floats:
    """Return (wells,) corrected values where `formulas` says what is known to be the same."""
    _, numbers = np.unique(formulas.to_numpy(dtype=str), return_inverse=True)
    values = frame["value"].to_numpy(dtype=np.float64)[:, None]
    plates = frame["plate"].to_numpy(dtype=np.int64)
    wells = Wells(
        values=values,
        statuses=np.full(values.shape, "ok"),
        limits=np.full(values.shape, np.nan),
        formulas=numbers,
        plates=plates,
        rows=frame["row"].to_numpy(dtype=np.int64),
        columns=frame["column"].to_numpy(dtype=np.int64),
        shapes=np.tile([16, 24], (int(plates.max()) + 1, 1)),
    )
    return observe(wells).corrected[:, 0]


def leave_one_out(folder: Path) -> pd.DataFrame:
    """Return one row a response and control: its coefficient of variation over plates.

    `left out` is that of values corrected without it: its wells on each plate count as a formula of
    their own.
    """
    rows = []
    for response in ("MG", "GFP"):
        frame = cftx_wells(folder, response)
        frame["raw"] = frame["value"]
        frame["corrected"] = corrected(frame, frame["formula"])
        on = frame.groupby("formula")["plate"].nunique()
        for control in on[on >= _LEAST_PLATES].index:
            own = frame["formula"] == control
            apart = frame["formula"].where(
                ~own, frame["formula"] + " on " + frame["plate"].astype(str)
            )
            part = frame.assign(**{"left out": corrected(frame, apart)})[own]
            by_plate = part.groupby("plate")[list(_ANALYSES)].mean()
            variation = by_plate.std() / by_plate.mean().abs()
            rows.append({"response": response, "control": control, "plates": len(by_plate),
                         **variation.to_dict()})  # fmt: skip
    return pd.DataFrame(rows)


def controls_table(found: pd.DataFrame) -> str:
    """Return the table of medians and of each control."""
    lines = [
        "| response | control | plates | raw | corrected | by the others | authors' yield |",
        "|---|---|---|---|---|---|---|",
    ]
    for response, part in found.groupby("response", sort=False):
        values = " | ".join(f"**{100 * part[name].median():.1f} %**" for name in _ANALYSES)
        lines.append(f"| **{response}** | **median of {len(part)}** | | {values} |")
        for row in part.to_dict("records"):
            values = " | ".join(f"{100 * row[name]:.1f} %" for name in _ANALYSES)
            lines.append(f"| {response} | {row['control']} | {row['plates']} | {values} |")
    return "\n".join(lines)
