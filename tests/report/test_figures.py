import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.report.figures import best_so_far, parity, progress
from labloop.report.figures.common import literal
from labloop.report.subjects import Response
from labloop.report.theme import DARK, LIGHT, THEMES, in_order, look

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "at_least", 80.0)


def trace(figure, name):
    (found,) = [each for each in figure.data if each.name == name]
    return found


# -- progress ------------------------------------------------------------------------------------


def test_progress_shows_measured_means_with_their_errors_and_waiting_predictions(values):
    figure = progress(values, [TITRE], LIGHT)
    measured, waiting = [each for each in figure.data if each.name == "mixing"]
    assert list(measured.y) == [3.2]
    assert list(measured.error_y.array) == [0.1]
    assert measured.marker.symbol == "square"
    assert list(waiting.y) == [3.5]
    assert waiting.marker.symbol == "square-open"
    assert waiting.error_y.array[0] == pytest.approx(1.645 * 0.4)
    assert list(trace(figure, "base (control)").y) == [1.0]


def test_each_name_is_in_the_legend_once(values):
    figure = progress(values, [TITRE, VIABILITY], LIGHT)
    named = [each.name for each in figure.data if each.showlegend]
    assert len(named) == len(set(named))
    assert set(named) == {each.name for each in figure.data}


def test_axes_have_names_units_and_bounds(values):
    figure = progress(values, [TITRE, VIABILITY], LIGHT)
    assert figure.layout.yaxis.title.text == "titre (g/L)"
    assert figure.layout.yaxis2.title.text == "viability (%)"
    assert figure.layout.xaxis2.title.text == "round"
    assert [note.text for note in figure.layout.annotations] == ["at least 80"]
    assert [shape.y0 for shape in figure.layout.shapes] == [80.0]


def test_formulas_of_a_round_stand_side_by_side_within_it(values):
    figure = progress(values, [TITRE], LIGHT)
    places = [x for each in figure.data if each.mode == "markers" for x in each.x]
    assert len(set(places)) == 4
    assert sorted(np.round(places)) == [1, 1, 2, 2]


def adopted(values, measured, place):
    extra = values.iloc[[0]].assign(
        formula=99, origin="adopted", round=place, measured=measured, predicted=NAN
    )
    return pd.concat([values, extra], ignore_index=True)


def test_adopted_formulas_stand_between_rounds(values):
    figure = progress(adopted(values, 5.0, 1), [TITRE], LIGHT)
    assert list(trace(figure, "adopted").x) == [1.5]
    assert best_so_far(adopted(values, 5.0, 1), TITRE).tolist() == [3.2, 5.0, 5.0]


def test_the_best_line_steps_only_where_a_round_is_better(values):
    line = best_so_far(adopted(values, 0.5, 1), TITRE)
    assert line.to_dict() == {0.6: 3.2, 2.5: 3.2}


def test_no_best_line_for_what_is_not_an_objective(values):
    assert len(best_so_far(values, VIABILITY)) == 0
    assert len(best_so_far(values.assign(measured=NAN), TITRE)) == 0


# Whatever loads on the first draw may take a second on a busy computer.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(1, 6), st.floats(-1e6, 1e6)), min_size=1, max_size=30),
    st.sampled_from(["maximize", "minimize"]),
)
def test_the_best_line_ends_at_the_best_and_never_turns_back(points, goal):
    values = pd.DataFrame(points, columns=["round", "measured"]).assign(
        origin="mixing", response="y", meets=True
    )
    line = best_so_far(values, Response("y", "", goal, NAN))
    best = values["measured"].max() if goal == "maximize" else values["measured"].min()
    assert line.iloc[-1] == best
    assert line.is_monotonic_increasing if goal == "maximize" else line.is_monotonic_decreasing
    assert line.index.is_monotonic_increasing


# -- parity --------------------------------------------------------------------------------------


def test_parity_shows_this_round_in_colour_and_others_grey(values):
    figure = parity(values, [TITRE], 1, LIGHT)
    points = trace(figure, "mixing")
    assert (list(points.x), list(points.y)) == ([3.0], [3.2])
    assert points.error_x.array[0] == pytest.approx(1.645 * 0.5)
    others = trace(parity(values, [TITRE], 2, LIGHT), "other rounds")
    assert list(others.y) == [2.5, 3.2]


def test_parity_axes_are_alike(values):
    figure = parity(values, [TITRE, VIABILITY], 1, LIGHT)
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert figure.layout.xaxis.title.text == "predicted titre (g/L)"
    assert figure.layout.yaxis2.title.text == "measured viability (%)"


# -- looks ---------------------------------------------------------------------------------------


def test_names_are_shown_as_they_are_written():
    assert literal("<b>a</b> & c") == "&lt;b&gt;a&lt;/b&gt; &amp; c"


def test_names_with_markup_stay_text_in_figures(values):
    odd = Response("<i>titre</i>", "g/L", "maximize", NAN)
    values = values.replace({"titre": "<i>titre</i>", "base": "<a href='x'>", "mixing": "<u>"})
    text = progress(values, [odd], LIGHT).to_json() + parity(values, [odd], 1, LIGHT).to_json()
    assert not any(tag in text for tag in ("<i>", "<a ", "<u>"))


def test_origins_differ_in_colour_and_in_symbol():
    known = in_order({"mixing", "local_moves", "latin_hypercube", "permuted_grid", "adopted"})
    assert known == ["latin_hypercube", "mixing", "permuted_grid", "local_moves", "adopted"]
    for theme in THEMES:
        assert len({theme.colour(origin) for origin in known}) == len(known)
    assert len({look(origin).symbol for origin in known}) == len(known)
    assert LIGHT.colour("something new") == LIGHT.origins[-1]
    assert DARK.faint("mixing") == "rgba(230,159,0,0.5)"
