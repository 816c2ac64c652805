"""Which stock goes into which well, how much of it, from where, and in what order.

Volumes are whole ticks of the robot's increment until they are written down in µL. The diluent
goes first and then stock by stock, strongest first within a component: a robot can then keep one
tip a stock and dispense from above the liquid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labloop.definition import Plate, Robot
from labloop.errors import RefusedError
from labloop.plate.sources import with_sources
from labloop.space.levels import Volumes
from labloop.wells import column_major, name_wells

if TYPE_CHECKING:
    import pandas as pd

_Ints = npt.NDArray[np.int64]

RECIPE_COLUMNS = ("formula", "component", "target", "achieved", "stock_concentration", "ticks")
DISPENSE_COLUMNS = (
    "plate",
    "stock",
    "stock_concentration",
    "source_plate",
    "source_well",
    "well",
    "ticks",
    "volume_ul",
)


def microlitres(ticks: npt.ArrayLike, increment_ul: float) -> npt.NDArray[np.float64]:
    """Return volumes in µL of whole ticks, as clean as the increment: 3 ticks of 0.1 are 0.3."""
    return np.round(np.asarray(ticks, dtype=np.float64) * increment_ul, 9)


def plan(
    layout: pd.DataFrame,
    recipes: pd.DataFrame,
    *,
    components: Sequence[str],
    plate: Plate,
    robot: Robot,
) -> pd.DataFrame:
    """Plan every dispense of a round.

    Returns one row a dispense in the order in which they are made: the diluent, then stock by
    stock, each plate by plate and down the columns. Columns: `plate`, `stock` (a component or the
    diluent), `stock_concentration` (NaN for the diluent), `source_plate` (from 1), `source_well`,
    `well`, `ticks` (int), `volume_ul`. A volume above the robot's maximum is several rows that
    differ by at most one tick. With the inoculum, which the lab adds last, they fill every well to
    the tick.

    Raises RefusedError where a well is too full, its diluent is less than the robot can dispense,
    a volume cannot be split, a formula has no recipe, or one dispense is more than a source well
    gives.

    Args:
        layout: Frame of `plate.layout.arrange`.
        recipes: One row a formula (or control) and component: `formula`, `component`,
            `stock_concentration` (NaN where no stock is used: zero, or added by hand) and `ticks`
            (whole increments of that stock in one well; 0 without a stock).
        components: Names of the components in the order in which they are dispensed.
        plate: The campaign's plate.
        robot: The campaign's robot.

    """
    volumes = Volumes.of(plate, robot)
    names = [plate.diluent, *components]
    if plate.diluent in components:
        raise RefusedError(
            f'The diluent "{plate.diluent}" is also a component; give one of them another name.'
        )
    filled = layout[layout["role"] != "empty"]
    needed = _with_diluent(filled, _doses(filled, recipes), plate.diluent, volumes)
    ordered = _in_order(needed, names, plate.wells)
    split = _split(ordered, volumes)
    dispenses = with_sources(split, robot, plate.diluent)
    dispenses["volume_ul"] = microlitres(dispenses["ticks"], robot.increment_ul)
    return dispenses[list(DISPENSE_COLUMNS)]


def _doses(filled: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """Return plate, well, stock, stock_concentration, ticks of every well's stocks."""
    unknown = filled.loc[~filled["formula"].isin(recipes["formula"]), "formula"]
    if not unknown.empty:
        raise RefusedError(f'Formula "{unknown.iloc[0]}" is on the plate but has no recipe.')
    without_stock = recipes["stock_concentration"].isna()
    if (recipes["ticks"] < 0).any() or (without_stock & (recipes["ticks"] != 0)).any():
        raise ValueError("ticks must be ≥ 0, and 0 where there is no stock")
    used = recipes.loc[
        recipes["ticks"] > 0, ["formula", "component", "stock_concentration", "ticks"]
    ]
    return _each_well(filled, used).rename(columns={"component": "stock"})


