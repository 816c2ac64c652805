"""Figures on whether predictions hold, on several objectives and on what another plate brings."""

import math

import pandas as pd
import pytest

from labloop.report.figures.calibration import calibration
from labloop.report.figures.outlook import outlook
from labloop.report.figures.pareto import pareto
from labloop.report.front import complete, hypervolumes, on_front, waiting
from labloop.report.subjects import Response
from labloop.report.theme import LIGHT

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "maximize", NAN)


def traces(figure, name):
    return [each for each in figure.data if each.name == name]


# -- calibration ---------------------------------------------------------------------------------


def test_shares_within_are_by_round_and_all_together(values):
    (share,) = traces(calibration(values, [TITRE], LIGHT), "share within, with its 90 % interval")
    assert list(share.x) == [1, 3.5]
    assert list(share.y) == [100.0, 100.0]
    assert share.error_y.arrayminus[1] == pytest.approx(100 - 100 * 2 / (2 + 1.6449**2), abs=0.1)
    assert share.customdata[1].startswith("<b>all rounds</b><br>2 of 2 within: 100 %")


def test_errors_are_by_origin_with_the_rounds_mean(values):
    figure = calibration(values, [TITRE], LIGHT)
    (mixing,) = traces(figure, "mixing")
    assert list(mixing.y) == pytest.approx([0.4], abs=1e-3)
    (mean,) = traces(figure, "mean of the round, with its standard error")
    assert list(mean.y) == pytest.approx([0.7], abs=1e-3)
    assert "mean error 0.70 ± 0.30 sd" in mean.customdata[0]


def test_what_was_promised_is_a_line_in_every_panel(values):
    figure = calibration(values, [TITRE, VIABILITY], LIGHT)
    promised = {(shape.yref, round(shape.y0, 2)) for shape in figure.layout.shapes}
    assert promised == {
        ("y", 90.0), ("y2", 0.0), ("y2", -1.64), ("y2", 1.64),
        ("y3", 90.0), ("y4", 0.0), ("y4", -1.64), ("y4", 1.64),
    }  # fmt: skip


def test_long_names_are_cut_on_axes_and_stay_text(values):
    name = "<b>" + 30 * "long "
    odd = Response(name, "g/L", "maximize", NAN)
    figure = calibration(values.replace({"titre": name}), [odd], LIGHT)
    title = figure.layout.yaxis.title.text
    assert title.startswith("% within, &lt;b&gt;long long")
    assert title.endswith("…")


# -- several objectives --------------------------------------------------------------------------


@pytest.fixture
def drawn(values):
    def of(objectives):
        found = complete(values, objectives)
        found = found.assign(front=on_front(found, objectives))
        some = waiting(values, objectives)
        return pareto(found, some, hypervolumes(found, objectives), objectives, LIGHT)

    return of


def test_the_front_is_ringed_and_errors_are_shown(drawn):
    figure = drawn([TITRE, VIABILITY])
    (front,) = traces(figure, "Pareto front")
    assert (list(front.x), list(front.y)) == ([3.2], [99.0])
    (mixing,) = traces(figure, "mixing")
    assert (list(mixing.error_x.array), list(mixing.error_y.array)) == ([0.1], [1.0])
    (volume,) = traces(figure, "hypervolume")
    assert list(volume.x) == [1]
    assert "after round 1" in volume.customdata[0]


def test_formulas_that_wait_are_hollow_where_all_is_predicted(values, drawn):
    assert not traces(drawn([TITRE, VIABILITY]), "mixing, predicted")  # of titre alone
    two = values["waits"] & (values["response"] == "viability")
    values.loc[two, ["predicted", "low", "high"]] = (90.0, 80.0, 95.0)
    (hollow,) = traces(drawn([TITRE, VIABILITY]), "mixing, predicted")
    assert hollow.marker.symbol == "square-open"
    assert (list(hollow.error_y.array), list(hollow.error_y.arrayminus)) == ([5.0], [10.0])


def test_formulas_that_miss_a_bound_are_grey(values, drawn):
    values.loc[values["formula"] == 2, "meets"] = False
    figure = drawn([TITRE, VIABILITY])
    (missed,) = traces(figure, "misses a bound")
    assert missed.customdata[0].endswith("misses a bound")
    assert list(traces(figure, "Pareto front")[0].x) == [2.5]


def test_each_pair_of_objectives_has_a_panel(values, drawn):
    third = values[values["response"] == "titre"].assign(response="<i>cost</i>")
    every = pd.concat([values, third], ignore_index=True)
    objectives = [TITRE, VIABILITY, Response("<i>cost</i>", "", "minimize", NAN)]
    found = complete(every, objectives)
    found = found.assign(front=on_front(found, objectives))
    volumes = hypervolumes(found, objectives)
    figure = pareto(found, waiting(every, objectives), volumes, objectives, LIGHT)
    titles = [figure.layout[f"yaxis{k}"].title.text for k in ("", 2, 3, 4)]
    assert titles == [
        "viability (%)", "&lt;i&gt;cost&lt;/i&gt;", "&lt;i&gt;cost&lt;/i&gt;", "hypervolume",
    ]  # fmt: skip
    assert "<i>" not in figure.to_json().replace("\\u003c", "<")


# -- what is to come -----------------------------------------------------------------------------


def test_the_gain_of_the_next_plate_stands_beside_chance():
    figure = outlook((0.02, 0.0, 0.06), 0.08, 0.1, 0.05, "the best <b>", LIGHT)
    (points,) = figure.data
    assert list(points.x) == [2.0, 8.0]
    assert list(points.error_x.array) == [4.0, 0.0]
    assert figure.layout.xaxis.title.text == "gain, % of the best &lt;b&gt;"
    assert sorted(shape.x1 for shape in figure.layout.shapes) == [5.0, 10.0]


def test_chance_is_left_out_where_it_is_not_known():
    figure = outlook((0.02, 0.0, 0.06), 0.08, NAN, 0.05, "the hypervolume", LIGHT)
    assert [shape.x1 for shape in figure.layout.shapes] == [5.0]
