"""What a campaign says of its components, and by what was known when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from labloop import Campaign
from labloop.campaign.effects import Effects, in_words
from labloop.definition import parse
from labloop.errors import RefusedError
from labloop.surrogate.effects import Trend

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


@pytest.fixture(scope="module")
def known(_recorded: Path) -> Iterator[Effects]:
    """What is known after the first round."""
    with Campaign.open(_recorded) as campaign:
        yield campaign.effects()


def test_each_component_has_a_curve_of_each_response_inside_its_interval(known, lab):
    curves = known.curves
    assert list(curves) == ["response", "component", "amount", "mean", "low", "high"]
    assert curves["response"].unique().tolist() == lab.responses
    for _, of_response in curves.groupby("response"):
        assert of_response["component"].unique().tolist() == lab.names
    for _, each in curves.groupby(["response", "component"]):
        assert each["amount"].is_monotonic_increasing
        assert (each["amount"].iloc[0], each["amount"].iloc[-1]) == (0.0, 10.0)
    assert (curves["low"] <= curves["mean"]).all()
    assert (curves["mean"] <= curves["high"]).all()


def test_directions_are_those_of_the_lab(known, lab):
    said = known.directions.set_index(["response", "component"])["direction"]
    assert said["titre", "glucose"].startswith("rises")
    ends = known.curves.groupby(["response", "component"])["mean"].agg(["first", "last"])
    assert ends["last"]["viability", "iron"] < ends["first"]["viability", "iron"] - 5.0
    assert len(said) == len(lab.names) * len(lab.responses)


def test_interactions_come_strongest_first_with_a_surface_each(known):
    found = known.interactions
    assert ((found["low"] <= found["strength"]) & (found["strength"] <= found["high"])).all()
    for response, part in found.groupby("response"):
        assert part["strength"].is_monotonic_decreasing
        surfaces = known.surfaces[known.surfaces["response"] == response]
        sizes = surfaces.groupby(["first", "second"]).size()
        assert (sizes == 25).all()
        assert set(sizes.index) == set(zip(part["first"], part["second"], strict=True))
    strongest = found[found["response"] == "titre"].iloc[0]
    assert {strongest["first"], strongest["second"]} == {"glutamine", "iron"}


def test_importance_is_that_of_the_campaign_and_the_outlook_is_computed(known, recorded):
    pd.testing.assert_frame_equal(known.importance, recorded.importance())
    assert known.outlook.measure in ("best", "range")
    assert 0.0 <= known.outlook.chance_of_step <= known.outlook.chance <= 1.0


@pytest.mark.slow
def test_what_was_known_after_a_round_stays_as_it_was(recorded, lab):
    planned = recorded.propose(seed=2)
    waiting = recorded.effects()
    assert waiting.outlook == planned.prospects
    recorded.record(lab.results(recorded, 2, seed=5), round=2)
    then = recorded.effects(1)
    for name in ("importance", "curves", "directions", "interactions", "surfaces"):
        pd.testing.assert_frame_equal(getattr(then, name), getattr(waiting, name))
    assert then.outlook == planned.prospects
    now = recorded.effects(2)
    assert not now.curves["mean"].equals(then.curves["mean"])


def test_before_anything_is_known_it_refuses(fresh):
    with pytest.raises(RefusedError, match=r"^There is nothing to predict from yet;"):
        fresh.effects()


def test_history_alone_tells_effects_but_no_outlook(proposed):
    found = proposed.effects()
    assert len(found.curves)
    assert found.outlook is None
    with pytest.raises(RefusedError, match="no round 9"):
        proposed.effects(9)


@pytest.mark.parametrize(
    ("kind", "goal", "said"),
    [
        ("flat", "maximize", "flat within its uncertainty"),
        ("rises", "minimize", "rises"),
        ("falls", "observe", "falls"),
        ("levels off", "maximize", "rises until about 12 mM, then flat"),
        ("bottoms out", "maximize", "falls until about 12 mM, then flat"),
        ("takes off", "maximize", "no sure change until about 12 mM, then rises"),
        ("drops", "maximize", "no sure change until about 12 mM, then falls"),
        ("peak", "maximize", "best near 12 mM"),
        ("peak", "minimize", "highest near 12 mM"),
        ("valley", "minimize", "best near 12 mM"),
        ("valley", "observe", "lowest near 12 mM"),
        ("differs", "minimize", "best with 12 mM"),
        ("differs", "observe", "highest with 12 mM"),
    ],
)
def test_what_a_curve_does_in_words(kind, goal, said):
    (response,) = parse(
        {
            "name": "x",
            "component": [{"name": "glucose", "unit": "mM", "high": 1.0}],
            "response": [{"name": "y", "goal": goal}, {"name": "z"}],
        }
    ).responses[:1]
    assert in_words(Trend(kind), "12 mM", response) == said
