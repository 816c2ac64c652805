"""Dispendix I.DOT: the CSV that Assay Studio imports.

No public specification and no parser by others was found. The format is the one that independent
published writers agree on: plaid_to_idot, iPLAID and a writer of several source and target plates
for 96 and 384 wells, iDot_tools and an Echo converter for 1536. Every pair of source and target
plate has a block of its own, with its plates, its settings and its dispenses; the robot orders the
dispenses of a block as it likes, which matters to no liquid, since it never touches one.

Before a block the robot sheds three times 0.1 µL of each of its source wells into the waste, as the
settings say; that is taken of the dead volume.

The date and time of the first row are fixed, so that a round always gives the same file; nothing
that runs depends on them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from decimal import Decimal

from labloop.definition.checks.idot import LEAST_UL, SHED_UL
from labloop.errors import RefusedError
from labloop.wells import name_plate_wells, name_wells, position
from labloop.worklists.labels import labels, legend, stock_title
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import volume_text

_LEAST = Decimal(str(LEAST_UL))
_SHED = Decimal(str(SHED_UL))
_LONGEST = 32
_PROTOCOL = ("labloop", "1.7.2021.1105", "<User Name>", "01/01/2000", "00:00", "", "", "")
_SETTINGS = (
    "DispenseToWaste=True",
    "DispenseToWasteCycles=3",
    "DispenseToWasteVolume=1e-7",
    "UseDeionisation=True",
    "OptimizationLevel=ReorderAndParallel",
    "WasteErrorHandlingLevel=Ask",
    "SaveLiquids=Ask",
    "",
)
_COLUMNS = ("Source Well", "Target Well", "Volume [uL]", "Liquid Name", "", "", "", "")
_FIELDS = (
    "source_plate",
    "plate",
    "source_well",
    "well",
    "ticks",
    "stock",
    "stock_concentration",
)
_SOURCE_TYPES = {96: "S.100 Plate"}
_TARGET_TYPES = {96: "MWP 96", 384: "MWP 384", 1536: "MWP 1536"}


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return `idot.csv`, in ASCII with CRLF, and `legend.csv` where names are not in ASCII.

    Source plates follow one another, each with every target plate that it gives to, so that each is
    loaded once; within such a block dispenses keep their order. Volumes are in µL. The rows of 1536
    wells are named Aa, Ab, Ac, Ad, Ba … Hd, as the published writers for such plates name them.

    Raises RefusedError for a volume below 8 nL, for source wells whose dead volume is less than
    what is shed of them, for a plate of which no usual name is known, and for one whose name the
    file cannot carry.
    """
    _check_volumes(plan)
    _check_shed(plan)
    names = labels(list(plan.dispenses["stock"].unique()), _LONGEST, allowed=_carries)
    numbers = plan.dispenses["source_plate"].unique()
    source_wells = {number: plan.robot.source_plate(number).wells for number in numbers}
    blocks = defaultdict(list)
    for number, plate, source_well, well, ticks, stock, concentration in plan.dispenses[
        list(_FIELDS)
    ].itertuples(index=False, name=None):
        dispense = (
            _well(source_well, source_wells[number]),
            _well(well, plan.plate.wells),
            volume_text(ticks, plan.robot.increment_ul),
            stock_title(names[stock], concentration, plan.ascii_unit(stock)),
        )
        blocks[number, plate].append((*dispense, "", "", "", ""))
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(_PROTOCOL)
    for (number, plate), lines in sorted(blocks.items()):
        writer.writerows((_plates(plan, number, plate), _SETTINGS, _COLUMNS, *lines))
    return {"idot.csv": written.getvalue().encode("ascii"), **legend(names)}


def _plates(plan: RoundPlan, number: int, plate: int) -> tuple[str, ...]:
    """Return the row that names a block's source plate and target plate."""
    source, robot = plan.robot.source_plate(number), plan.robot
    listed = number <= len(robot.source_plates)
    key = (
        f"labware of [[robot.source_plate]] number {number}"
        if listed
        else "source_labware under [robot]"
    )
    return (
        _plate_type(source.labware, source.wells, _SOURCE_TYPES, key),
        f"Source Plate {number}",
        "",
        _litres(source.well_volume_ul),
        _plate_type(
            robot.plate_labware, plan.plate.wells, _TARGET_TYPES, "plate_labware under [robot]"
        ),
        f"Target Plate {plate}",
        "",
        "Waste Tube",
    )


def _check_volumes(plan: RoundPlan) -> None:
    increment = Decimal(str(plan.robot.increment_ul))
    small = plan.dispenses[[increment * ticks < _LEAST for ticks in plan.dispenses["ticks"]]]
    if not small.empty:
        wells = name_plate_wells(small["well"], small["plate"])
        raise RefusedError(
            f"The I.DOT dispenses no less than 8 nL, and {wells} would get less; export to "
            '"manual", or set min_dispense_ul under [robot] to 0.008 or more before the next round '
            "is proposed."
        )


def _check_shed(plan: RoundPlan) -> None:
    """Refuse source wells that would run dry by what is shed of them before each block."""
    drawn = plan.dispenses[["source_plate", "source_well", "plate"]].drop_duplicates()
    blocks = Counter(zip(drawn["source_plate"], drawn["source_well"], strict=True))
    for number in drawn["source_plate"].unique():
        most = max(count for (plate, _), count in blocks.items() if plate == number)
        dead, shed = plan.robot.source_plate(number).dead_volume_ul, _SHED * most
        if shed > Decimal(str(dead)):
            wells = [well for (plate, well), n in blocks.items() if (plate, n) == (number, most)]
            raise RefusedError(
                f"The I.DOT sheds {shed:f} µL of source plate {number}'s {name_wells(wells)} into "
                f"the waste, 0.3 µL before each plate, which is more than their dead volume of "
                f'{dead:g} µL; export to "manual", or set dead_volume_ul under [robot] to {shed:f} '
                "or more before the next round is proposed."
            )


def _plate_type(labware: str, wells: int, usual: dict[int, str], key: str) -> str:
    """Return Assay Studio's name of a plate: the user's, else the usual one."""
    name = labware or usual.get(wells, "")
    if not name:
        raise RefusedError(
            f"No usual I.DOT plate of {wells} well{'s' * (wells > 1)} is known; set {key} to the "
            "name that Assay Studio has for yours."
        )
    if not all(map(_carries, name)):
        raise RefusedError(
            f'The I.DOT\'s file cannot carry the plate type "{name}", which has a comma, a quote '
            f"or letters beyond ASCII; rename it in Assay Studio and set {key} to the new name."
        )
    return name


def _carries(character: str) -> bool:
    return character.isascii() and character.isprintable() and character not in ',"'


def _well(well: str, wells: int) -> str:
    """Return a well as Assay Studio names it."""
    if wells < 1536:
        return well
    row, column = position(well, wells)
    return f"{chr(65 + row // 4)}{'abcd'[row % 4]}{column + 1}"


def _litres(volume_ul: float) -> str:
    """Return a volume in litres as the published files have it: 80 µL is 8.00E-05."""
    litres = Decimal(str(volume_ul)).scaleb(-6)
    short = f"{float(litres):.2E}"
    return short if Decimal(short) == litres else f"{float(litres):.9E}"
