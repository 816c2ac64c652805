"""What `labloop check` has to say of what the stocks reach.

Coarse steps at a range's low end do no harm while they are small against the range, since the
surrogate learns from what was dispensed: what counts is a part of the range without any level.
"""

from __future__ import annotations

from collections.abc import Iterator

from labloop.campaign.findings import Findings, Weighed
from labloop.definition import Component, Definition, Robot
from labloop.plain import plain
from labloop.robots import ROBOTS
from labloop.space import LevelTable
from labloop.space.extra_stocks import ENOUGH, ExtraStocks, extra_stocks
from labloop.space.levels import BY_HAND, Volumes, level_table
from labloop.space.reach import Reach

_GAP = 0.025  # of the scale, from a concentration that is wanted to the nearest level
_MISSING_ABOVE = 0.01
_COARSE = 0.02
_POOR = 0.8


def reach_warnings(found: Findings) -> Iterator[Weighed]:
    """Yield components of which a part of the range cannot be made, or only in large steps.

    Components of which the same is to be said share a sentence.
    """
    said: dict[str, list[str]] = {}
    weights: dict[str, float] = {}
    for table, reached in zip(found.space.tables, found.reaches, strict=True):
        faults = list(_faults(table, reached))
        if faults:
            component = table.component
            what = " and ".join(text for _, text in faults)
            remedy = _remedy(component, found.extra.get(component.name), found.definition)
            text = f"{what}; {remedy}."
            said.setdefault(text, []).append(component.name)
            weights[text] = max(weight for weight, _ in faults)
    for text, names in said.items():
        yield weights[text], f"{some(names)}: {text}"


def reach_notes(found: Findings) -> Iterator[str]:
    """Yield, in one sentence, the components that are fine as they are and could be finer."""
    rough = {
        table.component.name
        for table, reached in zip(found.space.tables, found.reaches, strict=True)
        if any(_faults(table, reached))
    }
    fine = [name for name in found.extra if name not in rough]
    if fine:
        yield (
            f"{some(fine)} {'is' if len(fine) == 1 else 'are'} made in steps that are coarse for "
            "the low end and small against the whole range: that is fine, and the table says which "
            "stocks would make finer ones."
        )
    if found.extra and found.fits_with_extra < found.use.fits - 0.05:
        yield (
            f"Weak stocks need room: with all that the table says {found.fits_with_extra:.0%} of "
            f"random formulas would fit the well, instead of {found.use.fits:.0%}."
        )


def unused_notes(found: Findings) -> Iterator[str]:
    """Yield the stocks that neither a formula nor a control is made of, and why none is."""
    drawn = set(zip(found.deck["stock"], found.deck["stock_concentration"], strict=True))
    said: dict[tuple[str, str], list[str]] = {}
    for table in found.space.tables:
        component = table.component
        if not (table.concentration > 0).any():
            continue
        used = {component.stocks[number] for number in table.stock if number != BY_HAND}
        for stock in component.stocks:
            if stock not in used and (component.name, stock) not in drawn:
                why = _why_unused(component, stock, found.space.volumes)
                said.setdefault((f"{plain(stock)} {component.unit}", why), []).append(
                    component.name
                )
    for (stock_title, why), names in said.items():
        stocks, it = ("stock", "it") if len(names) == 1 else ("stocks", "them")
        yield (
            f"The {stocks} of {stock_title} of {some(names)} {'is' if it == 'it' else 'are'} never "
            f"used: {why}; leave {it} out."
        )


def _why_unused(component: Component, stock: float, volumes: Volumes) -> str:
    per_tick = stock * volumes.increment_ul / volumes.well_ul
    least, most = per_tick * volumes.minimum, per_tick * volumes.capacity
    low, high = component.ends
    if component.fixed is not None and (least > high or most < low):
        return f"{plain(least)} to {plain(most)} is made of it, not {plain(high)}"
    if least > high:
        return f"the least dispense makes {plain(least)}, above high {plain(high)}"
    if most < low:
        return f"a well full of it makes {plain(most)}, below low {plain(low)}"
    return "every level is made as well, of less volume, or better with another"


