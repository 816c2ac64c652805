"""Echo 525 and 550: the picklist that Echo Cherry Pick and Plate Reformat import.

Columns and the spelling of plates (`Source[1]`, no barcodes) are those of kithairon's documentation
and of published picklists. Volumes are in nL, wells are not padded, and
there is no column before the first: a stray index column has cost others a run.

The figures of the source plates stand in `robots.SOURCE_TYPES`. Least and most of a well are its
working range (minwellvol and maxwellvol in an Echo's labware list), and the drop is the machine's:
25 nL of the Echo 525, 2.5 nL of the 550 and 555. "Most from one well" is that list's maxvoltotal,
and no public document says what it is the total of. kithairon compares it with each line of a
picklist. Beckman Coulter's instructions for the Echo 525 (001-11665) let one well give 5 µL to one
other and its whole working volume to many (45 µL of a 384PP plate), and published pickers drain
wells so. The smaller reading is the default, since such a total holds either way; a lab whose Echo
gives more sets `most_from_well_ul`. No line asks for more than maxvoltotal.

The Echo turns the plates of a round upside down over the source plates, one at a time: lines are
ordered by source plate, the diluent's first, then by plate, and within them as they were planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from labloop.definition.checks.echo import (
    overflow_problem,
    plate_type,
    plate_type_problem,
    type_problem,
)
from labloop.errors import RefusedError
from labloop.plate.deck import deck_list
from labloop.robots import SOURCE_TYPES
from labloop.wells import name_wells
from labloop.worklists.labels import labels, legend, plain, stock_title
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet, volume_text

if TYPE_CHECKING:
    import pandas as pd

_HEADER = (
    "Source Plate Name,Source Plate Barcode,Source Plate Type,Source Well,"
    "Destination Plate Name,Destination Plate Barcode,Destination Plate Type,Destination Well,"
    "Sample Name,Transfer Volume"
)
_LONGEST = 32
_DECK = ("plate", "labware", "wells", "holds")


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return the Echo's files.

    `echo525.csv` (or `echo550.csv`) is the picklist, one line a dispense; `echo525-deck.csv` says
    which plate stands behind each plate name; `legend.csv`, where there are any, which short labels
    stand for which names.

    Raises RefusedError, with the wells named, for a source plate that this Echo does not have, a
    source well filled outside its working range, one line above what the Echo takes from a well at
    once, and wells that overflow.
    """
    problems = [*_source_problems(plan), *_plate_problems(plan), *_spelling(plan)]
    if problems:
        message = "The Echo cannot make this round: " + "; ".join(problems)
        raise RefusedError(message if message.endswith("?") else f"{message}.")
    names = labels(list(plan.dispenses["stock"].unique()), _LONGEST, allowed=plain)
    kind = plan.robot.kind
    return {
        f"{kind}.csv": "\n".join([_HEADER, *_lines(plan, names), ""]).encode("ascii"),
        f"{kind}-deck.csv": sheet(_DECK, _deck(plan)),
        **legend(names),
    }


