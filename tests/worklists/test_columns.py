import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.csv_profiles import FIELDS, PROFILES
from labloop.definition import Plate, Robot
from labloop.definition.models import CsvSettings
from labloop.errors import RefusedError
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.plate.layout import arrange
from labloop.worklists import RoundPlan, columns
from labloop.worklists.columns import _parts

BIOMEK = b"""\
Source Position,Source Well,Destination Position,Destination Well,Transfer Volume [uL]
P1,A1,P2,A1,42.5
P1,A1,P2,A1,42.5
P1,A1,P2,A2,45
P1,A1,P2,A2,45
P1,A1,P3,D6,42.5
P1,A1,P3,D6,42.5
P1,B1,P2,A1,5
P1,C1,P3,D6,5
"""

BIOMEK_DECK = b"""\
position,labware
P1,source plate 1
P2,plate 1
P3,plate 2
"""

HAMILTON = b"""\
Source Plate Name,Source Well,Destination Plate Name,Destination Well,Transfer Volume
Source1,A1,Plate1,A1,42.5
Source1,A1,Plate1,A1,42.5
Source1,A1,Plate1,A2,45
Source1,A1,Plate1,A2,45
Source1,A1,Plate2,D6,42.5
Source1,A1,Plate2,D6,42.5
Source1,B1,Plate1,A1,5
Source1,C1,Plate2,D6,5
"""

HAMILTON_DECK = b"""\
name,stands_for,number,position,labware,wells
Source1,source plate 1,1,P1,,24
Plate1,plate 1,1,P2,,24
Plate2,plate 2,2,P3,,24
"""

NIMBUS = b"""\
Source Labware ID,Source Position ID,Volume (uL),Destination Labware ID,Destination Position ID,\
Change Tip Before
Tubes,A1,42.5,Cos_24_0001,A1,0
Tubes,A1,42.5,Cos_24_0001,A1,0
Tubes,A1,45,Cos_24_0001,A2,0
Tubes,A1,45,Cos_24_0001,A2,0
Tubes,A1,42.5,Cos_24_0002,D6,0
Tubes,A1,42.5,Cos_24_0002,D6,0
Tubes,B1,5,Cos_24_0001,A1,1
Tubes,C1,5,Cos_24_0002,D6,1
"""

NIMBUS_DECK = b"""\
name,stands_for,number,position,labware,wells
Tubes,source plate 1,1,P1,Tubes,24
Cos_24_0001,plate 1,1,P2,Cos_24,24
Cos_24_0002,plate 2,2,P3,Cos_24,24
"""

EPMOTION = b"""\
Source Rack,Source Well,Destination Rack,Destination Well,Transfer Volume,Tool
1,A1,1,A1,42.5,TS_50
1,A1,1,A1,42.5,TS_50
1,A1,1,A2,45,TS_50
1,A1,1,A2,45,TS_50
1,A1,2,D6,42.5,TS_50
1,A1,2,D6,42.5,TS_50
1,B1,1,A1,5,TS_50
1,C1,2,D6,5,TS_50
"""

EPBLUE = b"""\
Labware,Src.Barcode,Src.List Name,Dest.Barcode,Dest.List Name,,,
,,,,,,,
,,,,,,,
,,,,,,,
,,,,,,,
,,,,,,,
Barcode ID,Labware,Source,Labware,Destination,Volume,Tool,Name
,1,A1,1,A1,42.5,TS_50,water
,1,A1,1,A1,42.5,TS_50,water
,1,A1,1,A2,45,TS_50,water
,1,A1,1,A2,45,TS_50,water
,1,A1,2,D6,42.5,TS_50,water
,1,A1,2,D6,42.5,TS_50,water
,1,B1,1,A1,5,TS_50,glucose 100 mM
,1,C1,2,D6,5,TS_50,glucose 10 mM
"""


def for_robot(plan, kind, profile=None, own=(), **keys):
    settings = CsvSettings(profile=profile, columns=dict(own))
    robot = plan.robot.model_copy(update={"kind": kind, "csv": settings} | keys)
    return replace(plan, robot=robot)


def written(plan, own, **keys):
    """The lines that the user's own columns give."""
    files = columns.worklist(for_robot(plan, "hamilton", own=own, **keys))
    return list(csv.reader(io.StringIO(files["hamilton.csv"].decode("latin-1"), newline="")))


