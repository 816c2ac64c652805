import math

import numpy as np
import pandas as pd
import pytest

from labloop.report.bench import caption, well_frame
from labloop.report.bench_readings import well_readings
from labloop.report.figures.plate_map import Scale, plate_map
from labloop.report.rendering import Reading, picture_of_readings
from labloop.report.subjects import Response
from labloop.report.theme import LIGHT

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "at_least", 80.0)


@pytest.fixture
def of_round(values):
    return values[(values["round"] == 1) & (values["origin"] != "control")]


@pytest.fixture
def framed(wells, readings, of_round, amounts, components):
    """Return the wells as the plate map has them."""

    def of(wells=wells, readings=readings, responses=(TITRE,)):
        return well_frame(wells, readings, of_round, amounts, components, responses)

    return of


@pytest.fixture
def chosen(wells, readings, of_round):
    """Return a reading of the wells by its name."""

    def of(name, wells=wells, readings=readings):
        found = well_readings(wells, readings, of_round, [TITRE, VIABILITY])
        return next(each for each in found if each.name == name)

    return of


def drawn(frame, reading):
    return plate_map(frame.assign(value=reading.numbers), 24, reading.scale, LIGHT)


def test_every_well_is_where_it_is_on_the_plate(framed, chosen):
    below, above = drawn(framed(), chosen("titre, as measured")).data
    assert above.z.shape == (4, 6)
    assert (above.z[0, 0], above.text[0, 0]) == (2.5, "1")
    assert (above.z[3, 5], above.text[3, 5]) == (1.0, "C")
    assert np.isfinite(above.z).sum() == 2
    assert (below.z[1, 2], below.text[1, 2]) == (1, "2")
    assert (below.z[0, 1], below.text[0, 1]) == (0, "")


def test_a_well_says_what_is_in_it(framed, chosen):
    below, _ = drawn(framed(), chosen("titre, as measured")).data
    assert below.customdata[0, 0] == (
        "A1: formula 1, latin hypercube<br>titre (g/L): measured 2.5, predicted 2.00 ± 0.50"
        "<br>glucose: 2.5 mM<br>serum: soy"
    )
    assert below.customdata[1, 2].startswith(
        "B3: formula 2, mixing<br>titre (g/L): below range, predicted 3.00 ± 0.50"
    )
    assert below.customdata[3, 5] == "D6: control base<br>titre (g/L): measured 1"
    assert below.customdata[0, 1] == "A2: empty"


def test_a_well_says_what_was_corrected_and_what_is_left_out(framed, readings):
    readings = readings.assign(corrected=[2.25, NAN, NAN], status=["ok", "missing", "outlier"])
    by_well = framed(readings=readings).set_index("well")["hover"]
    assert "titre (g/L): measured 2.5, corrected 2.25, predicted" in by_well["A1"]
    assert "titre (g/L): missing, predicted" in by_well["B3"]
    assert by_well["D6"].endswith("titre (g/L): measured 1, left out as an outlier")


def test_names_under_the_pointer_are_text(framed, chosen, wells):
    frame = framed(wells.replace({"base": "<b>base</b>"}))
    below, _ = drawn(frame, chosen("titre, as measured")).data
    assert "&lt;b&gt;base" in below.customdata[3, 5]


def test_controls_are_framed(framed, chosen, wells, readings, values):
    shapes = drawn(framed(), chosen("titre, as measured")).layout.shapes
    assert {((shape.x0 + shape.x1) / 2, (shape.y0 + shape.y1) / 2) for shape in shapes} == {(5, 3)}
    said = caption(wells, readings, values)
    assert "Framed wells are controls: C is base." in said


def test_several_plates_share_one_scale(framed, chosen, wells, readings):
    two = pd.concat([wells, wells.assign(plate=2)], ignore_index=True)
    both = pd.concat([readings, readings.assign(plate=2)], ignore_index=True)
    figure = drawn(framed(two, both), chosen("titre, as measured", two, both))
    assert [note.text for note in figure.layout.annotations] == ["plate 1", "plate 2"]
    coloured = [each for each in figure.data if each.coloraxis]
    assert {each.coloraxis for each in coloured} == {"coloraxis"}
    assert len(coloured) == 2
    assert {shape.xref for shape in figure.layout.shapes} == {"x", "x2"}


