import math

import pandas as pd

from labloop.report.sentences import outcome
from labloop.report.subjects import Response

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN)
VIABILITY = Response("viability", "%", "at_least", 80.0)


def measure(values: pd.DataFrame, formula: int, mean: float, sem: float = 0.3) -> None:
    rows = (values["formula"] == formula) & (values["response"] == "titre")
    values.loc[rows, ["measured", "sem", "wells"]] = [mean, sem, 2]


def test_the_first_round_is_compared_with_nothing(values):
    assert outcome(values, [TITRE, VIABILITY], 1) == [
        "The best titre of this round is 3.20 ± 0.10 g/L, of formula 2.",
        "The control base had titre 1.000 ± 0.050 g/L.",
        "2 of 2 formulas (100 %) lie within the 90 % interval predicted for their titre.",
        "1 of 2 formulas (50 %) lie within the 90 % interval predicted for their viability.",
    ]


def test_a_gain_has_the_uncertainty_of_both_means(values):
    measure(values, 3, 4.0)
    measure(values, 4, 9.0, 0.4)
    assert outcome(values, [TITRE], 2) == [
        "The best titre of this round is 9.00 ± 0.40 g/L, of formula 4: better by 5.80 ± 0.41 g/L "
        "than the best before, formula 2 with 3.20 ± 0.10 g/L.",
        "1 of 2 formulas (50 %) lie within the 90 % interval predicted for their titre; over all "
        "rounds, 3 of 4 formulas (75 %): too few to tell whether the intervals are right.",
    ]


def test_a_round_that_finds_nothing_better_says_so(values):
    measure(values, 3, 3.1)
    assert outcome(values, [TITRE], 2)[0] == (
        "The best titre of this round is 3.10 ± 0.30 g/L, of formula 3; formula 2 stays the best, "
        "with 3.20 ± 0.10 g/L."
    )


def test_less_is_better_where_the_response_is_minimized(values):
    measure(values, 3, 2.0)
    said = outcome(values, [TITRE._replace(goal="minimize")], 2)[0]
    assert "of formula 3: better by 0.50 ± 0.32 g/L than the best before, formula 1" in said


def test_a_round_in_which_no_formula_meets_the_bounds_says_so_once(values):
    values.loc[values["origin"] != "control", "meets"] = False
    said = outcome(values, [TITRE, TITRE], 1)
    assert said.count("No formula of this round meets all bounds.") == 1


def test_a_round_without_any_value_says_so(values):
    assert outcome(values, [TITRE], 2) == ["No formula of this round has a value of titre."]


def test_an_unknown_standard_error_is_left_out(values):
    values["sem"] = NAN
    assert outcome(values, [TITRE], 1)[:2] == [
        "The best titre of this round is 3.2 g/L, of formula 2.",
        "The control base had titre 1 g/L.",
    ]
