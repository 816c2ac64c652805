"""How much of a well formulas take, and how many fit it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labloop.definition import parse
from labloop.space import FormulaSpace
from labloop.space.volume_use import VolumeUse, volume_use


def used(count: int, **changes: Any) -> VolumeUse:
    component = [
        {"name": f"c{i}", "unit": "mM", "high": 10.0, "stocks": [100.0]} for i in range(count)
    ]
    definition = {
        "name": "room",
        "plate": {"well_volume_ul": 200.0, "inoculum_ul": 20.0},
        "robot": {"kind": "hamilton"},
        "component": component,
        "response": [{"name": "titre"}],
    } | changes
    return volume_use(FormulaSpace.of(parse(definition)), 2000, np.random.default_rng(0))


def test_what_fits_fits_wholly() -> None:
    use = used(8)
    assert use.room == pytest.approx(180.0)
    assert use.high == pytest.approx([20.0] * 8)
    assert use.usual == pytest.approx([10.0] * 8, abs=0.5)
    assert use.fits > 0.99


def test_half_of_the_formulas_of_half_the_room_fit() -> None:
    assert used(18).fits == pytest.approx(0.5, abs=0.06)  # 18 × 10 µL on average in 180 µL


def test_the_other_constraints_come_first() -> None:
    total = [{"total": {f"c{i}": 1.0 for i in range(18)}, "at_most": 60.0}]
    use = used(18, constraint=total)
    assert use.fits == 1.0
    assert use.usual.sum() <= 120.5
