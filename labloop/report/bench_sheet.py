"""The bench sheet: what a lab that pipettes by hand prints, as the text of one HTML file.

It shows what to prepare, the order of work, each plate's formulas, and then for each stock and
plate a sheet with the volumes in the wells. It runs no script and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from labloop.plate.dispensing import by_hand
from labloop.report.bench import short_names
from labloop.report.bench_plates import (
    LEAST_BY_HAND_UL,
    Amount,
    Grid,
    Share,
    amounts_grid,
    multichannel_hint,
    names_grid,
    pipettes,
    runs,
    shares,
)
from labloop.report.numbers import number
from labloop.report.templating import environment
from labloop.worklists import RoundPlan
from labloop.worklists.labels import stock_title
from labloop.worklists.text import volume_text

if TYPE_CHECKING:
    import pandas as pd

_DRAWN = 384  # wells of the largest plate that is drawn; of a larger one wells are listed
_LISTED = {24: 48, 48: 48, 96: 48, 384: 30}  # amounts that the list beside a picture has room for
_NAMED = {24: 8, 48: 8, 96: 8, 384: 4}  # wells of one amount that it names
_BESIDE = 22  # lines that the lists on the first page may have to stand side by side
_SOURCES = 8  # source wells of a stock that are named one by one


_SOURCE = ["source_plate", "source_well"]


@dataclass(frozen=True)
class Source:
    """A source well, or many alike, to prepare: where it stands and what to put in, in µL."""

    place: str
    fill: str
    dead: str


@dataclass(frozen=True)
class Preparation:
    """A stock to prepare: its title, its source wells and, where it has several, their sum."""

    title: str
    sources: tuple[Source, ...]
    total: str


@dataclass(frozen=True)
class Map:
    """A plate's formulas: drawn, or listed as (name, wells) where the plate is too large."""

    plate: int
    filled: int
    grid: Grid | None
    listed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sheet:
    """What one stock, or one component added by hand, is on one plate.

    Attributes:
        number: Of the sheet, from 1.
        title: The stock's or component's.
        plate: The plate's number.
        unit: Of the amounts: µL, or the component's.
        total: What the plate takes of the stock in µL; empty of a component added by hand.
        filled: How many wells get some.
        sources: Where to draw from, and for which wells; empty of a component added by hand.
        pipettes: Which ones it takes.
        hint: Where a multichannel pipette saves work; may be empty.
        grid: The picture; None where the plate is too large for one.
        shares: Wells by amount, with their names as they are listed.
        others: How many amounts the list has left to the picture.
        named: Whether amounts are names.
    """

    number: int
    title: str
    plate: int
    unit: str
    total: str
    filled: int
    sources: str
    pipettes: tuple[str, ...]
    hint: str
    grid: Grid | None
    shares: tuple[tuple[Share, str], ...]
    others: int
    named: bool


@dataclass(frozen=True)
class Step:
    """A step of the work with its sheets; `remark` says what needs none."""

    title: str
    sheets: tuple[Sheet, ...]
    remark: str = ""


def to_html(plan: RoundPlan, *, campaign: str, number: int) -> str:
    """Return the bench sheet of a round as the text of one HTML file.

    The dates, and who did the work, are left to the pen: the same plan gives the same bytes.

    Args:
        plan: The round.
        campaign: Name of the campaign.
        number: Of the round.
    """
    layout = plan.layout[plan.layout["role"] != "empty"]
    filled = {int(plate): tuple(rows["well"]) for plate, rows in _groups(layout, "plate")}
    steps = list(_steps(plan, filled))
    sheets = [sheet for step in steps for sheet in step.sheets]
    names = short_names(plan.layout)
    preparations = _preparations(plan)
    return (
        environment()
        .get_template("bench_sheet.html.j2")
        .render(
            campaign=campaign,
            round=number,
            plan=plan,
            filled=filled,
            preparations=preparations,
            stacked=bool((plan.dispenses["source_plate"] > 1).any())
            or len(steps) > _BESIDE
            or sum(len(each.sources) for each in preparations) > _BESIDE,
            inoculum=_inoculum(plan, sum(map(len, filled.values()))),
            steps=steps,
            sheets=sheets,
            maps=[_map(plan, names, plate) for plate in filled],
            controls=[(short, name) for name, short in names.items()],
            well_volume=f"{plan.plate.well_volume_ul:.10g}",
            too_small=_too_small(plan),
            least=LEAST_BY_HAND_UL,
        )
    )


