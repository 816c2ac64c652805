"""campaign.toml is edited between commands: what goes on, what has to be learned again."""

from __future__ import annotations

import numpy as np
import pytest

from labloop import Campaign, store
from labloop.campaign.subject import PRETRAINED
from labloop.errors import DefinitionError, RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

AGAIN = (
    "The components, responses, [noise] or [surrogate] have changed since the history was learned; "
    "run `labloop pretrain` again."
)


def with_component(lab, place, **changes):
    components = lab.definition()["component"]
    components[place] = components[place] | changes
    return lab.definition(component=components)


def test_a_new_component_is_absent_from_earlier_formulas(recorded, lab, tmp_path):
    new = {"name": "cobalt", "unit": "uM", "low": 0.0, "high": 5.0, "stocks": [100.0]}
    definition = lab.definition(component=[*lab.definition()["component"], new])
    campaign = lab.rewrite(recorded, definition)
    with campaign:
        best = campaign.best(3)
        assert (best["cobalt"] == 0).all()
        with pytest.raises(RefusedError) as error:
            campaign.propose()
        assert str(error.value) == AGAIN
        campaign.pretrain(folds=0)
        shown = campaign.propose(seed=2)
        assert (shown.formulas["cobalt"] > 0).any()
        assert shown.controls["cobalt"].to_dict() == {"commercial": 0.0}
        assert "cobalt" not in campaign.round(1).formulas
        controls = {n: store.named_formulas(campaign.store)["commercial"] for n in (1, 2)}
        assert controls[1] == controls[2]
        for number in (1, 2):
            assert campaign.export("biomek", tmp_path / str(number), round=number)


def test_results_recorded_before_and_after_a_new_component_are_one_formula(fresh, lab):
    mine = lab.history(3)
    fresh.record(mine)
    new = {"name": "cobalt", "unit": "uM", "low": 0.0, "high": 5.0, "stocks": [100.0]}
    definition = lab.definition(component=[*lab.definition()["component"], new])
    with lab.rewrite(fresh, definition) as campaign:
        again = mine.assign(cobalt=0.0, titre=2.0)
        assert campaign.record(again).formulas == 0
        assert campaign.record(mine.assign(cobalt=1.0)).formulas == 3


@pytest.mark.parametrize("what", ["component", "response"])
def test_a_unit_cannot_change(recorded, lab, what):
    if what == "component":
        definition = with_component(lab, 0, unit="g/L")
        text = (
            'The component "glucose" was in mM until now and cannot be in g/L; put the old unit '
            "back."
        )
    else:
        responses = [dict(lab.definition()["response"][0], unit="mg/L")]
        definition = lab.definition(response=[*responses, lab.definition()["response"][1]])
        text = (
            'The response "titre" was in g/L until now and cannot be in mg/L; put the old unit '
            "back, or give the response another name."
        )
    results = lab.history(2, seed=5)
    before = lab.log(recorded)
    with lab.rewrite(recorded, definition) as campaign:
        for call in (
            campaign.propose,
            campaign.best,
            campaign.pretrain,
            lambda: campaign.predict(results),
            lambda: campaign.record(results),
            lambda: campaign.add_history(results, source="HEK"),
        ):
            with pytest.raises(RefusedError) as error:
                call()
            assert str(error.value) == text
        assert lab.log(campaign) == before
        assert campaign.status().pending == 0
    with lab.rewrite(campaign, lab.definition()) as campaign:
        assert len(campaign.best()) == 7


def test_a_component_cannot_vanish(recorded, lab):
    components = lab.definition()["component"]
    gone, kept = components[-1]["name"], components[:-1]
    definition = lab.definition(component=kept)
    formulas = definition.get("formulas", {})
    definition["formulas"] = {
        n: {c: a for c, a in f.items() if c != gone} for n, f in formulas.items()
    }
    with lab.rewrite(recorded, definition) as campaign:
        for call in (campaign.propose, campaign.best, campaign.pretrain):
            with pytest.raises(RefusedError) as error:
                call()
            assert str(error.value) == (
                f'The component "{gone}" is no longer in campaign.toml, but stored formulas '
                "contain it; put it back, with fixed = 0 if it is not used any more."
            )


