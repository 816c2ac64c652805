import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Plate, Robot
from labloop.errors import RefusedError
from labloop.plate.dispensing import microlitres
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.wells import well_names
from labloop.worklists import RoundPlan
from labloop.worklists.checks import check

REMEDY = (
    "Nothing was written. A round keeps the [plate] and [robot] that it was proposed with: abandon "
    "it, correct campaign.toml if it is wrong there, and propose again."
)


def broken(plan, row, **values):
    dispenses = plan.dispenses.copy()
    for column, value in values.items():
        dispenses.loc[row, column] = value
    return replace(plan, dispenses=dispenses)


def refusal(plan):
    with pytest.raises(RefusedError) as refused:
        check(plan)
    return str(refused.value)


def test_a_sound_plan_passes(plan):
    check(plan)


def test_a_volume_below_the_minimum(plan):
    assert "A1 (plate 1) would get a volume below 1 µL" in refusal(
        broken(plan, 6, ticks=5, volume_ul=0.5)
    )


def test_a_negative_volume_and_one_that_is_no_number(plan):
    for volume in (-5.0, float("nan")):
        assert "A1 (plate 1) would get a volume below 1 µL" in refusal(
            broken(plan, 6, volume_ul=volume)
        )


def test_a_volume_above_the_maximum(plan):
    assert "A1 (plate 1) would get a volume above 50 µL" in refusal(
        broken(plan, 6, ticks=501, volume_ul=50.1)
    )


def test_a_volume_off_the_increment(plan):
    assert "A1 (plate 1) would get a volume off the increment of 0.1 µL" in refusal(
        broken(plan, 6, volume_ul=5.04)
    )


def test_a_volume_that_is_not_the_planned_one(plan):
    assert "D6 (plate 2) would get a volume not the planned number of increments" in refusal(
        broken(plan, 7, ticks=49)
    )


def test_a_well_that_the_plate_lacks(plan):
    assert "a plate of 24 wells has no E1 (plate 1)" in refusal(broken(plan, 6, well="E1"))
    assert "a plate of 24 wells has no A01 (plate 1)" in refusal(broken(plan, 6, well="A01"))


def test_a_source_well_that_the_source_plate_lacks(plan):
    message = refusal(broken(plan, 6, source_well="H12"))
    assert "a source plate of 24 wells has no H12 (plate 1)" in message


def test_a_well_that_must_stay_empty(plan):
    assert "A3 (plate 1) must stay empty but would be filled" in refusal(broken(plan, 6, well="A3"))


def test_overfilled_and_underfilled_wells(plan):
    assert "A1 (plate 1) would hold more than 100 µL with the inoculum" in refusal(
        broken(plan, 6, ticks=51, volume_ul=5.1)
    )
    assert "A1 (plate 1) would hold less than 100 µL with the inoculum" in refusal(
        broken(plan, 6, ticks=49, volume_ul=4.9)
    )
    nothing = replace(plan, dispenses=plan.dispenses[plan.dispenses["plate"] == 1])
    assert "D6 (plate 2) would hold less than 100 µL with the inoculum" in refusal(nothing)


def test_a_drained_source(plan):
    small = replace(plan, robot=plan.robot.model_copy(update={"source_well_volume_ul": 279.9}))
    assert refusal(small) == (
        "The round cannot be exported: source A1 (plate 1) would give more than 259.9 µL and fall "
        f"below the dead volume. {REMEDY}"
    )


def test_two_stocks_in_one_source_well(plan):
    assert "source B1 (plate 1) would hold two stocks at once" in refusal(
        broken(plan, 7, source_well="B1")
    )


@pytest.mark.parametrize("first", "=+-@\t")
def test_names_that_a_spreadsheet_would_run_are_never_altered_but_refused(plan, first):
    message = refusal(replace(plan, dispenses=plan.dispenses.replace("glucose", f"{first}glucose")))
    assert message == (
        f'The name "{first}glucose" begins with {first!r}, which spreadsheets take for a '
        "calculation; rename it in campaign.toml."
    )


# -- to the tick ---------------------------------------------------------------------------------