def _filled_up(ticks: int, increment_ul: float, dead_ul: float) -> Decimal:
    """Return whole increments and a dead volume together, in µL to the last digit."""
    return Decimal(volume_text(ticks, increment_ul)) + Decimal(str(dead_ul))


def _written(volume: Decimal) -> str:
    return f"{volume.normalize():f}"


def _groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    yield from frame.groupby(column, sort=False)


def _inoculum(plan: RoundPlan, wells: int) -> tuple[str, str] | None:
    """Return what each well gets of the inoculum and what all take, in µL; None without any."""
    each = plan.plate.inoculum_ul
    return (f"{each:.10g}", f"{each * wells:.10g}") if each > 0 else None


def _stocks(plan: RoundPlan) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the title and the dispenses of each stock, in the order of work."""
    keys = ["stock", "stock_concentration"]
    stocks: Iterable[tuple[Any, pd.DataFrame]] = plan.dispenses.groupby(
        keys, dropna=False, sort=False
    )
    for (stock, concentration), rows in stocks:
        yield stock_title(stock, concentration, plan.units.get(stock, "")), rows


def _preparations(plan: RoundPlan) -> list[Preparation]:
    tick = plan.robot.increment_ul
    made = []
    for title, rows in _stocks(plan):
        sources, total = [], Decimal(0)
        for rack, drawn in _groups(rows, "source_plate"):
            dead = plan.robot.source_plate(rack).dead_volume_ul
            ticks = drawn.groupby("source_well", sort=False)["ticks"].sum()
            fills = {str(well): _filled_up(int(each), tick, dead) for well, each in ticks.items()}
            total += sum(fills.values())
            sources += _sources(plan, int(rack), fills, f"{dead:.10g}")
        several = _written(total) if len(rows.drop_duplicates(_SOURCE)) > 1 else ""
        made.append(Preparation(title, tuple(sources), several))
    return made


def _sources(plan: RoundPlan, rack: int, fills: dict[str, Decimal], dead: str) -> list[Source]:
    """Return the wells of a stock in a source plate one by one, or as one where they are many."""
    if len(fills) <= _SOURCES:
        return [Source(_place(plan, rack, w), _written(fill), dead) for w, fill in fills.items()]
    wells, volumes = list(fills), [_written(fill) for fill in sorted(fills.values())]
    place = _place(plan, rack, f"{len(wells)} wells, {wells[0]} to {wells[-1]}")
    fill = " to ".join(dict.fromkeys((volumes[0], volumes[-1])))
    return [Source(f"{place} (see the deck list)", fill, dead)]


def _place(plan: RoundPlan, source_plate: int, source_well: str) -> str:
    alone = int(plan.dispenses["source_plate"].max()) == 1
    return source_well if alone else f"{source_well} of source plate {source_plate}"


def _drawn_from(drawn: list[tuple[str, str]]) -> str:
    """Say from which source well which wells of a plate get a stock."""
    first, last = drawn[0][0], drawn[-1][0]
    if len(drawn) == 1:
        return first
    if len(drawn) > _SOURCES:
        return f"{len(drawn)} source wells, {first} to {last}, down the columns (see the deck list)"
    return ", then from ".join(f"{source} for {wells}" for source, wells in drawn)


def _steps(plan: RoundPlan, filled: dict[int, tuple[str, ...]]) -> Iterator[Step]:
    """Yield the work in its order: diluent, stocks, what is added by hand, inoculum."""
    count = 0
    for title, rows in _stocks(plan):
        sheets = []
        for plate, dispenses in _groups(rows, "plate"):
            count += 1
            sheets.append(_stock_sheet(count, title, int(plate), dispenses, plan, filled[plate]))
        yield Step(title, tuple(sheets))
    for component, rows in _groups(by_hand(plan.layout, plan.recipes), "component"):
        sheets = []
        for plate, added in _groups(rows, "plate"):
            count += 1
            sheets.append(_hand_sheet(count, component, int(plate), added, plan, filled[plate]))
        yield Step(component, tuple(sheets), "added by hand")
    if plan.plate.inoculum_ul > 0:
        yield Step("inoculum", (), f"{plan.plate.inoculum_ul:.10g} µL into every filled well")


def _splits(plan: RoundPlan) -> bool:
    """Whether the parts of a volume are a pipette's, and not those of a robot with other limits."""
    return bool(plan.robot.kind == "manual")


