import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Robot
from labloop.errors import RefusedError
from labloop.plate.sources import usable_ticks, with_sources
from labloop.wells import column_major


def drawn(*rows):
    """Dispenses as (stock, stock_concentration, ticks)."""
    return pd.DataFrame(rows, columns=["stock", "stock_concentration", "ticks"])


def robot(**values):
    usual = {"source_wells": 6, "source_well_volume_ul": 110.0, "dead_volume_ul": 10.0}
    return Robot(
        **({"kind": "manual", "increment_ul": 1.0, "max_dispense_ul": 100.0} | usual | values)
    )


def seats(dispenses, of):
    made = with_sources(dispenses, of, "water")
    return list(zip(made["source_plate"], made["source_well"], strict=True))


WATER = ("water", np.nan, 60)
GLUCOSE = ("glucose", 100.0, 60)
WEAK = ("glucose", 10.0, 60)
TROUGH = {"wells": 1, "well_volume_ul": 1000.0, "dead_volume_ul": 100.0, "labware": "trough"}


def test_each_stock_has_its_own_wells_and_the_next_where_one_is_drained():
    assert seats(drawn(WATER, WATER, GLUCOSE, WEAK), robot()) == [
        (1, "A1"),
        (1, "B1"),
        (1, "A2"),
        (1, "B2"),
    ]


def test_what_holds_a_stock_is_taken_before_what_holds_any_and_the_usual_plates_come_last():
    with_trough = robot(
        source_plate=[{"wells": 1, "well_volume_ul": 70.0, "dead_volume_ul": 5.0},
                      TROUGH | {"holds": ["diluent"]}]
    )  # fmt: skip
    assert seats(drawn(WATER, WATER, GLUCOSE, WEAK), with_trough) == [
        (2, "A1"),
        (2, "A1"),
        (1, "A1"),
        (3, "A1"),
    ]


def test_a_source_plate_that_holds_others_is_left_to_them():
    insulin = robot(source_plate=[TROUGH | {"holds": ["insulin"]}])
    assert seats(drawn(WATER, GLUCOSE), insulin) == [(2, "A1"), (2, "B1")]


def test_a_stock_stands_where_the_user_puts_it_and_nothing_else_does():
    placed = robot(
        place=[
            {"stock": "glucose", "concentration": 10.0, "wells": ["a01"]},
            {"stock": "diluent", "wells": ["B2", "A3"]},
        ]
    )
    assert seats(drawn(WATER, WATER, GLUCOSE, WEAK), placed) == [
        (1, "B2"),
        (1, "A3"),
        (1, "B1"),
        (1, "A1"),
    ]


def test_the_stocks_of_a_place_without_a_concentration_follow_one_another():
    placed = robot(place=[{"stock": "glucose", "wells": ["B2", "A3", "A1"]}])
    assert seats(drawn(GLUCOSE, GLUCOSE, WEAK), placed) == [(1, "B2"), (1, "A3"), (1, "A1")]
    with pytest.raises(RefusedError):
        seats(drawn(GLUCOSE, GLUCOSE, WEAK, WEAK), placed)


def test_a_place_that_gives_too_little_is_refused():
    placed = robot(place=[{"stock": "water", "wells": ["A1"]}])
    with pytest.raises(RefusedError) as refusal:
        seats(drawn(WATER, WATER), placed)
    assert str(refusal.value) == (
        "The round takes 120 µL of water, which is more than its wells in [[robot.place]] give; "
        "name more wells there."
    )


@pytest.mark.parametrize("place", [[], [{"stock": "glucose", "wells": ["A1"]}]])
def test_a_dispense_that_is_more_than_a_source_well_gives_is_refused(place):
    with pytest.raises(RefusedError) as refusal:
        seats(drawn(("glucose", 100.0, 101)), robot(place=place))
    assert str(refusal.value) == (
        "One dispense of 101 µL is more than the 100 µL that a source well gives; raise "
        "source_well_volume_ul or lower max_dispense_ul under [robot]."
    )


def test_the_most_that_a_robot_takes_from_a_well_counts():
    assert seats(drawn(WATER, WATER, WATER), robot(most_from_well_ul=60.0)) == [
        (1, "A1"),
        (1, "B1"),
        (1, "A2"),
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 100)), max_size=80),
    st.lists(
        st.tuples(st.sampled_from([1, 6, 12]), st.integers(1, 500), st.sampled_from(["c0", ""])),
        max_size=3,
    ),
)
def test_no_well_gives_more_than_it_may_or_holds_two_stocks(dispenses, plates):
    of = robot(
        source_plate=[
            {
                "wells": w,
                "well_volume_ul": v + 5.0,
                "dead_volume_ul": 5.0,
                "holds": [h] if h else [],
            }
            for w, v, h in plates
        ]
    )
    rows = sorted((f"c{number}", 10.0, ticks) for number, ticks in dispenses)
    made = with_sources(drawn(*rows), of, "water")
    assert list(made["ticks"]) == [ticks for _, _, ticks in rows]
    for (number, well), of_well in made.groupby(["source_plate", "source_well"]):
        plate = of.source_plate(int(number))
        assert well in column_major(plate.wells)
        assert of_well["ticks"].sum() <= usable_ticks(plate, 1.0)
        assert len(set(of_well["stock"])) == 1
        assert not plate.holds or of_well["stock"].iloc[0] in plate.holds
