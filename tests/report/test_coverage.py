import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.report.coverage import compared, drift, share_between, shares, verdict

COLUMNS = ["round", "predicted", "low", "high", "measured"]


def rows(*given):
    return pd.DataFrame(given, columns=COLUMNS)


def test_errors_are_in_standard_deviations_of_the_side_that_they_lie_on():
    found = compared(
        rows((1, 10.0, 8.355, 13.29, 13.29), (1, 10.0, 8.355, 13.29, 8.355), (1, 1.0, 0, 2, 1.0))
    )
    assert found["error"].tolist() == pytest.approx([1.6449, -1.6449, 0.0], abs=1e-3)
    assert found["inside"].all()


def test_what_was_not_predicted_or_not_measured_is_not_compared():
    assert not len(compared(rows((1, math.nan, math.nan, math.nan, 1.0), (1, 1, 0, 2, math.nan))))
    assert math.isnan(compared(rows((1, 1.0, 1.0, 1.0, 2.0)))["error"].iloc[0])


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_holds_it_and_stays_a_share(given):
    inside, count = given
    low, high = share_between(inside, count)
    assert 0 <= low <= inside / count + 1e-12
    assert inside / count - 1e-12 <= high <= 1
    mirrored = share_between(count - inside, count)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


def test_the_interval_of_a_share_is_wilsons():
    # 9 of 10 with 95 %: 0.5958 to 0.9821 (Agresti and Coull 1998)
    assert share_between(9, 10, 1.959964) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_shares_are_of_rounds():
    found = shares(compared(rows((1, 1, 0, 2, 1), (1, 1, 0, 2, 5), (3, 1, 0, 2, 1))))
    assert found[["round", "inside", "count", "share"]].to_numpy().tolist() == [
        [1, 1, 2, 0.5], [3, 1, 1, 1.0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "count", "said"),
    [
        (50, 100, "the intervals promise too much: trust them less"),
        (100, 100, "the intervals are wider than they need be"),
        (90, 100, "the intervals are honest"),
        (3, 3, "too few to tell whether the intervals are right"),
    ],
)
def test_intervals_are_judged_by_what_is_known_of_them(inside, count, said):
    assert verdict(pd.DataFrame({"inside": [k < inside for k in range(count)]})) == said


def test_drift_is_the_mean_error_with_its_standard_error():
    assert drift(pd.DataFrame({"error": [1.0, 3.0]})) == pytest.approx((2.0, 1.0))
    assert math.isnan(drift(pd.DataFrame({"error": [1.0]}))[0])
