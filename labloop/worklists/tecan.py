"""Tecan EVO and Fluent: the Gemini worklist (`.gwl`) that EVOware and FluentControl run.

Record fields, the numbering of positions down the columns, the 32 characters of a name and what
`W;`, `B;` and `C;` do are those of the Freedom EVOware manual (393172), as the docstrings of the
packages dioscuri 0.2.2 and robotools 1.16.0 and notes on its section 15.24 give them; FluentControl
reads the same file (Tecan's knowledge portal, "How to use worklist in FluentControl"). The two
differ in troughs: EVOware counts eight rows in each column of one, FluentControl one position a
column (robotools, pull request 65).

A tip is washed or replaced only where there is a `W;`, which means the tip of the record before it.
Without one it is used again: so do published worklists (sequencescape's `TecanV3` where it saves
tips, TecanEvo_MultilabwareNormalization where a volume takes several strokes). An arm takes its
next unused tip for each `A` unless the record names one. A stock that keeps its tip therefore names
the arm's first: otherwise all eight would have been in the stock, and `W;` would change one of
them. `W;` alone is the first wash scheme of fixed tips and the replacement of disposable ones; an
EVO with disposable tips knows no `W1;` (robotools, issue 77). `B;` has a stock dispensed before the
next one is drawn, since records are otherwise carried out in groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby

from labloop.definition.checks.tecan import STEP_UL
from labloop.errors import RefusedError
from labloop.wells import name_plate_wells, position, shape
from labloop.worklists.labels import labels, legend, stock_title
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet

_LONGEST = 32
_TROUGHS = (1, 12)
_FIRST_TIP = 1
_STEP = Decimal(str(STEP_UL))
_COLUMNS = (
    "stock",
    "stock_concentration",
    "source_plate",
    "source_well",
    "plate",
    "well",
    "ticks",
)
_DECK = ("rack_label", "labware", "rack_type", "wells")


def evo(plan: RoundPlan) -> dict[str, bytes]:
    """Return the files of a Freedom EVO; see `fluent`. Its troughs have eight rows a column."""
    return _files("evo", plan, trough_rows=8)


def fluent(plan: RoundPlan) -> dict[str, bytes]:
    """Return the files of a Fluent.

    `fluent.gwl` has the round's dispenses in order, volumes in µL, in latin-1 and with CRLF; a
    comment begins each stock. `fluent-deck.csv` says what stands under which rack label, and
    `legend.csv`, where there are any, which short labels in the comments stand for which names.

    Raises RefusedError for a volume that two decimals cannot carry, and for a labware or liquid
    class whose name the file cannot carry.
    """
    return _files("fluent", plan, trough_rows=1)


def _files(robot: str, plan: RoundPlan, *, trough_rows: int) -> dict[str, bytes]:
    names = labels(list(plan.dispenses["stock"].unique()), _LONGEST, allowed=_carries)
    lines = "\r\n".join([*_records(plan, names, trough_rows), ""])
    return {
        f"{robot}.gwl": lines.encode("latin-1"),
        f"{robot}-deck.csv": sheet(_DECK, _racks(plan)),
        **legend(names),
    }


def _records(plan: RoundPlan, names: Mapping[str, str], trough_rows: int) -> Iterator[str]:
    """Yield the worklist's lines."""
    volumes, classes = _volumes(plan), _liquid_classes(plan)
    racks = {label: (rack_type, wells) for label, _, rack_type, wells in _racks(plan)}
    one_tip = plan.robot.tips == "stock"
    tip_mask = _FIRST_TIP if one_tip else ""
    dispenses = plan.dispenses[list(_COLUMNS)].itertuples(index=False, name=None)
    by_stock = [list(rows) for _, rows in groupby(dispenses, lambda row: (row[0], str(row[1])))]
    for count, rows in enumerate(by_stock):
        if count:
            yield "B;"
        stock, concentration = rows[0][:2]
        yield f"C;{stock_title(names[stock], concentration, plan.ascii_unit(stock))}"
        for n, (_, _, source_plate, source_well, plate, well, ticks) in enumerate(rows):
            source, target = f"Source{source_plate}", f"Plate{plate}"
            (source_type, source_wells), (target_type, wells) = racks[source], racks[target]
            # Tips side by side reach a trough's rows side by side, the first tip its first row.
            trough_row = 0 if one_tip else n % trough_rows
            drawn = _position(source_well, source_wells, trough_rows, trough_row)
            how = f"{volumes[ticks]};{classes[stock]};;{tip_mask};"
            yield f"A;{source};;{source_type};{drawn};;{how}"
            yield f"D;{target};;{target_type};{_position(well, wells)};;{how}"
            if not one_tip:
                yield "W;"
        if one_tip:
            yield "W;"


