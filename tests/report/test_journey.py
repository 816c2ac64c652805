from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.report.figures.cross_validation import cross_validation
from labloop.report.figures.map_of_formulas import two_axes
from labloop.report.figures.parallel import MOST_LINES, MOST_SHOWN, parallel, shown_first
from labloop.report.figures.transfer import transfer
from labloop.report.journey import Journey, journey_pictures
from labloop.report.subjects import Component, Response
from labloop.report.theme import LIGHT

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
GLUCOSE, PEPTONE = Component("glucose", "mM", 0.0, 60.0), Component("peptone", "", 0.0, 1.0)
CHOICES = {"peptone": ("soy", "wheat", "none")}


def rows(formulas, number=1, origin="mixing", **given_):
    frame = pd.DataFrame({"formula": list(formulas)}).assign(
        round=number, origin=origin, response="titre", predicted=1.0, sd=0.1, low=0.8, high=1.2,
        measured=NAN, sem=NAN, wells=0, meets=True, waits=True,
    )  # fmt: skip
    return frame.assign(**given_)


@pytest.fixture
def journey():
    """Formulas 1 to 3 of the campaign's own, 11 to 14 of history."""
    encoded = pd.DataFrame(
        {
            "glucose": [0.0, 0.5, 1.0, 0.2, 0.4, 0.6, 9.0],
            "peptone = soy": [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            "peptone = wheat": [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            "peptone = none": [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0],
        },
        index=[1, 2, 3, 11, 12, 13, 14],
    )
    amounts = pd.DataFrame(
        {"glucose": [0.0, 30.0, 60.0], "peptone": ["soy", "wheat", "none"]}, index=[1, 2, 3]
    )
    trust = pd.DataFrame(
        {
            "round": [1, 2], "response": "titre", "b": [1.0, 0.2], "b_sd": [0.5, 0.1],
            "history_share": [0.4, 0.6],
            "text": ["No own rows yet.", "Little of it holds here. With this plate it falls."],
        }
    )  # fmt: skip
    left_out = pd.DataFrame(
        {
            "source": ["CHO", "CHO", "HEK"], "formula": [11, 12, 13], "response": "titre",
            "measured": [1.0, 2.0, 3.0], "predicted": [1.1, 1.8, 3.3],
        }
    )  # fmt: skip
    scores = pd.DataFrame(
        {"r2": [0.81], "plain_r2": [0.7], "spearman": [0.9]}, index=pd.Index(["titre"])
    )
    return Journey(
        amounts=amounts, choices=CHOICES, encoded=encoded,
        sources=pd.Series(["CHO", "CHO", "HEK", "HEK"], index=[11, 12, 13, 14]),
        trust=trust, scores=scores, left_out=left_out, left_out_of=4,
    )  # fmt: skip


def pictures(journey, values, number=2, components=(GLUCOSE, PEPTONE), responses=(TITRE,)):
    made = journey_pictures(journey, number, components, responses, values)
    return {each.name: each for each in made}


@pytest.fixture
def values():
    known = rows([1], measured=2.0, sem=0.1, wells=2, waits=False)
    return pd.concat([known, rows([2, 3], 2)], ignore_index=True)


def drawn(picture):
    return json.loads(str(picture.json))["light"]["data"]


# -- the pictures --------------------------------------------------------------------------------


def test_there_is_a_picture_of_all_that_is_known(journey, values):
    assert list(pictures(journey, values)) == ["parallel", "map", "transfer", "cross-validation"]


def test_what_is_not_known_has_no_picture(values):
    amounts = pd.DataFrame({"glucose": [0.0, 30.0, 60.0]}, index=[1, 2, 3])
    bare = Journey(amounts, encoded=amounts / 60.0)
    assert list(pictures(bare, values, components=(GLUCOSE,))) == ["parallel", "map"]
    alone = Journey(amounts[:1], encoded=amounts[:1] / 60.0)
    assert list(pictures(alone, rows([1]), 1, (GLUCOSE,))) == ["parallel"]
    assert pictures(bare, values, number=3, components=(GLUCOSE,)) == {}


def test_the_latest_sentence_of_the_round_is_told_without_what_the_plate_will_teach(
    journey, values
):
    assert pictures(journey, values)["transfer"].caption.endswith(
        "models that start from the history. As round 2 was proposed: titre: Little of it holds "
        "here."
    )
    assert pictures(journey, values, number=1)["transfer"].caption.endswith(
        "As round 1 was proposed: titre: No own rows yet."
    )


def test_a_thinned_cross_validation_says_of_what_its_numbers_are(journey, values):
    assert pictures(journey, values)["cross-validation"].caption.endswith(
        "The picture shows 3 formulas at random, the numbers rest on all."
    )


def test_other_formulas_are_spoken_of_where_there_are_any(journey, values):
    assert pictures(journey, values)["parallel"].caption == (
        "Each line is a formula of the round, each row a component from low to high. Other "
        "formulas of the campaign are faint."
    )
    assert pictures(journey, values[:1], number=1)["parallel"].caption == (
        "Each line is a formula of the round, each row a component from low to high."
    )


def test_the_map_says_what_its_axes_are(journey, values):
    caption = pictures(journey, values)["map"].caption
    assert "together they hold" in caption
    assert "Along the first axis there is mostly more often peptone = none" in caption


# -- parallel coordinates ------------------------------------------------------------------------


def test_lines_lie_at_the_amounts_places_and_choices_in_their_order(journey, values):
    others, *lines = drawn(pictures(journey, values)["parallel"])
    assert others["name"] == "other formulas"
    assert [line["x"] for line in lines] == [[0.5, 0.5], [1.0, 1.0]]
    assert lines[1]["text"] == ["glucose: 60 mM", "peptone: none"]
    assert [line["showlegend"] for line in lines] == [True, False]


def test_the_components_that_matter_most_stand_above():
    several = [Component(name, "", 0.0, 1.0) for name in "abc"]
    index = pd.MultiIndex.from_tuples(
        [("x", "a"), ("x", "c"), ("y", "b")], names=["response", "component"]
    )
    importance = pd.DataFrame({"importance": [0.1, 0.3, 0.2]}, index=index)
    assert [c.name for c in shown_first(several, importance)] == ["c", "b", "a"]
    assert shown_first(several, pd.DataFrame()) == several


def test_many_components_and_formulas_are_cut_with_words_on_the_rest():
    names = [f"c{k}" for k in range(50)]
    ids = list(range(1, 1537))
    amounts = pd.DataFrame(np.linspace(0, 1, 1536)[:, None].repeat(50, 1), ids, names)
    journey = Journey(amounts, encoded=amounts)
    components = [Component(name, "mM", 0.0, 1.0) for name in names]
    made = pictures(journey, rows(ids), 1, components)["parallel"]
    lines = [each for each in drawn(made) if each["name"] == "mixing"]
    assert len(lines) == MOST_LINES
    assert {len(line["y"]) for line in lines} == {MOST_SHOWN}
    assert "30 of the 50 components are left out." in made.caption
    assert "The 120 formulas that were chosen first are drawn." in made.caption


def test_names_are_shown_as_they_are_written():
    component = Component("<b>salt</b>", "mM", 0.0, 1.0)
    amounts = pd.DataFrame({component.name: [0.5]}, index=[1])
    figure = parallel(rows([1]), amounts, amounts, [component], {}, TITRE, LIGHT)
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;salt&lt;/b&gt;",)
    assert figure.data[0].text == ("&lt;b&gt;salt&lt;/b&gt;: 0.5 mM",)


# -- the map -------------------------------------------------------------------------------------


@given(
    points=st.lists(st.lists(st.floats(-2.0, 3.0), min_size=3, max_size=3), min_size=2, max_size=12)
)
@settings(max_examples=60, deadline=None)
def test_axes_are_perpendicular_and_hold_a_share_each(points):
    axes = two_axes(pd.DataFrame(points, columns=list("abc")))
    if axes is None:
        assert np.ptp(np.clip(points, 0.0, 1.0), axis=0).max() < 1e-5
        return
    assert 0.0 <= axes.shares[1] <= axes.shares[0] + 1e-12
    assert sum(axes.shares) <= 1.0 + 1e-12
    x, y = axes.loadings["x"], axes.loadings["y"]
    assert x @ x == pytest.approx(1.0)
    assert x @ y == pytest.approx(0.0, abs=1e-9)
    assert x[x.abs().idxmax()] > 0


def test_what_lies_far_outside_does_not_rule_the_map(journey):
    inside = journey.encoded.clip(0.0, 1.0)
    assert two_axes(journey.encoded).places.equals(two_axes(inside).places)


def test_formulas_that_differ_in_one_component_lie_on_a_line():
    axes = two_axes(pd.DataFrame({"a": [0.0, 0.5, 1.0]}, index=[7, 8, 9]))
    assert axes.shares == (1.0, 0.0)
    assert axes.places["x"].tolist() == [-0.5, 0.0, 0.5]
    assert axes.places["y"].tolist() == [0.0, 0.0, 0.0]


def test_formulas_that_are_all_alike_have_no_map():
    assert two_axes(pd.DataFrame({"a": [0.5, 0.5]})) is None
    assert two_axes(pd.DataFrame()) is None


def test_the_map_tells_history_other_rounds_and_the_round_apart(journey, values):
    history, others, mixing = drawn(pictures(journey, values)["map"])
    assert history["customdata"] == ["history: CHO"] * 2 + ["history: HEK"] * 2
    assert others["customdata"] == [
        "<b>formula 1</b>, mixing<br>titre (g/L)<br>measured 2.00 ± 0.10 (2 wells)<br>"
        "predicted 1.00 ± 0.10<br>round 1"
    ]
    assert mixing["marker"]["symbol"] == "square"
    assert len(mixing["x"]) == 2


# -- what the history is worth -------------------------------------------------------------------


def test_transfer_shows_the_scale_with_its_error_above_its_share(journey):
    scale, share = transfer(journey.trust, ["titre"], LIGHT).data
    assert list(scale.y) == [1.0, 0.2]
    assert list(scale.error_y.array) == [0.5, 0.1]
    assert list(share.y) == [0.4, 0.6]
    assert share.customdata[1] == (
        "<b>titre</b>, round 2<br>scale 0.20 ± 0.10<br>60% from models that start from the "
        "history<br>Little of it holds here. With this plate it falls."
    )


def test_a_response_that_the_history_lacks_is_left_out(journey, values):
    density = Response("density", "", "observe", NAN)
    lacking = journey.trust.assign(response="density", b=NAN, b_sd=NAN)
    both = Journey(
        journey.amounts, CHOICES, journey.encoded,
        trust=pd.concat([journey.trust, lacking], ignore_index=True),
    )  # fmt: skip
    made = pictures(both, values, responses=(TITRE, density))["transfer"]
    assert {each["name"] for each in drawn(made)} == {"titre"}


def test_cross_validation_has_its_scores_above_and_a_colour_a_source(journey):
    figure = cross_validation(journey.left_out, journey.scores, [TITRE], LIGHT)
    assert figure.layout.annotations[0].text == "R² 0.81, rank 0.90, forest’s R² 0.70"
    _, cho, hek = figure.data
    assert (cho.name, list(cho.x), list(cho.y)) == ("CHO", [1.1, 1.8], [1.0, 2.0])
    assert cho.marker.color != hek.marker.color


def test_scores_that_are_not_known_are_not_said(journey):
    unknown = pd.DataFrame({"r2": [0.5], "plain_r2": [NAN]}, index=["titre"])
    figure = cross_validation(journey.left_out, unknown, [TITRE], LIGHT)
    assert figure.layout.annotations[0].text == "R² 0.50"
    figure = cross_validation(journey.left_out, pd.DataFrame(), [TITRE], LIGHT)
    assert [each.text for each in figure.layout.annotations] == []
