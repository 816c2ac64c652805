"""Source plates, the places of stocks and names of stocks are checked, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from labloop.definition import parse
from labloop.errors import DefinitionError


def problems(robot: dict[str, Any], **changes: Any) -> list[str]:
    """Return the problems of a definition with that robot."""
    components = [
        {"name": "glucose", "unit": "mM", "high": 10.0, "stocks": [200.0, 20.0]},
        {"name": "zinc", "unit": "uM", "high": 5.0, "stocks": [1000.0]},
        {"name": "serum", "unit": "%", "high": 10.0},
    ]
    definition = {
        "name": "deck",
        "plate": {"diluent": "buffer"},
        "component": components,
        "response": [{"name": "titre"}],
        "robot": robot,
    } | changes
    try:
        parse(definition)
    except DefinitionError as error:
        return list(error.problems)
    return []


def test_a_deck_that_is_in_order_has_no_problems() -> None:
    robot = {
        "kind": "hamilton",
        "source_plate": [
            {"wells": 1, "well_volume_ul": 9e4, "dead_volume_ul": 500.0, "holds": ["diluent"]},
            {"wells": 24, "well_volume_ul": 9e3, "dead_volume_ul": 50.0, "holds": ["zinc"]},
        ],
        "place": [
            {"stock": "buffer", "wells": ["A1"]},
            {"stock": "glucose", "concentration": 20, "source_plate": 3, "wells": ["A1", "B01"]},
            {"stock": "zinc", "source_plate": 2, "wells": ["D6"]},
        ],
        "liquid_classes": {"default": "Water", "zinc": "Viscous", "diluent": "Buffer"},
    }
    assert problems(robot) == []


def test_source_plates_and_what_they_hold() -> None:
    plate = {"wells": 24, "well_volume_ul": 100.0, "dead_volume_ul": 100.0}
    robot = {"kind": "biomek", "source_plate": [plate, plate | {"holds": ["glucos", "serum"]}]}
    assert problems(robot) == [
        "[[robot.source_plate]] number 1, dead_volume_ul: must be below well_volume_ul 100 (got "
        "100)",
        "[[robot.source_plate]] number 2, dead_volume_ul: must be below well_volume_ul 100 (got "
        "100)",
        '[[robot.source_plate]] number 2, holds: unknown component "glucos"; did you mean '
        '"glucose"?',
        '[[robot.source_plate]] number 2, holds: "serum" has no stocks; give [[component]] "serum" '
        "its stocks",
    ]


def test_places_of_stocks() -> None:
    robot = {
        "kind": "biomek",
        "place": [
            {"stock": "zink", "wells": ["A1"]},
            {"stock": "glucose", "wells": ["A2"]},
            {"stock": "glucose", "concentration": 30.0, "wells": ["A3"]},
            {"stock": "diluent", "concentration": 1.0, "wells": ["A4", "E1", "x"]},
            {"stock": "zinc", "concentration": 1000.0, "wells": ["a01", "B1", "B1"]},
            {"stock": "serum", "source_plate": 2, "wells": ["A1"]},
        ],
    }
    assert problems(robot) == [
        '[[robot.place]] number 1, stock: unknown component "zink"; did you mean "zinc"?',
        '[[robot.place]] number 3, concentration: must be a stock of "glucose", 200, 20 mM (got '
        "30)",
        "[[robot.place]] number 4, concentration: the diluent has none; remove the key",
        '[[robot.place]] number 4, wells: source plate 1 has 24 wells and no "E1"',
        '[[robot.place]] number 4, wells: source plate 1 has 24 wells and no "x"',
        '[[robot.place]] number 6, stock: "serum" has no stocks; give [[component]] "serum" its '
        "stocks",
        "[[robot.place]] number 5, wells: A1 of source plate 1 is already taken by number 1; give "
        "each stock its own wells",
        "[[robot.place]] number 5, wells: B1 of source plate 1 is already taken by number 5; give "
        "each stock its own wells",
    ]


def test_stocks_of_a_component_that_has_problems_itself_are_not_called_unknown() -> None:
    robot = {
        "kind": "evo",
        "source_plate": [
            {"wells": 1, "well_volume_ul": 1e5, "dead_volume_ul": 1.0, "holds": ["iron"]}
        ],
        "place": [{"stock": "iron", "wells": ["A1"]}],
        "liquid_classes": {"iron": "Water", "irn": "Water"},
    }
    iron = {"name": "iron", "unit": "mM", "high": -1.0, "stocks": [1.0]}
    found = problems(robot, component=[{"name": "zinc", "unit": "mM", "stocks": [1.0]}, iron])
    assert [each for each in found if "unknown" in each] == [
        '[robot], liquid_classes: unknown component "irn"'
    ]


@pytest.mark.parametrize(
    ("robot", "found"),
    [
        ({"kind": "ot2", "pipettes": ["p20_single_gen2", "p1000_single_gen2"]}, []),
        (
            {"kind": "ot2", "pipettes": ["p20_single_gen3", "flex_1channel_50"]},
            ['p20_single_gen3\'); did you mean "p20_single_gen2"?', "flex_1channel_50')"],
        ),
        ({"kind": "flex", "pipettes": ["flex_1channel_50"] * 2}, ["(got flex_1channel_50, flex_"]),
        ({"kind": "evo", "pipettes": ["p20_single_gen2"]}, ['(kind is "evo"); remove it']),
    ],
)
def test_pipettes(robot: dict[str, Any], found: list[str]) -> None:
    seen = problems(robot)
    assert all(each.startswith("[robot], pipettes: ") for each in seen)
    assert len(seen) == len(found)
    for sentence, part in zip(seen, found, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    ("robot", "found"),
    [
        (
            {"kind": "flex", "min_dispense_ul": 1.0},
            ["at least 5, the least that flex_1channel_50 and flex_1channel_1000 can make (got 1)"],
        ),
        (
            {"kind": "ot2", "pipettes": ["p300_single_gen2"], "min_dispense_ul": 5.0},
            ["at least 20, the least that p300_single_gen2 can make (got 5)"],
        ),
        ({"kind": "ot2", "pipettes": ["p300_single_gen2"]}, []),
        ({"kind": "hamilton", "min_dispense_ul": 0.5}, []),
    ],
)
def test_a_least_volume_that_no_pipette_makes(robot: dict[str, Any], found: list[str]) -> None:
    assert problems(robot) == [f"[robot], min_dispense_ul: must be {each}" for each in found]
