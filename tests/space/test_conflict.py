"""Constraints that exclude each other are named, and no others."""

from __future__ import annotations

import pytest

from labloop.definition import parse
from labloop.errors import DefinitionError
from labloop.space import FormulaSpace


def conflict(components, constraints, **sections):
    definition = parse(
        {
            "name": "x",
            "component": [{"unit": "mM", **component} for component in components],
            "response": [{"name": "titre"}],
            "constraint": constraints,
            **sections,
        }
    )
    with pytest.raises(DefinitionError) as caught:
        FormulaSpace.of(definition)
    return list(str(caught.value).split("\n  - "))


HEADLINE = "No formula can satisfy these constraints together:"
PARTS = [{"name": name, "high": 1.0} for name in "abcd"]


def test_two_totals():
    assert conflict(
        [*PARTS, {"name": "none", "fixed": 0.0}],
        [
            {"total": {"c": 1.0, "none": 1.0}, "at_most": 0.5},
            {"total": {"a": 1.0, "b": 1.0}, "at_least": 1.5},
            {"present": ["c", "d"], "at_most": 1},
            {"total": {"a": 2.0, "b": 1.0, "d": -1.0}, "at_most": 1.1},
            {"total": {"d": 1.0}, "at_most": 0.25},
        ],
    ) == [HEADLINE, "a + b ≥ 1.5", "2 a + b - d ≤ 1.1", "d ≤ 0.25"]


def test_a_total_and_a_presence_limit():
    assert conflict(
        PARTS,
        [
            {"total": {"a": 1.0, "b": 1.0}, "at_least": 0.1},
            {"total": dict.fromkeys("abcd", 1.0), "at_least": 2.5},
            {"present": list("abcd"), "at_most": 2},
        ],
    ) == [HEADLINE, "a + b + c + d ≥ 2.5", "number present of a, b, c, d ≤ 2"]


def test_presence_limits():
    assert conflict(
        PARTS,
        [
            {"present": ["a", "b"], "at_most": 0},
            {"present": ["c", "d"], "at_most": 1},
            {"present": list("abcd"), "at_least": 2},
        ],
    ) == [
        HEADLINE,
        "number present of a, b ≤ 0",
        "number present of c, d ≤ 1",
        "number present of a, b, c, d ≥ 2",
    ]


def test_a_total_and_the_well():
    assert conflict(
        [{"name": name, "high": 800.0, "stocks": [1000.0]} for name in "ab"],
        [{"total": {"a": 1.0, "b": 1.0}, "at_least": 950.0}, {"total": {"a": 1.0}, "at_most": 700}],
        robot={"kind": "ot2"},
        plate={"well_volume_ul": 200.0, "inoculum_ul": 20.0},
    ) == [HEADLINE, "a + b ≥ 950", "stocks fill at most 180 µL of the well"]


def test_levels_that_are_too_coarse():
    assert conflict(
        [{"name": name, "levels": [0, 10]} for name in "ab"],
        [{"total": {"a": 1.0, "b": 1.0}, "equals": 5.0}],
    ) == [
        "No formula on the levels that the robot can make was found to satisfy these constraints "
        "together; loosen one or use finer levels:",
        "a + b = 5",
    ]