def _faults(table: LevelTable, reached: Reach) -> Iterator[Weighed]:
    """Yield what of a component's range or levels is out of reach, with its share of them."""
    component = table.component
    if reached.share >= ENOUGH:
        return
    missing, unit = 1 - reached.share, component.unit
    if component.fixed is not None:
        yield missing, f"{plain(component.fixed)} {unit} becomes {plain(table.concentration[-1])}"
        return
    if component.levels is not None:
        made = ", ".join(plain(level) for level in table.concentration)
        wanted = ", ".join(plain(level) for level in sorted(component.levels))
        yield missing, f"of its levels {wanted} {unit} the stocks make {made}"
        return
    lowest, highest = table.concentration[table.concentration > 0][[0, -1]]
    if reached.gap > _GAP:
        yield (
            reached.below,
            f"nothing between {plain(component.low)} and {plain(lowest)} {unit} can be made "
            f"({reached.below:.0%} of its range)",
        )
    if reached.above > _MISSING_ABOVE:
        yield (
            reached.above,
            f"nothing between {plain(highest)} and {plain(component.high)} {unit} can be made "
            f"({reached.above:.0%} of its range)",
        )
    if reached.coarse > _COARSE:
        yield missing * min(2 * reached.coarse, 1.0), _steps(component, lowest, reached)


def _steps(component: Component, lowest: float, reached: Reach) -> str:
    if component.scale == "log":
        start = component.low or lowest
        factor = (component.high / start) ** (2 * reached.coarse)
        return f"its levels lie up to a factor of {factor:.2g} apart"
    return f"its levels lie up to {2 * reached.coarse:.0%} of its range apart"


def _remedy(component: Component, extra: ExtraStocks | None, definition: Definition) -> str:
    """Return which stocks help, and what else does where they do not help enough."""
    if extra is None:
        ways = _other_ways(component, definition)
        what = "no stock that fits the well and dissolves brings the reach up"
        return f"{what}, but {ways} would" if ways else f"{what}; narrow the range"
    unit, (before, with_first, *with_both) = component.unit, extra.reach
    text = (
        f"add a stock of {plain(extra.stocks[0])} {unit} ({with_first:.0%} of its range within "
        f"2 %, instead of {before:.0%})"
    )
    if with_both:
        text += f" and another of {plain(extra.stocks[1])} {unit} ({with_both[0]:.0%})"
    ways = _other_ways(component, definition) if extra.reach[-1] < _POOR else ""
    return f"{text}; more is reached with {ways}" if ways else text


def _other_ways(component: Component, definition: Definition) -> str:
    """Return larger wells and another robot, where they bring the reach to 95 %; else nothing."""
    plate, robot = definition.plate, definition.robot
    ways = []
    wells = plate.model_copy(
        update={"well_volume_ul": 2 * plate.well_volume_ul, "inoculum_ul": 2 * plate.inoculum_ul}
    )
    if plate.well_capacity_ul is None or wells.well_volume_ul <= plate.well_capacity_ul:
        share = _best(component, Volumes.of(wells, robot))
        if share >= ENOUGH:
            ways.append(f"wells of {plain(wells.well_volume_ul)} µL ({share:.0%})")
    for kind, limits in sorted(ROBOTS.items(), key=lambda each: -each[1].min_dispense_ul):
        if limits.min_dispense_ul < robot.min_dispense_ul:
            share = _best(component, Volumes.of(plate, Robot(kind=kind)))
            if share >= ENOUGH:
                ways.append(f'a robot like "{kind}" ({share:.0%})')
                break
    return " or ".join(ways)


def _best(component: Component, volumes: Volumes) -> float:
    """Return the reach of a component with the best stocks more."""
    half = volumes.capacity / 2
    return extra_stocks(level_table(component, volumes), volumes, most=half, spare=half).reach[-1]


def some(names: list[str], most: int = 3) -> str:
    """Name the first few and count the others."""
    if len(names) <= most + 1:
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:most])} and {len(names) - most} others"
