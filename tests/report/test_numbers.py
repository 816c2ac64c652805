import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.report.numbers import counted, enumerated, number, plus_minus, titled, with_unit

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.5, "2.5"),
        (1.23456, "1.235"),
        (12345.6, "12346"),
        (1.5e12, "1.5e+12"),
        (0.000012345, "1.234e-05"),
        (NAN, "–"),
        ("soy", "soy"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (2.3123, 0.0812, "2.312 ± 0.081"),
        (99.96, 1.0, "100.0 ± 1.0"),
        (1234.5, 67.8, "1234 ± 68"),
        (5.0, 0.0, "5 ± 0"),
        (5.0, NAN, "5"),
        (NAN, 1.0, "–"),
    ],
)
def test_the_spread_says_how_many_digits_a_value_has(value, spread, text):
    assert plus_minus(value, spread) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(), st.floats(min_value=0))
def test_any_value_can_be_written(value, spread):
    assert len(plus_minus(value, spread)) < 45


def test_words_around_numbers():
    assert with_unit("3", "g/L") == "3 g/L"
    assert with_unit("3", "") == "3"
    assert titled("titre", "g/L") == "titre (g/L)"
    assert titled("pH", "") == "pH"
    assert counted(1, "well") == "1 well"
    assert counted(0, "well") == "0 wells"


@pytest.mark.parametrize(
    ("names", "text"), [("a", "a"), ("ab", "a and b"), ("abcd", "a, b, c and d")]
)
def test_names_are_listed_as_people_do(names, text):
    assert enumerated(list(names)) == text
