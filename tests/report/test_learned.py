"""Pictures of what was learned show it for few and many components, with strange names and gaps."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import pandas as pd
import pytest

from labloop.report.figures.effects import Panel, effects
from labloop.report.figures.importance import importance
from labloop.report.figures.interactions import PairPanel, interactions
from labloop.report.learned import learned_pictures
from labloop.report.subjects import Component, Response
from labloop.report.theme import DARK, LIGHT, THEMES

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "at_least", 80.0)
DENSITY = Response("density", "", "observe", NAN)
GLUCOSE = Component("glucose", "mM", 0.0, 10.0)
SERUM = Component("serum", "", 0.0, 1.0)
NASTY = "<b>iron</b> & </script><script>alert(1)</script> of a rather long name"


class Found(NamedTuple):
    importance: pd.DataFrame
    curves: pd.DataFrame
    directions: pd.DataFrame
    interactions: pd.DataFrame
    surfaces: pd.DataFrame


def curve(amounts, heights, spread=0.1):
    return pd.DataFrame(
        {
            "amount": amounts,
            "mean": heights,
            "low": [height - spread for height in heights],
            "high": [height + spread for height in heights],
        }
    )


def found(components, responses, strength=0.2, amounts=(0.0, 5.0, 10.0)):
    """Return effects of which the first component matters most, less from one to the next."""
    names = [component.name for component in components]
    shares = [
        (r.name, name, 0.5 / (k + 1), 0.4 / (k + 1), 0.6 / (k + 1), k + 1)
        for r in responses
        for k, name in enumerate(names)
    ]
    columns = ["response", "component", "importance", "low", "high", "rank"]
    curves = [
        curve(list(amounts), [1.0, 2.0, 3.0]).assign(response=r.name, component=name)
        for r in responses
        for name in names
    ]
    pairs = [
        (r.name, names[0], name, strength, strength / 2, 2 * strength)
        for r in responses
        for name in names[1:3]
    ]
    cells = [
        (*pair[:3], a, b, a + b, a + b - 1, a + b + 1)
        for pair in pairs
        for a in (1.0, 2.0)
        for b in (3.0, 4.0)
    ]
    ends = ["mean", "low", "high"]
    return Found(
        pd.DataFrame(shares, columns=columns).set_index(["response", "component"]),
        pd.concat(curves, ignore_index=True),
        pd.DataFrame(
            [(r.name, name, "rises") for r in responses for name in names],
            columns=["response", "component", "direction"],
        ),
        pd.DataFrame(pairs, columns=["response", "first", "second", "strength", "low", "high"]),
        pd.DataFrame(
            cells,
            columns=["response", "first", "second", "first_amount", "second_amount", *ends],
        ),
    )


def pictures(values, amounts, components, responses, **given):
    made = learned_pictures(
        found(components, responses, **given), values, amounts, components, responses
    )
    return {picture.name: picture for picture in made}


def points(values, response, amounts):
    rows = values[(values["response"] == response.name) & (values["origin"] != "control")]
    return rows.assign(amount=rows["formula"].map(amounts))


# -- the pictures ----------------------------------------------------------------------------------


def test_there_are_three_pictures_with_captions_that_say_how_sure_it_is(values, amounts):
    made = pictures(values, amounts[["glucose"]], (GLUCOSE, SERUM), (TITRE, VIABILITY))
    assert list(made) == ["importance", "effects", "interactions"]
    for each in made.values():
        assert "90 %" in each.caption
        assert json.loads(each.json)
    assert "What the model says of titre: glucose (rises) and serum (rises)." in (
        made["effects"].caption
    )
    assert "their other components differ too" in made["effects"].caption


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        (0.3, "For titre, set glucose and serum together."),
        (0.01, "For titre, glucose and serum may have to be set together; how much is not known"),
        (0.001, "For titre no pair matters: each component can be set by itself."),
    ],
)
def test_the_caption_of_interactions_says_what_to_do(values, amounts, strength, said):
    made = pictures(values, amounts[["glucose"]], (GLUCOSE, SERUM), (TITRE,), strength=strength)
    assert said in made["interactions"].caption


def test_of_fifty_components_the_first_twelve_are_shown_and_the_rest_is_counted(values, amounts):
    many = tuple(Component(f"c{k}", "mM", 0.0, 10.0) for k in range(50))
    made = pictures(values, amounts, many, (TITRE, VIABILITY, DENSITY))
    assert "Left out: 38 components with at most 3.8 % each." in made["importance"].caption
    assert made["importance"].height < 500
    assert "density:" not in made["effects"].caption


def test_nothing_known_gives_no_picture_and_lacking_parts_give_fewer(values, amounts):
    nothing = found((GLUCOSE,), (TITRE,))
    assert learned_pictures(nothing, values, amounts, (GLUCOSE,), (DENSITY,)) == []
    assert learned_pictures(nothing, values, amounts, (SERUM,), (TITRE,)) == []
    made = learned_pictures(nothing, values, amounts, (GLUCOSE,), (TITRE,))
    assert [picture.name for picture in made] == ["importance", "effects"]


def test_names_are_shown_as_they_are_written_and_close_no_script(values, amounts):
    nasty = Component(NASTY, "<i>mM</i>", 0.0, 10.0)
    response = Response(NASTY, "", "maximize", NAN)
    values = values.assign(response=values["response"].replace("titre", NASTY))
    made = pictures(values, amounts, (nasty, GLUCOSE), (response,))
    for each in made.values():
        assert "<" not in each.json
        figure = json.dumps(json.loads(each.json)["light"])
        assert "<script" not in figure
        assert "<b>iron" not in figure


# -- the figures -----------------------------------------------------------------------------------


def test_bars_have_their_intervals_and_panels_one_scale():
    shares = found((GLUCOSE, SERUM), (TITRE, VIABILITY)).importance.reset_index()
    figure = importance(shares, ["serum", "glucose"], (TITRE, VIABILITY), LIGHT)
    first = figure.data[0]
    assert list(first.x) == [0.25, 0.5]
    assert list(first.error_x.array) == pytest.approx([0.05, 0.1])
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    assert list(figure.layout.yaxis.ticktext) == ["serum", "glucose"]
    assert [note.text for note in figure.layout.annotations] == ["titre", "viability"]


def named(figure, name):
    return [each for each in figure.data if each.name and each.name.startswith(name)]


@pytest.mark.parametrize("theme", THEMES)
def test_the_curve_has_its_band_over_the_measured_formulas(values, theme):
    measured = points(values, TITRE, {1: 2.5, 2: 7.5, 3: 1.0, 4: 2.0})
    panel = Panel(TITRE, GLUCOSE, curve([0.0, 5.0, 10.0], [1.0, 2.0, 3.0]), measured)
    figure = effects([panel], theme)
    (line,) = named(figure, "average")
    assert list(line.y) == [1.0, 2.0, 3.0]
    (band,) = [each for each in figure.data if each.fill == "toself"]
    assert list(band.y) == pytest.approx([1.1, 2.1, 3.1, 2.9, 1.9, 0.9])
    (mixed,) = named(figure, "mixing")
    assert (list(mixed.x), list(mixed.y)) == ([7.5], [3.2])
    assert mixed.marker.color == theme.colour("mixing")
    assert "glucose 7.5 mM" in mixed.customdata[0]
    assert figure.layout.xaxis.title.text == "glucose (mM)"


def test_choices_stand_side_by_side_with_the_formulas_that_have_them(values):
    measured = points(values, TITRE, {1: "soy", 2: "wheat", 3: "soy", 4: "rye"})
    shown = curve(["soy", "wheat"], [1.0, 2.0])
    figure = effects([Panel(TITRE, SERUM, shown, measured)], LIGHT)
    (mean,) = named(figure, "average")
    assert list(mean.error_y.array) == pytest.approx([0.1, 0.1])
    assert list(figure.layout.xaxis.ticktext) == ["soy", "wheat"]
    (mixed,) = named(figure, "mixing")
    assert round(mixed.x[0]) == 1


def test_amounts_on_a_logarithmic_scale_stand_evenly(values):
    measured = points(values, TITRE, {1: 10.0, 2: 100.0, 3: 0.0, 4: 0.0})
    shown = curve([0.0, 1.0, 10.0, 100.0], [1.0, 2.0, 3.0, 4.0])
    figure = effects([Panel(TITRE, GLUCOSE, shown, measured)], LIGHT)
    assert list(named(figure, "average")[0].x) == [0, 1, 2, 3]
    assert list(named(figure, "latin")[0].x) == [2]


def test_what_is_far_above_the_average_does_not_flatten_the_curve(values):
    far = points(
        values.assign(measured=[1000.0 + k for k in range(len(values))]), TITRE, {1: 1, 2: 2}
    )
    evenly = curve([0.0, 5.0, 10.0], [-1.0, 0.0, 1.0])
    low, high = effects([Panel(TITRE, GLUCOSE, evenly, far)], LIGHT).layout.yaxis.range
    assert high - low < 15.0
    axis = effects([Panel(TITRE, GLUCOSE, curve([0.0, 10.0], [1.0, 3.0]), far)], DARK).layout.yaxis
    assert axis.type == "log"
    assert {"1", "2", "5"} & set(axis.ticktext)


def test_one_formula_or_none_and_a_flat_curve_can_be_drawn(values):
    flat = curve([0.0, 10.0], [0.0, 0.0], spread=0.0)
    for rows in (values.iloc[:0], values.iloc[:1], values.assign(measured=NAN)):
        figure = effects([Panel(TITRE, GLUCOSE, flat, rows.assign(amount=5.0))], LIGHT)
        low, high = figure.layout.yaxis.range
        assert low < 0.0 < high


def test_each_response_begins_a_row_and_names_its_axis_once_a_row(values):
    panels = [
        Panel(response, GLUCOSE, curve([0.0, 10.0], [1.0, 2.0]), values.iloc[:0].assign(amount=[]))
        for response, count in ((TITRE, 4), (VIABILITY, 1))
        for _ in range(count)
    ]
    figure = effects(panels, LIGHT)
    titles = [axis.title.text for axis in figure.select_yaxes() if axis.title.text]
    assert titles == ["titre (g/L)", "titre (g/L)", "viability (%)"]


def test_pairs_have_their_intervals_and_the_strongest_its_map():
    given = found((GLUCOSE, SERUM), (TITRE,))
    figure = interactions(
        [PairPanel(TITRE, given.interactions, GLUCOSE, SERUM, given.surfaces)], LIGHT
    )
    bars, cells = figure.data
    assert (list(bars.x), list(bars.error_x.array)) == ([0.2], [0.2])
    assert [list(row) for row in cells.z] == [[4.0, 5.0], [5.0, 6.0]]
    assert "4 (3 to 5)" in cells.customdata[0][0]
    assert list(figure.layout.xaxis2.ticktext) == ["1", "2"]
    assert figure.layout.yaxis.ticktext[0] == "glucose<br>× serum"


def test_cells_that_cannot_be_made_stay_empty():
    given = found((GLUCOSE, SERUM), (TITRE,))
    some = given.surfaces.iloc[:3]
    cells = interactions([PairPanel(TITRE, given.interactions, GLUCOSE, SERUM, some)], DARK).data[1]
    assert cells.z[1][1] is None
    assert cells.text[1][1] == ""
