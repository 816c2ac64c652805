"""The space of formulas: sampling, nearest levels, and the surrogate's inputs."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.definition import parse
from labloop.errors import DefinitionError, RefusedError
from labloop.space import FormulaSpace
from labloop.space.levels import BY_HAND

ECHO = {"kind": "echo525"}
PLATE = {"wells": 384, "well_volume_ul": 50.0, "inoculum_ul": 5.0}


def space_of(components, constraints=(), **sections):
    definition = {
        "name": "x",
        "component": [{"unit": "mM", **c} if "choices" not in c else c for c in components],
        "response": [{"name": "titre"}],
        "constraint": list(constraints),
        **sections,
    }
    return FormulaSpace.of(parse(definition))


MIXED = [
    {"name": "glucose", "high": 60.0, "stocks": [1000.0, 100.0]},
    {"name": "EGF", "low": 1.0, "high": 1000.0, "scale": "log"},
    {"name": "IGF1", "high": 1000.0, "scale": "log", "stocks": [50_000.0, 500.0]},
    {"name": "insulin", "levels": [0, 1, 10, 60]},
    {"name": "salt", "fixed": 24.93, "stocks": [1000.0]},
    {"name": "serum", "choices": ["calf", "horse", "none"]},
    {"name": "lactate", "low": 2.0, "high": 8.0, "step": 0.5},
]


@pytest.fixture(scope="module")
def mixed():
    return space_of(MIXED, robot=ECHO, plate=PLATE)


def test_formulas_are_rows_of_small_integers(mixed):
    rng = np.random.default_rng(0)
    levels = mixed.sample(200, rng)
    assert levels.shape == (200, len(MIXED))
    assert levels.dtype == np.uint16
    assert mixed.mend(levels, rng)[0].dtype == np.uint16
    assert mixed.from_unit(rng.random((5, len(MIXED)))).dtype == np.uint16
    assert (levels < mixed.counts).all()


def test_the_same_seed_samples_the_same_formulas(mixed):
    one = mixed.sample(100, np.random.default_rng(7))
    again = mixed.sample(100, np.random.default_rng(7))
    other = mixed.sample(100, np.random.default_rng(8))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_nearest_and_concentrations_are_inverse(mixed):
    levels = mixed.sample(500, np.random.default_rng(1))
    np.testing.assert_array_equal(mixed.nearest(mixed.concentrations(levels)), levels)


def test_the_campaigns_own_formulas_are_encoded_from_0_to_1(mixed):
    levels = mixed.sample(500, np.random.default_rng(2))
    codes = mixed.encode(levels)
    assert codes.shape == (500, len(mixed.component_of_column))
    assert codes.min() >= -1e-9
    assert codes.max() <= 1 + 1e-9
    np.testing.assert_allclose(codes, mixed.encode_concentrations(mixed.concentrations(levels)))


def test_ends_of_the_range_are_encoded_as_0_and_1(mixed):
    ends = mixed.encode(np.array([mixed.counts * 0, mixed.counts - 1], dtype=np.uint16))
    assert mixed.component_of_column.tolist() == [0, 1, 2, 3, 4, 5, 5, 5, 6]
    np.testing.assert_allclose(ends[0], [0, 0, 0, 0, 0, 1, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(ends[1], [1, 1, 1, 1, 0, 0, 0, 1, 1], atol=1e-2)


def test_choices_are_one_hot_and_an_unknown_one_is_a_row_of_zeros(mixed):
    concentrations = np.tile(
        mixed.concentrations(mixed.sample(1, np.random.default_rng(0))), (4, 1)
    )
    concentrations[:, 5] = [0, 1, 2, -1]
    codes = mixed.encode_concentrations(concentrations)[:, 5:8]
    np.testing.assert_array_equal(codes, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    serum = mixed.frame(concentrations)["serum"]
    assert serum[:3].tolist() == ["calf", "horse", "none"]
    assert serum.isna().tolist() == [False, False, False, True]


def test_a_log_scale_spreads_small_concentrations_apart(mixed):
    formula = mixed.concentrations(mixed.sample(1, np.random.default_rng(0)))
    codes = []
    for amount in (1.0, 10.0, 100.0, 1000.0):
        formula[0, 1] = amount
        codes.append(mixed.encode_concentrations(formula)[0, 1])
    assert codes[0] == 0.0
    assert codes[3] == pytest.approx(1.0)
    assert min(np.diff(codes)) > 0.2


def test_other_lines_concentrations_may_lie_outside_0_to_1(mixed):
    formula = mixed.concentrations(mixed.sample(1, np.random.default_rng(0)))
    formula[0, 0], formula[0, 4] = 120.0, 49.86
    codes = mixed.encode_concentrations(formula)[0]
    assert codes[0] == pytest.approx(2.0)
    assert codes[4] > 0.9


def test_a_frame_has_the_components_columns(mixed):
    levels = mixed.sample(3, np.random.default_rng(0))
    frame = mixed.frame(mixed.concentrations(levels))
    assert frame.columns.tolist() == mixed.names
    assert frame["salt"].tolist() == [25.0] * 3  # 24.93 mM in whole ticks of 0.5 mM
    assert set(frame["serum"]) <= {"calf", "horse", "none"}


def test_a_named_formula_may_leave_the_range_but_not_what_the_stocks_make():
    space = space_of(MIXED[:1], robot=ECHO, plate=PLATE)
    (level,) = space.achieve(np.array([[100.0]]))[0]
    assert level.concentration.tolist() == [100.0]
    assert level.stock_concentration.tolist() == [1000.0]
    (none,) = space.achieve(np.array([[0.0]]))[0]
    assert (none.stock.tolist(), none.ticks.tolist()) == ([BY_HAND], [0])
    with pytest.raises(RefusedError) as caught:
        space.achieve(np.array([[950.0]]))
    assert str(caught.value) == (
        "950 mM of glucose cannot be made from its stocks (1000, 100 mM); add a stock of 2500 "
        "mM or change the formula."
    )


def test_stocks_that_reach_no_level_are_named():
    with pytest.raises(DefinitionError) as caught:
        space_of(
            [
                {"name": "too weak", "low": 10.0, "high": 20.0, "stocks": [5.0]},
                {"name": "too strong", "low": 0.001, "high": 0.01, "stocks": [1000.0]},
                {"name": "only zero", "high": 0.01, "stocks": [1000.0]},
                {"name": "fixed", "fixed": 3000.0, "stocks": [1000.0, 10.0]},
                {"name": "fine", "high": 20.0, "stocks": [1000.0]},
            ],
            robot=ECHO,
            plate=PLATE,
        )
    assert str(caught.value) == "\n".join(
        [
            "The robot cannot make these components:",
            '  - [[component]] "too weak", stocks: from 5 mM the robot makes 0.0025 to 4.5 mM in a '
            "well, not 10 to 20; add a stock of 50 mM, which makes 10 to 20",
            '  - [[component]] "too strong", stocks: from 1000 mM the robot makes 0.5 to 900 mM in '
            "a well, not 0.001 to 0.01; add a stock of 0.2 mM, which makes 0.001 to 0.01",
            '  - [[component]] "only zero", stocks: from 1000 mM the robot makes 0.5 to 900 mM in '
            "a well, not 0 to 0.01; add a stock of 0.06 mM, which makes 3e-05 to "
            "0.00999",
            '  - [[component]] "fixed", stocks: from 1000, 10 mM the robot makes 0.005 to 900 mM '
            "in a well, not 3000; add a stock of 8000 mM, which makes 3000",
        ]
    )


def test_the_only_formula_is_found_as_often_as_asked():
    space = space_of(
        [{"name": name, "levels": [0, 1]} for name in "abc"],
        [{"total": {"a": 1.0, "b": 1.0, "c": 1.0}, "equals": 3.0}],
    )
    assert (space.sample(50, np.random.default_rng(0)) == 1).all()


def test_the_well_leaves_room_for_the_diluent_or_for_none_of_it():
    components = [{"name": n, "high": 1000.0, "stocks": [1000.0]} for n in "abc"]
    robot = {"kind": "ot2"}
    full = space_of(
        components,
        [{"total": dict.fromkeys("abc", 1.0), "equals": 1000.0}],
        robot=robot,
        plate={"well_volume_ul": 50.0},
    )
    levels = full.sample(500, np.random.default_rng(0))
    ticks = sum(t.ticks[levels[:, j]] for j, t in enumerate(full.tables))
    assert (ticks == 500).all()
    free = space_of(components, robot=robot, plate={"well_volume_ul": 50.0})
    levels = free.sample(2000, np.random.default_rng(0))
    ticks = sum(t.ticks[levels[:, j]] for j, t in enumerate(free.tables))
    assert ((ticks <= 490) | (ticks == 500)).all()


def test_broken_constraints_are_named():
    space = space_of(
        [{"name": "a", "high": 1.0}, {"name": "b", "high": 1.0}],
        [{"total": {"a": 1.0, "b": 1.0}, "at_most": 1.5}, {"present": ["a", "b"], "at_most": 1}],
    )
    levels = space.nearest(np.array([[1.0, 1.0], [0.5, 0.0], [0.5, 0.2]]))
    assert space.satisfied(levels).tolist() == [False, True, False]
    assert space.broken(levels) == ["a + b ≤ 1.5", "number present of a, b ≤ 1"]
    assert space.broken(levels[1:2]) == []
