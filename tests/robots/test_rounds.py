"""The rounds that the oracles are given must be worth it."""

import pytest

from labloop.robots import ROBOTS
from labloop.worklists.checks import check


@pytest.mark.parametrize("kind", ROBOTS)
@pytest.mark.parametrize("wells", [96, 384])
def test_a_round_can_be_made_and_has_what_makes_exporters_stumble(
    round_of, planned_volumes, kind, wells
):
    plan = round_of(kind, wells)
    check(plan)
    assert (plan.layout["role"] != "empty").sum() >= wells - 2
    assert {"formula", "control", "empty"} == set(plan.layout["role"])
    assert plan.plate.inoculum_ul > 0
    assert any(not name.isascii() for name in plan.dispenses["stock"].unique())
    assert sum(planned_volumes(plan).values()) == plan.dispenses["ticks"].sum()


def test_more_formulas_make_more_plates(round_of):
    plan = round_of("ot2", 96, formulas=120)
    check(plan)
    assert set(plan.dispenses["plate"]) == {1, 2, 3}
    stocks = plan.dispenses[["stock", "stock_concentration"]].drop_duplicates()
    assert stocks["stock"].duplicated().any()
