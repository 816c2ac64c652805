"""What a definition allows, said before the first plate is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labloop.campaign.cautions import MOST_FIT, notes, warnings
from labloop.campaign.checked_frames import (
    component_frame,
    extra_frame,
    stronger_frame,
    with_places,
)
from labloop.campaign.findings import Findings
from labloop.definition import Definition
from labloop.errors import DefinitionError, RefusedError
from labloop.plate.deck import deck_list, deck_totals
from labloop.plate.deck_load import DeckLoad, deck_load, source_plates
from labloop.plate.planning import Planned, planned
from labloop.plate.tips import rack_changes, racks_of, sittings_needed, tips_needed
from labloop.space import FormulaSpace
from labloop.space.extra_stocks import ENOUGH, ExtraStocks, extra_stocks, stronger_stock
from labloop.space.levels import LevelNumbers
from labloop.space.reach import reach
from labloop.space.volume_use import VolumeUse, volume_use

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES = 2000
_MOST_COUNTED = 100_000


@dataclass(frozen=True, eq=False)
class Checked:
    """What `labloop check` finds.

    The deck, the tips and the volumes are those of a plate of formulas spread evenly over the
    space, as a first round is.

    Attributes:
        components: Frame by component: `unit`, `levels` (how many there are), `lowest` (above
            zero) and `highest`, `reach` (share of the range that is made within 2 %), `fine_from`
            (concentration from which on all is), `worst_error` (the farthest that a concentration
            is from the nearest level, as a share of the range), `high_ul` (volume of the highest
            level) and `usual_ul` (volume in a random formula, on average). Shares are shares of the
            component's scale, so of the logarithm where that is log.
        extra_stocks: Frame of the stocks that would bring the reach of a component to 95 %, or as
            high as any that fit the well: `component`, `unit`, `reach`, `stock`, `with_stock` (the
            reach then), `second_stock`, `with_both` (NaN where one suffices).
        stronger_stocks: Frame of stocks that dissolve, take less of the well and are not there:
            `component`, `unit`, `stock`; empty where most formulas fit the well.
        deck: Frame of the stocks that the round takes: `stock`, `stock_concentration`,
            `source_plates` (their numbers, as text), `source_wells`, `volume_ul`,
            `dead_volume_ul`, `fill_volume_ul`.
        source_plates: Frame of the source plates: `source_plate`, `labware`, `wells`, `used`,
            `stocks`.
        plates: How many plates a round takes.
        wells: How many wells of them are filled.
        tips: How many tips a round takes, by pipette or kind; empty for robots without tips.
        tip_racks: How many racks of 96 these are.
        load: How many places of the deck the round takes.
        sittings: How many times the deck is laid for it: its plates may not stand there together.
        room_ul: What stocks and diluent may fill of a well.
        fits: Share of random formulas whose stocks fit the well.
        fits_with_extra: The same with all the extra stocks; NaN without any.
        fits_with_stronger: The same with all the stronger stocks; NaN without any.
        feasible: Share of random formulas that satisfy all constraints as they are, before mending.
        different: How many different formulas there are, NaN where they are over 100 000.
        warnings: Sentences on what should be mended before the first plate, gravest first.
        notes: Sentences on what is worth knowing and does no harm.
    """

    components: pd.DataFrame
    extra_stocks: pd.DataFrame
    stronger_stocks: pd.DataFrame
    deck: pd.DataFrame
    source_plates: pd.DataFrame
    plates: int
    wells: int
    tips: Mapping[str, int]
    tip_racks: int
    load: DeckLoad
    sittings: int
    room_ul: float
    fits: float
    fits_with_extra: float
    fits_with_stronger: float
    feasible: float
    different: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def check(definition: Definition, space: FormulaSpace) -> Checked:
    """Check what the robot can reach, what fits a well and what a round needs on the deck.

    Raises:
        RefusedError: The plate cannot be laid out or dispensed.
    """
    from labloop.proposal.latin_hypercube import latin_hypercube

    rng = np.random.default_rng(0)
    levels = latin_hypercube(space, definition.proposal.formulas, rng)
    plan = planned(definition, space, levels, seed=0)
    some = space.from_unit(rng.random((_EXAMPLES, len(space.tables))))
    tips, times, refusal = _tips(plan, definition)
    found = _found(definition, space, levels, plan, tips, times, refusal)
    return Checked(
        components=component_frame(space, found.reaches, found.use),
        extra_stocks=extra_frame(definition, found.extra),
        stronger_stocks=stronger_frame(definition, found.stronger),
        deck=with_places(deck_totals(found.deck), found.deck),
        source_plates=source_plates(found.deck, definition.robot),
        plates=int(plan.layout["plate"].nunique()),
        wells=int((plan.layout["role"] != "empty").sum()),
        tips=tips,
        tip_racks=sum(racks_of(number) for number in tips.values()),
        load=found.load,
        sittings=times,
        room_ul=found.use.room,
        fits=found.use.fits,
        fits_with_extra=found.fits_with_extra,
        fits_with_stronger=found.fits_with_stronger,
        feasible=float(space.satisfied(some).mean()),
        different=found.different,
        warnings=warnings(found),
        notes=notes(found),
    )


def _found(
    definition: Definition,
    space: FormulaSpace,
    levels: LevelNumbers,
    plan: Planned,
    tips: Mapping[str, int],
    times: int,
    refusal: str,
) -> Findings:
    """Gather what the sentences are about; `levels` are those of the round that was planned."""
    use = volume_use(space, _EXAMPLES, np.random.default_rng(0))
    extra, stronger = _extra(space, levels), _stronger(space, use)
    return Findings(
        definition=definition,
        space=space,
        reaches=[reach(table, space.volumes) for table in space.tables],
        extra=extra,
        stronger=stronger,
        use=use,
        deck=deck_list(plan.dispenses, definition.robot),
        load=deck_load(plan.dispenses, tips, definition.robot),
        sittings=times,
        rack_changes=0 if refusal else rack_changes(plan.dispenses, definition.robot),
        different=_different(space),
        refusal=refusal or _refusal(definition, plan),
        fits_with_extra=_fits_with(definition, {n: each.stocks for n, each in extra.items()}),
        fits_with_stronger=_fits_with(definition, {n: (each,) for n, each in stronger.items()}),
    )


def _extra(space: FormulaSpace, levels: LevelNumbers) -> dict[str, ExtraStocks]:
    """Return by component the stocks that would help, given what formulas leave of the well.

    Half of what they leave on average is shared out among the components that want stocks: with
    all of it, every other formula would not fit.
    """
    ticks = np.array([t.ticks[levels[:, j]].mean() for j, t in enumerate(space.tables)])
    left = space.volumes.capacity - ticks.sum()
    wanting = [
        j
        for j, table in enumerate(space.tables)
        if table.component.stocks and reach(table, space.volumes).share < ENOUGH
    ]
    extra = {}
    for j in wanting:
        found = extra_stocks(
            space.tables[j],
            space.volumes,
            most=left + ticks[j],
            spare=left / 2 / len(wanting),
        )
        if found.stocks:
            extra[space.names[j]] = found
    return extra


def _stronger(space: FormulaSpace, use: VolumeUse) -> dict[str, float]:
    """Return by component the stronger stocks that dissolve, where formulas do not fit the well."""
    if use.fits >= MOST_FIT:
        return {}
    stocks = {component.name: stronger_stock(component) for component in space.components}
    return {name: stock for name, stock in stocks.items() if stock is not None}


def _fits_with(definition: Definition, stocks: Mapping[str, tuple[float, ...]]) -> float:
    """Return the share of random formulas that would fit the well with more stocks."""
    if not stocks:
        return float("nan")
    components = tuple(
        c.model_copy(update={"stocks": (*c.stocks, *stocks.get(c.name, ()))})
        for c in definition.components
    )
    try:
        space = FormulaSpace.of(definition.model_copy(update={"components": components}))
    except (DefinitionError, RefusedError):  # levels between which an equality has no room
        return float("nan")
    return volume_use(space, _EXAMPLES, np.random.default_rng(0)).fits


def _different(space: FormulaSpace) -> float:
    """Return how many formulas satisfy all constraints, NaN where there are too many to count."""
    if np.log(space.counts.astype(float)).sum() > np.log(_MOST_COUNTED):
        return float("nan")
    grid = np.indices(tuple(space.counts)).reshape(len(space.counts), -1).T
    return float(space.satisfied(grid.astype(np.uint16)).sum())


def _tips(plan: Planned, definition: Definition) -> tuple[dict[str, int], int, str]:
    """Return how many tips a round takes, in how many sittings, or why no pipette can make it."""
    robot, dispenses = definition.robot, plan.dispenses
    try:
        return tips_needed(dispenses, robot), sittings_needed(dispenses, robot), ""
    except RefusedError as error:
        return {}, 1, str(error)


def _refusal(definition: Definition, plan: Planned) -> str:
    """Return why the campaign's robot could not be given the round, empty where it can."""
    from labloop.worklists import RoundPlan, round_files

    round_plan = RoundPlan(
        layout=plan.layout,
        recipes=plan.recipes,
        dispenses=plan.dispenses,
        units=definition.units,
        plate=definition.plate,
        robot=definition.robot,
    )
    try:
        round_files(definition.robot.kind, round_plan, stem="round")
    except RefusedError as error:
        return str(error)
    return ""