def _lines(plan: RoundPlan, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the picklist's lines."""
    dispenses = plan.dispenses
    order = {number: place for place, number in enumerate(dispenses["source_plate"].unique())}
    ordered = dispenses.assign(pair=dispenses["source_plate"].map(order)).sort_values(
        ["pair", "plate"], kind="stable"
    )
    type_of = {number: plan.robot.source_plate(number).labware for number in order}
    titles = _titles(plan, ordered, names)
    volumes = {n: volume_text(n, plan.robot.increment_ul, 1000) for n in ordered["ticks"].unique()}
    filled_type = plate_type(plan.plate, plan.robot)
    columns = ["source_plate", "source_well", "plate", "well", "ticks"]
    rows = ordered[columns].itertuples(index=False, name=None)
    for title, (source, drawn, plate, filled, ticks) in zip(titles, rows, strict=True):
        yield (
            f"Source[{source}],,{type_of[source]},{drawn},"
            f"Destination[{plate}],,{filled_type},{filled},{title},{volumes[ticks]}"
        )


def _titles(plan: RoundPlan, dispenses: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """Return the title of the stock of each dispense, its name as `names` has it."""
    keys = list(zip(dispenses["stock"], dispenses["stock_concentration"], strict=True))
    titles = {
        (stock, str(concentration)): stock_title(
            names[stock], concentration, plan.ascii_unit(stock)
        )
        for stock, concentration in dict.fromkeys(keys)
    }
    return [titles[stock, str(concentration)] for stock, concentration in keys]


def _deck(plan: RoundPlan) -> Iterator[tuple[str, str, int, str]]:
    """Yield what stands behind each plate name, and what is in it."""
    own = {stock: stock for stock in plan.dispenses["stock"].unique()}
    drawn = plan.dispenses.drop_duplicates(["source_plate", "stock", "stock_concentration"])
    for number in drawn["source_plate"].unique():
        plate = plan.robot.source_plate(number)
        held = "; ".join(_titles(plan, drawn[drawn["source_plate"] == number], own))
        yield f"Source[{number}]", plate.labware, plate.wells, held
    for plate in sorted(plan.layout["plate"].unique()):
        yield (
            f"Destination[{plate}]",
            plate_type(plan.plate, plan.robot),
            plan.plate.wells,
            f"plate {plate}",
        )


def _source_problems(plan: RoundPlan) -> Iterator[str]:
    """Yield source plates that this Echo does not have, and wells outside their working range."""
    deck = deck_list(plan.dispenses, plan.robot)
    for number in sorted(deck["source_plate"].unique()):
        plate = plan.robot.source_plate(number)
        problem = type_problem(plan.robot.kind, plate)
        if problem:
            yield f"source plate {number}: {problem}"
            continue
        of_type, of_plate = SOURCE_TYPES[plate.labware], deck[deck["source_plate"] == number]
        slack = plan.robot.increment_ul * 1e-3
        over = of_plate[of_plate["fill_volume_ul"] > of_type.well_volume_ul + slack]
        if not over.empty:
            yield (
                f"source wells {name_wells(over['source_well'])} of plate {number} would be filled "
                f"with up to {over['fill_volume_ul'].max():.10g} µL, and a well of {plate.labware} "
                f"holds {of_type.well_volume_ul:g}; name another type or lower "
                "source_well_volume_ul"
            )
        if plate.dead_volume_ul < of_type.dead_volume_ul - slack:
            yield (
                f"source wells {name_wells(of_plate['source_well'])} of plate {number} would end "
                f"with {plate.dead_volume_ul:g} µL, and the Echo dispenses from {plate.labware} "
                f"down to {of_type.dead_volume_ul:g}; raise dead_volume_ul"
            )
        lines = plan.dispenses[plan.dispenses["source_plate"] == number]
        large = lines[lines["volume_ul"] > of_type.most_from_well_ul + slack]
        if not large.empty:
            yield (
                f"wells {name_wells(large['well'])} would get more at once than the "
                f"{of_type.most_from_well_ul:g} µL that a well of {plate.labware} gives; lower "
                "max_dispense_ul"
            )


def _plate_problems(plan: RoundPlan) -> Iterator[str]:
    """Yield that the round's plates are not of their type, or that their wells overflow."""
    problem = plate_type_problem(plan.plate, plan.robot)
    overflow = overflow_problem(plan.plate, plan.robot)
    if problem:
        yield f"plate_labware: {problem}"
    elif overflow:
        filled = plan.layout.loc[plan.layout["role"] != "empty", "well"]
        yield f"wells {name_wells(filled)}: {overflow}"


def _spelling(plan: RoundPlan) -> Iterator[str]:
    """Yield that the plates' type is no name that the picklist can carry."""
    named = plan.robot.plate_labware
    if not all(map(plain, named)) or named != named.strip():
        yield (
            f'the plate_labware "{named}" holds a character that a picklist cannot carry; rename '
            "the type in the Echo's list with plain letters, digits, spaces and _ -"
        )
