import csv
import io
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Plate, Robot, parse
from labloop.errors import DefinitionError, RefusedError
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.robots import SOURCE_TYPES
from labloop.worklists import RoundPlan, echo, round_files

HEADER = (
    "Source Plate Name,Source Plate Barcode,Source Plate Type,Source Well,"
    "Destination Plate Name,Destination Plate Barcode,Destination Plate Type,Destination Well,"
    "Sample Name,Transfer Volume\n"
)

PICKLIST_525 = (
    HEADER
    + """\
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,A1,water,3500
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,A1,water,3475
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,P24,water,4000
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,P24,water,4000
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,P24,water,4000
Source[1],,6RES_AQ_BP2,A1,Destination[1],,384PP_Dest,P24,water,4000
Source[1],,6RES_AQ_BP2,A1,Destination[2],,384PP_Dest,A1,water,4975
Source[2],,384PP_AQ_BP,A1,Destination[1],,384PP_Dest,A1,glucose 100 mM,1000
Source[2],,384PP_AQ_BP,B1,Destination[1],,384PP_Dest,P24,glucose 10 mM,2000
Source[2],,384PP_AQ_BP,C1,Destination[1],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3350
Source[2],,384PP_AQ_BP,C1,Destination[1],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3350
Source[2],,384PP_AQ_BP,D1,Destination[1],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3325
Source[2],,384PP_AQ_BP,A1,Destination[2],,384PP_Dest,A1,glucose 100 mM,3000
Source[2],,384PP_AQ_BP,D1,Destination[2],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3350
Source[2],,384PP_AQ_BP,E1,Destination[2],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3350
Source[2],,384PP_AQ_BP,E1,Destination[2],,384PP_Dest,A1,YiDaoSu 5 ug/mL,3325
"""
)

DECK_525 = """\
\ufeffplate,labware,wells,holds
Source[1],6RES_AQ_BP2,6,water
Source[2],384PP_AQ_BP,384,glucose 100 mM; glucose 10 mM; 胰岛素 5 ug/mL
Destination[1],384PP_Dest,384,plate 1
Destination[2],384PP_Dest,384,plate 2
"""

PICKLIST_550 = (
    HEADER
    + """\
Source[1],,Labcyte_384PP_StdV,A1,Destination[1],,1536LDV_Dest,AF48,water,2897.5
Source[1],,Labcyte_384PP_StdV,B1,Destination[1],,1536LDV_Dest,AF48,glucose 100 mM,100
Source[1],,Labcyte_384PP_StdV,C1,Destination[1],,1536LDV_Dest,AF48,YiDaoSu 5 ug/mL,1002.5
"""
)


