"""Whatever a definition asks for: every plan is exact, or the definition is refused in words."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from labloop.definition import parse
from labloop.errors import LabloopError
from labloop.plate.planning import planned
from labloop.robots import PIPETTES, ROBOTS
from labloop.space import FormulaSpace
from labloop.wells import LARGEST_WELL_UL, column_major, well_names

CONTROLS = ("standard", "blank")


@st.composite
def components(draw, name, robot, well_ul):
    """A component of any kind, whose stocks the robot can mostly use."""
    kind = draw(st.sampled_from(["range", "log", "step", "levels", "fixed", "choices", "by hand"]))
    if kind == "choices":
        return {"name": name, "choices": ["soy", "wheat", "pea"][: draw(st.integers(2, 3))]}
    high = draw(st.sampled_from([1e-3, 0.37, 12.0, 500.0]))
    made = {"name": name, "unit": "mM"}
    if kind == "fixed":
        made["fixed"] = high
    elif kind == "levels":
        shares = st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0])
        made["levels"] = [high * each for each in draw(st.sets(shares, min_size=2, max_size=4))]
    else:
        made |= {"low": draw(st.sampled_from([0.0, 0.0, 0.02])) * high, "high": high}
        if kind == "step":
            made["step"] = high / draw(st.integers(2, 40))
        elif kind == "log":
            made["scale"] = "log"
    if kind != "by hand":
        # Of the strongest stock a well takes this share, or a few of the least volumes.
        least = draw(st.integers(1, 8)) * robot["min_dispense_ul"] / well_ul
        share = max(least, draw(st.sampled_from([0.0, 0.02, 0.1, 0.3])))
        weaker = draw(st.lists(st.sampled_from([2.0, 10.0, 33.0, 200.0]), max_size=2, unique=True))
        stocks = [high / share, *(high / share / each for each in weaker)]
        made["stocks"] = draw(st.permutations(stocks))
    return made


@st.composite
def robots(draw):
    kind = draw(st.sampled_from(sorted(ROBOTS)))
    limits = ROBOTS[kind]
    robot = {"kind": kind}
    for key in ("min_dispense_ul", "increment_ul", "max_dispense_ul"):
        robot[key] = getattr(limits, key)
    if kind in ("ot2", "flex") and draw(st.booleans()):
        own = [name for name in sorted(PIPETTES) if name.startswith("flex") == (kind == "flex")]
        pipette = draw(st.sampled_from(own))
        robot["pipettes"] = [pipette]
        robot["min_dispense_ul"], robot["max_dispense_ul"] = PIPETTES[pipette]
    if draw(st.booleans()):
        robot["increment_ul"] *= draw(st.sampled_from([1, 2, 5]))
    if draw(st.booleans()):
        robot["max_dispense_ul"] = robot["min_dispense_ul"] * draw(st.sampled_from([2, 3, 10]))
    if draw(st.booleans()):
        robot["dead_volume_ul"] = max(limits.dead_volume_ul, limits.source_well_volume_ul / 2)
    if kind.startswith("echo"):
        robot["plate_labware"] = "plates of our own"
    elif draw(st.booleans()):
        robot["source_wells"] = draw(st.sampled_from([6, 24, 96, 384]))
    return robot


@st.composite
def definitions(draw):
    robot = draw(robots())
    wells = draw(st.sampled_from([24, 48, 96]))
    least = 20 * robot["min_dispense_ul"]
    tick = robot["increment_ul"]
    volume = round(min(draw(st.floats(least, 4 * least)), LARGEST_WELL_UL[wells]) / tick) * tick
    inoculum = round(volume * draw(st.sampled_from([0.0, 0.05, 0.3])) / tick) * tick
    names = [f"c{number}" for number in range(draw(st.integers(1, 5)))]
    listed = [draw(components(name, robot, volume)) for name in names]
    plain = [each for each in listed if "choices" not in each]
    constraints = []
    if plain and draw(st.booleans()):
        named = draw(st.lists(st.sampled_from(plain), min_size=1, unique_by=lambda c: c["name"]))
        top = sum(c.get("high", c.get("fixed", max(c.get("levels", [1.0])))) for c in named)
        share = draw(st.sampled_from([0.1, 0.5, 0.9]))
        constraints.append({"total": {c["name"]: 1.0 for c in named}, "at_most": share * top})
    free = [c["name"] for c in plain if 0.0 in (c.get("low"), *c.get("levels", ()))]
    if len(free) > 1 and draw(st.booleans()):
        constraints.append({"present": free, "at_most": draw(st.integers(1, len(free)))})
    controls = {name: draw(st.integers(1, 3)) for name in CONTROLS[: draw(st.integers(0, 2))]}
    empty = draw(st.one_of(st.just("edge"), st.lists(st.sampled_from(well_names(24)), max_size=3)))
    formulas = {
        name: {
            c["name"]: draw(st.sampled_from(c["choices"]))
            if "choices" in c
            else draw(st.sampled_from([0.0, 0.5, 1.0])) * c.get("high", 1.0)
            for c in listed
        }
        for name in controls
    }
    return {
        "name": "any",
        "plate": {
            "wells": wells,
            "plates": draw(st.integers(1, 3)),
            "well_volume_ul": round(volume, 9),
            "inoculum_ul": round(inoculum, 9),
            "replicates": draw(st.integers(1, 3)),
            "controls": controls,
            "empty_wells": empty,
        },
        "robot": robot,
        "component": listed,
        "response": [{"name": "titre"}],
        "constraint": constraints,
        "formulas": formulas,
    }


def exact(number):
    """What a person wrote, without a float's last digits."""
    return Fraction(repr(float(number)))


