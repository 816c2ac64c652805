import re
import sys
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labloop.definition import Plate, Robot
from labloop.errors import RefusedError
from labloop.plate.deck import deck_list
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.plate.tips import tips_needed
from labloop.robots import PIPETTES
from labloop.wells import column_major
from labloop.worklists import RoundPlan, round_files
from labloop.worklists.opentrons import worklist
from labloop.worklists.opentrons_labware import PLATES, SOURCES, capacity_ul, problem_of

OT2 = '''\
# Dispenses of one round on an Opentrons OT-2, written by labloop.
#
# On the deck:
#   slot  what            labware
#   1     source plate 1  nest_12_reservoir_15ml
#   2     source plate 2  nest_96_wellplate_2ml_deep
#   3     plate 1         corning_24_wellplate_3.4ml_flat
#   4     plate 2         corning_24_wellplate_3.4ml_flat
#   5     tip rack        opentrons_96_tiprack_20ul        left pipette, p20_single_gen2, 2 tips
#   6     tip rack        opentrons_96_tiprack_300ul       right pipette, p300_single_gen2, 1 tip
#
# To fill into the source plates, in µL, dead volume included:
#   source plate  well  µL      stock
#   1             A1    1260.2  water
#   2             A1    55      葡萄糖; "new" 100 mM
#   2             B1    54.8    葡萄糖; "new" 10 mM
#
# The lab adds 10 µL of inoculum to each well afterwards.

import csv

from opentrons import protocol_api

metadata = {"author": "labloop"}
requirements = {"robotType": "OT-2", "apiLevel": "2.20"}

# number: (labware, slot)
SOURCE_PLATES = {
    1: ('nest_12_reservoir_15ml', '1'),
    2: ('nest_96_wellplate_2ml_deep', '2'),
}
PLATES = {
    1: ('corning_24_wellplate_3.4ml_flat', '3'),
    2: ('corning_24_wellplate_3.4ml_flat', '4'),
}
TRASH = None
# mount: (pipette, its tip racks, their slots)
PIPETTES = {
    'left': ('p20_single_gen2', 'opentrons_96_tiprack_20ul', ('5',)),
    'right': ('p300_single_gen2', 'opentrons_96_tiprack_300ul', ('6',)),
}
# number: (stock, [(source plate, well, µL to fill in), ...])
STOCKS = {
    1: ('water', [(1, 'A1', 1260.2)]),
    2: ('葡萄糖; "new" 100 mM', [(2, 'A1', 55.0)]),
    3: ('葡萄糖; "new" 10 mM', [(2, 'B1', 54.8)]),
}
MOST_UL_A_SECOND = 100
FRESH_TIP_EACH_DISPENSE = False

DISPENSES = """
stock,source_plate,source_well,plate,well,volume_ul,pipette
1,1,A1,1,A1,85,right
1,1,A1,1,A2,90,right
1,1,A1,2,D6,85.2,right
2,2,A1,1,A1,5,left
3,2,B1,2,D6,4.8,left
"""


def run(protocol: protocol_api.ProtocolContext) -> None:
    source_plates = {
        number: protocol.load_labware(name, slot, f"source plate {number}")
        for number, (name, slot) in SOURCE_PLATES.items()
    }
    plates = {
        number: protocol.load_labware(name, slot, f"plate {number}")
        for number, (name, slot) in PLATES.items()
    }
    if TRASH:
        protocol.load_trash_bin(TRASH)
    pipettes = {}
    for mount, (name, rack, slots) in PIPETTES.items():
        racks = [protocol.load_labware(rack, slot) for slot in slots]
        pipettes[mount] = protocol.load_instrument(name, mount, tip_racks=racks)
        # Faster, a jet from above splashes into the next wells.
        speed = pipettes[mount].flow_rate
        speed.dispense = min(speed.dispense, MOST_UL_A_SECOND)
        speed.blow_out = min(speed.blow_out, MOST_UL_A_SECOND)
    for title, wells in STOCKS.values():
        liquid = protocol.define_liquid(title)
        for number, well, volume in wells:
            source_plates[number][well].load_liquid(liquid, volume)

    in_use = None  # the stock and the pipette that the tip in use is for
    for row in csv.DictReader(DISPENSES.strip().splitlines()):
        pipette, tip = pipettes[row["pipette"]], (row["stock"], row["pipette"])
        if tip != in_use:
            protocol.comment(f"{STOCKS[int(row['stock'])][0]}, {row['pipette']} pipette")
        if tip != in_use or FRESH_TIP_EACH_DISPENSE:
            drop_tips(pipettes.values())
            pick_up_tip(protocol, pipette)
            in_use = tip
        source = source_plates[int(row["source_plate"])][row["source_well"]]
        well = plates[int(row["plate"])][row["well"]]
        pipette.aspirate(float(row["volume_ul"]), source)
        # A tip that is used again stays above the liquid; one that is fresh each time goes in.
        pipette.dispense(float(row["volume_ul"]), well if FRESH_TIP_EACH_DISPENSE else well.top())
        pipette.blow_out(well.top())
    drop_tips(pipettes.values())


def pick_up_tip(protocol, pipette) -> None:
    """Pick up the next tip; where the racks are empty, wait until the lab has changed them."""
    try:
        pipette.pick_up_tip()
    except protocol_api.labware.OutOfTipsError:
        slots = ", ".join(f"slot {rack.parent}" for rack in pipette.tip_racks)
        protocol.pause(f"Change the tip racks of the {pipette.mount} pipette: {slots}.")
        pipette.reset_tipracks()
        pipette.pick_up_tip()


def drop_tips(pipettes) -> None:
    for pipette in pipettes:
        if pipette.has_tip:
            pipette.drop_tip()
'''


