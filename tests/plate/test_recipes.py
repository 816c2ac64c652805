"""What a formula is made of."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.definition import parse
from labloop.errors import RefusedError
from labloop.plate.recipes import control_recipes, formula_recipes, wanted_controls
from labloop.space import FormulaSpace

DEFINITION = {
    "name": "small",
    "plate": {"well_volume_ul": 200.0, "controls": {"commercial": 2}},
    "robot": {"kind": "biomek"},
    "component": [
        {"name": "glucose", "unit": "mM", "high": 10.0, "stocks": [200.0, 20.0]},
        {"name": "protein", "choices": ["soy", "wheat"]},
        {"name": "buffer", "unit": "mM", "fixed": 25.0, "stocks": [1000.0]},
        {"name": "serum", "unit": "%", "high": 10.0},
    ],
    "response": [{"name": "titre"}],
    "formulas": {"commercial": {"glucose": 40.0, "protein": "wheat"}, "spare": {"protein": "soy"}},
}


@pytest.fixture
def definition():
    return parse(DEFINITION)


@pytest.fixture
def space(definition):
    return FormulaSpace.of(definition)


def test_a_formulas_recipe_gives_back_its_concentrations(space):
    levels = space.sample(20, np.random.default_rng(0))
    recipe = formula_recipes(space, range(100, 120), levels)
    assert list(recipe.columns) == [
        "formula",
        "component",
        "target",
        "achieved",
        "stock_concentration",
        "ticks",
    ]
    assert len(recipe) == 80
    made = recipe.pivot(index="formula", columns="component", values="achieved")
    assert made.index.tolist() == list(range(100, 120))
    assert (made[space.names] == space.frame(space.concentrations(levels)).to_numpy()).all(
        axis=None
    )
    poured = recipe[recipe["stock_concentration"].notna()]
    volume = poured["ticks"] * 0.1
    assert (volume >= 1.0 - 1e-9).all()
    concentration = (volume * poured["stock_concentration"] / 200).to_numpy(float)
    assert concentration == pytest.approx(poured["achieved"].to_numpy(float))
    assert (recipe.loc[recipe["stock_concentration"].isna(), "ticks"] == 0).all()


def test_a_control_may_leave_the_range_and_has_what_it_does_not_name(definition, space):
    wanted = wanted_controls(definition)
    assert {name: row.tolist() for name, row in wanted.items()} == {
        "commercial": [40.0, 1.0, 25.0, 0.0]
    }
    recipe = control_recipes(space, wanted).set_index("component")
    assert set(recipe["formula"]) == {"commercial"}
    assert recipe["achieved"].to_dict() == {
        "glucose": 40.0,
        "protein": "wheat",
        "buffer": 25.0,
        "serum": 0.0,
    }
    assert recipe.loc["glucose", ["stock_concentration", "ticks"]].tolist() == [200.0, 400]


def test_no_controls_have_an_empty_recipe(space):
    assert control_recipes(space, {}).empty


def test_a_control_that_the_stocks_cannot_make(space):
    with pytest.raises(RefusedError) as error:
        control_recipes(space, {"weak": np.array([0.01, 0.0, 25.0, 0.0])})
    assert str(error.value) == (
        'The control "weak" cannot be made: 0.01 mM of glucose cannot be made from its stocks '
        "(200, 20 mM); add a stock of 2 mM or change the formula."
    )
