from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Plate, Robot
from labloop.errors import RefusedError
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.wells import column_major
from labloop.worklists import RoundPlan, round_files, tecan

EVO = b"""\
C;water\r
A;Source1;;Trough 100ml;1;;45.00;;;1;\r
D;Plate1;;;1;;45.00;;;1;\r
A;Source1;;Trough 100ml;1;;45.00;;;1;\r
D;Plate1;;;1;;45.00;;;1;\r
A;Source1;;Trough 100ml;1;;42.50;;;1;\r
D;Plate1;;;6;;42.50;;;1;\r
A;Source1;;Trough 100ml;1;;42.50;;;1;\r
D;Plate1;;;6;;42.50;;;1;\r
A;Source1;;Trough 100ml;1;;42.50;;;1;\r
D;Plate2;;;24;;42.50;;;1;\r
A;Source1;;Trough 100ml;1;;42.50;;;1;\r
D;Plate2;;;24;;42.50;;;1;\r
W;\r
B;\r
C;glucose 100 mM\r
A;Source2;;96 Well DeepWell;1;;5.00;;;1;\r
D;Plate1;;;6;;5.00;;;1;\r
W;\r
B;\r
C;glucose 10 mM\r
A;Source2;;96 Well DeepWell;2;;5.00;;;1;\r
D;Plate2;;;24;;5.00;;;1;\r
W;\r
"""

FLUENT = b"""\
C;water\r
A;Source1;;Trough 100ml;1;;45.00;Water Free Single;;;\r
D;Plate1;;24 Well Flat;1;;45.00;Water Free Single;;;\r
W;\r
A;Source1;;Trough 100ml;1;;45.00;Water Free Single;;;\r
D;Plate1;;24 Well Flat;1;;45.00;Water Free Single;;;\r
W;\r
A;Source1;;Trough 100ml;1;;42.50;Water Free Single;;;\r
D;Plate1;;24 Well Flat;6;;42.50;Water Free Single;;;\r
W;\r
A;Source1;;Trough 100ml;1;;42.50;Water Free Single;;;\r
D;Plate1;;24 Well Flat;6;;42.50;Water Free Single;;;\r
W;\r
A;Source1;;Trough 100ml;1;;42.50;Water Free Single;;;\r
D;Plate2;;24 Well Flat;24;;42.50;Water Free Single;;;\r
W;\r
A;Source1;;Trough 100ml;1;;42.50;Water Free Single;;;\r
D;Plate2;;24 Well Flat;24;;42.50;Water Free Single;;;\r
W;\r
B;\r
C;glucose 100 mM\r
A;Source2;;96 Well DeepWell;1;;5.00;Sugar;;;\r
D;Plate1;;24 Well Flat;6;;5.00;Sugar;;;\r
W;\r
B;\r
C;glucose 10 mM\r
A;Source2;;96 Well DeepWell;2;;5.00;Sugar;;;\r
D;Plate2;;24 Well Flat;24;;5.00;Sugar;;;\r
W;\r
"""

DECK = b"""\
rack_label,labware,rack_type,wells
Source1,source plate 1,Trough 100ml,1
Source2,source plate 2,96 Well DeepWell,96
Plate1,plate 1,,24
Plate2,plate 2,,24
"""