def _with_diluent(
    filled: pd.DataFrame, doses: pd.DataFrame, diluent: str, volumes: Volumes
) -> pd.DataFrame:
    """Add to the doses the diluent that fills each well up to the room for the inoculum."""
    import pandas as pd

    stocks = doses.groupby(["plate", "well"])["ticks"].sum()
    wells = pd.MultiIndex.from_frame(filled[["plate", "well"]])
    rest = volumes.capacity - stocks.reindex(wells, fill_value=0)
    tick = volumes.increment_ul
    if (rest < 0).any():
        over = rest[rest < 0]
        raise RefusedError(
            f"The stocks of {_formulas_in(filled, over.index)} are up to "
            f"{microlitres(-over.min(), tick):g} µL more than the well holds beside the "
            "inoculum; use stronger stocks or a larger well volume."
        )
    dry = rest[(rest > 0) & (rest < volumes.minimum)]
    if not dry.empty:
        raise RefusedError(
            f"The {diluent} of {_formulas_in(filled, dry.index)} would be "
            f"{microlitres(dry.min(), tick):g} µL, less than the "
            f"{microlitres(volumes.minimum, tick):g} µL that the robot can dispense; "
            "change a concentration or the well volume."
        )
    water = rest[rest > 0].rename("ticks").reset_index()
    water = water.assign(stock=diluent, stock_concentration=np.nan)
    return pd.concat([water, doses], ignore_index=True)


def _in_order(needed: pd.DataFrame, names: Sequence[str], wells: int) -> pd.DataFrame:
    stock_order = {name: number for number, name in enumerate(names)}
    well_order = {well: number for number, well in enumerate(column_major(wells))}
    keys = (
        needed["well"].map(well_order),
        needed["plate"],
        -needed["stock_concentration"].fillna(0.0),
        needed["stock"].map(stock_order),
    )
    return needed.iloc[np.lexsort([key.to_numpy() for key in keys])].reset_index(drop=True)


def _split(needed: pd.DataFrame, volumes: Volumes) -> pd.DataFrame:
    """Split what exceeds the robot's maximum into parts that differ by at most one tick."""
    ticks = needed["ticks"].to_numpy(dtype=np.int64)
    parts = -(-ticks // volumes.maximum)
    impossible = ticks // parts < volumes.minimum
    if impossible.any():
        first = needed[impossible].iloc[0]
        tick = volumes.increment_ul
        where = needed.loc[impossible & (needed["stock"] == first["stock"]), ["plate", "well"]]
        raise RefusedError(
            f"The {microlitres(first['ticks'], tick):g} µL of {first['stock']} for "
            f"{_places(where.itertuples(index=False))} cannot be made of dispenses between "
            f"{microlitres(volumes.minimum, tick):g} and {microlitres(volumes.maximum, tick):g} "
            "µL; change the concentration or the stock."
        )
    row, part = in_parts(ticks, parts)
    return needed.iloc[row].assign(ticks=part).reset_index(drop=True)


def in_parts(ticks: _Ints, parts: _Ints) -> tuple[_Ints, _Ints]:
    """Return the volumes of (n,) dispenses that are made in so many parts each, larger parts first.

    The parts of a volume differ by at most one tick. With them comes which dispense each is of.
    """
    row = np.repeat(np.arange(ticks.size), parts)
    number = np.arange(row.size) - np.repeat(np.cumsum(parts) - parts, parts)
    return row, (ticks // parts)[row] + (number < (ticks % parts)[row])


def by_hand(layout: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """Return what the lab adds itself: components that have no stock on the deck.

    Returns one row a well and component that is there: `plate`, `well`, `component`, `amount` (the
    concentration in the component's unit, or the choice). Their volume counts as zero.
    """
    present = recipes["achieved"].map(lambda amount: isinstance(amount, str) or amount > 0)
    mine = recipes.loc[
        recipes["stock_concentration"].isna() & present, ["formula", "component", "achieved"]
    ]
    filled = layout[layout["role"] != "empty"]
    return _each_well(filled, mine).rename(columns={"achieved": "amount"})


def _each_well(filled: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """Return plate, well and the rows of the recipe of every filled well, in the layout's order."""
    wells = filled[["plate", "well", "formula"]].astype({"formula": object})
    return wells.merge(recipes.astype({"formula": object}), on="formula").drop(columns="formula")


def _formulas_in(filled: pd.DataFrame, wells: Iterable[tuple[int, str]]) -> str:
    """Name wells given as (plate, well) pairs, after the formulas and controls in them."""
    wells = list(wells)
    formulas = filled.set_index(["plate", "well"])["formula"].loc[wells].unique()
    names = ", ".join(str(formula) for formula in formulas)
    return f"formula{'s' if len(formulas) > 1 else ''} {names} ({_places(wells)})"


def _places(wells: Any) -> str:
    """Name wells given as (plate, well) pairs, with the plate where there are several."""
    pairs = list(wells)
    several = len({plate for plate, _ in pairs}) > 1 or any(plate != 1 for plate, _ in pairs)
    names = [f"{well} of plate {plate}" if several else str(well) for plate, well in pairs]
    return f"{'well' if len(set(names)) == 1 else 'wells'} {name_wells(names)}"