def _position(well: str, wells: int, trough_rows: int = 1, trough_row: int = 0) -> int:
    """Return a well's number in a worklist, from 1 down the columns.

    Each column of a trough has `trough_rows` numbers for the same liquid.
    """
    row, column = position(well, wells)
    if wells in _TROUGHS:
        return column * trough_rows + trough_row + 1
    return column * shape(wells)[0] + row + 1


def _volumes(plan: RoundPlan) -> dict[int, str]:
    """Return the volume in µL of each number of ticks, to two decimals."""
    increment = Decimal(str(plan.robot.increment_ul))
    volumes = {int(ticks): increment * int(ticks) for ticks in plan.dispenses["ticks"].unique()}
    lost = [ticks for ticks, volume in volumes.items() if volume % _STEP]
    if lost or increment < _STEP:
        rows = plan.dispenses[plan.dispenses["ticks"].isin(lost)]
        wells = name_plate_wells(rows["well"], rows["plate"])
        raise RefusedError(
            f"A Tecan worklist carries volumes to 0.01 µL and the robot's increment is "
            f"{increment.normalize():f} µL"
            + (f", so that the volumes for {wells} would be rounded" if lost else "")
            + '; export to "manual", or set increment_ul under [robot] to a multiple of 0.01 '
            "before the next round is proposed."
        )
    return {ticks: f"{volume:.2f}" for ticks, volume in volumes.items()}


def _racks(plan: RoundPlan) -> list[tuple[str, str, str, int]]:
    """Return each rack's label, what it is, the robot's name of such labware, and its wells.

    Source plates come first; the robot's name is empty where the campaign gives none.
    """
    robot, plate = plan.robot, plan.plate
    racks: list[tuple[str, str, str, int]] = []
    for number in sorted(int(each) for each in plan.dispenses["source_plate"].unique()):
        source = robot.source_plate(number)
        racks.append((f"Source{number}", f"source plate {number}", source.labware, source.wells))
    for number in sorted(int(each) for each in plan.layout["plate"].unique()):
        racks.append((f"Plate{number}", f"plate {number}", robot.plate_labware, plate.wells))
    for _, _, rack_type, _ in racks:
        _check_carried("labware", rack_type)
    return racks


def _liquid_classes(plan: RoundPlan) -> dict[str, str]:
    """Return the liquid class of each stock, empty for that of the robot's own command."""
    for liquid_class in plan.robot.liquid_classes.values():
        _check_carried("liquid class", liquid_class)
    return {stock: plan.liquid_class(stock) for stock in plan.dispenses["stock"].unique()}


def _check_carried(what: str, name: str) -> None:
    if len(name) > _LONGEST or not all(map(_carries, name)):
        raise RefusedError(
            f'A Tecan worklist cannot carry the {what} "{name}": names have at most {_LONGEST} '
            'characters, all of them latin-1 and none ";"; rename it on the robot and under '
            "[robot]."
        )


def _carries(character: str) -> bool:
    return character.isprintable() and ord(character) < 256 and character != ";"
