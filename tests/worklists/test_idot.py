import csv
import io
from collections import Counter
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
from labloop.worklists import RoundPlan, idot, round_files

SETTINGS = (
    b"DispenseToWaste=True,DispenseToWasteCycles=3,DispenseToWasteVolume=1e-7,UseDeionisation=True,"
    b"OptimizationLevel=ReorderAndParallel,WasteErrorHandlingLevel=Ask,SaveLiquids=Ask,\r\n"
    b"Source Well,Target Well,Volume [uL],Liquid Name,,,,\r\n"
)
HEADER = b"labloop,1.7.2021.1105,<User Name>,01/01/2000,00:00,,,\r\n"

ONE_SOURCE_PLATE = (
    HEADER
    + b"S.100 Plate,Source Plate 1,,8.00E-05,MWP 96,Target Plate 1,,Waste Tube\r\n"
    + SETTINGS
    + b"A1,A1,9,water,,,,\r\n"
    + b"A1,B2,8.75,water,,,,\r\n"
    + b"B1,B2,0.25,glucose 400 mM,,,,\r\n"
    + b"S.100 Plate,Source Plate 1,,8.00E-05,MWP 96,Target Plate 2,,Waste Tube\r\n"
    + SETTINGS
    + b"A1,H12,8.992,water,,,,\r\n"
    + b"C1,H12,0.008,glucose 100 mM,,,,\r\n"
)

TWO_SOURCE_PLATES = (
    HEADER
    + b"S.200 Plate,Source Plate 1,,1.60E-04,MWP 96,Target Plate 1,,Waste Tube\r\n"
    + SETTINGS
    + b"B1,B2,0.25,glucose 400 mM,,,,\r\n"
    + b"S.200 Plate,Source Plate 1,,1.60E-04,MWP 96,Target Plate 2,,Waste Tube\r\n"
    + SETTINGS
    + b"A1,H12,0.008,glucose 100 mM,,,,\r\n"
    + b"S.100 Plate,Source Plate 2,,8.00E-05,MWP 96,Target Plate 1,,Waste Tube\r\n"
    + SETTINGS
    + b"A1,A1,9,water,,,,\r\n"
    + b"A1,B2,8.75,water,,,,\r\n"
    + b"S.100 Plate,Source Plate 2,,8.00E-05,MWP 96,Target Plate 2,,Waste Tube\r\n"
    + SETTINGS
    + b"A1,H12,8.992,water,,,,\r\n"
)


