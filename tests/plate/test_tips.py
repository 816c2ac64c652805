import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import Robot
from labloop.errors import RefusedError
from labloop.plate.dispensing import microlitres
from labloop.plate.tips import (
    pipettes_of,
    rack_changes,
    racks_of,
    sittings,
    tips_needed,
    with_pipettes,
)
from labloop.robots import PIPETTES

P20, P300 = "p20_single_gen2", "p300_single_gen2"


def dispensed(*rows, increment=0.1):
    """Rows of (plate, stock, stock_concentration, source_plate, well, µL)."""
    columns = ["plate", "stock", "stock_concentration", "source_plate", "well", "volume_ul"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(
        source_well="A1", ticks=(frame["volume_ul"] / increment).round().astype(int)
    )


WATER = [(1, "water", np.nan, 1, "A1", 150.0), (1, "water", np.nan, 1, "B1", 15.0)]
GLUCOSE = [(1, "glucose", 100.0, 2, "A1", 20.0), (1, "glucose", 10.0, 2, "B1", 20.1)]


def test_the_smallest_pipette_that_can_makes_a_dispense():
    made = with_pipettes(dispensed(*WATER, *GLUCOSE), Robot(kind="ot2"))
    assert list(made["pipette"]) == [P300, P20, P20, P300]
    assert list(made["volume_ul"]) == [150.0, 15.0, 20.0, 20.1]


def test_volumes_between_the_pipettes_are_made_in_parts():
    robot = Robot(kind="ot2", pipettes=("p1000_single_gen2", P20))
    made = with_pipettes(dispensed((1, "water", np.nan, 1, "A1", 50.0)), robot)
    assert list(made["volume_ul"]) == [16.7, 16.7, 16.6]
    assert set(made["pipette"]) == {P20}


def test_a_pipette_below_the_increment_makes_nothing():
    robot = Robot(kind="ot2", pipettes=("p10_single", "p1000_single_gen2"), increment_ul=20.0)
    made = with_pipettes(dispensed((1, "water", np.nan, 1, "A1", 200.0), increment=20.0), robot)
    assert list(made["pipette"]) == ["p1000_single_gen2"]


def test_a_volume_that_no_pipette_makes_is_refused_with_its_wells():
    robot = Robot(kind="ot2", pipettes=(P300,), min_dispense_ul=1.0)
    with pytest.raises(RefusedError) as refusal:
        with_pipettes(dispensed(*WATER, (2, "salt", 5.0, 1, "C3", 2.5)), robot)
    assert str(refusal.value) == (
        "No pipette can make the 15 µL of water and volumes like it for B1 (plate 1), C3 (plate "
        "2): p300_single_gen2 20 to 300 µL; mount another one and name it in pipettes under "
        "[robot], or propose the round anew with min_dispense_ul and max_dispense_ul that these "
        "pipettes allow."
    )


def test_pipettes_that_a_definition_cannot_have_are_refused():
    with pytest.raises(RefusedError) as refusal:
        pipettes_of(Robot(kind="flex", pipettes=(P20, "flex_1channel_50")))
    assert str(refusal.value) == (
        "[robot], pipettes: must be some of flex_1channel_50, flex_1channel_1000 "
        "(got 'p20_single_gen2')."
    )


def test_a_stock_takes_one_tip_a_pipette_or_one_a_dispense():
    dispenses = dispensed(*WATER, *GLUCOSE)
    assert tips_needed(dispenses, Robot(kind="ot2")) == {P20: 2, P300: 2}
    more = dispensed(*WATER, *WATER, *GLUCOSE)
    assert tips_needed(more, Robot(kind="ot2")) == {P20: 2, P300: 2}
    assert tips_needed(more, Robot(kind="ot2", tips="dispense")) == {P20: 3, P300: 3}
    assert tips_needed(more, Robot(kind="flex")) == {"flex_1channel_50": 3, "flex_1channel_1000": 1}
    assert tips_needed(more, Robot(kind="hamilton")) == {"tip": 3}
    assert tips_needed(more, Robot(kind="hamilton", tips="dispense")) == {"tip": 6}
    assert tips_needed(more, Robot(kind="echo525")) == {}


def test_each_sitting_takes_tips_of_its_own():
    rows = [(plate, *row[1:]) for plate in range(1, 11) for row in WATER]
    dispenses = dispensed(*rows)
    robot = Robot(kind="ot2")
    assert sittings(with_pipettes(dispenses, robot), robot) == [(1, 2, 3, 4, 5), (6, 7, 8, 9, 10)]
    assert tips_needed(dispenses, robot) == {P20: 2, P300: 2}
    small = Robot(kind="ot2", positions=2)
    assert sittings(with_pipettes(dispenses, small), small) == [(plate,) for plate in range(1, 11)]


def test_the_racks_of_a_crowded_deck_are_changed():
    rows = [(1, "s", 1.0, 1, f"A{n % 12 + 1}", 5.0) for n in range(300)]
    fresh = Robot(kind="ot2", tips="dispense")
    assert rack_changes(dispensed(*rows), fresh) == 0
    # a source plate, a plate and one rack: 300 tips take four
    assert rack_changes(dispensed(*rows), fresh.model_copy(update={"positions": 3})) == 3
    assert rack_changes(dispensed(*rows), fresh.model_copy(update={"positions": 4})) == 1
    assert rack_changes(dispensed(*rows), Robot(kind="biomek", tips="dispense")) == 0


def test_racks_hold_96_tips():
    assert [racks_of(tips) for tips in (0, 1, 96, 97)] == [0, 1, 1, 2]


@given(
    st.lists(st.integers(1, 12000), min_size=1, max_size=30),
    st.lists(st.sampled_from([n for n in PIPETTES if n[0] == "p"]), max_size=2, unique=True),
    st.sampled_from([0.05, 0.1, 0.5, 1.0]),
)
def test_parts_are_within_the_pipettes_range_and_sum_to_the_dispense(ticks, pipettes, increment):
    rows = [(1, "s", float(n), 1, "A1", n * increment) for n in ticks]
    dispenses = dispensed(*rows, increment=increment).assign(order=range(len(ticks)))
    robot = Robot(kind="ot2", pipettes=tuple(pipettes), increment_ul=increment)
    names = pipettes_of(robot)
    try:
        made = with_pipettes(dispenses, robot)
    except RefusedError:
        limits = [(low / increment, high / increment) for low, high in map(PIPETTES.get, names)]
        assert any(
            all(volume // math.ceil(volume / round(most)) < round(least) for least, most in limits)
            for volume in ticks
        )
        return
    assert list(made.groupby("order")["ticks"].sum()) == ticks
    assert list(made["order"]) == sorted(made["order"])
    assert list(made["volume_ul"]) == list(microlitres(made["ticks"], increment))
    for name, volume in zip(made["pipette"], made["volume_ul"], strict=True):
        assert PIPETTES[name][0] - 1e-9 <= volume <= PIPETTES[name][1] + 1e-9