def small_round(kind, places, *, wells=384, well_volume_ul=20.0, ticks=(40, 401), robot=()):
    """A round with a formula in each place (plate, well), its stocks taking `ticks`."""
    robot = Robot.model_validate({"kind": kind} | dict(robot))
    plate = Plate(wells=wells, well_volume_ul=well_volume_ul, inoculum_ul=2.0)
    layout = pd.DataFrame(
        [(p, w, "formula", f"R1F{n}", 1) for n, (p, w) in enumerate(places, start=1)],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    recipes = []
    for n in range(1, len(places) + 1):
        odd = n % 2 == 1
        glucose = 100.0 if odd else 10.0
        recipes.append((f"R1F{n}", "glucose", 1.0, 1.0, glucose, ticks[0] * n))
        insulin = (5.0, ticks[1]) if odd else (np.nan, 0)
        recipes.append((f"R1F{n}", "胰岛素", 1.0, 1.0, *insulin))
    recipes = pd.DataFrame(
        recipes,
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    units = {"glucose": "mM", "胰岛素": "ug/mL"}
    dispenses = plan_dispenses(layout, recipes, components=list(units), plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, units, plate, robot)


THREE = ((1, "A1"), (1, "P24"), (2, "A1"))


def broken(plan, row, **values):
    dispenses = plan.dispenses.copy()
    for column, value in values.items():
        dispenses.loc[row, column] = value
    return replace(plan, dispenses=dispenses)


def relabelled(plan, **values):
    return replace(plan, robot=plan.robot.model_copy(update=values))


def refusal(plan):
    with pytest.raises(RefusedError) as refused:
        round_files(plan.robot.kind, plan, stem="r1")
    return str(refused.value)


def definition(**robot):
    return {
        "name": "x",
        "plate": {"wells": 384, "well_volume_ul": 20.0},
        "robot": {"kind": "echo525"} | robot,
        "component": [{"name": "glucose", "unit": "mM", "high": 1.0, "stocks": [100.0]}],
        "response": [{"name": "y"}],
    }


def problems(**robot):
    with pytest.raises(DefinitionError) as refused:
        parse(definition(**robot))
    return list(refused.value.problems)


def test_the_525s_files_to_the_byte():
    files = echo.worklist(small_round("echo525", THREE))
    assert {name: content.decode() for name, content in files.items()} == {
        "echo525.csv": PICKLIST_525,
        "echo525-deck.csv": DECK_525,
        "legend.csv": "\ufefflabel,name\nYiDaoSu,胰岛素\n",
    }


def test_the_550s_picklist_has_fractions_of_a_nanolitre_and_rows_past_z():
    plan = small_round("echo550", ((1, "AF48"),), wells=1536, well_volume_ul=6.0)
    assert echo.worklist(plan)["echo550.csv"].decode() == PICKLIST_550


def test_every_export_has_the_picklist():
    plan = small_round("echo525", THREE)
    files = round_files("echo525", plan, stem="r1")
    assert files["r1-echo525.csv"] == PICKLIST_525.encode()
    assert {"r1-echo525-deck.csv", "r1-deck-list.csv", "r1-legend.csv"} < set(files)


@settings(deadline=None, max_examples=12)
@given(
    st.sampled_from(["echo525", "echo550"]),
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["A1", "H12", "P24", "J9", "B10"])),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    st.tuples(st.integers(1, 60), st.integers(1, 100)),
)
def test_what_is_read_back_is_the_plan_and_each_pair_of_plates_comes_once(kind, places, ticks):
    plan = small_round(kind, places, ticks=ticks)
    text = echo.worklist(plan)[f"{kind}.csv"].decode("ascii")
    rows = list(csv.reader(io.StringIO(text)))[1:]
    step = Decimal(str(plan.robot.increment_ul)) * 1000
    read = sorted((row[0], row[3], row[4], row[7], Decimal(row[9]) / step) for row in rows)
    planned = plan.dispenses[["source_plate", "source_well", "plate", "well", "ticks"]]
    assert read == sorted(
        (f"Source[{source}]", drawn, f"Destination[{plate}]", well, Decimal(int(n)))
        for source, drawn, plate, well, n in planned.itertuples(index=False, name=None)
    )
    pairs = [(row[0], row[4]) for row in rows]
    assert len([pair for n, pair in enumerate(pairs) if pairs[n - 1 : n] != [pair]]) == len(
        set(pairs)
    )


# What kithairon does not see.


def test_a_negative_volume_is_refused():
    plan = broken(small_round("echo525", THREE), 8, ticks=-40, volume_ul=-1.0)
    assert "A1 (plate 2) would get a volume below 0.025 µL" in refusal(plan)


def test_a_well_that_the_plate_lacks_is_refused():
    plan = small_round("echo525", THREE)
    assert "a plate of 384 wells has no Q1 (plate 1)" in refusal(broken(plan, 7, well="Q1"))
    message = refusal(broken(plan, 7, source_well="Q1"))
    assert "a source plate of 384 wells has no Q1 (plate 2)" in message


def test_a_padded_well_is_refused():
    plan = small_round("echo525", THREE)
    assert "a plate of 384 wells has no A01 (plate 1)" in refusal(broken(plan, 7, well="A01"))
    message = refusal(broken(plan, 7, source_well="A01"))
    assert "a source plate of 384 wells has no A01 (plate 2)" in message


def test_a_well_filled_over_its_volume_is_refused():
    message = refusal(broken(small_round("echo525", THREE), 7, ticks=80, volume_ul=2.0))
    assert "A1 (plate 1) would hold more than 20 µL with the inoculum" in message


def test_a_well_filled_over_what_its_type_holds_is_refused():
    two = ((1, "A1"), (1, "A2"))
    plan = small_round("echo525", two, wells=1536, well_volume_ul=6.05, ticks=(10, 20))
    plan_of_other = small_round("echo525", THREE, well_volume_ul=30.0)
    assert refusal(plan) == (
        "The Echo cannot make this round: wells A1, A2: a well of 1536LDV_Dest holds 6 µL, and "
        "well_volume_ul is 6.05; name the type of your plates or lower the volume."
    )
    assert "a well of 384LDV_Dest holds 20 µL, and" in refusal(
        relabelled(plan_of_other, plate_labware="384LDV_Dest")
    )


# What only an Echo refuses.


def test_plates_that_the_echo_has_no_type_for_are_refused_until_they_are_named():
    plan = small_round("echo525", ((1, "A1"),), wells=24)
    assert refusal(plan) == (
        "The Echo cannot make this round: plate_labware: an Echo's list begins with no type for "
        "plates of 24 wells; add yours there and name it."
    )
    files = round_files("echo525", relabelled(plan, plate_labware="My_24"), stem="r1")
    assert b"Destination[1],,My_24,A1,water," in files["r1-echo525.csv"]