# -- readings ------------------------------------------------------------------------------------


def test_a_round_can_be_coloured_by_all_that_is_known_of_it(wells, readings, of_round):
    found = well_readings(wells, readings, of_round, [TITRE, VIABILITY])
    assert [each.name for each in found] == [
        "titre, as measured", "titre, predicted", "titre, measured minus predicted",
        "titre, status", "viability, predicted", "origin of the formula",
    ]  # fmt: skip


def test_before_anything_is_measured_wells_have_their_predictions(wells, readings, of_round):
    first, *others = well_readings(wells, readings[:0], of_round, [TITRE])
    assert first.name == "titre, predicted"
    assert first.numbers.tolist()[:2] == [2.0, 3.0]
    assert first.numbers.isna().tolist() == [False, False, True, True]
    assert [each.name for each in others] == ["origin of the formula"]


def test_what_is_left_of_a_prediction_is_around_zero(chosen, readings):
    readings = readings.assign(value=[2.5, 1.0, 1.0], corrected=[2.5, 1.0, 1.0], status="ok")
    reading = chosen("titre, measured minus predicted", readings=readings)
    assert reading.numbers.tolist()[:2] == [0.5, -2.0]
    assert reading.numbers.isna().tolist() == [False, False, True, True]
    assert (reading.scale.ends, reading.scale.diverges) == ((-2.0, 2.0), True)


def test_corrected_values_are_offered_where_anything_was_corrected(chosen, readings):
    reading = chosen("titre, corrected", readings=readings.assign(corrected=[2.0, NAN, 1.0]))
    assert reading.numbers.tolist()[0] == 2.0


def test_values_that_are_left_out_do_not_stretch_the_colours(chosen, readings):
    far = readings.assign(value=[2.5, NAN, 99.0], corrected=[2.5, NAN, NAN])
    far["status"] = ["ok", "missing", "outlier"]
    reading = chosen("titre, as measured", readings=far)
    assert reading.numbers.tolist()[2] == 99.0
    assert reading.scale.ends == (2.0, 3.0)  # 2.0 and 3.0 were predicted


def test_status_names_what_became_of_each_well(framed, chosen, readings):
    reading = chosen("titre, status", readings=readings[:2])
    assert [name for name, _ in reading.scale.kinds] == ["ok", "below range", "waiting"]
    assert reading.numbers.tolist()[:3] == [0.0, 1.0, 2.0]
    assert math.isnan(reading.numbers.tolist()[3])
    axis = drawn(framed(), reading).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-0.5, 2.5)
    assert list(axis.colorbar.ticktext) == ["ok", "below range", "waiting"]


def test_values_alike_have_no_range(chosen, readings, of_round):
    of_round["predicted"] = 1.0
    reading = chosen("titre, as measured", readings=readings.assign(value=1.0, corrected=1.0))
    assert reading.scale.ends is None


# -- a figure of readings ------------------------------------------------------------------------


def test_what_is_said_of_wells_is_in_the_page_once(framed, wells, readings, of_round):
    frame = framed()
    every = well_readings(wells, readings, of_round, [TITRE, VIABILITY])
    made = picture_of_readings(
        "plate",
        "",
        [
            Reading(r.name, r.group, lambda theme, r=r: plate_map(
                frame.assign(value=r.numbers), 24, r.scale, theme))
            for r in every
        ],
    )  # fmt: skip
    assert made.json.count("A1: formula 1") == 1
    assert [group for group, _ in made.choices] == ["titre (g/L)", "viability (%)", "all"]
    assert made.choices[0][1][0] == (0, "titre, as measured")


def test_a_plate_without_a_scale_of_its_own_is_drawn(framed):
    figure = plate_map(framed().assign(value=NAN), 24, Scale("nothing"), LIGHT)
    assert np.isnan(figure.data[1].z).all()