def made(ticks, wells=24, *, plate=None, robot=None):
    """A round of one well a formula that gets so many ticks of glucose; the rest is water."""
    plate = Plate(wells=wells, **({"well_volume_ul": 100.0} | (plate or {})))
    robot = Robot(
        kind="manual",
        **(
            {
                "min_dispense_ul": 0.0025,
                "increment_ul": 0.0025,
                "max_dispense_ul": 1000.0,
                "dead_volume_ul": 0.0,
                "source_wells": 96,
                "source_well_volume_ul": 1e5,
            }
            | (robot or {})
        ),
    )
    names = well_names(wells)
    layout = pd.DataFrame(
        [(1 + k // wells, names[k % wells], "formula", k, 1) for k in range(len(ticks))],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    recipes = pd.DataFrame(
        [(k, "glucose", 1.0, 1.0, 100.0 if each else np.nan, each) for k, each in enumerate(ticks)],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    dispenses = plan_dispenses(layout, recipes, components=["glucose"], plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, {"glucose": "mM"}, plate, robot)


def shifted(plan, row, ticks):
    """The plan with one dispense so many ticks larger."""
    more = int(plan.dispenses["ticks"].iloc[row]) + ticks
    return broken(plan, row, ticks=more, volume_ul=microlitres(more, plan.robot.increment_ul))


def limited(plan, **values):
    return replace(plan, robot=plan.robot.model_copy(update=values))


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_planned_round_passes_and_one_tick_more_or_less_anywhere_does_not(data):
    increment = data.draw(st.sampled_from([0.001, 0.0025, 0.025, 0.1, 0.3, 1.0]))
    room = data.draw(st.integers(20, 4_000_000))
    volumes = {
        "well_volume_ul": float(microlitres(room + 7, increment)),
        "inoculum_ul": float(microlitres(7, increment)),
        "well_capacity_ul": 2e7,
    }
    robot = {
        "increment_ul": increment,
        "min_dispense_ul": increment,
        "max_dispense_ul": 2e7,
        "source_well_volume_ul": 2e7,
    }
    ticks = data.draw(st.lists(st.integers(0, room), min_size=1, max_size=6))
    plan = made(ticks, plate=volumes, robot=robot)
    check(plan)
    row = data.draw(st.integers(0, len(plan.dispenses) - 1))
    well = plan.dispenses["well"].iloc[row]
    for extra, word in ((1, "more"), (-1, "less")):
        assert f"{well} (plate 1) would hold {word} than" in refusal(shifted(plan, row, extra))


def test_one_tick_in_eighty_thousand_overfills_a_well():
    plan = made([10, 10], plate={"well_volume_ul": 200.0})
    assert "A1 (plate 1) would hold more than 200 µL with the inoculum, 200.0025 µL" in refusal(
        shifted(plan, 0, 1)
    )
    assert "A2 (plate 1) would hold less than 200 µL with the inoculum, 199.9975 µL" in refusal(
        shifted(plan, 3, -1)
    )


def test_one_tick_drains_a_source():
    plan = made([10, 10], robot={"dead_volume_ul": 2.3})
    needed = 2 * 39990 * 0.0025
    check(limited(plan, source_well_volume_ul=round(needed + 2.3, 4)))
    short = limited(plan, source_well_volume_ul=round(needed + 2.3 - 0.0025, 4))
    assert (
        "source A1 (plate 1) would give more than 199.9475 µL and fall below the dead"
        in refusal(short)
    )


def test_what_a_robot_takes_from_one_source_well_is_a_limit_of_its_own():
    plan = made([10, 10], robot={"most_from_well_ul": 300.0})
    check(limited(plan, most_from_well_ul=199.95))
    assert (
        "source A1 (plate 1) would give more than 199.9475 µL and the robot takes no more from one "
        "well" in refusal(limited(plan, most_from_well_ul=199.9475))
    )
    both = limited(plan, most_from_well_ul=199.9, source_well_volume_ul=100.0)
    assert "would give more than 100 µL and fall below the dead volume" in refusal(both)


def test_the_least_and_the_most_of_a_dispense_are_exact():
    plan = made([3, 4])
    check(limited(plan, min_dispense_ul=0.0075))
    assert "A1 (plate 1) would get a volume below 0.01 µL, the least that the robot dispenses" in (
        refusal(limited(plan, min_dispense_ul=0.01))
    )
    check(limited(plan, max_dispense_ul=99.9925))
    message = refusal(limited(plan, max_dispense_ul=99.99))
    assert "A1 (plate 1) would get a volume above 99.99 µL, the most that the robot" in message


def test_a_volume_between_two_small_increments_or_half_a_tick_is_off_the_increment():
    plan = made([2001, 10])
    off = "A1 (plate 1) would get a volume off the increment of 0.0025 µL"
    assert off in refusal(broken(plan, 2, volume_ul=5.00125))
    assert off in refusal(broken(plan, 0, volume_ul=94.9963))
    halves = plan.dispenses.assign(ticks=plan.dispenses["ticks"] + [0.0, 0.0, 0.5, 0.0])
    assert off in refusal(replace(plan, dispenses=halves))


@pytest.mark.parametrize("volume", [math.inf, -math.inf])
def test_an_endless_volume_is_refused(volume):
    assert "A1 (plate 1) would get a volume" in refusal(broken(made([10]), 1, volume_ul=volume))


def test_a_round_that_was_planned_for_other_increments_says_what_to_do():
    plan = made([10, 20])
    older = limited(plan, increment_ul=0.005, min_dispense_ul=0.005)
    message = refusal(older)
    assert "A1 (plate 1), A2 (plate 1) would get a volume not the planned number of" in message
    assert message.endswith(f". {REMEDY}")


# -- vessels and plates --------------------------------------------------------------------------


def test_wells_that_the_vessel_cannot_hold():
    plan = made([10, 10], plate={"inoculum_ul": 10.0})
    full = plan.plate.model_copy(update={"well_capacity_ul": 100.0})
    check(replace(plan, plate=full))
    small = plan.plate.model_copy(update={"well_capacity_ul": 99.9975})
    assert (
        "A1 (plate 1), A2 (plate 1) would hold 100 µL, more than the 99.9975 µL that a well has "
        "room for" in refusal(replace(plan, plate=small))
    )


def test_a_plate_that_says_no_capacity_has_that_of_the_largest_vessel():
    plan = made([10], plate={"well_volume_ul": 20000.0, "well_capacity_ul": 20000.0})
    unknown = plan.plate.model_copy(update={"well_capacity_ul": None})
    assert "A1 (plate 1) would hold 20000 µL, more than the" in refusal(
        replace(plan, plate=unknown)
    )


def test_source_plates_of_different_kinds_have_their_own_wells_and_volumes():
    racks = [
        {"wells": 6, "well_volume_ul": 250.0, "dead_volume_ul": 50.0, "holds": ["diluent"]},
        {"wells": 48, "well_volume_ul": 20.0, "dead_volume_ul": 5.0, "most_from_well_ul": 10.0},
    ]
    plan = made([2000, 2000, 2000], robot={"source_plate": racks})
    check(plan)
    assert list(plan.dispenses["source_plate"].unique()) == [1, 2]
    message = refusal(broken(plan, 0, source_well="A4"))
    assert "a source plate of 6 wells has no A4 (plate 1)" in message
    assert "a source plate of 48 wells has no G1 (plate 2)" in refusal(
        broken(plan, 3, source_well="G1")
    )
    one_well = plan.dispenses.assign(
        source_well=["A1" if rack == 2 else w for rack, w in plan.dispenses[
            ["source_plate", "source_well"]].itertuples(index=False)]
    )  # fmt: skip
    assert "source A1 (plate 2) would give more than 10 µL and the robot takes no more from" in (
        refusal(replace(plan, dispenses=one_well))
    )
    water = plan.dispenses.assign(
        source_well=["A1" if rack == 1 else w for rack, w in plan.dispenses[
            ["source_plate", "source_well"]].itertuples(index=False)]
    )  # fmt: skip
    assert "source A1 (plate 1) would give more than 200 µL and fall below the dead volume" in (
        refusal(replace(plan, dispenses=water))
    )


@pytest.mark.parametrize("rack", [0, -1])
def test_source_plates_count_from_1(plan, rack):
    assert f"there is no source plate {rack}, from which A1 (plate 1) would be filled" in refusal(
        broken(plan, 6, source_plate=rack)
    )


def test_a_plate_that_the_round_lacks(plan):
    message = refusal(broken(plan, 6, plate=3))
    assert "the round has no plate for A1 (plate 3)" in message
    assert "must stay empty" not in message


def test_everything_that_is_wrong_is_said_at_once_with_eight_wells_by_name():
    plan = made([10] * 20)
    lost = plan.dispenses["stock"] == "water"
    message = refusal(replace(plan, dispenses=plan.dispenses[~lost].assign(source_well="H13")))
    assert message.startswith("The round cannot be exported: a source plate of 96 wells has no H13")
    assert "; A1 (plate 1), A2 (plate 1)" in message
    assert "and 12 more would hold less than 100 µL with the inoculum, 0.025 µL" in message