def test_a_type_with_other_wells_than_the_rounds_plates_is_refused():
    plan = relabelled(small_round("echo525", THREE), plate_labware="1536LDV_Dest")
    assert refusal(plan) == (
        "The Echo cannot make this round: plate_labware: 1536LDV_Dest has 1536 wells, and the "
        "plates have 384; name their type."
    )


@pytest.mark.parametrize("name", ["Greiner, black", "Ø 384", "384PP_Dest "])
def test_a_type_that_the_picklist_cannot_carry_is_refused(name):
    message = refusal(relabelled(small_round("echo525", THREE), plate_labware=name))
    assert message == (
        f'The Echo cannot make this round: the plate_labware "{name}" holds a character that a '
        "picklist cannot carry; rename the type in the Echo's list with plain letters, digits, "
        "spaces and _ -."
    )


def test_source_plates_that_were_named_anew_are_checked_for_what_they_would_hold():
    plan = relabelled(small_round("echo525", THREE), source_labware="384LDV_Plus_AQ_GP")
    message = refusal(plan)
    assert message == (
        "The Echo cannot make this round: source wells A1, B1, C1, D1, E1 of plate 2 would be "
        "filled with up to 26.7 µL, and a well of 384LDV_Plus_AQ_GP holds 15; name another type or "
        "lower source_well_volume_ul."
    )
    unknown = relabelled(small_round("echo525", THREE), source_labware="384PP_AQBP")
    assert refusal(unknown) == (
        "The Echo cannot make this round: source plate 2: no Echo with drops of 25 nL has source "
        'plates of type "384PP_AQBP"; did you mean "384PP_AQ_BP"?'
    )


def test_a_source_well_that_would_end_below_the_working_range_is_refused():
    plan = small_round("echo525", THREE)
    assert (
        "source wells A1, B1, C1, D1, E1 of plate 2 would end with 19 µL, and the Echo dispenses "
        "from 384PP_AQ_BP down to 20; raise dead_volume_ul"
    ) in refusal(relabelled(plan, dead_volume_ul=19.0))


def test_more_at_once_than_a_source_well_gives_is_refused():
    large = {"max_dispense_ul": 20.0, "most_from_well_ul": 45.0}
    plan = small_round("echo525", ((1, "A1"),), ticks=(440, 100), robot=large)
    assert refusal(plan) == (
        "The Echo cannot make this round: wells A1 would get more at once than the 10 µL that a "
        "well of 384PP_AQ_BP gives; lower max_dispense_ul."
    )


def test_a_lab_may_let_a_well_give_its_whole_working_volume():
    plan = small_round("echo525", THREE, ticks=(160, 100), robot={"most_from_well_ul": 45.0})
    drawn = plan.dispenses[plan.dispenses["stock"] == "glucose"]
    assert set(drawn["source_well"]) == {"A1", "B1"}
    assert f"{drawn['volume_ul'].sum():g}" == "24"
    round_files("echo525", plan, stem="r1")


# What `labloop check` says before.


def test_a_source_plate_is_named_and_brings_its_own_volumes():
    for labware, of_type in SOURCE_TYPES.items():
        kind = "echo525" if of_type.drop_ul == 0.025 else "echo550"
        robot = parse(definition(kind=kind, source_labware=labware)).robot
        usual = robot.usual_source_plate
        assert (usual.wells, usual.well_volume_ul) == (of_type.wells, of_type.well_volume_ul)
        assert usual.dead_volume_ul == of_type.dead_volume_ul
        assert usual.most_from_well_ul == of_type.most_from_well_ul
    robot = parse(definition(source_plate=[{"labware": "384LDV_Plus_AQ_GP"}])).robot
    plate = robot.source_plate(1)
    assert (plate.wells, plate.dead_volume_ul, plate.well_volume_ul) == (384, 3.75, 15.0)
    assert plate.most_from_well_ul == 5.0
    assert robot.source_plate(2).labware == "384PP_AQ_BP"


def test_what_the_user_says_of_a_named_source_plate_counts():
    robot = parse(definition(source_labware="384LDV_Plus_AQ_GP", dead_volume_ul=5.0)).robot
    assert (robot.dead_volume_ul, robot.source_well_volume_ul) == (5.0, 15.0)
    listed = [{"labware": "384PP_AQ_BP"}, {"labware": "6RES_AQ_GPSA2", "well_volume_ul": 2800.0}]
    robot = parse(definition(dead_volume_ul=25.0, source_plate=listed)).robot
    assert robot.source_plate(1).dead_volume_ul == 25.0
    assert robot.source_plate(2).well_volume_ul == 2800.0
    assert robot.source_plate(2).dead_volume_ul == 100.0