def made(*, name="glucose", wells=96, filled=("A1", "B2"), **robot):
    """A control and two formulas on two plates of 10 µL with 1 µL of inoculum."""
    plate = Plate(wells=wells, well_volume_ul=10.0, inoculum_ul=1.0, controls={"ref": 1})
    robot = Robot.model_validate({"kind": "idot"} | robot)
    layout = pd.DataFrame(
        [
            (1, filled[0], "control", "ref", 1),
            (1, filled[1], "formula", "R1F1", 1),
            (2, column_major(wells)[-1], "formula", "R1F2", 1),
        ],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    recipes = pd.DataFrame(
        [
            ("R1F1", name, 10.0, 10.0, 400.0, 250),
            ("R1F2", name, 0.08, 0.08, 100.0, 8),
            ("ref", name, 0.0, 0.0, np.nan, 0),
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    dispenses = plan_dispenses(layout, recipes, components=[name], plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, {name: "mM"}, plate, robot)


PLAN = made()
TROUGH = {"wells": 1, "well_volume_ul": 5.0, "dead_volume_ul": 1.0, "labware": "Trough"}


def dispensed(files):
    """The dispenses of a file as (source plate, source well, plate, well, µL)."""
    found, plates = [], ("", "")
    for row in csv.reader(io.StringIO(files["idot.csv"].decode("ascii"), newline="")):
        if row[1].startswith("Source Plate "):
            plates = row[1].removeprefix("Source Plate "), row[5].removeprefix("Target Plate ")
        elif row[3:] != [] and row[0][0] in "ABCDEFGH" and row[0][1:].isdigit():
            found.append((int(plates[0]), row[0], int(plates[1]), row[1], Decimal(row[2])))
    return found


def refusal(plan):
    with pytest.raises(RefusedError) as refused:
        round_files("idot", plan, stem="r1")
    return str(refused.value)


def test_a_worklist_for_two_plates_to_the_byte():
    assert idot.worklist(PLAN) == {"idot.csv": ONE_SOURCE_PLATE}


def test_a_worklist_from_two_source_plates_to_the_byte():
    listed = {
        "wells": 96,
        "well_volume_ul": 160.0,
        "dead_volume_ul": 4.0,
        "labware": "S.200 Plate",
        "holds": ["glucose"],
    }
    # The weaker stock stands before the stronger, where the user puts it.
    place = {"stock": "glucose", "concentration": 100.0, "wells": ["A1"]}
    plan = made(source_plate=[listed], place=[place])
    assert idot.worklist(plan) == {"idot.csv": TWO_SOURCE_PLATES}


@pytest.mark.parametrize(
    "robot",
    [
        {},
        {"source_well_volume_ul": 11.5, "max_dispense_ul": 2.5},
        {"source_plate": [TROUGH]},
    ],
    ids=["one source plate", "drained source wells", "a small trough before it"],
)
def test_dispenses_read_back_are_the_plan(robot):
    plan = made(**robot)
    found = Counter()
    for source_plate, source_well, plate, well, volume in dispensed(idot.worklist(plan)):
        found[source_plate, source_well, plate, well] += volume * 1000
    keys = ["source_plate", "source_well", "plate", "well"]
    assert found == plan.dispenses.groupby(keys)["ticks"].sum().to_dict()


@settings(max_examples=50)
@given(
    st.sampled_from([0.001, 0.0001, 0.0025, 0.01, 0.1, 1.0]),
    st.lists(st.integers(80, 2_000_000), min_size=1, max_size=100),
)
def test_volumes_are_exact_and_never_in_powers_of_ten(increment, ticks):
    rows = PLAN.dispenses.iloc[[0] * len(ticks)].reset_index(drop=True).assign(ticks=ticks)
    robot = PLAN.robot.model_copy(update={"increment_ul": increment})
    files = idot.worklist(replace(PLAN, dispenses=rows, robot=robot))
    written = [volume for *_, volume in dispensed(files)]
    assert written == [Decimal(str(increment)) * each for each in ticks]
    assert b"E+" not in files["idot.csv"]


@pytest.mark.parametrize("wells", [96, 384])
def test_wells_are_unpadded(wells):
    plan = made(wells=wells, filled=("A1", "B2"))
    names = {well for *_, well, _ in dispensed(idot.worklist(plan))}
    assert names == {"A1", "B2", column_major(wells)[-1]}


def test_the_rows_of_1536_wells_are_four_to_a_letter():
    rows = PLAN.dispenses.iloc[[0] * 1536].reset_index(drop=True)
    rows = rows.assign(well=list(column_major(1536)))
    files = idot.worklist(replace(made(wells=1536), dispenses=rows))
    named = [well for *_, well, _ in dispensed(files)]
    assert named[:5] == ["Aa1", "Ab1", "Ac1", "Ad1", "Ba1"]
    assert named[26] == "Gc1"  # AA1
    assert named[-1] == "Hd48"  # AF48
    assert len({well.upper() for well in named}) == 1536
    assert b",MWP 1536," in files["idot.csv"]


def test_names_that_the_file_cannot_carry_become_labels_with_a_legend():
    for name in ("葡萄糖", "salts, mixed", 'sodium "citrate"', "x" * 33):
        files = idot.worklist(made(name=name))
        text = files["idot.csv"].decode("ascii")
        assert name not in text
        assert '"' not in text
        label = text.splitlines()[6].split(",")[3].removesuffix(" 400 mM")
        row = next(csv.DictReader(io.StringIO(files["legend.csv"].decode("utf-8-sig"))))
        assert row == {"label": label, "name": name}
    assert set(idot.worklist(made(name="D-glucose; 40 %"))) == {"idot.csv"}


def test_volumes_below_8_nl_are_refused():
    plan = made(min_dispense_ul=0.001)
    idot.worklist(plan)
    dispenses = plan.dispenses.assign(ticks=[9000, 8750, 8993, 250, 7])
    small = replace(plan, dispenses=dispenses.assign(volume_ul=dispenses["ticks"] / 1000))
    assert refusal(small) == (
        "The I.DOT dispenses no less than 8 nL, and H12 (plate 2) would get less; export to "
        '"manual", or set min_dispense_ul under [robot] to 0.008 or more before the next round is '
        "proposed."
    )


def test_dead_volumes_that_the_waste_takes_are_refused():
    idot.worklist(made(dead_volume_ul=0.6))
    assert refusal(made(dead_volume_ul=0.5)) == (
        "The I.DOT sheds 0.6 µL of source plate 1's A1 into the waste, 0.3 µL before each plate, "
        'which is more than their dead volume of 0.5 µL; export to "manual", or set dead_volume_ul '
        "under [robot] to 0.6 or more before the next round is proposed."
    )


def test_plates_without_a_usual_name_need_one():
    assert refusal(made(wells=24)) == (
        "No usual I.DOT plate of 24 wells is known; set plate_labware under [robot] to the name "
        "that Assay Studio has for yours."
    )
    assert b",24 deep," in idot.worklist(made(wells=24, plate_labware="24 deep"))["idot.csv"]
    assert "384 wells is known; set source_labware under" in refusal(made(source_wells=384))
    nameless = TROUGH | {"labware": ""}
    message = "1 well is known; set labware of [[robot.source_plate]] number 1 to"
    assert message in refusal(made(source_plate=[nameless]))


@pytest.mark.parametrize("name", ["plate, flat", 'a "plate"', "Mikrotiterplatte für Zellen", "\n"])
def test_plate_names_that_the_file_cannot_carry_are_refused(name):
    assert refusal(made(plate_labware=name)) == (
        f'The I.DOT\'s file cannot carry the plate type "{name}", which has a comma, a quote or '
        "letters beyond ASCII; rename it in Assay Studio and set plate_labware under [robot] to "
        "the new name."
    )


def test_negative_volumes_and_wells_that_the_plate_lacks_are_refused():
    for column, value, message in (
        ("volume_ul", -1.0, "A1 (plate 1) would get a volume below 0.008 µL"),
        ("well", "A0", "a plate of 96 wells has no A0 (plate 1)"),
        ("well", "A01", "a plate of 96 wells has no A01 (plate 1)"),
        ("source_well", "I1", "a source plate of 96 wells has no I1 (plate 1)"),
    ):
        dispenses = PLAN.dispenses.copy()
        dispenses.loc[0, column] = value
        assert message in refusal(replace(PLAN, dispenses=dispenses))


def test_the_same_round_gives_the_same_bytes():
    assert idot.worklist(made()) == idot.worklist(PLAN)
