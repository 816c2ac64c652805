"""No program but the Mantis's own reads a dispense list: bytes are compared with golden ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Plate, Robot, parse
from labloop.errors import DefinitionError, RefusedError
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.wells import column_major, well_names
from labloop.worklists import RoundPlan, mantis, round_files

LIST_96 = """\
[ Version: 5 ]
PT3-96-Assay.pd.txt
3\t0\t\t0\t\t0\t
1
3\t0\t\t0\t\t0\t
water\t\tNormal
Well\t1
49.6\t45.6\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
Glucose 1000 mM\t\tNormal
Well\t1
4.0\t8.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
YiDaoSu 5 ug/mL\t\tNormal
Well\t1
0.4\t0.4\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0\t0.0
""".replace("\n", "\r\n")

ZEROS_384 = "\t".join(["0.0"] * 24) + "\n"
LIST_384 = (
    "[ Version: 5 ]\nPT9-384-Assay.pd.txt\n3\t0\t\t0\t\t0\t\n1\n3\t0\t\t0\t\t0\t\n"
    "water\t\tNormal\nWell\t1\n"
    + ZEROS_384 * 15
    + "\t".join(["0.0"] * 23 + ["29.6"])
    + "\nGlucose 1000 mM\t\tNormal\nWell\t1\n"
    + ZEROS_384 * 15
    + "\t".join(["0.0"] * 23 + ["4.0"])
    + "\nYiDaoSu 5 ug/mL\t\tNormal\nWell\t1\n"
    + ZEROS_384 * 15
    + "\t".join(["0.0"] * 23 + ["0.4"])
    + "\n"
).replace("\n", "\r\n")

DECK = """\
\ufeffreagent,stock,stock_concentration,unit,volume_ul,chip,chip_dead_volume_ul,fill_volume_ul,note
water,water,,,95.2,LV,10,105.2,up to 49.6 uL in tenths: slow on this chip
Glucose 1000 mM,Glucose,1000,mM,12,HV,25,37,
YiDaoSu 5 ug/mL,胰岛素,5,ug/mL,0.8,LV,10,10.8,
"""


def small_round(places, *, wells=96, well_volume_ul=56.0, insulin=4, glucose=40, **robot):
    """A round with a formula in each place (plate, well), with more glucose from one to the next.

    `glucose` and `insulin` are in ticks of 0.1 µL.
    """
    robot = Robot.model_validate({"kind": "mantis"} | robot)
    plate = Plate(wells=wells, well_volume_ul=well_volume_ul, inoculum_ul=2.0)
    layout = pd.DataFrame(
        [(p, w, "formula", f"R1F{n}", 1) for n, (p, w) in enumerate(places, start=1)],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    recipes = [
        row
        for n in range(1, len(places) + 1)
        for row in (
            (f"R1F{n}", "Glucose", 1.0, 1.0, 1000.0, glucose * n),
            (f"R1F{n}", "胰岛素", 1.0, 1.0, 5.0 if insulin else np.nan, insulin),
        )
    ]
    recipes = pd.DataFrame(
        recipes,
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    units = {"Glucose": "mM", "胰岛素": "ug/mL"}
    dispenses = plan_dispenses(layout, recipes, components=list(units), plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, units, plate, robot)


def refusal(plan):
    with pytest.raises(RefusedError) as refused:
        round_files("mantis", plan, stem="r1")
    return str(refused.value)


def volumes_in(content):
    """{(reagent, number of the well along the rows): text} of a dispense list, zeros left out."""
    lines = content.decode("ascii").split("\r\n")
    starts = [n for n, line in enumerate(lines) if line.endswith("\t\tNormal")]
    read = {}
    for start, stop in zip(starts, [*starts[1:], len(lines) - 1], strict=True):
        cells = "\t".join(lines[start + 2 : stop]).split("\t")
        reagent = lines[start].split("\t")[0]
        read |= {(reagent, n): cell for n, cell in enumerate(cells) if cell != "0.0"}
    return read


def test_a_plate_of_96_to_the_byte():
    plan = small_round(((1, "A1"), (1, "A2")))
    assert {name: content.decode() for name, content in mantis.worklist(plan).items()} == {
        "mantis-plate-1.dl.txt": LIST_96,
        "mantis-deck.csv": DECK,
        "legend.csv": "\ufefflabel,name\nYiDaoSu,胰岛素\n",
    }


def test_a_plate_of_384_to_the_byte():
    plan = small_round(((1, "P24"),), wells=384, well_volume_ul=36.0)
    assert mantis.worklist(plan)["mantis-plate-1.dl.txt"].decode() == LIST_384


def test_each_plate_has_its_file_with_the_reagents_that_it_takes():
    plan = small_round(((1, "A1"), (3, "H12")), insulin=0)
    files = round_files("mantis", plan, stem="r1")
    lists = [name for name in files if name.endswith(".dl.txt")]
    assert lists == ["r1-mantis-plate-1.dl.txt", "r1-mantis-plate-3.dl.txt"]
    assert volumes_in(files[lists[1]]) == {("water", 95): "46.0", ("Glucose 1000 mM", 95): "8.0"}
    assert files[lists[1]].startswith(
        b"[ Version: 5 ]\r\nPT3-96-Assay.pd.txt\r\n2\t0\t\t0\t\r\n1\r\n2\t0\t\t0\t\r\nwater\t\t"
    )


@settings(deadline=None, max_examples=12)
@given(
    st.sets(st.sampled_from(column_major(96)), min_size=1, max_size=20),
    st.integers(1, 90),
    st.integers(1, 300),
)
def test_what_is_read_back_is_the_plan(wells, insulin, glucose):
    wells = sorted(wells)
    plan = small_round(
        [(1, well) for well in wells],
        well_volume_ul=1000.0,
        insulin=insulin,
        glucose=glucose,
        max_dispense_ul=50.0,
    )
    read = volumes_in(mantis.worklist(plan)["mantis-plate-1.dl.txt"])
    planned = plan.dispenses.groupby(["stock", "well"])["ticks"].sum()
    label = {"water": "water", "Glucose": "Glucose 1000 mM", "胰岛素": "YiDaoSu 5 ug/mL"}
    order = well_names(96)
    assert read == {
        (label[stock], order.index(well)): f"{ticks // 10}.{ticks % 10}"
        for (stock, well), ticks in planned.items()
    }


def test_a_stock_in_several_source_wells_is_one_reagent_with_its_total():
    plan = small_round(
        ((1, "A1"), (1, "A2")), insulin=0, source_well_volume_ul=60.0, max_dispense_ul=30.0
    )
    drawn = plan.dispenses.loc[plan.dispenses["stock"] == "water", "source_well"]
    assert list(drawn.unique()) == ["A1", "B1", "C1", "D1"]
    deck = mantis.worklist(plan)["mantis-deck.csv"].decode()
    assert (
        "\nwater,water,,,96,HV,25,121,more than the 60 uL of one source well: feed the chip from a "
        "larger vessel or refill it\n"
    ) in deck
    assert deck.count("water,water") == 1


@pytest.mark.parametrize("wells", [24, 48, 1536])
def test_plates_that_the_mantis_has_no_file_for_are_refused_until_one_is_named(wells):
    plan = small_round(((1, "A1"),), wells=wells, well_volume_ul=12.0)
    assert refusal(plan) == (
        f"A Mantis brings no plate file for {wells} wells, only for 96 and 384; name the one that "
        'you made for your plates under [robot], as in plate_labware = "my plate.pd.txt".'
    )
    named = plan.robot.model_copy(update={"plate_labware": "My 1.pd.txt"})
    content = mantis.worklist(replace(plan, robot=named))["mantis-plate-1.dl.txt"]
    assert content.startswith(b"[ Version: 5 ]\r\nMy 1.pd.txt\r\n")
    assert content.count(b"0.0") == 3 * (wells - 1)


@pytest.mark.parametrize("name", ["PT3-96-Assay", "große.pd.txt", "a\tb.pd.txt"])
def test_what_is_no_plate_file_is_refused(name):
    plan = small_round(((1, "A1"),))
    named = replace(plan, robot=plan.robot.model_copy(update={"plate_labware": name}))
    assert refusal(named) == (
        f'The plate_labware "{name}" under [robot] is no plate file of a Mantis; give its name in '
        'plain letters, as in "PT3-96-Assay.pd.txt".'
    )


def test_volumes_that_are_no_tenths_are_refused():
    plan = small_round(((1, "A1"), (2, "B2")))
    finer = plan.robot.model_copy(update={"increment_ul": 0.05, "min_dispense_ul": 0.05})
    dispenses = plan.dispenses.assign(ticks=plan.dispenses["ticks"] * 2)
    insulin = (dispenses["stock"] == "胰岛素") & (dispenses["plate"] == 2)
    dispenses.loc[insulin, "ticks"] += 1
    dispenses["volume_ul"] = dispenses["ticks"] * 0.05
    with pytest.raises(RefusedError) as refused:
        mantis.worklist(replace(plan, robot=finer, dispenses=dispenses))
    assert str(refused.value) == (
        "The Mantis dispenses tenths of a µL, and the volumes of YiDaoSu 5 ug/mL for wells B2 of "
        "plate 2 are none; set increment_ul = 0.1 under [robot] before the next round is proposed."
    )


def problems(**robot):
    with pytest.raises(DefinitionError) as refused:
        parse(
            {
                "name": "x",
                "robot": {"kind": "mantis"} | robot,
                "component": [{"name": "glucose", "unit": "mM", "high": 1.0, "stocks": [100.0]}],
                "response": [{"name": "y"}],
            }
        )
    return list(refused.value.problems)


def test_steps_and_dead_volumes_that_no_chip_has():
    assert problems(increment_ul=0.05) == [
        "[robot], increment_ul: must be a whole number of the Mantis's steps of 0.1 µL (got 0.05)"
    ]
    tubes = {"wells": 24, "well_volume_ul": 1000.0, "dead_volume_ul": 0.0}
    assert problems(dead_volume_ul=5.0, source_plate=[tubes]) == [
        "[robot], dead_volume_ul: must be at least 10, what a chip of the Mantis holds back "
        "(got 5)",
        "[[robot.source_plate]] number 1, dead_volume_ul: must be at least 10, what a chip of the "
        "Mantis holds back (got 0)",
    ]