def test_the_type_of_a_source_plate():
    types_525 = (
        "384PP_AQ_BP, 384PP_AQ_SP, 384PP_AQ_SP_High, 384PP_Plus_AQ_BP, 384PP_Plus_AQ_SP, "
        "384PP_Plus_AQ_GP, 384PP_Plus_AQ_GPSA, 384PP_Plus_AQ_GPSB, 384LDV_Plus_AQ_GP, 6RES_AQ_BP2, "
        "6RES_AQ_GPSA2, 6RES_AQ_GPSB2"
    )
    assert problems(source_labware="384PP_AQBP") == [
        "[robot], source_labware: no Echo with drops of 25 nL has source plates of type "
        '"384PP_AQBP"; did you mean "384PP_AQ_BP"?'
    ]
    assert problems(source_labware="tube rack") == [
        "[robot], source_labware: no Echo with drops of 25 nL has source plates of type "
        f'"tube rack"; choose {types_525}'
    ]
    assert problems(source_labware="Labcyte_LDV_384") == [
        '[robot], source_labware: "Labcyte_LDV_384" is for drops of 2.5 nL, not of 25 nL as here; '
        f"choose {types_525}"
    ]
    nameless = {"wells": 6, "well_volume_ul": 2800.0, "dead_volume_ul": 250.0}
    assert problems(source_plate=[nameless]) == [
        "[[robot.source_plate]] number 1, labware: an Echo has to know the type of its source "
        f"plates; choose {types_525}"
    ]


def test_the_wells_and_the_working_range_of_a_source_plate():
    assert problems(source_wells=96) == [
        "[robot], source_labware: 384PP_AQ_BP has 384 wells (got 96); correct one of the two"
    ]
    assert problems(source_well_volume_ul=80.0, dead_volume_ul=15.0) == [
        "[robot], source_well_volume_ul: a well of 384PP_AQ_BP holds at most 65 µL (got 80)",
        "[robot], dead_volume_ul: must be at least 20, the least of which the Echo dispenses from "
        "384PP_AQ_BP (got 15)",
    ]
    reservoir = {"labware": "6RES_AQ_BP2", "well_volume_ul": 7000.0, "dead_volume_ul": 50.0}
    assert problems(source_plate=[reservoir]) == [
        "[[robot.source_plate]] number 1, well_volume_ul: a well of 6RES_AQ_BP2 holds at most "
        "5978 µL (got 7000)",
        "[[robot.source_plate]] number 1, dead_volume_ul: must be at least 100, the least of which "
        "the Echo dispenses from 6RES_AQ_BP2 (got 50)",
    ]


@pytest.mark.parametrize(
    ("kind", "increment", "drop"),
    [("echo525", 0.0025, 25), ("echo525", 0.04, 25), ("echo550", 0.001, 2.5)],
)
def test_volumes_that_are_not_whole_drops(kind, increment, drop):
    assert problems(kind=kind, increment_ul=increment) == [
        f"[robot], increment_ul: must be a whole number of drops of {drop} nL "
        f"(got {increment * 1000:g} nL)"
    ]


def test_several_drops_may_be_one_increment():
    assert parse(definition(increment_ul=0.05, min_dispense_ul=0.05)).robot.increment_ul == 0.05


def test_what_a_source_well_gives_at_once():
    assert problems(max_dispense_ul=20.0) == [
        "[robot], max_dispense_ul: must be at most 10, what a well of 384PP_AQ_BP gives at once "
        "(got 20)"
    ]


@pytest.mark.parametrize(
    ("plate", "robot", "problem"),
    [
        (
            {"wells": 384, "well_volume_ul": 80.0},
            {"plate_labware": "384PP_Dest"},
            "a well of 384PP_Dest holds 50 µL, and well_volume_ul is 80; name the type of your "
            "plates or lower the volume",
        ),
        (
            {"wells": 96, "well_volume_ul": 20.0},
            {"plate_labware": "384LDV_Dest"},
            "384LDV_Dest has 384 wells, and the plates have 96; name their type",
        ),
    ],
)
def test_the_type_of_the_plates(plate, robot, problem):
    with pytest.raises(DefinitionError) as refused:
        parse(definition(**robot) | {"plate": plate})
    assert list(refused.value.problems) == [f"[robot], plate_labware: {problem}"]
    for other in ({}, {"plate_labware": "Corning_3701"}):
        parse(definition(**other) | {"plate": plate})
