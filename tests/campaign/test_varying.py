"""Formulas with a component set to an amount stay formulas that can be made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.campaign.varying import curve_settings, pair_settings, varied
from labloop.definition import parse
from labloop.space import FormulaSpace


def space_of(*constraints, **changes):
    components = [
        {"name": name, "unit": "%", "high": 100.0} | changes.get(name, {"step": 1.0})
        for name in ("a", "b", "c", "d")
    ]
    return FormulaSpace.of(
        parse(
            {
                "name": "x",
                "component": components,
                "response": [{"name": "y"}],
                "constraint": list(constraints),
            }
        )
    )


ALL = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
FREE = space_of()
MIXTURE = space_of({"total": ALL, "equals": 100.0})
CAPPED = space_of({"total": {"a": 1.0, "b": 1.0}, "at_most": 60.0})
FEW = space_of({"present": ["a", "b", "c"], "at_most": 2})


@given(
    st.sampled_from([FREE, MIXTURE, CAPPED, FEW]),
    st.integers(0, 2**16),
    st.sampled_from([(0,), (3,), (0, 1)]),
)
@settings(max_examples=30)
def test_every_formula_can_be_made_and_has_the_amounts_that_were_asked_for(space, seed, columns):
    rng = np.random.default_rng(seed)
    base = space.sample(10, rng)
    levels = np.stack([rng.integers(space.counts[j], size=5) for j in columns], axis=1)
    found = varied(space, base, np.array(columns), levels.astype(np.uint16))
    flat = found.formulas.reshape(-1, 4)
    assert space.satisfied(flat).all()
    assert (found.formulas[:, :, list(columns)] == found.levels[:, None]).all()
    assert len(found.levels) <= 5


def test_what_nothing_forbids_moves_alone():
    base = FREE.sample(10, np.random.default_rng(0))
    found = varied(FREE, base, np.array([1]), np.array([[0], [50]], dtype=np.uint16))
    assert found.formulas.shape == (2, 10, 4)
    assert (found.formulas[:, :, [0, 2, 3]] == base[:, [0, 2, 3]]).all()


def test_in_a_mixture_the_others_give_way():
    base = MIXTURE.sample(20, np.random.default_rng(0))
    found = varied(MIXTURE, base, np.array([0]), np.array([[0], [50], [100]], dtype=np.uint16))
    assert found.levels[:, 0].tolist() == [0, 50, 100]
    others = found.formulas[:, :, 1:].sum(axis=2)
    assert (others == [[100], [50], [0]]).all()


def test_amounts_that_most_formulas_cannot_take_are_left_out():
    base = CAPPED.sample(20, np.random.default_rng(0))
    found = varied(CAPPED, base, np.array([0, 1]), np.array([[30, 30], [50, 50]], dtype=np.uint16))
    assert found.levels.tolist() == [[30, 30]]
    none = varied(CAPPED, base, np.array([0, 1]), np.array([[50, 50]], dtype=np.uint16))
    assert len(none) == 0


def test_what_matters_has_finer_curves_and_what_does_not_vary_has_none():
    space = space_of(d={"fixed": 5.0}, c={"levels": [0.0, 1.0, 10.0]})
    found = curve_settings(space, np.array([[0.9], [0.2], [0.1], [0.0]]))
    assert [each.tolist() for each, _ in found] == [[0], [1], [2]]
    assert [len(levels) for _, levels in found] == [17, 17, 3]
    several = np.zeros((4, 2))
    assert pair_settings(space, several) == []


@pytest.mark.parametrize("second", [0.3, 0.02])
def test_pairs_are_taken_by_the_smaller_importance_of_the_two(second):
    importance = np.array([[0.9], [second], [0.005], [0.4]])
    found = pair_settings(FREE, importance)
    assert [each.tolist() for each, _ in found] == [[0, 3], [0, 1], [1, 3]]
    assert all(len(levels) == 25 for _, levels in found)
