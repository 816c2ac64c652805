"""Formulatrix Mantis: a dispense list (`.dl.txt`, version 5) for each plate.

The order of the lines is that of Formulatrix's help ("Direct generation of dispense list files",
Mantis 4.7) and of published writers of the file (PlatePlan, DispenseFormulatrix): version, plate
file, delays between reagents, number of plates, delays between wells, then for each reagent its
name and viscosity and a grid of the whole plate, in µL to 0.1; tabs, CRLF. No program but the
machine's own reads the file, so that only golden bytes check what is written here.

A chip draws its reagent from one tip, tube or bottle, and no well is addressed: a stock that takes
several source wells is one reagent, whose total `mantis-deck.csv` states with the chip that suits
it. The low volume chip (LV) makes 0.1 µL and more in tenths and holds 10 µL back, the high volume
chip (HV) 1 µL and more in whole µL and holds 25 µL back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from labloop.definition.checks.mantis import LEAST_DEAD_UL, STEP_UL
from labloop.errors import RefusedError
from labloop.plate.dispensing import microlitres
from labloop.wells import name_wells, position, shape
from labloop.worklists.labels import labels, legend, plain, stock_title
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet

if TYPE_CHECKING:
    import pandas as pd

PLATE_FILES = MappingProxyType({96: "PT3-96-Assay.pd.txt", 384: "PT9-384-Assay.pd.txt"})
"""The plate file that comes with the Mantis, by the number of wells."""

_LONGEST = 32
_STEP_UL = Decimal(str(STEP_UL))
_SLOW_UL = 20.0
_DECK = (
    "reagent",
    "stock",
    "stock_concentration",
    "unit",
    "volume_ul",
    "chip",
    "chip_dead_volume_ul",
    "fill_volume_ul",
    "note",
)


@dataclass(frozen=True)
class _Chip:
    name: str
    dead_volume_ul: float


_LOW, _HIGH = _Chip("LV", LEAST_DEAD_UL), _Chip("HV", 25.0)


@dataclass(frozen=True, eq=False)
class _Reagent:
    """A stock as the Mantis has it; `ticks` has plate, well and the sum of its dispenses there,
    `well_volume_ul` what a source well of it holds."""

    label: str
    stock: str
    concentration: float
    unit: str
    ticks: pd.DataFrame
    well_volume_ul: float


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return the Mantis's files.

    `mantis-plate-1.dl.txt` … are the dispense lists, one a plate, reagents in the order of the
    dispenses; `mantis-deck.csv` says of each reagent how much it takes and which chip suits it;
    `legend.csv`, where there are any, which short labels stand for which names.

    Raises RefusedError for plates of which the Mantis has no file, and for volumes that are not
    tenths of a µL, with the wells named.
    """
    plate_file = _plate_file(plan)
    names = labels(list(plan.dispenses["stock"].unique()), _LONGEST, allowed=plain)
    reagents = _reagents(plan, names)
    files = {
        f"mantis-plate-{plate}.dl.txt": _dispense_list(plan, plate_file, plate, reagents)
        for plate in sorted(plan.dispenses["plate"].unique())
    }
    files["mantis-deck.csv"] = sheet(_DECK, (_deck_row(plan, each) for each in reagents))
    return files | legend(names)


def _plate_file(plan: RoundPlan) -> str:
    wells, named = plan.plate.wells, plan.robot.plate_labware
    if not named and wells not in PLATE_FILES:
        raise RefusedError(
            f"A Mantis brings no plate file for {wells} wells, only for "
            f"{' and '.join(map(str, PLATE_FILES))}; name the one that you made for your plates "
            'under [robot], as in plate_labware = "my plate.pd.txt".'
        )
    name = named or PLATE_FILES[wells]
    if not name.endswith(".pd.txt") or not all(map(plain, name)):
        raise RefusedError(
            f'The plate_labware "{name}" under [robot] is no plate file of a Mantis; give its name '
            'in plain letters, as in "PT3-96-Assay.pd.txt".'
        )
    return name


def _reagents(plan: RoundPlan, names: Mapping[str, str]) -> list[_Reagent]:
    """Return the stocks in the order of dispensing, named as `names` has them."""
    reagents = []
    groups = plan.dispenses.groupby(["stock", "stock_concentration"], sort=False, dropna=False)
    for _, rows in groups:
        stock, concentration = rows["stock"].iloc[0], float(rows["stock_concentration"].iloc[0])
        unit = plan.units.get(stock, "")
        label = stock_title(names[stock], concentration, plan.ascii_unit(stock))
        ticks = rows.groupby(["plate", "well"], sort=False)["ticks"].sum().reset_index()
        held = max(plan.robot.source_plate(n).well_volume_ul for n in rows["source_plate"].unique())
        reagents.append(_Reagent(label, stock, concentration, unit, ticks, held))
    return reagents


def _dispense_list(plan: RoundPlan, plate_file: str, plate: int, reagents: list[_Reagent]) -> bytes:
    """Return the file of one plate, with the reagents that it takes."""
    grids = [(each.label, _grid(plan, each, plate)) for each in reagents]
    taken = [(label, grid) for label, grid in grids if grid]
    delays = "\t".join([str(len(taken)), *["0", ""] * len(taken)])
    lines = ["[ Version: 5 ]", plate_file, delays, "1", delays]
    for label, grid in taken:
        lines += [f"{label}\t\tNormal", "Well\t1", *("\t".join(row) for row in grid)]
    return "\r\n".join([*lines, ""]).encode("ascii")


def _grid(plan: RoundPlan, reagent: _Reagent, plate: int) -> list[list[str]]:
    """Return the volumes of a whole plate in µL, row by row; nothing where it takes none."""
    of_plate = reagent.ticks[reagent.ticks["plate"] == plate]
    if of_plate.empty:
        return []
    rows, columns = shape(plan.plate.wells)
    grid = [["0.0"] * columns for _ in range(rows)]
    step, off = Decimal(str(plan.robot.increment_ul)), []
    for well, ticks in zip(of_plate["well"], of_plate["ticks"], strict=True):
        volume = step * int(ticks)
        if volume % _STEP_UL:
            off.append(well)
        row, column = position(well, plan.plate.wells)
        grid[row][column] = f"{volume:.1f}"
    if off:
        raise RefusedError(
            f"The Mantis dispenses tenths of a µL, and the volumes of {reagent.label} for wells "
            f"{name_wells(off)} of plate {plate} are none; set increment_ul = 0.1 under [robot] "
            "before the next round is proposed."
        )
    return grid


def _deck_row(plan: RoundPlan, reagent: _Reagent) -> tuple[object, ...]:
    """Return the row of a reagent: how much of it there must be, on which chip."""
    volumes = microlitres(reagent.ticks["ticks"], plan.robot.increment_ul)
    whole = bool(np.all(np.abs(volumes - volumes.round()) < 1e-6))
    chip = _HIGH if whole else _LOW
    total = float(np.round(volumes.sum(), 9))
    fill, notes = round(total + chip.dead_volume_ul, 9), []
    if chip is _LOW and volumes.max() > _SLOW_UL:
        notes.append(f"up to {volumes.max():.10g} uL in tenths: slow on this chip")
    if fill > reagent.well_volume_ul:
        notes.append(
            f"more than the {reagent.well_volume_ul:.10g} uL of one source well: "
            "feed the chip from a larger vessel or refill it"
        )
    what = (reagent.label, reagent.stock, reagent.concentration, reagent.unit)
    return (*what, total, chip.name, chip.dead_volume_ul, fill, "; ".join(notes))
