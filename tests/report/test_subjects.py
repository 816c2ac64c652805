import math

import pandas as pd
import pytest

from labloop.report.subjects import Response, first_objective

NAN = math.nan


@pytest.mark.parametrize(
    ("response", "wish"),
    [
        (Response("titre", "g/L", "maximize", NAN), "maximize titre"),
        (Response("cost", "", "minimize", NAN), "minimize cost"),
        (Response("pH", "", "near", 7.0), "pH near 7"),
        (Response("viability", "%", "at_least", 90.0), "viability at least 90 %"),
        (Response("lactate", "mM", "at_most", 20.0), "lactate at most 20 mM"),
        (Response("density", "", "observe", NAN), "observe density"),
    ],
)
def test_a_goal_is_said_in_words(response, wish):
    assert response.wish == wish


@pytest.mark.parametrize(
    ("goal", "bound", "best"), [("maximize", NAN, 9.0), ("minimize", NAN, 1.0), ("near", 4.5, 4.0)]
)
def test_merit_is_bigger_for_the_better_value(goal, bound, best):
    measured = pd.Series([1.0, 4.0, 9.0])
    assert measured[Response("y", "", goal, bound).merit(measured).idxmax()] == best


def test_the_leader_is_no_control_and_meets_the_bounds(values):
    titre = Response("titre", "g/L", "maximize", NAN)
    assert titre.leader(values)["formula"] == 2
    values.loc[values["formula"] == 2, "meets"] = False
    assert titre.leader(values)["formula"] == 1
    assert titre.leader(values[values["origin"] == "control"]) is None
    assert titre.leader(values[values["round"] == 2]) is None


def test_the_first_objective_comes_after_what_is_only_watched():
    watched = Response("density", "", "observe", NAN)
    bounded = Response("viability", "%", "at_least", 80.0)
    titre = Response("titre", "g/L", "maximize", NAN)
    assert first_objective([watched, bounded, titre]) == titre