def cells(plan, field, **keys):
    return [line[0] for line in written(plan, {"x": field}, **keys)[1:]]


def crlf(text):
    return text.replace(b"\n", b"\r\n")


def test_biomek_to_the_byte(plan):
    assert columns.worklist(plan) == {"biomek.csv": BIOMEK, "biomek-deck.csv": BIOMEK_DECK}


def test_hamilton_to_the_byte(plan):
    assert columns.worklist(for_robot(plan, "hamilton")) == {
        "hamilton.csv": crlf(HAMILTON),
        "hamilton-deck.csv": HAMILTON_DECK,
    }


def test_nimbus_to_the_byte(plan):
    labware = {"source_labware": "Tubes", "plate_labware": "Cos_24"}
    assert columns.worklist(for_robot(plan, "hamilton", "nimbus", **labware)) == {
        "hamilton.csv": crlf(NIMBUS),
        "hamilton-deck.csv": NIMBUS_DECK,
    }


def test_epmotion_to_the_byte(plan):
    assert columns.worklist(for_robot(plan, "epmotion")) == {
        "epmotion.csv": crlf(EPMOTION),
        "epmotion-deck.csv": HAMILTON_DECK,
    }


def test_epblue_to_the_byte(plan):
    assert columns.worklist(for_robot(plan, "epmotion", "epblue")) == {
        "epmotion.csv": crlf(EPBLUE),
        "epmotion-deck.csv": HAMILTON_DECK,
    }


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_can_be_a_column(plan, field):
    keys = {"source_labware": "T", "plate_labware": "P", "liquid_classes": {"default": "Water"}}
    assert len(cells(plan, field, **keys)) == len(plan.dispenses)


def test_profiles_are_made_of_fields():
    for profile in PROFILES.values():
        assert {f for _, f in profile.columns if not f.startswith("=")} <= set(FIELDS)


def test_own_columns_stand_in_the_users_order(plan):
    own = {
        "Vol, nL": "volume_nl",
        "Quelle": "source_well_down",
        "Ziel [µ]": "well_along",
        "Class": "=HighVolume",
        "": "=",
        "Ziel0": "well0",
        "Tip": "new_tip",
        "z": "=-5",
    }
    read = written(plan, own)
    assert read[0] == list(own)
    assert read[5] == ["42500", "1", "24", "HighVolume", "", "D06", "0", "-5"]
    assert read[7] == ["5000", "2", "1", "HighVolume", "", "A01", "1", "-5"]