def _too_small(plan: RoundPlan) -> int:
    """Return how many of the wells' volumes no hand pipette measures."""
    wells = plan.dispenses.groupby(["stock", "stock_concentration", "plate", "well"], dropna=False)
    ticks = wells["ticks"].agg("min" if _splits(plan) else "sum")
    return int((ticks * plan.robot.increment_ul < LEAST_BY_HAND_UL - 1e-9).sum())


def _stock_sheet(
    count: int,
    title: str,
    plate: int,
    dispenses: pd.DataFrame,
    plan: RoundPlan,
    filled: tuple[str, ...],
) -> Sheet:
    tick = plan.robot.increment_ul
    of_well = dispenses.groupby("well", sort=False)["ticks"].agg(["sum", "count", "max"])
    if not _splits(plan):
        of_well["count"], of_well["max"] = 1, of_well["sum"]
    amounts = {
        well: Amount(volume_text(ticks, tick), ticks, f"in {parts} parts" if parts > 1 else "")
        for well, ticks, parts, _ in of_well.itertuples(name=None)
    }
    columns = dispenses[["source_plate", "source_well", "well"]].itertuples(index=False, name=None)
    drawn = ((_place(plan, rack, source), well) for rack, source, well in columns)
    return _sheet(
        shares(amounts, plan.plate.wells), filled, plan.plate.wells,
        number=count, title=title, plate=plate, unit="µL",
        total=volume_text(int(dispenses["ticks"].sum()), tick),
        sources=_drawn_from(runs(drawn)),
        named=False,
        pipettes=tuple(
            pipettes([float(volume_text(most, tick)) for most in of_well["max"]])
        ),
    )  # fmt: skip


def _hand_sheet(
    count: int,
    component: str,
    plate: int,
    added: pd.DataFrame,
    plan: RoundPlan,
    filled: tuple[str, ...],
) -> Sheet:
    amounts = {
        well: Amount(number(amount), 0.0 if isinstance(amount, str) else float(amount))
        for well, amount in zip(added["well"], added["amount"], strict=True)
    }
    named = any(isinstance(amount, str) for amount in added["amount"])
    parts = shares(amounts, plan.plate.wells, named=named)
    return _sheet(
        parts, filled, plan.plate.wells,
        number=count, title=component, plate=plate, unit=plan.units.get(component, ""),
        total="", sources="", pipettes=(), named=named,
    )  # fmt: skip


def _sheet(parts: list[Share], filled: tuple[str, ...], wells: int, **known: Any) -> Sheet:
    """Complete a sheet by its picture, its list and what they say together."""
    drawn = wells <= _DRAWN
    listed = parts
    if drawn and len(parts) > _LISTED[wells]:
        listed = [part for part in parts if part.mark]
    return Sheet(
        filled=sum(len(part.wells) for part in parts),
        hint=multichannel_hint(parts, filled, wells, known["unit"]),
        grid=amounts_grid(parts, filled, wells) if drawn else None,
        shares=tuple((part, _listed(part, wells)) for part in listed),
        others=len(parts) - len(listed),
        **known,
    )


def _listed(part: Share, wells: int) -> str:
    """Name the wells of a share; beside a picture only as many as there is room for."""
    count = len(part.wells)
    return ", ".join(part.wells) if count <= _NAMED.get(wells, count) else f"{count} wells"


def _map(plan: RoundPlan, names: dict[Any, str], plate: int) -> Map:
    rows = plan.layout[(plan.layout["plate"] == plate) & (plan.layout["role"] != "empty")]
    shown = {
        well: (role, str(names.get(formula, formula)))
        for well, role, formula in zip(rows["well"], rows["role"], rows["formula"], strict=True)
    }
    if plan.plate.wells <= _DRAWN:
        return Map(plate, len(rows), names_grid(shown, plan.plate.wells), ())
    together: dict[str, list[str]] = {}
    for well, (_, name) in shown.items():
        together.setdefault(name, []).append(well)
    ordered = sorted(together.items(), key=lambda each: (len(each[0]), each[0]))
    return Map(plate, len(rows), None, tuple((name, ", ".join(each)) for name, each in ordered))