@pytest.mark.parametrize(
    "change",
    [
        {},
        pytest.param({"surrogate": {"layers": 6, "members": 2}}, marks=pytest.mark.slow),
        pytest.param(
            {"surrogate": {"layers": 5, "members": 2, "transfer": "patent"}}, marks=pytest.mark.slow
        ),
    ],
    ids=["range", "layers", "transfer"],
)
def test_a_net_for_another_definition_is_not_used(recorded, lab, change):
    definition = lab.definition(**change) if change else with_component(lab, 0, high=12.0)
    before = lab.log(recorded)
    with lab.rewrite(recorded, definition) as campaign:
        for call in (campaign.propose, lambda: campaign.predict(lab.history(2))):
            with pytest.raises(RefusedError) as error:
                call()
            assert str(error.value) == AGAIN
        assert lab.log(campaign) == before
        campaign.pretrain(folds=0)
        assert campaign.propose(seed=2, dry_run=True).number == 2


@pytest.mark.parametrize("change", ["noise", "range"])
def test_a_net_of_other_means_of_the_history_is_not_used(recorded, lab, change):
    definition = lab.definition()
    if change == "noise":
        definition["noise"] = {"plates": False}
    else:
        definition["response"][0]["range"] = [0.1, 9.0]
    before = store.latest_model(recorded.store, PRETRAINED)
    with lab.rewrite(recorded, definition) as campaign:
        with pytest.raises(RefusedError) as error:
            campaign.predict(lab.history(2))
        assert str(error.value) == AGAIN
        assert campaign.status().next[0].startswith("labloop pretrain ")
        assert store.latest_model(campaign.store, PRETRAINED) == before
        assert campaign.replay(1).same
    said = lab.definition(noise={"plates": True, "positions": True, "outliers": True})
    with lab.rewrite(campaign, said) as campaign:
        assert len(campaign.predict(lab.history(2))) == 2


def test_stocks_move_the_scale_of_a_logarithmic_range_that_begins_at_zero(tmp_path, lab):
    log = with_component(lab, 0, scale="log")
    with Campaign.create(tmp_path / "log", log) as campaign:
        campaign.add_history(lab.history(30), source="CHO-S")
        campaign.pretrain(folds=0)
        campaign.predict(lab.history(2))
    stocks = with_component(lab, 0, scale="log", stocks=[200.0, 20.0, 2.0])
    with lab.rewrite(campaign, stocks) as campaign, pytest.raises(RefusedError) as error:
        campaign.predict(lab.history(2))
    assert str(error.value) == AGAIN


def test_what_a_net_does_not_depend_on_may_change(recorded, lab):
    changed = lab.definition(proposal={"formulas": 3, "candidates": 500})
    changed["component"][0]["stocks"] = [150.0, 15.0]
    changed["plate"]["replicates"] = 3
    with lab.rewrite(recorded, changed) as campaign:
        shown = campaign.propose(seed=2)
        assert len(shown.formulas) == 3
        assert (shown.layout["role"] == "formula").sum() == 9
        stocks = shown.dispenses.set_index("stock").loc["glucose", "stock_concentration"]
        assert set(np.atleast_1d(stocks)) <= {150.0, 15.0}
        assert (campaign.round(1).layout["role"] == "formula").sum() == 12


