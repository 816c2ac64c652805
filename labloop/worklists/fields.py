"""What stands in the columns of a worklist in CSV, dispense by dispense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise

from labloop.csv_profiles import USUAL_TOOLS
from labloop.errors import RefusedError
from labloop.robots import TOOLS
from labloop.wells import column_major, name_plate_wells, padded, well_names
from labloop.worklists.labels import stock_title
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.standing import Standing
from labloop.worklists.text import number, volume_text

Cells = Callable[[], Sequence[str]]


def cells(
    plan: RoundPlan, deck: Sequence[Standing], labels: Mapping[str, str]
) -> Mapping[str, Cells]:
    """Return for each field of `csv_profiles` a function that gives its cell for each dispense.

    Args:
        plan: The round.
        deck: What stands on the robot's deck, of `standing`.
        labels: Label of each name of `names_in`.

    Raises RefusedError, when a field is wanted that campaign.toml says nothing of.
    """
    dispenses = {name: plan.dispenses[name].tolist() for name in plan.dispenses.columns}
    sides = {
        "source": ([each for each in deck if each.side == "source"], "source_plate", "source_well"),
        "destination": ([each for each in deck if each.side != "source"], "plate", "well"),
    }

    def of_plate(side: str, name: str) -> Cells:
        plates, key, _ = sides[side]
        by_number = {each.number: str(getattr(each, name)) for each in plates}
        return lambda: [by_number[n] for n in dispenses[key]]

    def of_well(side: str, order: Callable[[int], Mapping[str, str]]) -> Cells:
        plates, key, well = sides[side]
        by_number = {each.number: order(each.wells) for each in plates}
        return lambda: [
            by_number[n][w] for n, w in zip(dispenses[key], dispenses[well], strict=True)
        ]

    def volumes(per_ul: int) -> Sequence[str]:
        texts = {
            ticks: volume_text(ticks, plan.robot.increment_ul, per_ul)
            for ticks in set(dispenses["ticks"])
        }
        return [texts[ticks] for ticks in dispenses["ticks"]]

    stocks = list(zip(dispenses["stock"], dispenses["stock_concentration"], strict=True))
    return {
        "row": lambda: [str(n) for n in range(1, len(stocks) + 1)],
        "source_plate": of_plate("source", "name"),
        "source_number": of_plate("source", "number"),
        "source_position": of_plate("source", "position"),
        "source_labware": lambda: _given(of_plate("source", "labware")(), "source_labware"),
        "source_well": lambda: dispenses["source_well"],
        "source_well0": lambda: [padded(well) for well in dispenses["source_well"]],
        "source_well_down": of_well("source", _down),
        "source_well_along": of_well("source", _along),
        "plate": of_plate("destination", "name"),
        "plate_number": of_plate("destination", "number"),
        "plate_position": of_plate("destination", "position"),
        "plate_labware": lambda: _given(of_plate("destination", "labware")(), "plate_labware"),
        "well": lambda: dispenses["well"],
        "well0": lambda: [padded(well) for well in dispenses["well"]],
        "well_down": of_well("destination", _down),
        "well_along": of_well("destination", _along),
        "volume_ul": lambda: volumes(1),
        "volume_nl": lambda: volumes(1000),
        "stock": lambda: [labels[stock] for stock, _ in stocks],
        "concentration": lambda: [number(concentration) for _, concentration in stocks],
        "unit": lambda: [plan.ascii_unit(stock) for stock, _ in stocks],
        "stock_title": lambda: [
            stock_title(labels[stock], concentration, plan.ascii_unit(stock))
            for stock, concentration in stocks
        ],
        "formula": lambda: [labels[formula] for formula in _formulas(plan)],
        "liquid_class": lambda: _liquid_classes(plan, dispenses["stock"]),
        "tool": lambda: _tools(plan),
        "new_tip": lambda: _new_tips(plan, stocks),
        "change_tip": lambda: ["0", *_new_tips(plan, stocks)[1:]] if stocks else [],
    }


def names_in(field: str, plan: RoundPlan) -> list[str]:
    """Return the names that a field writes as labels, in an order that rounds share."""
    if field in ("stock", "stock_title"):
        return [plan.plate.diluent, *plan.units]
    return list(dict.fromkeys(_formulas(plan))) if field == "formula" else []


@cache
def _down(wells: int) -> Mapping[str, str]:
    return {well: str(n) for n, well in enumerate(column_major(wells), start=1)}


@cache
def _along(wells: int) -> Mapping[str, str]:
    return {well: str(n) for n, well in enumerate(well_names(wells), start=1)}


def _formulas(plan: RoundPlan) -> list[str]:
    columns = ["plate", "well", "formula"]
    filled = plan.layout.loc[plan.layout["role"] != "empty", columns]
    formula = {(p, w): str(f) for p, w, f in filled.itertuples(index=False, name=None)}
    wells = plan.dispenses[["plate", "well"]].itertuples(index=False, name=None)
    return [formula[place] for place in wells]


def _given(names: Sequence[str], key: str) -> Sequence[str]:
    if not all(names):
        raise RefusedError(
            f"[robot.csv] wants a column of {key}, and campaign.toml names no labware for it; set "
            f"{key} under [robot]."
        )
    return names


def _liquid_classes(plan: RoundPlan, stocks: Sequence[str]) -> list[str]:
    classes = {stock: plan.liquid_class(stock) for stock in dict.fromkeys(stocks)}
    lacking = [stock for stock, liquid_class in classes.items() if not liquid_class]
    if lacking:
        raise RefusedError(
            f"[robot.csv] wants a column of liquid classes, and {lacking[0]} has none; give it one "
            "or set default under [robot.liquid_classes]."
        )
    return [classes[stock] for stock in stocks]


def _new_tips(plan: RoundPlan, stocks: Sequence[tuple[str, float]]) -> list[str]:
    if plan.robot.tips == "dispense":
        return ["1"] * len(stocks)
    known = [(stock, number(concentration)) for stock, concentration in stocks]
    return ["1"] * min(len(known), 1) + [str(int(a != b)) for a, b in pairwise(known)]


def _tools(plan: RoundPlan) -> list[str]:
    """Return the smallest tool that makes each volume (Eppendorf's ranges, see `TOOLS`)."""
    names = plan.robot.pipettes or USUAL_TOOLS
    tools = sorted(names, key=lambda name: TOOLS[name])
    increment = Decimal(str(plan.robot.increment_ul))
    ticks = plan.dispenses["ticks"].tolist()
    chosen: dict[int, str] = {}
    for count in set(ticks):
        volume = increment * count
        chosen[count] = next(
            (t for t in tools if Decimal(str(TOOLS[t][0])) <= volume <= TOOLS[t][1]), ""
        )
    wrong = plan.dispenses[[not chosen[count] for count in ticks]]
    if not wrong.empty:
        wells = name_plate_wells(wrong["well"], wrong["plate"])
        raise RefusedError(
            f"None of the tools {', '.join(tools)} makes the "
            f"{number(wrong['volume_ul'].iloc[0])} µL for {wells}; list a tool that does in "
            "pipettes under [robot]."
        )
    return [chosen[count] for count in ticks]