@settings(max_examples=30, deadline=None)
@given(definitions(), st.integers(1, 12), st.integers(0, 2**32))
def test_every_plan_is_exact_or_refused_in_words(source, count, seed):
    check(source, count, seed)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(definitions(), st.integers(1, 40), st.integers(0, 2**32))
def test_many_plans_are_exact_or_refused_in_words(source, count, seed):
    check(source, count, seed)


def check(source, count, seed):
    try:
        definition = parse(source)
        space = FormulaSpace.of(definition)
        levels = space.sample(count, np.random.default_rng(seed))
        made = planned(definition, space, levels, seed)
    except LabloopError as refusal:  # any other exception fails
        event(type(refusal).__name__)
        return
    event("planned")
    plate, robot = definition.plate, definition.robot
    tick, dispenses = exact(robot.increment_ul), made.dispenses

    # The round has the plates that it was to have, as long as there is a formula for each.
    wanted = min(plate.plates, count * plate.replicates)
    assert made.layout["plate"].max() >= wanted

    # Every filled well gets its volume to the tick, with the inoculum; an empty one gets nothing.
    filled = made.layout[made.layout["role"] != "empty"]
    total = dispenses.groupby(["plate", "well"])["ticks"].sum()
    assert set(total.index) == set(zip(filled["plate"], filled["well"], strict=True))
    room = exact(plate.well_volume_ul) - exact(plate.inoculum_ul)
    assert all(int(ticks) * tick == room for ticks in total)

    # Every dispense is one that the robot can make.
    assert dispenses["ticks"].dtype == np.int64
    assert int(dispenses["ticks"].min()) * tick >= exact(robot.min_dispense_ul)
    assert int(dispenses["ticks"].max()) * tick <= exact(robot.max_dispense_ul)
    written = [float(int(ticks) * tick) for ticks in dispenses["ticks"]]
    assert dispenses["volume_ul"].to_list() == pytest.approx(written, rel=1e-12)

    # Every source well exists, holds one stock, and gives no more than it may.
    for (number, well), drawn in dispenses.groupby(["source_plate", "source_well"]):
        source_plate = robot.source_plate(int(number))
        assert well in column_major(source_plate.wells)
        assert len(drawn[["stock", "stock_concentration"]].drop_duplicates()) == 1
        gives = exact(source_plate.well_volume_ul) - exact(source_plate.dead_volume_ul)
        if source_plate.most_from_well_ul is not None:
            gives = min(gives, exact(source_plate.most_from_well_ul))
        assert int(drawn["ticks"].sum()) * tick <= gives

    # What the surrogate sees of a formula is what its wells got.
    amounts = space.concentrations(levels)
    poured = dispenses[dispenses["stock"] != plate.diluent]
    formula_of = filled.set_index(["plate", "well"])["formula"]
    got = {}
    for row in poured.itertuples():
        key = (row.plate, row.well, row.stock)
        volume = int(row.ticks) * tick
        amount = exact(row.stock_concentration) * volume / exact(plate.well_volume_ul)
        got[key] = got.get(key, Fraction(0)) + amount
    recipes = made.recipes.set_index(["formula", "component"])["achieved"]
    for (number, well), formula in formula_of.items():
        for j, component in enumerate(space.components):
            seen = recipes[formula, component.name]
            if not isinstance(formula, str) and component.choices is None:
                assert seen == amounts[formula, j]
            if component.stocks:
                assert float(got.get((number, well, component.name), 0)) == pytest.approx(
                    seen, rel=6e-12
                )
            else:
                assert (number, well, component.name) not in got
