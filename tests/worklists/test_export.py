from dataclasses import replace

import pandas as pd
import pytest

from labloop.errors import RefusedError
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.worklists import WORKLISTS, round_files

MAPS = ["r1-plate-map.csv", "r1-plate-grid.csv", "r1-plate-map.toml", "r1-deck-list.csv"]


def test_every_kind_has_its_maps_deck_list_and_worklist(plan):
    biomek = round_files("biomek", plan, stem="r1")
    assert list(biomek) == [*MAPS, "r1-by-hand.csv", "r1-biomek.csv", "r1-biomek-deck.csv"]
    manual = round_files("manual", plan, stem="r1")
    assert list(manual) == [*MAPS, "r1-by-hand.csv", "r1-bench-list.csv"]
    assert all(isinstance(content, bytes) for content in biomek.values())


@pytest.mark.parametrize(
    ("kind", "hint"), [("tempest", ""), ("biomec", '; did you mean "biomek"?')]
)
def test_kinds_that_cannot_be_written_are_refused(plan, kind, hint):
    with pytest.raises(RefusedError) as refusal:
        round_files(kind, plan, stem="r1")
    assert str(refusal.value) == (
        f'There is no export to "{kind}"; choose one of {", ".join(WORKLISTS)}{hint}.'
    )


def test_a_round_planned_for_another_robot_is_refused(plan):
    echo = replace(plan, robot=plan.robot.model_copy(update={"kind": "echo525"}))
    with pytest.raises(RefusedError) as refusal:
        round_files("biomek", echo, stem="r1")
    assert str(refusal.value) == (
        'The round was planned for the robot "echo525", not for "biomek", whose volumes differ; '
        'export to "echo525" or "manual", or set kind = "biomek" under [robot] before the next '
        "round is proposed."
    )
    assert "r1-bench-list.csv" in round_files("manual", echo, stem="r1")


def test_every_plan_is_checked(plan):
    drained = replace(plan, robot=plan.robot.model_copy(update={"source_well_volume_ul": 200.0}))
    for kind in ("biomek", "manual"):
        with pytest.raises(RefusedError, match="fall below the dead volume"):
            round_files(kind, drained, stem="r1")


def test_formulas_by_number_and_replicates_that_may_be_absent_give_the_same_files(plan):
    """As a round comes back from the database: whole-number ids, no replicate in empty wells."""
    numbers = {"R1F1": 17, "R1F2": 18}

    def renamed(frame):
        formula = [numbers.get(each, each) for each in frame["formula"]]
        return frame.assign(formula=pd.Series(formula, dtype=object, index=frame.index))

    layout = renamed(plan.layout)
    layout["replicate"] = layout["replicate"].astype("Int64").where(layout["role"] != "empty")
    recipes = renamed(plan.recipes)
    dispenses = plan_dispenses(
        layout, recipes, components=list(plan.units), plate=plan.plate, robot=plan.robot
    )
    stored = replace(plan, layout=layout, recipes=recipes, dispenses=dispenses)
    named, numbered = (round_files("biomek", each, stem="r1") for each in (plan, stored))
    for name, content in named.items():
        text = content.decode()
        if name.endswith("toml"):
            text = text.replace('"R1F1"', "17").replace('"R1F2"', "18")
        assert numbered[name].decode() == text.replace("R1F1", "17").replace("R1F2", "18")
