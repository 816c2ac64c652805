"""What stocks cannot make is said with the stocks that would."""

from __future__ import annotations

from typing import Any

import pytest

from labloop.definition import Component
from labloop.space.levels import Volumes, level_table
from labloop.space.unmade import problems, refusal

P20 = Volumes(increment_ul=0.1, well_ul=100.0, capacity=950, minimum=10, maximum=200)
ZINC = {"name": "zinc", "unit": "uM", "low": 0.5, "high": 40.0, "stocks": [8000.0]}


def zinc(**changes: Any) -> Component:
    given = {key: value for key, value in (ZINC | changes).items() if value is not None}
    return Component.model_validate(given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "from 8000 uM the robot makes 80 to 7600 uM in a well, not 0.5 to 40; add a stock of "
            "160 uM, which makes 1.6 to 40",
        ),
        (
            {"scale": "log"},
            "from 8000 uM the robot makes 80 to 7600 uM in a well, not 0.5 to 40; add stocks of "
            "400 and 20 uM, which make 0.5 to 40",
        ),
        (
            {"low": None, "high": None, "fixed": 5.0},
            "from 8000 uM the robot makes 80 to 7600 uM in a well, not 5; add a stock of 500 uM, "
            "which makes 5",
        ),
        (
            {"low": 10.0, "stocks": [2.0], "solubility": 2.0},
            "from 2 uM the robot makes 0.02 to 1.9 uM in a well, not 10 to 40; add a stronger "
            "stock",
        ),
    ],
)
def test_the_stocks_that_would_do_are_named(changes: dict[str, Any], said: str) -> None:
    found = problems(level_table(zinc(**changes), P20), P20)
    assert found == [f'[[component]] "zinc", stocks: {said}']


def test_nothing_is_said_of_a_component_that_can_be_made() -> None:
    assert problems(level_table(zinc(stocks=[400.0]), P20), P20) == []


def test_what_is_suggested_can_be_made() -> None:
    mended = zinc(scale="log", stocks=[8000.0, 400.0, 20.0])
    assert problems(level_table(mended, P20), P20) == []


def test_one_concentration_that_cannot_be_made() -> None:
    assert refusal(zinc(stocks=[8000.0, 800.0]), 5.0, P20) == (
        "5 uM of zinc cannot be made from its stocks (8000, 800 uM); add a stock of 300 uM or "
        "change the formula."
    )
    insoluble = zinc(stocks=[1.0], solubility=1.0)
    assert refusal(insoluble, 5.0, P20).endswith("; add a stock or change the formula.")
