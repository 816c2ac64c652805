import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.report.front import complete, hypervolumes, on_front, references, waiting
from labloop.report.subjects import Response

NAN = math.nan
TITRE = Response("titre", "g/L", "maximize", NAN, 0.0)
COST = Response("cost", "", "minimize", NAN, 10.0)
BOTH = [TITRE, COST]


def formulas(*rows, sem=0.0):
    """Return measured formulas by (round, titre, cost, whether they meet the bounds)."""
    return pd.DataFrame(
        [(k, r, "mixing", meets, a, sem, b, sem) for k, (r, a, b, meets) in enumerate(rows, 1)],
        columns=["formula", "round", "origin", "meets", "0", "0_sem", "1", "1_sem"],
    )


def test_formulas_with_all_values_are_listed_once_and_controls_are_not(values):
    one = [TITRE, Response("viability", "%", "maximize", NAN)]
    found = complete(values, one)
    assert found[["formula", "round", "0", "1"]].to_numpy().tolist() == [
        [1, 1, 2.5, 85.0], [2, 1, 3.2, 99.0],
    ]  # fmt: skip


def test_formulas_that_wait_have_their_predictions(values):
    found = waiting(values, [TITRE])
    assert found["formula"].tolist() == [3, 4]
    assert found["0"].tolist() == [3.5, 3.6]
    assert found["0_low"].iloc[0] == pytest.approx(3.5 - 1.645 * 0.4)


def test_the_front_is_what_nothing_surpasses():
    found = formulas((1, 5.0, 5.0, True), (1, 4.0, 6.0, True), (1, 4.0, 4.0, True),
                     (1, 9.0, 1.0, False), (1, 5.0, 5.0, True))  # fmt: skip
    assert on_front(found, BOTH).tolist() == [True, False, True, False, True]


def test_the_hypervolume_is_the_share_of_the_box_that_is_surpassed():
    # The box is 8 wide (titre 0 to 8) and 8 high (cost 10 to 2).
    found = formulas((1, 4.0, 2.0, True), (2, 8.0, 6.0, True), (3, 1.0, 9.0, True))
    volumes = hypervolumes(found, BOTH)
    assert volumes["round"].tolist() == [1, 2, 3]
    assert volumes["volume"].tolist() == pytest.approx([0.5, 0.75, 0.75], abs=0.03)
    assert volumes["sd"].tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_errors_of_measurements_become_errors_of_the_hypervolume():
    found = formulas((1, 4.0, 2.0, True), (2, 8.0, 6.0, True), sem=0.4)
    assert (hypervolumes(found, BOTH)["sd"] > 0.005).all()


POINTS = st.lists(
    st.tuples(st.integers(1, 5), st.floats(-5, 20), st.floats(-5, 20), st.booleans()),
    min_size=1, max_size=12,
)  # fmt: skip


@given(POINTS)
def test_the_hypervolume_never_falls_and_some_formula_is_on_the_front(points):
    found = formulas(*points)
    volumes = hypervolumes(found, BOTH)
    assert (np.diff(volumes["volume"]) >= -1e-12).all()
    assert volumes["volume"].between(0, 1.1).all()
    assert on_front(found, BOTH).any() == found["meets"].any()


def test_the_reference_is_the_users_or_what_nine_of_ten_surpass():
    found = formulas(*[(1, float(k), float(k), True) for k in range(11)])
    assert references(found, BOTH) == pytest.approx([0.0, 10.0])
    silent = [each._replace(reference=NAN) for each in BOTH]
    assert references(found, silent) == pytest.approx([1.0, 9.0])
    near = Response("pH", "", "near", 7.0)
    assert references(found, [TITRE, near])[1] == pytest.approx(7.0 - 6.0)


def test_logarithms_are_taken_as_plates_are_chosen_by_them():
    log = Response("titre", "g/L", "maximize", NAN, 1.0, log=True)
    found = formulas((1, math.e, 0.0, True), (2, math.e**2, 0.0, True))
    assert hypervolumes(found, [log, COST])["volume"].tolist() == pytest.approx(
        [0.5, 1.0], abs=0.03
    )
    assert references(found, [log, COST]) == pytest.approx([1.0, 10.0])