def test_what_a_dispense_is_of_and_for(plan):
    assert cells(plan, "stock")[5:] == ["water", "glucose", "glucose"]
    assert cells(plan, "concentration")[5:] == ["", "100", "10"]
    assert cells(plan, "unit")[5:] == ["", "mM", "mM"]
    assert cells(plan, "formula") == ["R1F1", "R1F1", "ref", "ref", "R1F2", "R1F2", "R1F1", "R1F2"]
    assert cells(plan, "row") == ["1", "2", "3", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize("unit", ["\u00b5M", "\u03bcM"])
def test_micro_of_either_spelling_is_u(plan, unit):
    spelt = replace(plan, units={"glucose": unit})
    assert cells(spelt, "unit")[-1] == "uM"
    assert cells(spelt, "stock_title")[-1] == "glucose 10 uM"


def test_tips_are_changed_between_stocks_or_dispenses(plan):
    assert "".join(cells(plan, "new_tip")) == "10000011"
    assert "".join(cells(plan, "change_tip")) == "00000011"
    assert "".join(cells(plan, "change_tip", tips="dispense")) == "01111111"


def test_liquid_classes_are_the_stocks_own_or_the_default(plan):
    classes = {"default": "Water", "glucose": "Glycerol"}
    assert cells(plan, "liquid_class", liquid_classes=classes)[5:] == [
        "Water",
        "Glycerol",
        "Glycerol",
    ]


@pytest.mark.parametrize("key", ["water", "diluent"])
def test_the_diluent_has_its_own_liquid_class_under_either_name(plan, key):
    classes = {"default": "Glycerol", key: "Water"}
    found = cells(plan, "liquid_class", liquid_classes=classes)
    assert found == ["Water"] * 6 + ["Glycerol"] * 2


def test_a_stock_without_a_liquid_class_is_refused(plan):
    with pytest.raises(RefusedError) as refusal:
        cells(plan, "liquid_class", liquid_classes={"glucose": "Glycerol"})
    assert str(refusal.value) == (
        "[robot.csv] wants a column of liquid classes, and water has none; give it one or set "
        "default under [robot.liquid_classes]."
    )


def test_a_column_of_labware_without_a_name_is_refused(plan):
    with pytest.raises(RefusedError) as refusal:
        cells(plan, "source_labware")
    assert str(refusal.value) == (
        "[robot.csv] wants a column of source_labware, and campaign.toml names no labware for it; "
        "set source_labware under [robot]."
    )


@pytest.mark.parametrize("name", ["Platte №5", "=cmd", "two\nlines"])
def test_labware_that_the_file_cannot_carry_is_refused(plan, name):
    with pytest.raises(RefusedError, match="The worklist cannot carry the labware's name"):
        columns.worklist(for_robot(plan, "hamilton", plate_labware=name))


def test_two_plates_of_one_name_are_refused(plan):
    labware = {"source_labware": "a_0002", "plate_labware": "A"}
    with pytest.raises(RefusedError) as refusal:
        columns.worklist(for_robot(plan, "hamilton", **labware))
    assert str(refusal.value) == (
        'Two plates on the deck would be called "a_0002"; give source_labware and plate_labware '
        "under [robot] other names."
    )


def test_labware_with_separators_is_quoted(plan):
    read = written(plan, {"x": "plate", "y": "well"}, plate_labware='Deep, "96"')
    assert read[1] == ['Deep, "96"_0001', "A1"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("salt, dry", "salt dry"),
        ('"x"', "x"),
        ("葡萄糖", "PuTaoTang"),
        ("=1+1", "1+1"),
        ("+x", "x"),
        ("-x", "x"),
        ("@x", "x"),
        ("crème", "creme"),
    ],
)
def test_names_are_labels_with_a_legend(plan, name, label):
    renamed = replace(
        plan,
        dispenses=plan.dispenses.replace({"stock": {"glucose": name}}),
        units={name: "mM", "peptone": "g/L"},
    )
    files = columns.worklist(for_robot(renamed, "hamilton", own={"stock": "stock"}))
    assert files["hamilton.csv"].decode("ascii").splitlines()[-1] == label
    legend = list(csv.DictReader(io.StringIO(files["legend.csv"].decode("utf-8-sig"))))
    assert [(row["label"], row["name"].lstrip("'")) for row in legend] == [(label, name)]


def test_the_unit_in_a_title_is_no_name(plan):
    by_mass = replace(plan, units=plan.units | {"glucose": "g/L"})
    files = columns.worklist(for_robot(by_mass, "hamilton", own={"stock": "stock_title"}))
    assert files["hamilton.csv"].decode("ascii").splitlines()[-1] == "glucose 10 g/L"
    assert "legend.csv" not in files


def test_long_names_that_differ_in_the_last_letter_stay_apart(plan):
    names = ["x" * 39 + "a", "x" * 39 + "b"]
    rows = plan.dispenses["stock"] == "glucose"
    dispenses = plan.dispenses.copy()
    dispenses.loc[rows, "stock"] = names
    renamed = replace(plan, dispenses=dispenses, units=dict.fromkeys(names, "mM"))
    assert cells(renamed, "stock")[6:] == [
        "xxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxa",
        "xxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxb",
    ]


def big_round(wells, kind, plates=1, stocks=3, **keys):
    """A round that fills its plates with one formula of several stocks."""
    plate = Plate(wells=wells, well_volume_ul=100.0)
    robot = Robot(kind=kind, source_wells=24, source_well_volume_ul=1e6, **keys)
    names = [f"c{n}" for n in range(stocks)]
    layout = arrange(["F"], {}, wells=wells, replicates=wells * plates, seed=0)
    rows = [("F", name, 1.0, 1.0, 10.0, 15 + n) for n, name in enumerate(names)]
    recipes = pd.DataFrame(
        rows,
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    dispenses = plan_dispenses(layout, recipes, components=names, plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, dict.fromkeys(names, "mM"), plate, robot)


def test_epmotion_methods_have_at_most_500_rows_and_divide_between_stocks():
    plan = big_round(96, "epmotion", stocks=12)
    files = columns.worklist(plan)
    methods = [content for name, content in files.items() if name != "epmotion-deck.csv"]
    assert list(files)[:-1] == ["epmotion-1-of-3.csv", "epmotion-2-of-3.csv", "epmotion-3-of-3.csv"]
    lines = [method.decode().splitlines() for method in methods]
    assert [len(method) - 1 for method in lines] == [480, 480, 288]
    assert {method[0] for method in lines} == {crlf(EPMOTION).decode().splitlines()[0]}
    assert "epmotion-01-of-13.csv" in columns.worklist(big_round(1536, "epmotion", stocks=3))
    numbered = columns.worklist(for_robot(plan, "epmotion", own={"n": "row"}))
    rows = [n for name, method in numbered.items() if name != "epmotion-deck.csv"
            for n in method.decode().split()[1:]]  # fmt: skip
    assert rows == [str(n) for n in range(1, len(plan.dispenses) + 1)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 20))