def made(plate=(), **robot):
    """Two plates of 24 wells: a strong and a weak stock, and wells of the diluent alone."""
    plate = {"wells": 24, "well_volume_ul": 100.0, "inoculum_ul": 10.0} | dict(plate)
    plate = Plate(**plate)
    robot = Robot(**{"kind": "ot2"} | robot)
    layout = pd.DataFrame(
        [
            (1, "A1", "formula", "F1", 1),
            (1, "A2", "control", "ref", 1),
            (1, "A3", "empty", None, 0),
            (2, "D6", "formula", "F2", 1),
        ],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    sugar = '葡萄糖; "new"'
    recipes = pd.DataFrame(
        [
            ("F1", sugar, 5.0, 5.0, 100.0, 50),
            ("F2", sugar, 0.48, 0.48, 10.0, 48),
            ("ref", sugar, 0.0, 0.0, np.nan, 0),
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    dispenses = plan_dispenses(layout, recipes, components=[sugar], plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, {sugar: "mM"}, plate, robot)


def text(plan):
    (content,) = worklist(plan).values()
    return content.decode("utf-8")


def test_the_protocol_of_a_small_round_to_the_byte():
    assert worklist(made()) == {"ot2.py": OT2.encode("utf-8")}


def test_the_flex_has_its_own_slots_pipettes_and_trash():
    protocol = text(many(24, 5, kind="flex"))
    assert 'requirements = {"robotType": "Flex", "apiLevel": "2.20"}' in protocol
    assert "TRASH = 'A3'" in protocol
    assert "    1: ('nest_12_reservoir_15ml', 'D1')," in protocol
    assert (
        "    'left': ('flex_1channel_50', 'opentrons_flex_96_tiprack_50ul', ('C1',)),\n"
        "    'right': ('flex_1channel_1000', 'opentrons_flex_96_tiprack_1000ul', ('C2',)),\n"
    ) in protocol


class OutOfTips(Exception):  # noqa: N818
    """What Opentrons raises where the racks are empty."""


class PretendRobot:
    """Runs a protocol as Opentrons' own context would, and keeps what was done."""

    def __init__(self, content):
        self.stands, self.filled, self.dispensed = {}, {}, []
        self.tips, self.paused, self.trash = {}, [], None
        package = types.ModuleType("opentrons")
        package.protocol_api = types.SimpleNamespace(
            ProtocolContext=object, labware=types.SimpleNamespace(OutOfTipsError=OutOfTips)
        )
        names = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "opentrons", package)
            exec(compile(content.decode("utf-8"), "protocol.py", "exec"), names)
        names["run"](self)

    def load_labware(self, name, slot, label=None):
        assert slot not in self.stands
        self.stands[slot] = name
        return Labware(self, label or name, slot)

    def load_trash_bin(self, slot):
        self.trash = slot

    def load_instrument(self, name, mount, tip_racks):
        return Pipette(self, name, mount, tip_racks)

    def define_liquid(self, title):
        return title

    def comment(self, text):
        pass

    def pause(self, text):
        self.paused.append(text)


class Labware:
    def __init__(self, robot, label, slot):
        self.robot, self.label, self.parent = robot, label, slot

    def __getitem__(self, well):
        return Well(self, well)


class Well:
    def __init__(self, labware, name, above=False):
        self.labware, self.name, self.above = labware, name, above

    def top(self):
        return Well(self.labware, self.name, above=True)

    def load_liquid(self, liquid, volume):
        self.labware.robot.filled[self.labware.label, self.name] = (liquid, volume)


class Pipette:
    def __init__(self, robot, name, mount, tip_racks):
        self.robot, self.name, self.mount, self.tip_racks = robot, name, mount, tip_racks
        self.flow_rate = types.SimpleNamespace(dispense=716.0, blow_out=716.0)
        self.has_tip, self.left, self.held, self.touched = False, 96 * len(tip_racks), None, set()
        robot.tips[name] = 0

    def pick_up_tip(self):
        assert not self.has_tip
        if not self.left:
            raise OutOfTips
        self.left -= 1
        self.robot.tips[self.name] += 1
        self.has_tip, self.touched = True, set()

    def reset_tipracks(self):
        self.left = 96 * len(self.tip_racks)

    def drop_tip(self):
        self.has_tip = False

    def aspirate(self, volume, source):
        least, most = PIPETTES[self.name]
        assert self.has_tip
        assert least <= volume <= most
        self.held = (volume, (source.labware.label, source.name))
        self.touched |= {self.robot.filled[source.labware.label, source.name][0]}
        assert len(self.touched) == 1, "a tip has been in two stocks or in a well"

    def dispense(self, volume, well):
        drawn, source = self.held
        assert drawn == volume
        assert self.flow_rate.dispense <= 100
        if not well.above:
            self.touched |= {"the well"}
        self.robot.dispensed.append((source, (well.labware.label, well.name), volume))
        self.held = None

    def blow_out(self, well):
        assert well.above
        assert self.flow_rate.blow_out <= 100


def sums(dispenses):
    """Sum volumes by source and well, in tenths of a µL."""
    total = {}
    for source, well, volume in dispenses:
        total[source, well] = total.get((source, well), 0) + round(volume * 10)
    return total


def planned(dispenses):
    columns = ["source_plate", "source_well", "plate", "well", "volume_ul"]
    return sums(
        ((f"source plate {number}", source_well), (f"plate {plate}", well), volume)
        for number, source_well, plate, well, volume in dispenses[columns].itertuples(index=False)
    )


def many(wells, stocks, plates=1, **robot):
    """A round of whole plates whose stocks have random volumes."""
    rng = np.random.default_rng(0)
    plate = Plate(wells=wells, well_volume_ul={384: 50.0, 1536: 10.0}.get(wells, 200.0))
    robot = Robot(**{"kind": "ot2"} | robot)
    layout = pd.DataFrame(
        [
            (number, well, "formula", f"{number}{well}", 1)
            for number in range(1, plates + 1)
            for well in column_major(wells)
        ],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    for_stocks = max(plate.well_volume_ul - 25.0, plate.well_volume_ul / 2)
    share = int(for_stocks / 0.1 / stocks)
    recipes = pd.DataFrame(
        [
            (formula, f"stock {each}", 1.0, 1.0, 10.0, int(rng.integers(share // 2, share)))
            for formula in layout["formula"]
            for each in range(stocks)
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    names = [f"stock {each}" for each in range(stocks)]
    dispenses = plan_dispenses(layout, recipes, components=names, plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, dict.fromkeys(names, "mM"), plate, robot)


@pytest.mark.parametrize(
    ("plan", "paused"),
    [
        (lambda: many(96, 8), 0),
        (lambda: many(384, 4), 0),
        (lambda: many(96, 3, plates=4), 0),
        (lambda: many(96, 8, kind="flex"), 0),
        (lambda: many(24, 5, tips="dispense"), 0),
        (lambda: many(96, 10, tips="dispense", kind="flex"), 1),
        (lambda: many(96, 8, pipettes=("p20_single_gen2", "p1000_single_gen2")), 0),
        (lambda: many(96, 4, pipettes=("p300_single_gen2",), tips="dispense", positions=4), 4),
    ],
)
def test_a_protocol_makes_the_plan_with_as_many_tips_as_are_counted(plan, paused):
    plan = plan()
    (content,) = worklist(plan).values()
    robot = PretendRobot(content)
    assert sums(robot.dispensed) == planned(plan.dispenses)
    assert {name: tips for name, tips in robot.tips.items() if tips} == tips_needed(
        plan.dispenses, plan.robot
    )
    assert len(robot.paused) == paused
    assert robot.trash == ("A3" if plan.robot.kind == "flex" else None)
    deck = deck_list(plan.dispenses, plan.robot)
    fills = {
        (f"source plate {row.source_plate}", row.source_well): row.fill_volume_ul
        for row in deck.itertuples()
    }
    assert {well: fill for well, (_, fill) in robot.filled.items()} == fills


def test_empty_tip_racks_are_changed_by_the_lab():
    plan = many(96, 4, pipettes=("p300_single_gen2",), tips="dispense", positions=4)
    robot = PretendRobot(worklist(plan)["ot2.py"])
    assert robot.paused == ["Change the tip racks of the left pipette: slot 4."] * 4
    assert robot.stands["4"] == "opentrons_96_tiprack_300ul"


def test_plates_that_do_not_stand_on_the_deck_together_have_protocols_of_their_own():
    plan = many(24, 5, plates=16)
    files = worklist(plan)
    assert list(files) == ["ot2-1-of-3.py", "ot2-2-of-3.py", "ot2-3-of-3.py"]
    robots = [PretendRobot(content) for content in files.values()]
    assert sums(each for robot in robots for each in robot.dispensed) == planned(plan.dispenses)
    tips = {name: sum(robot.tips[name] for robot in robots) for name in robots[0].tips}
    assert tips == tips_needed(plan.dispenses, plan.robot)
    for robot in robots:
        assert robot.stands["1"] == "nest_12_reservoir_15ml"
        assert robot.stands["2"] == "nest_96_wellplate_2ml_deep"
    left = [sum(fill for _, fill in robot.filled.values()) for robot in robots]
    assert left == sorted(set(left), reverse=True)
    assert left[0] == pytest.approx(
        deck_list(plan.dispenses, plan.robot)["fill_volume_ul"].sum(), abs=1e-6
    )
    text = files["ot2-2-of-3.py"].decode("utf-8")
    assert (
        "# Protocol 2 of 3, for plates 7, 8, 9, 10, 11. All source\n"
        "# plates stay where they are until the last protocol is done.\n"
    ) in text


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            lambda: many(1536, 2),
            "Opentrons robots have no labware of 1536 wells; use plates of at most 384, or "
            "another robot.",
        ),
        (
            lambda: made(plate_labware="corning_384_wellplate_112ul_flat"),
            '[robot], plate_labware: "corning_384_wellplate_112ul_flat" has 384 wells, not 24; '
            "name other labware.",
        ),
        (
            lambda: made(source_labware="Deep Well Plate"),
            '[robot], source_labware: "Deep Well Plate" is no load name: those have lower-case '
            "letters, digits and . _ - only; name other labware.",
        ),
        (
            lambda: made(
                source_plate=[{
                    "wells": 12, "well_volume_ul": 5000.0, "dead_volume_ul": 100.0,
                    "labware": "corning_12_wellplate_6.9ml_flat",
                }]
            ),
            '[[robot.source_plate]] number 1, labware: "corning_12_wellplate_6.9ml_flat" has three '
            "rows, where labloop's 12 wells are the channels of a reservoir; name other labware.",
        ),
        (
            lambda: made(plate_labware="opentrons_96_tiprack_20ul"),
            '[robot], plate_labware: "opentrons_96_tiprack_20ul" is nothing that liquid stands '
            "in; name other labware.",
        ),
        (
            lambda: made({"well_volume_ul": 300.0}, plate_labware="lab_24_wellplate_200ul"),
            "A1, A2, D6 would run over: lab_24_wellplate_200ul holds 200 µL a well, "
            "well_volume_ul is 300; name larger labware under plate_labware, or propose the round "
            "anew with a smaller well volume.",
        ),
        (
            lambda: made(source_labware="lab_96_wellplate_54.9ul"),
            "A1 of source plate 2 would run over: lab_96_wellplate_54.9ul holds 54.9 µL a well "
            "and 55 must be filled in; set its well volume under [robot] to what it holds and "
            "propose the round anew.",
        ),
        (
            lambda: made(positions=4),
            "2 source plates, a plate and 2 tip racks do not stand on a deck of 4 slots; let more "
            "stocks stand in one source plate (source_wells, source_well_volume_ul under [robot]).",
        ),
        (
            lambda: made(source_plate=[], source_wells=1536, source_labware=""),
            "Opentrons robots have no labware of 1536 wells for source plate 1; let the stocks "
            "stand in other plates, under [robot].",
        ),
        (
            lambda: made(pipettes=["p300_single_gen2"], min_dispense_ul=1.0),
            'No pipette can make the 5 µL of 葡萄糖; "new" and volumes like it for A1 (plate 1), '
            "D6 (plate 2): p300_single_gen2 20 to 300 µL; mount another one and name it in "
            "pipettes under [robot], or propose the round anew with min_dispense_ul and "
            "max_dispense_ul that these pipettes allow.",
        ),
    ],
)  # fmt: skip
def test_what_the_robot_cannot_do_or_would_do_wrong_is_refused(plan, problem):
    with pytest.raises(RefusedError) as refusal:
        worklist(plan())
    assert str(refusal.value) == problem


def changed(plan, **columns):
    """The plan with other numbers in its first dispense."""
    dispenses = plan.dispenses.copy()
    for name, value in columns.items():
        dispenses.loc[0, name] = value
    return replace(plan, dispenses=dispenses)


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            lambda: changed(made(), ticks=1850, volume_ul=185.0),
            "A1 (plate 1) would hold more than 100 µL with the inoculum",
        ),
        (
            lambda: changed(made(), ticks=5, volume_ul=0.5),
            "A1 (plate 1) would get a volume below 1 µL",
        ),
        (
            lambda: replace(made(), robot=Robot(
                kind="ot2",
                source_plate=[{"wells": 12, "well_volume_ul": 300.0, "dead_volume_ul": 100.0}],
            )),
            "source A1 (plate 1) would give more than 200 µL and fall below the dead volume",
        ),
    ],
)  # fmt: skip
def test_what_opentrons_analysis_lets_pass_is_refused_before(plan, problem):
    with pytest.raises(RefusedError, match=re.escape(problem)):
        round_files("ot2", plan(), stem="r1")


def test_names_of_labware_say_what_it_holds():
    assert capacity_ul("corning_24_wellplate_3.4ml_flat") == 3400.0
    assert capacity_ul("corning_96_wellplate_360ul_flat") == 360.0
    assert capacity_ul("my_own_plate") is None
    assert problem_of("my_own_plate", 96) == ""
    for wells, name in [*PLATES.items(), *SOURCES.items()]:
        assert problem_of(name, wells) == ""
        assert capacity_ul(name)


def test_a_stock_of_any_name_stays_what_it_is():
    """Quotes, backslashes, braces and line ends, which Python reads as its own."""
    plan, name = made(), "'''\"\"\"\\n{x} # \u2028é\n{y}"
    dispenses = plan.dispenses.replace('葡萄糖; "new"', name)
    odd = replace(plan, dispenses=dispenses, units={name: "mM"})
    robot = PretendRobot(worklist(odd)["ot2.py"])
    assert robot.filled["source plate 2", "A1"] == (f"{name} 100 mM", 55.0)
    assert sums(robot.dispensed) == planned(plan.dispenses)