def test_an_edited_control_is_a_new_formula_and_old_rounds_keep_the_old(fresh, lab, tmp_path):
    fresh.propose(seed=1)
    old = store.named_formulas(fresh.store)["commercial"]
    edited = lab.definition(formulas={"commercial": {"glucose": 7.0}})
    with lab.rewrite(fresh, edited) as campaign:
        shown = campaign.propose(seed=2)
        new = store.named_formulas(campaign.store)["commercial"]
        assert new != old
        assert shown.controls.loc["commercial"].tolist() == [7.0, 0.0, 0.0, 0.0]
        assert campaign.round(1).controls.loc["commercial"].tolist() == [5.0, 0.0, 2.0, 0.0]
        maps = [
            next(
                path.read_text(encoding="utf-8")
                for path in campaign.export("biomek", tmp_path / str(number), round=number)
                if path.name.endswith("plate-map.csv")
            )
            for number in (1, 2)
        ]
        assert "commercial,1,control,glucose,5,5\n" in maps[0]
        assert "commercial,1,control,glucose,7,7\n" in maps[1]
        for number in (1, 2):
            campaign.record(lab.results(campaign, number, seed=number), round=number)
        by_id = campaign.best(100)["glucose"]
        assert (by_id[old], by_id[new]) == (5.0, 7.0)
    with lab.rewrite(campaign, edited) as campaign:
        campaign.propose(seed=3)
        assert store.named_formulas(campaign.store)["commercial"] == new


def test_a_control_that_is_edited_back_and_forth(fresh, lab):
    fresh.propose(seed=1)
    edited = lab.definition(formulas={"commercial": {"glucose": 7.0}})
    with lab.rewrite(fresh, edited) as campaign:
        campaign.propose(seed=2)
    with lab.rewrite(campaign, lab.definition()) as campaign:
        assert campaign.propose(seed=3).controls.loc["commercial", "glucose"] == 5.0
        assert campaign.round(2).controls.loc["commercial", "glucose"] == 7.0


@pytest.mark.slow
def test_a_response_that_came_later_is_learned_from_its_first_results(recorded, lab):
    later = {"name": "lactate", "unit": "g/L", "goal": "at_most", "bound": 5.0}
    with lab.rewrite(
        recorded, lab.definition(response=[*lab.definition()["response"], later])
    ) as c:
        c.pretrain(folds=2)
        shown = c.propose(seed=2)
        results = lab.results(c, 2).assign(lactate=np.linspace(1, 8, 14))
        c.record(results)
        assert np.isfinite(shown.formulas["titre_mean"]).all()
        predicted = c.predict(lab.history(3)[lab.names])
        assert predicted["lactate_mean"].between(-20, 30).all()


def test_a_rule_that_came_later_keeps_nobody_from_an_earlier_round(
    recorded, lab, monkeypatch, tmp_path
):
    monkeypatch.setattr(
        "labloop.definition.parsing.problems_of", lambda *_: ["[plate]: a stricter rule"]
    )
    assert len(recorded.round(1).formulas)
    assert recorded.export("biomek", tmp_path, round=1)
    with pytest.raises(DefinitionError, match="a stricter rule"):
        lab.rewrite(recorded, lab.definition())


def test_a_choice_that_came_later_is_no_choice_of_earlier_formulas(fresh, lab):
    fresh.record(lab.history(10))
    protein = {"name": "protein", "choices": ["soy", "wheat"]}
    formulas = {"commercial": {"glucose": 5.0, "protein": "soy"}}
    definition = lab.definition(
        component=[*lab.definition()["component"], protein], formulas=formulas
    )
    with lab.rewrite(fresh, definition) as campaign:
        assert campaign.best(1)["protein"].isna().all()
        shown = campaign.propose(seed=1)
        assert set(shown.formulas["protein"]) <= {"soy", "wheat"}
        assert shown.controls["protein"].tolist() == ["soy"]


def test_a_definition_with_problems_says_where(recorded):
    recorded.close()
    toml = recorded.folder / "campaign.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace("low = 0.0", "low = 20.0", 1), encoding="utf-8")
    with pytest.raises(DefinitionError) as error:
        Campaign.open(recorded.folder)
    assert str(error.value) == (
        f"{toml} has 1 problem:\n"
        '  - [[component]] "glucose", low: must be below high 10 (got 20); swap or correct them'
    )
    assert error.value.exit_code == 1
