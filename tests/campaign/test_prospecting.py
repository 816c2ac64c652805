"""What a round says of the prospects, and that it is kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from labloop.campaign.prospecting import of_stored, sentences, stored
from labloop.definition import parse
from labloop.proposal.advice import Prospects

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

FOUND = Prospects(
    measure="ratio", unit=math.nan, gain=0.042, gain_low=0.0, gain_high=0.112, chance=0.72,
    chance_of_step=0.41, better=0.88, potential=0.231, met=1.0, noise=(0.0618,),
    noise_of=("ratio",),
)  # fmt: skip


def definition(*responses, replicates=2):
    return parse(
        {
            "name": "x",
            "component": [{"name": "glucose", "unit": "mM", "high": 1.0}],
            "response": [{"name": f"r{k}", **each} for k, each in enumerate(responses)],
            "plate": {"replicates": replicates},
        }
    )


def test_the_sentences_of_a_logarithm():
    titre = {"name": "titre", "transform": "log"}
    assert sentences(FOUND, definition(titre)) == (
        "This plate is expected to raise the best titre by 4.2 % (80 % interval 0 % to 11 %); it "
        "is 72 % likely to do so at all, 41 % by 5 % or more.",
        "As far as the model knows, it is 88 % likely that the space holds a formula better by 5 % "
        "or more; the median of what is left to gain is 23 %.",
        "Measured again in 2 wells, a formula differs in titre by ±6.2 % (one standard deviation).",
        "Going on is likely to pay.",
    )


def test_the_sentences_of_a_response_without_a_share():
    found = replace(
        FOUND, measure="range", unit=4.0, noise_of=("range",), better=0.004, chance=0.999
    )
    ph = {"name": "pH", "goal": "near", "bound": 7.0}
    assert sentences(found, definition(ph, {"goal": "observe"}, replicates=1)) == (
        "This plate is expected to bring the best pH nearer to 7 by 0.168 (80 % interval 0 to "
        "0.448); it is more than 99 % likely to do so at all, 41 % by 0.2 (5 % of the range of "
        "measured values) or more.",
        "As far as the model knows, it is less than 1 % likely that the space holds a formula "
        "better by 0.2 (5 % of the range of measured values) or more; the median of what is left "
        "to gain is 0.924.",
        "Measured again in 1 well, a formula differs in pH by ±6.2 % of its range (one standard "
        "deviation).",
        "The best formula known is probably within 5 % of what the space holds: consider "
        "stopping, or wider ranges and other components.",
    )


def test_the_sentences_of_several_objectives():
    found = replace(
        FOUND, measure="hypervolume", noise=(0.06, 0.2), noise_of=("best", "range"),
        chance_of_step=0.05,
    )  # fmt: skip
    both = {"name": "titre"}, {"name": "cost", "goal": "minimize"}
    said = sentences(found, definition(*both))
    assert said[0].startswith(
        "This plate is expected to enlarge the hypervolume of the known formulas by 4.2 % (80 %"
    )
    assert said[2] == (
        "Measured again in 2 wells, a formula differs in titre by ±6.0 % and cost by ±20 % of its "
        "range (one standard deviation)."
    )
    assert said[3] == ("This plate alone is unlikely to pay; what is left would take several.")


def test_the_sentences_before_the_bounds_are_met():
    nan = math.nan
    found = replace(FOUND, gain=nan, gain_low=nan, gain_high=nan, potential=nan, met=0.12)
    bounded = {"name": "titre"}, {"name": "osmolality", "goal": "at_most", "bound": 300.0}
    said = sentences(found, definition(*bounded))
    assert said[:2] == (
        "It is 12 % likely that a known formula meets all bounds, and 72 % likely that this plate "
        "holds one that does, or a better one.",
        "As far as the model knows, it is 88 % likely that the space holds one at all.",
    )


def test_where_no_formula_meets_the_bounds_none_is_called_the_best():
    nan = math.nan
    found = replace(FOUND, gain=nan, gain_low=nan, gain_high=nan, chance=0.0, chance_of_step=0.0,
                    better=0.0, potential=nan, met=0.0)  # fmt: skip
    bounded = {"name": "titre"}, {"name": "osmolality", "goal": "at_most", "bound": 300.0}
    said = sentences(found, definition(*bounded))
    assert said[0] == (
        "It is less than 1 % likely that a known formula meets all bounds, and less than 1 % "
        "likely that this plate holds one that does, or a better one."
    )
    assert said[3] == (
        "Probably no formula here meets all bounds: consider other bounds, or wider ranges and "
        "other components."
    )


def test_where_the_noise_hides_what_is_left_it_says_so():
    found = replace(FOUND, potential=0.08)
    assert sentences(found, definition({"transform": "log"}))[3] == (
        "What is left to gain is less than two measurements differ by chance: more replicates "
        "would have to come first."
    )


def test_without_prospects_nothing_is_said():
    assert sentences(None, definition({})) == ()
    assert stored(None) is None
    assert of_stored(None) is None


def test_what_is_stored_comes_back():
    kept = json.loads(json.dumps(stored(FOUND), allow_nan=False))
    assert kept["advice"] == "go on"
    assert kept["unit"] is None
    back = of_stored(kept)
    assert math.isnan(back.unit)
    assert replace(back, unit=0.0) == replace(FOUND, unit=0.0)


def test_a_round_keeps_its_prospects(recorded):
    shown = recorded.propose(seed=2)
    assert shown.prospects is not None
    assert shown.prospects.measure == "best"
    for sentence in sentences(shown.prospects, recorded.definition):
        assert sentence in shown.notes
    assert repr(recorded.round(shown.number).prospects) == repr(shown.prospects)


def test_before_anything_was_measured_nothing_is_promised(fresh):
    assert fresh.propose(seed=1).prospects is None
