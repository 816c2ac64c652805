"""Mending and sampling: what is called feasible is feasible, and what is feasible is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labloop.definition import parse
from labloop.space import FormulaSpace
from labloop.space.narrowing import part_of

ABC = "abcdef"
seeds = st.integers(0, 2**32 - 1)


def definition_of(components, constraints=(), **sections):
    return parse(
        {
            "name": "x",
            "component": [{"unit": "mM", **c} if "choices" not in c else c for c in components],
            "response": [{"name": "titre"}],
            "constraint": list(constraints),
            **sections,
        }
    )


def parts(high=1.0, names=ABC, **fields):
    return [{"name": name, "low": 0.0, "high": high, **fields} for name in names]


def total(names=ABC, **bounds):
    return {"total": dict.fromkeys(names, 1.0), **bounds}


def satisfied(definition, space, levels, tolerance):
    """The constraints and the well's volume again, in concentrations and nothing but numpy.

    `tolerance` is what an equality may be off by.
    """
    index = {name: j for j, name in enumerate(definition.component_names)}
    table = space.concentrations(levels)
    holds = np.ones(len(levels), dtype=bool)
    for constraint in definition.constraints:
        if constraint.total is not None:
            columns = [index[name] for name in constraint.total]
            sums = table[:, columns] @ np.array(list(constraint.total.values()))
        else:
            sums = (table[:, [index[name] for name in constraint.present]] > 0).sum(axis=1)
        if constraint.equals is not None:
            holds &= np.abs(sums - constraint.equals) <= tolerance
        if constraint.at_least is not None:
            holds &= sums >= constraint.at_least - 1e-6
        if constraint.at_most is not None:
            holds &= sums <= constraint.at_most + 1e-6
    for j, component in enumerate(definition.components):
        if component.choices is None:
            low, high = component.ends
            holds &= (table[:, j] >= low - 1e-9) & (table[:, j] <= high + 1e-9)
    room = definition.plate.well_volume_ul - definition.plate.inoculum_ul
    used = sum(t.ticks[levels[:, j]] for j, t in enumerate(space.tables))
    used = used * definition.robot.increment_ul
    least = definition.robot.min_dispense_ul
    return holds & ((used <= room - least + 1e-9) | (np.abs(used - room) < 1e-9))


def random_definition(seed):
    """A definition that one formula at least satisfies, since it was made to."""
    rng = np.random.default_rng(seed)
    components, amounts = [], {}
    for number in range(int(rng.integers(2, 9))):
        name = f"c{number}"
        kind = rng.choice(["free", "free", "step", "levels", "fixed", "choices"])
        high = float(rng.choice([1.0, 10.0, 60.0]))
        low = float(rng.choice([0.0, 0.0, high / 10, high / 4]))
        if kind == "choices":
            components.append({"name": name, "choices": ["soy", "wheat"]})
            continue
        if kind == "fixed":
            component, amount = {"fixed": high / 4}, high / 4
        elif kind == "levels":
            component = {"levels": [0.0, high / 10, high / 2, high]}
            amount = float(rng.choice(component["levels"]))
        else:
            steps = 20 if kind == "step" else 1000
            component = {"low": low, "high": high}
            if kind == "step":
                component["step"] = (high - low) / steps
            amount = low + (high - low) / steps * int(rng.integers(0, steps + 1))
            if low == 0 and rng.random() < 0.4:
                amount = 0.0
        components.append({"name": name, **component})
        amounts[name] = round(amount, 10)
    constraints = []
    for _ in range(int(rng.integers(1, 4)) if amounts else 0):
        names = [name for name in amounts if rng.random() < 0.6] or list(amounts)
        kind = rng.choice(["at_most", "at_least", "equals", "window", "few", "many"])
        if kind in ("few", "many"):
            count = sum(amounts[name] > 0 for name in names)
            constraints.append(
                {"present": names, "at_most" if kind == "few" else "at_least": count}
            )
            continue
        weights = {name: float(rng.choice([1.0, 1.0, 1.0, 2.0, 0.5, -1.0])) for name in names}
        value = round(sum(w * amounts[name] for name, w in weights.items()), 9)
        room = float(abs(value) * rng.choice([0.05, 0.3]) + 0.05)
        bounds = {
            "at_most": {"at_most": value + room},
            "at_least": {"at_least": value - room},
            "equals": {"equals": value},
            "window": {"at_least": value - room, "at_most": value + room},
        }
        constraints.append({"total": weights, **bounds[kind]})
    if all("fixed" in component for component in components):
        components.append({"name": "free", "high": 1.0})
    return definition_of(components, constraints)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_random_feasible_definitions_are_sampled_and_only_with_feasible_formulas(seed):
    definition = random_definition(seed)
    space = FormulaSpace.of(definition)
    levels = space.sample(50, np.random.default_rng(seed))
    assert levels.shape == (50, len(definition.components))
    # an equality may be off by half a step of the coarsest component, at worst
    worst = max(
        (
            abs(weight) * np.diff(table.concentration).max(initial=0.0) / 2
            for constraint in definition.constraints
            for name, weight in (constraint.total or {}).items()
            for table in space.tables
            if table.component.name == name
        ),
        default=0.0,
    )
    assert satisfied(definition, space, levels, worst + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_mending_says_the_truth_and_leaves_feasible_formulas_alone(seed):
    definition = random_definition(seed)
    space = FormulaSpace.of(definition)
    rng = np.random.default_rng(seed)
    start = space.from_unit(rng.random((200, len(space.tables))))
    mended, holds = space.mend(start, rng)
    np.testing.assert_array_equal(holds, space.satisfied(mended))
    assert (mended < space.counts).all()
    before = space.satisfied(start)
    np.testing.assert_array_equal(mended[before], start[before])
    again, still = space.mend(mended[holds], rng)
    np.testing.assert_array_equal(again, mended[holds])
    assert still.all()


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_wells_are_not_overfilled(seed):
    rng = np.random.default_rng(seed)
    components = [
        {"name": f"c{i}", "high": 60.0, "stocks": [float(rng.choice([200.0, 500.0])), 50.0]}
        for i in range(20)
    ]
    definition = definition_of(
        components,
        [{"present": [f"c{i}" for i in range(12)], "at_most": 5}],
        robot={"kind": str(rng.choice(["echo525", "ot2", "biomek"]))},
        plate={"well_volume_ul": 200.0, "inoculum_ul": 20.0},
    )
    space = FormulaSpace.of(definition)
    levels = space.sample(200, rng)
    assert satisfied(definition, space, levels, 0.0).all()


HARD = {
    "a mixture": (parts(), [total(equals=1.0)]),
    "a mixture on a lattice": (parts(step=0.05), [total(equals=1.0)]),
    "a mixture of few": (parts(), [total(equals=1.0), {"present": list(ABC), "at_most": 3}]),
    "a mixture of just enough": (
        parts(high=0.6),
        [total(equals=1.0), {"present": list(ABC), "equals": 2}],
    ),
    "a mixture with floors": (
        [*parts(high=0.5, names="abc", low=0.05), *parts(high=0.4, names="def")],
        [total(equals=1.0), {"present": list(ABC), "at_most": 4}],
    ),
    "a mixture of almost only upper bounds": (parts(high=0.17), [total(equals=1.0)]),
    "a cheap mixture": (
        parts(),
        [
            total(equals=1.0),
            {"total": dict(zip(ABC, [2.0, 3.0, 5.0, 5.0, 5.0, 5.0], strict=True)), "at_most": 2.5},
        ],
    ),
    "a mixture with a property": (
        parts(),
        [
            total(equals=1.0),
            {"total": dict(zip(ABC, [2.0, 3.0, 5.0, 5.0, 5.0, 5.0], strict=True)), "equals": 2.5},
        ],
    ),
    "a mixture with fixed parts and choices": (
        [
            {"name": "a", "fixed": 0.3},
            *parts(high=0.3, names="bcdef"),
            {"name": "soy", "choices": ["a", "b"]},
        ],
        [total(equals=1.0)],
    ),
    "overlapping mixtures": (
        parts(),
        [total("abc", equals=1.0), total("cde", equals=1.0), total("aef", equals=0.7)],
    ),
    "a fixed ratio": (
        parts(step=0.05),
        [{"total": {"a": 1.0, "b": -2.0}, "equals": 0.0}, total(equals=1.0)],
    ),
    "differences": (
        parts(),
        [
            {"total": {"a": 1.0, "b": -1.0}, "at_least": 0.5},
            {"total": {"b": 1.0, "c": -2.0}, "equals": 0.1},
        ],
    ),
    "narrow windows that overlap": (
        parts(),
        [total(at_least=0.99, at_most=1.0), total("ab", at_least=0.8), total("bc", at_most=0.3)],
    ),
    "coarse listed levels": (
        [{"name": name, "levels": [0, 1, 10, 60]} for name in ABC],
        [total(equals=61.0)],
    ),
    "a component of no account": (
        [*parts(high=60.0, names="ac"), {"name": "b", "high": 0.001}],
        [total("abc", equals=60.0)],
    ),
    "many present of little": (
        parts(),
        [{"present": list(ABC), "at_least": 5}, total(at_most=0.1)],
    ),
    "presences that overlap": (
        parts(),
        [
            {"present": list("abc"), "at_most": 1},
            {"present": list("cde"), "at_least": 2},
            {"present": list("ef"), "at_most": 1},
        ],
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_tight_constraints_are_met_with_many_different_formulas(name):
    definition = definition_of(*HARD[name])
    space = FormulaSpace.of(definition)
    levels = space.sample(300, np.random.default_rng(0))
    # an equality is exact on a lattice, else within half a step of what settles it
    steps = [np.diff(t.concentration).max(initial=0.0) for t in space.tables]
    exact = name in ("a mixture on a lattice", "a fixed ratio", "coarse listed levels")
    tolerance = 1e-9 if exact else max(steps) / 2
    assert satisfied(definition, space, levels, tolerance).all()
    fewest = 20 if name == "coarse listed levels" else 100
    assert len(np.unique(levels, axis=0)) >= fewest


def test_presence_limits_leave_every_number_of_components_possible():
    definition = definition_of(parts(), [{"present": list(ABC), "at_most": 2}])
    space = FormulaSpace.of(definition)
    levels = space.sample(1000, np.random.default_rng(0))
    counts = np.bincount((space.concentrations(levels) > 0).sum(axis=1))
    assert len(counts) == 3
    assert counts.min() > 100
    present = (space.concentrations(levels) > 0).sum(axis=0)
    assert present.min() > 0.5 * present.max()


def test_a_part_without_enough_components_that_can_be_there_has_no_formula():
    space = FormulaSpace.of(definition_of(parts(), [{"present": list(ABC), "at_least": 2}]))
    absent = [~table.present for table in space.tables]
    keep = [np.ones(len(space.tables[0]), dtype=bool), *absent[1:]]
    part = part_of(space, keep).space
    start = np.zeros((5, len(space.tables)), dtype=np.uint16)
    _, holds = part.mend(start, np.random.default_rng(0))
    assert not holds.any()


def test_components_that_are_always_there_stay():
    components = [*parts(names="abc", low=0.1), *parts(names="def")]
    definition = definition_of(components, [{"present": list(ABC), "at_most": 4}])
    space = FormulaSpace.of(definition)
    table = space.concentrations(space.sample(500, np.random.default_rng(0)))
    assert (table[:, :3] > 0).all()
    assert set((table[:, 3:] > 0).sum(axis=1)) == {0, 1}


def test_a_small_excess_is_mended_by_a_small_move():
    definition = definition_of(parts(names="ab"), [total("ab", at_most=1.0)])
    space = FormulaSpace.of(definition)
    start = space.nearest(np.array([[0.6, 0.42], [1.0, 1.0], [0.2, 0.2]]))
    mended, holds = space.mend(start, np.random.default_rng(0))
    assert holds.all()
    table = space.concentrations(mended)
    np.testing.assert_allclose(table[0], [0.588, 0.412], atol=2e-3)
    np.testing.assert_allclose(table[1], [0.5, 0.5], atol=2e-3)
    np.testing.assert_allclose(table[2], [0.2, 0.2])


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_mending_is_repeatable(seed):
    space = FormulaSpace.of(definition_of(*HARD["a cheap mixture"]))
    start = space.from_unit(np.random.default_rng(seed).random((50, 6)))
    one, _ = space.mend(start, np.random.default_rng(seed))
    two, _ = space.mend(start, np.random.default_rng(seed))
    np.testing.assert_array_equal(one, two)
    assume(not space.satisfied(start).all())
    assert (one != start).any()