def test_parts_keep_the_order_and_divide_stocks_only_where_they_must(counts, most):
    stocks = [n for n, count in enumerate(counts) for _ in range(count)]
    frame = pd.DataFrame({"stock": [f"s{n}" for n in stocks], "stock_concentration": np.nan})
    plan = RoundPlan(frame, frame, frame, {}, Plate(), Robot())
    lines = [(str(n),) for n in stocks]
    parts = list(_parts(plan, lines, most))
    assert [line for part in parts for line in part] == lines
    assert all(0 < len(part) <= most for part in parts)
    for n, count in enumerate(counts):
        assert sum((str(n),) in part for part in parts) == -(-count // most)


def test_tools_are_the_smallest_that_make_the_volume(plan):
    dispenses = plan.dispenses.copy()
    dispenses["ticks"] = [10, 500, 501, 3000, 3001, 10000, 100, 99]
    some = replace(plan, dispenses=dispenses)
    assert cells(some, "tool") == [
        "TS_50", "TS_50", "TS_300", "TS_300", "TS_1000", "TS_1000", "TS_50", "TS_50",
    ]  # fmt: skip
    assert cells(some, "tool", pipettes=("TS_1000", "TS_10", "TS_50"))[:3] == [
        "TS_10",
        "TS_50",
        "TS_1000",
    ]


def test_a_volume_that_no_tool_makes_is_refused(plan):
    with pytest.raises(RefusedError) as refusal:
        columns.worklist(for_robot(plan, "epmotion", pipettes=("TS_300",)))
    assert str(refusal.value) == (
        "None of the tools TS_300 makes the 5 µL for A1 (plate 1), D6 (plate 2); list a tool that "
        "does in pipettes under [robot]."
    )


@pytest.mark.parametrize(("increment", "ticks", "ul", "nl"), [
    (0.025, 3, "0.075", "75"),
    (0.0025, 1, "0.0025", "2.5"),
    (0.1, 10_000_003, "1000000.3", "1000000300"),
    (1e-05, 1, "0.00001", "0.01"),
    (20.0, 5, "100", "100000"),
])  # fmt: skip
def test_volumes_are_exact(plan, increment, ticks, ul, nl):
    some = replace(plan, dispenses=plan.dispenses.assign(ticks=ticks))
    assert set(cells(some, "volume_ul", increment_ul=increment)) == {ul}
    assert set(cells(some, "volume_nl", increment_ul=increment)) == {nl}


def test_several_plates_and_source_plates_of_1536_wells():
    plan = big_round(1536, "hamilton", plates=2, source_plate=[
        {"wells": 1, "well_volume_ul": 1e6, "dead_volume_ul": 0.0, "labware": "Trough",
         "holds": ["diluent"]},
        {"wells": 384, "well_volume_ul": 1e6, "dead_volume_ul": 0.0, "labware": "Trough"},
    ])  # fmt: skip
    own = {"s": "source_plate", "sw": "source_well", "p": "plate_position", "w": "well_down",
           "a": "well_along", "v": "volume_ul"}  # fmt: skip
    read = written(plan, own)[1:]
    assert {tuple(line[:2]) for line in read} == {
        ("Trough_0001", "A1"), ("Trough_0002", "A1"), ("Trough_0002", "B1"), ("Trough_0002", "C1"),
    }  # fmt: skip
    assert {line[2] for line in read} == {"P3", "P4"}
    assert read[-1][3:5] == ["1536", "1536"]
    well = list(plan.dispenses["well"]).index("AF1")
    assert read[well][3:5] == ["32", str(31 * 48 + 1)]
    assert len(read) == len(plan.dispenses) == 2 * 1536 * 4