def made(kind="evo", *, name="glucose", unit="mM", wells=24, filled=("A1", "B2"), **robot):
    """A control and two formulas on two plates of 100 µL with 10 µL of inoculum."""
    plate = Plate(wells=wells, well_volume_ul=100.0, inoculum_ul=10.0, controls={"ref": 1})
    robot = Robot.model_validate(
        {"kind": kind, "increment_ul": 0.1, "max_dispense_ul": 50.0} | robot
    )
    layout = pd.DataFrame(
        [
            (1, filled[0], "control", "ref", 1),
            (1, filled[1], "formula", "R1F1", 1),
            (2, column_major(wells)[-1], "formula", "R1F2", 1),
        ],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    five = round(5.0 / robot.increment_ul)
    recipes = pd.DataFrame(
        [
            ("R1F1", name, 5.0, 5.0, 100.0, five),
            ("R1F2", name, 0.5, 0.5, 10.0, five),
            ("ref", name, 0.0, 0.0, np.nan, 0),
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    dispenses = plan_dispenses(layout, recipes, components=[name], plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, {name: unit}, plate, robot)


PLAN = made()


def records(files, kind="evo"):
    return [line.split(";") for line in files[f"{kind}.gwl"].decode("latin-1").splitlines()]


def broken(plan, row, **values):
    dispenses = plan.dispenses.copy()
    for column, value in values.items():
        dispenses.loc[row, column] = value
    return replace(plan, dispenses=dispenses)


def refusal(plan, kind="evo"):
    with pytest.raises(RefusedError) as refused:
        round_files(kind, plan, stem="r1")
    return str(refused.value)


def test_a_worklist_of_one_tip_a_stock_to_the_byte():
    assert tecan.evo(made()) == {"evo.gwl": EVO, "evo-deck.csv": DECK}


def test_a_worklist_of_a_fresh_tip_each_dispense_with_liquid_classes_to_the_byte():
    classes = {"glucose": "Sugar", "default": "Water Free Single"}
    plan = made("fluent", tips="dispense", liquid_classes=classes, plate_labware="24 Well Flat")
    files = tecan.fluent(plan)
    assert files["fluent.gwl"] == FLUENT
    assert files["fluent-deck.csv"] == DECK.replace(b",,24", b",24 Well Flat,24")


@pytest.mark.parametrize("key", ["water", "diluent"])
def test_the_diluent_has_its_own_liquid_class_under_either_name(key):
    lines = records(tecan.evo(made(liquid_classes={key: "Water"})))
    assert [line[7] for line in lines if line[0] == "A"] == ["Water"] * 6 + ["", ""]


def test_tips_reach_a_trough_side_by_side_on_an_evo_and_anyhow_on_a_fluent():
    def drawn(kind, wells, well, **robot):
        source = {"wells": wells, "well_volume_ul": 5000.0, "dead_volume_ul": 10.0}
        place = {"stock": "diluent", "source_plate": 1, "wells": [well]}
        plan = made(kind, source_plate=[source], place=[place], max_dispense_ul=8.0, **robot)
        files = round_files(kind, plan, stem="r1")
        lines = records({name.removeprefix("r1-"): each for name, each in files.items()}, kind)
        return [int(line[4]) for line in lines if line[:2] == ["A", "Source1"]][:10]

    assert drawn("evo", 1, "A1", tips="dispense") == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    assert drawn("evo", 12, "A3", tips="dispense") == [17, 18, 19, 20, 21, 22, 23, 24, 17, 18]
    assert drawn("evo", 12, "A3") == [17] * 10
    assert drawn("fluent", 12, "A3", tips="dispense") == [3] * 10
    assert drawn("fluent", 1, "A1") == [1] * 10
    assert drawn("evo", 15, "B1", tips="dispense") == [2] * 10


def test_a_stock_keeps_its_tip_over_source_wells_and_plates_and_no_longer():
    plan = made(source_wells=24, source_plate=[], source_well_volume_ul=150.0)
    lines = records(tecan.evo(plan))
    assert len({line[4] for line in lines[:13] if line[0] == "A"}) == 6
    assert [line[0] for line in lines if line[0] not in "AD"] == list("CWBCWBCW")
    assert {line[9] for line in lines if line[0] in "AD"} == {"1"}


def with_rows(plan, **columns):
    """The plan's first dispense as often as the columns have values."""
    size = len(next(iter(columns.values())))
    rows = plan.dispenses.iloc[[0] * size].reset_index(drop=True)
    return replace(plan, dispenses=rows.assign(**columns))


@pytest.mark.parametrize("wells", [24, 48, 96, 384, 1536])
def test_positions_count_down_the_columns(wells):
    lines = records(tecan.evo(with_rows(made(wells=wells), well=list(column_major(wells)))))
    assert [int(line[4]) for line in lines if line[0] == "D"] == list(range(1, wells + 1))


@settings(max_examples=50)
@given(
    st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.25, 1.0]),
    st.lists(st.integers(1, 2_000_000), min_size=1, max_size=100),
)
def test_volumes_are_exact(increment, ticks):
    plan = with_rows(PLAN, ticks=ticks)
    robot = plan.robot.model_copy(update={"increment_ul": increment})
    lines = records(tecan.evo(replace(plan, robot=robot)))
    for letter in "AD":
        written = [line[6] for line in lines if line[0] == letter]
        assert [Decimal(volume) for volume in written] == [
            Decimal(str(increment)) * each for each in ticks
        ]
        assert {len(volume.partition(".")[2]) for volume in written} == {2}


def test_increments_that_two_decimals_cannot_carry_are_refused():
    plan = made(increment_ul=0.025, min_dispense_ul=1.0)
    assert "A;Source2;;96 Well DeepWell;1;;5.00;" in tecan.evo(plan)["evo.gwl"].decode("latin-1")
    odd = broken(plan, [0, 1], ticks=[1801, 1799], volume_ul=[45.025, 44.975])
    assert refusal(odd) == (
        "A Tecan worklist carries volumes to 0.01 µL and the robot's increment is 0.025 µL, so "
        'that the volumes for A1 (plate 1) would be rounded; export to "manual", or set '
        "increment_ul under [robot] to a multiple of 0.01 before the next round is proposed."
    )
    assert refusal(made("fluent", increment_ul=0.005), "fluent") == (
        "A Tecan worklist carries volumes to 0.01 µL and the robot's increment is 0.005 µL; "
        'export to "manual", or set increment_ul under [robot] to a multiple of 0.01 before the '
        "next round is proposed."
    )


@pytest.mark.parametrize(
    "name",
    ["葡萄糖", "глюкоза; 40 %", "one name that is longer than the labels", 'sodium "citrate"', "ü"],
)
def test_names_that_the_file_cannot_carry_become_labels_with_a_legend(name):
    files = tecan.evo(made(name=name, unit="\u03bcM"))
    label = records(files)[15][1].removesuffix(" 100 uM")
    carried = name in ('sodium "citrate"', "ü")
    assert (label == name) == carried
    assert ("legend.csv" in files) != carried
    if not carried:
        assert f"{label},{name}" in files["legend.csv"].decode("utf-8-sig")
    assert len(label) <= 32


def test_labware_that_the_file_cannot_carry_is_refused():
    for name in ("plate; deep", "n" * 33, "板", "two\nlines"):
        assert refusal(made(plate_labware=name)) == (
            f'A Tecan worklist cannot carry the labware "{name}": names have at most 32 '
            'characters, all of them latin-1 and none ";"; rename it on the robot and under '
            "[robot]."
        )
    assert "the labware" in refusal(made("fluent", source_labware="n" * 33), "fluent")
    tecan.evo(made(plate_labware="384 Well, landscape µ"))


def test_liquid_classes_that_the_file_cannot_carry_are_refused():
    for key in ("glucose", "diluent", "default"):
        assert 'cannot carry the liquid class "a;b": ' in refusal(made(liquid_classes={key: "a;b"}))


# What the programs that read the file back let pass, or lose: see tests/robots/test_tecan.py.


def test_negative_volumes_are_refused():
    message = refusal(broken(made(), 0, ticks=-450, volume_ul=-45.0))
    assert "A1 (plate 1) would get a volume below 2 µL" in message


@pytest.mark.parametrize("well", ["A0", "A01", "E1", "A7", "AA1", ""])
def test_positions_that_the_plate_lacks_are_refused(well):
    assert f"a plate of 24 wells has no {well} (plate 1)" in refusal(broken(made(), 0, well=well))


@pytest.mark.parametrize("well", ["A0", "A02", "B1", ""])
def test_positions_that_the_trough_lacks_are_refused(well):
    message = refusal(broken(made(), 0, source_well=well))
    assert f"a source plate of 1 wells has no {well} (plate 1)" in message


def test_overfilled_wells_and_drained_sources_are_refused():
    full = broken(made(), 0, ticks=460, volume_ul=46.0)
    assert "A1 (plate 1) would hold more than 100 µL" in refusal(full)
    small = made(source_plate=[{"wells": 1, "well_volume_ul": 300.0, "dead_volume_ul": 30.0}])
    drained = replace(
        small,
        robot=small.robot.model_copy(
            update={
                "source_plates": (
                    small.robot.source_plates[0].model_copy(update={"well_volume_ul": 289.9}),
                )
            }
        ),
    )
    assert "source A1 (plate 1) would give more than 259.9 µL" in refusal(drained)
