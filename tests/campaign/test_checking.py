"""What a definition allows is said before the first plate is made."""

from __future__ import annotations

import numpy as np
import pytest

from labloop import Campaign
from labloop.errors import RefusedError


def test_what_the_robot_reaches_and_needs(fresh, lab):
    checked = fresh.check()
    assert checked.components.index.tolist() == lab.names
    glucose = checked.components.loc["glucose"]
    # 1 µL of the 20 mM stock in 200 µL is the least; 0.1 µL steps of it are 10 % there
    assert (glucose["unit"], glucose["lowest"], glucose["highest"]) == ("mM", 0.1, 10.0)
    assert 0.9 < glucose["reach"] < 1
    assert 0 < glucose["worst_error"] <= 0.02
    assert (checked.plates, checked.wells, checked.feasible) == (1, 14, 1.0)
    assert checked.deck["stock"].tolist()[0] == "water"
    filled = checked.deck["volume_ul"].sum()
    assert filled == pytest.approx(14 * 180.0)
    assert (checked.deck["fill_volume_ul"] > checked.deck["volume_ul"]).all()


def test_components_that_do_not_vary_or_have_no_range(tmp_path, lab):
    component = [
        *lab.definition()["component"][:1],
        {"name": "protein", "choices": ["soy", "wheat"]},
        {"name": "salt", "unit": "mM", "fixed": 0.0, "stocks": [100.0]},
        {"name": "buffer", "unit": "mM", "fixed": 25.0, "stocks": [1000.0]},
        {"name": "serum", "unit": "%", "high": 10.0},
    ]
    formulas = {"commercial": {"protein": "soy"}}
    definition = lab.definition(component=component, formulas=formulas)
    with Campaign.create(tmp_path / "kinds", definition) as campaign:
        shown = campaign.check().components
    assert shown.loc["protein", ["unit", "levels"]].tolist() == ["", 2]
    assert np.isnan(shown.loc["protein", "lowest"])
    assert shown.loc[["salt", "buffer"], "levels"].tolist() == [1, 1]
    assert shown.loc[["protein", "salt", "buffer", "serum"], "reach"].tolist() == [1.0] * 4


def test_constraints_say_how_much_of_the_space_they_leave(tmp_path, lab):
    limit = [{"total": {"glucose": 1.0, "zinc": 1.0}, "at_most": 10.0}]
    with Campaign.create(tmp_path / "limited", lab.definition(constraint=limit)) as campaign:
        assert 0.3 < campaign.check().feasible < 0.7


def test_a_control_that_the_stocks_cannot_make(tmp_path, lab):
    formulas = {"commercial": {"glucose": 0.01}}
    with (
        Campaign.create(tmp_path / "weak", lab.definition(formulas=formulas)) as campaign,
        pytest.raises(RefusedError) as error,
    ):
        campaign.check()
    assert str(error.value) == (
        "0.01 mM of glucose cannot be made from its stocks (200, 20 mM); add a stock or change the "
        "formula."
    )
