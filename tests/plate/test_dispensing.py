import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Plate, Robot
from labloop.errors import RefusedError
from labloop.plate.deck import deck_list, deck_totals
from labloop.plate.dispensing import by_hand, microlitres, plan
from labloop.plate.layout import arrange
from labloop.wells import column_major

COLUMNS = ["formula", "component", "target", "achieved", "stock_concentration", "ticks"]


def recipe(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def layout_of(wells, *filled):
    """Rows of a hand-made layout: (plate, well, formula)."""
    rows = [(plate, well, "formula", formula, 1) for plate, well, formula in filled]
    return pd.DataFrame(rows, columns=["plate", "well", "role", "formula", "replicate"])


@st.composite
def rounds(draw):
    """A round of any robot whose formulas fit the well, with the diluent zero or enough."""
    increment = draw(st.sampled_from([0.025, 0.1, 0.5, 1.0]))
    minimum = draw(st.integers(1, 5))
    maximum = draw(st.integers(2 * minimum, 100))
    capacity = draw(st.integers(200, 600))
    inoculum = draw(st.integers(0, 20))
    usable = draw(st.integers(maximum, 5000))
    dead = draw(st.integers(0, 300))
    plate = Plate(
        wells=24,
        well_volume_ul=(capacity + inoculum) * increment,
        inoculum_ul=inoculum * increment,
        controls={"ref": 2},
        replicates=draw(st.integers(1, 2)),
    )
    robot = Robot(
        kind="manual",
        min_dispense_ul=minimum * increment,
        increment_ul=increment,
        max_dispense_ul=maximum * increment,
        dead_volume_ul=dead * increment,
        source_wells=draw(st.sampled_from([6, 24, 96])),
        source_well_volume_ul=(usable + dead) * increment,
    )
    components = [f"c{n}" for n in range(draw(st.integers(1, 5)))]
    formulas = [f"F{n}" for n in range(draw(st.integers(1, 15)))]
    most = (capacity - minimum) // len(components)
    rows = []
    for formula in [*formulas, "ref"]:
        for component in components:
            ticks = draw(st.one_of(st.just(0), st.integers(minimum, most)))
            stock = draw(st.sampled_from([10.0, 100.0])) if ticks else np.nan
            rows.append((formula, component, 1.0, float(ticks > 0), stock, ticks))
    layout = arrange(
        formulas,
        plate.controls,
        wells=24,
        replicates=plate.replicates,
        seed=draw(st.integers(0, 9)),
    )
    return layout, recipe(*rows), components, plate, robot


@settings(max_examples=60, deadline=None)
@given(rounds())
def test_plans_are_exact(made):
    layout, recipes, components, plate, robot = made
    dispenses = plan(layout, recipes, components=components, plate=plate, robot=robot)
    tick = robot.increment_ul
    filled = layout[layout["role"] != "empty"]

    # Each well is filled to the tick; empty wells get nothing.
    total = dispenses.groupby(["plate", "well"])["ticks"].sum()
    assert set(total.index) == set(zip(filled["plate"], filled["well"], strict=True))
    assert (total == round((plate.well_volume_ul - plate.inoculum_ul) / tick)).all()

    # Each well gets of every stock what its recipe says.
    wanted = filled.merge(recipes[recipes["ticks"] > 0], on="formula")
    wanted = wanted.groupby(["plate", "well", "component", "stock_concentration"])["ticks"].sum()
    got = dispenses[dispenses["stock"] != plate.diluent]
    got = got.groupby(["plate", "well", "stock", "stock_concentration"])["ticks"].sum()
    assert got.to_dict() == wanted.to_dict()

    # Each dispense is one that the robot can make, and parts of one volume are nearly equal.
    assert (dispenses["ticks"] * tick >= robot.min_dispense_ul - 1e-9).all()
    assert (dispenses["ticks"] * tick <= robot.max_dispense_ul + 1e-9).all()
    keys = ["plate", "well", "stock", "stock_concentration"]
    parts = dispenses.groupby(keys, dropna=False)["ticks"]
    assert (parts.max() - parts.min() <= 1).all()
    np.testing.assert_allclose(dispenses["volume_ul"], dispenses["ticks"] * tick, rtol=1e-12)

    # No source well gives more than it holds above the dead volume, or holds two stocks.
    deck = deck_list(dispenses, robot)
    assert (deck["fill_volume_ul"] <= robot.source_well_volume_ul + 1e-6).all()
    assert not deck.duplicated(["source_plate", "source_well"]).any()
    assert deck["source_well"].isin(column_major(robot.source_wells)).all()
    assert deck["volume_ul"].sum() == pytest.approx(dispenses["volume_ul"].sum())


@settings(max_examples=30, deadline=None)
@given(rounds())
def test_the_diluent_goes_first_then_stock_by_stock_strongest_first_down_the_columns(made):
    layout, recipes, components, plate, robot = made
    dispenses = plan(layout, recipes, components=components, plate=plate, robot=robot)
    order = {name: n for n, name in enumerate([plate.diluent, *components])}
    well = {name: n for n, name in enumerate(column_major(plate.wells))}
    keys = list(
        zip(
            dispenses["stock"].map(order),
            -dispenses["stock_concentration"].fillna(0),
            dispenses["plate"],
            dispenses["well"].map(well),
            strict=True,
        )
    )
    assert keys == sorted(keys)
    sources = dispenses[["source_plate", "source_well"]].drop_duplicates()
    source_order = {name: n for n, name in enumerate(column_major(robot.source_wells))}
    numbers = sources["source_plate"] * 10_000 + sources["source_well"].map(source_order)
    assert numbers.is_monotonic_increasing


PLATE = Plate(wells=24, well_volume_ul=100.0, inoculum_ul=10.0, diluent="water")
ROBOT = Robot(
    kind="manual",
    min_dispense_ul=1.0,
    increment_ul=0.1,
    max_dispense_ul=40.0,
    dead_volume_ul=20.0,
    source_wells=6,
    source_well_volume_ul=100.0,
)


def test_a_small_plan_to_the_letter():
    layout = layout_of(24, (1, "A1", "f"), (1, "B1", "g"))
    recipes = recipe(
        ("f", "salt", 5.0, 5.0, 100.0, 50),
        ("g", "salt", 0.5, 0.5, 10.0, 50),
        ("f", "acid", 0.0, 0.0, np.nan, 0),
        ("g", "acid", 85.0, 85.0, 100.0, 850),
    )
    dispenses = plan(layout, recipes, components=["salt", "acid"], plate=PLATE, robot=ROBOT)
    rows = [tuple(row) for row in dispenses.fillna(-1).itertuples(index=False)]
    assert rows == [
        (1, "water", -1, 1, "A1", "A1", 284, 28.4),
        (1, "water", -1, 1, "A1", "A1", 283, 28.3),
        (1, "water", -1, 1, "B1", "A1", 283, 28.3),
        (1, "salt", 100, 1, "A2", "A1", 50, 5.0),
        (1, "salt", 10, 1, "B2", "B1", 50, 5.0),
        (1, "acid", 100, 1, "A3", "B1", 284, 28.4),
        (1, "acid", 100, 1, "A3", "B1", 283, 28.3),
        (1, "acid", 100, 1, "B3", "B1", 283, 28.3),
    ]
    deck = deck_list(dispenses, ROBOT)
    assert list(deck["fill_volume_ul"]) == [76.7, 48.3, 25.0, 25.0, 76.7, 48.3]
    totals = deck_totals(deck)
    assert list(totals["stock"]) == ["water", "salt", "salt", "acid"]
    assert list(totals["source_wells"]) == [2, 1, 1, 2]
    assert list(totals["fill_volume_ul"]) == [125.0, 25.0, 25.0, 125.0]


def test_stocks_go_on_to_the_next_source_plate():
    layout = layout_of(24, (1, "A1", "f"))
    names = [f"c{n}" for n in range(8)]
    recipes = recipe(*(("f", name, 1.0, 1.0, 10.0, 10) for name in names))
    dispenses = plan(layout, recipes, components=names, plate=PLATE, robot=ROBOT)
    last = dispenses.iloc[-1]
    assert (last["source_plate"], last["source_well"]) == (2, "B2")


def test_what_has_no_stock_is_left_to_the_lab():
    layout = layout_of(24, (1, "A1", "f"), (2, "B1", "g"))
    recipes = recipe(
        ("f", "yeast extract", 5.0, 5.0, np.nan, 0),
        ("g", "yeast extract", 0.0, 0.0, np.nan, 0),
        ("f", "peptone", "soy", "soy", np.nan, 0),
        ("g", "peptone", "wheat", "wheat", np.nan, 0),
        ("f", "salt", 5.0, 5.0, 100.0, 50),
        ("g", "salt", 0.0, 0.0, np.nan, 0),
    )
    added = by_hand(layout, recipes)
    assert list(added.columns) == ["plate", "well", "component", "amount"]
    assert [tuple(row) for row in added.itertuples(index=False)] == [
        (1, "A1", "yeast extract", 5.0),
        (1, "A1", "peptone", "soy"),
        (2, "B1", "peptone", "wheat"),
    ]
    names = ["yeast extract", "peptone", "salt"]
    dispenses = plan(layout, recipes, components=names, plate=PLATE, robot=ROBOT)
    assert set(dispenses["stock"]) == {"water", "salt"}


def test_ticks_become_clean_microlitres():
    assert list(microlitres([3, 7], 0.1)) == [0.3, 0.7]


@pytest.mark.parametrize(
    ("ticks", "message"),
    [
        (
            901,
            "The stocks of formula f (wells A1, C2) are up to 0.1 µL more than the well holds "
            "beside the inoculum; use stronger stocks or a larger well volume.",
        ),
        (
            895,
            "The water of formula f (wells A1, C2) would be 0.5 µL, less than the 1 µL that the "
            "robot can dispense; change a concentration or the well volume.",
        ),
        (
            5,
            "The 0.5 µL of salt for wells A1, C2 cannot be made of dispenses between 1 and 40 µL; "
            "change the concentration or the stock.",
        ),
    ],
)
def test_volumes_that_cannot_be_made_are_refused_with_their_wells(ticks, message):
    layout = layout_of(24, (1, "A1", "f"), (1, "C2", "f"))
    recipes = recipe(("f", "salt", 1.0, 1.0, 10.0, ticks))
    with pytest.raises(RefusedError) as refusal:
        plan(layout, recipes, components=["salt"], plate=PLATE, robot=ROBOT)
    assert str(refusal.value) == message


def test_a_well_full_without_diluent_is_fine():
    layout = layout_of(24, (1, "A1", "f"))
    recipes = recipe(("f", "salt", 1.0, 1.0, 10.0, 900))
    dispenses = plan(layout, recipes, components=["salt"], plate=PLATE, robot=ROBOT)
    assert set(dispenses["stock"]) == {"salt"}


def test_a_source_well_too_small_for_one_dispense_is_refused():
    layout = layout_of(24, (1, "A1", "f"))
    recipes = recipe(("f", "salt", 1.0, 1.0, 10.0, 900))
    robot = ROBOT.model_copy(update={"source_well_volume_ul": 49.9})
    with pytest.raises(RefusedError) as refusal:
        plan(layout, recipes, components=["salt"], plate=PLATE, robot=robot)
    assert str(refusal.value) == (
        "One dispense of 30 µL is more than the 29.9 µL that a source well gives; raise "
        "source_well_volume_ul or lower max_dispense_ul under [robot]."
    )


def test_a_formula_without_recipe_and_a_diluent_among_components_are_refused():
    layout = layout_of(24, (1, "A1", "f"))
    recipes = recipe(("g", "salt", 1.0, 1.0, 10.0, 50))
    with pytest.raises(RefusedError, match='Formula "f" is on the plate but has no recipe'):
        plan(layout, recipes, components=["salt"], plate=PLATE, robot=ROBOT)
    with pytest.raises(RefusedError, match='The diluent "water" is also a component'):
        plan(layout, recipes, components=["water"], plate=PLATE, robot=ROBOT)
