"""Figures of plates: who fills one, and what the correction of plates and places does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from docs.figures.campaigns import definition, read
from docs.figures.drawing import (
    BLUE,
    GRID,
    INK,
    ORANGE,
    QUIET,
    SMALL,
    Panel,
    axes,
    line,
    mark,
    page,
    rect,
    text,
)
from labloop.campaign import Campaign
from labloop.campaign.rounds import Round
from labloop.report.theme import LIGHT, look
from labloop.simulate.virtual_lab import VirtualLab

_CELLS = 28
_GAINS = (1.0, 0.72, 1.3, 0.9)  # what each plate's reading is multiplied by


def filled_plate() -> str:
    """Return the first two plates of a campaign of two components, over the prediction."""
    lab = VirtualLab(2, responses=1, seed=6)
    line_, rng = lab.line("moderate"), np.random.default_rng(6)
    parts: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Campaign.create(Path(folder) / "demo", definition(2)) as campaign,
    ):
        known = pd.DataFrame()
        for number in (1, 2):
            plate = campaign.propose(formulas=14, seed=number)
            if number == 1:
                parts += _picture(campaign, plate, known, 76, "Plate 1: nothing known yet")
            else:
                parts += _picture(campaign, plate, known, 500, "Plate 2: the first one known")
            wells = read(campaign, line_, plate, rng)
            campaign.record(wells.drop(columns="formula"), round=number)
            known = pd.concat([known, plate.formulas[campaign.space.names]])
    parts += _legend()
    return page(900, 452, "Where the formulas of a plate lie, and who made them", parts)


def _picture(
    campaign: Campaign, plate: Round, known: pd.DataFrame, left: int, title: str
) -> list[str]:
    first, second = campaign.definition.components
    panel = Panel(left, 60, 340, 300, (first.low, first.high), (second.low, second.high))
    parts = _ground(campaign, panel) if len(known) else []
    parts += axes(panel, title, f"{first.name}, {first.unit}", f"{second.name}, {second.unit}",
                  [(v, f"{v:g}") for v in np.linspace(first.low, first.high, 4)],
                  [(v, f"{v:g}") for v in np.linspace(second.low, second.high, 5)])  # fmt: skip
    parts += [mark("cross", *panel.at(a, b), QUIET, size=3) for a, b in known.to_numpy()]
    for row in plate.formulas.itertuples():
        place = panel.at(row[1], row[2])
        parts.append(mark(look(row.origin).symbol, *place, LIGHT.colour(row.origin), size=6))
    return parts


def _ground(campaign: Campaign, panel: Panel) -> list[str]:
    """Return the predicted titre over the whole space, the darker the higher."""
    names = campaign.space.names
    middle = (np.arange(_CELLS) + 0.5) / _CELLS
    a = panel.x[0] + middle * (panel.x[1] - panel.x[0])
    b = panel.y[0] + middle * (panel.y[1] - panel.y[0])
    grid = pd.DataFrame([(x, y) for y in b for x in a], columns=names)
    mean = np.log(campaign.predict(grid)["titre_mean"].to_numpy(dtype=float))
    depth = (mean - mean.min()) / np.ptp(mean)
    wide, high = panel.width / _CELLS, panel.height / _CELLS
    parts = []
    for at, share in enumerate(depth):
        row, column = divmod(at, _CELLS)
        shade = tuple(round(255 - share * (255 - end)) for end in (150, 186, 214))
        parts.append(
            rect(panel.left + column * wide, panel.top + panel.height - (row + 1) * high,
                 wide + 0.5, high + 0.5, "#{:02x}{:02x}{:02x}".format(*shade))
        )  # fmt: skip
    return parts


def _legend() -> list[str]:
    parts = []
    kinds = ("latin_hypercube", "mixing", "permuted_grid", "local_moves")
    for x, origin in zip((76, 226, 326, 466), kinds, strict=True):
        parts.append(mark(look(origin).symbol, x, 428, LIGHT.colour(origin), size=6))
        parts.append(text(x + 14, 432, origin.replace("_", " "), size=SMALL))
    parts += [
        mark("cross", 590, 428, QUIET, size=3),
        text(602, 432, "measured earlier", size=SMALL),
    ]
    parts += [
        rect(722, 421, 24, 14, "#96bad6", rim=GRID),
        text(754, 432, "high predicted", size=SMALL),
    ]
    return parts


def plate_effects() -> str:
    """Return replicates on four plates that read differently, as read and as corrected."""
    lab = VirtualLab(8, responses=1, seed=3)
    line_, rng = lab.source, np.random.default_rng(3)
    with (
        tempfile.TemporaryDirectory() as folder,
        Campaign.create(Path(folder) / "demo", definition(8, plates=4, replicates=4)) as campaign,
    ):
        plate = campaign.propose(formulas=40, seed=1)
        wells = read(campaign, line_, plate, rng)
        wells["titre"] *= np.array(_GAINS)[wells["plate"].astype(int) - 1]
        campaign.record(wells.drop(columns="formula"))
        found = campaign.wells(1)
    found = found[found["formula"].astype(str) != "commercial"]
    top = float(found["value"].max()) * 1.05
    order = found.groupby("formula")["corrected"].mean().sort_values().index
    place = {formula: number for number, formula in enumerate(order, start=1)}
    parts: list[str] = []
    colours = (BLUE, ORANGE, "#009e73", "#cc79a7")
    for left, column, title in ((76, "value", "As read"), (500, "corrected", "Corrected")):
        panel = Panel(left, 60, 360, 260, (0, len(place) + 1), (0, top))
        step = 1 if top < 6 else 2
        parts += axes(panel, title, "formulas, from the lowest to the highest", "titre, g/L", [],
                      [(v, f"{v:g}") for v in np.arange(0, top, step)])  # fmt: skip
        for formula, values in found.groupby("formula")[column]:
            x = place[formula]
            parts.append(
                line([panel.at(x, values.min()), panel.at(x, values.max())], GRID, width=2)
            )
        for well in found.itertuples():
            spot = panel.at(place[well.formula], getattr(well, column))
            parts.append(mark("circle", *spot, colours[int(well.plate) - 1], size=3))
    for number, (colour, gain) in enumerate(zip(colours, _GAINS, strict=True), start=1):
        x = 76 + (number - 1) * 190
        parts += [
            mark("circle", x, 392, colour),
            text(x + 12, 396, f"plate {number}, reads × {gain:g}", size=SMALL, colour=INK),
        ]
    return page(900, 412, "Replicates on four plates, as read and as corrected", parts)
