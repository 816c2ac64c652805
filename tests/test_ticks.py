from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from labloop.ticks import exact, is_multiple, least_ticks, most_ticks

INCREMENTS = st.sampled_from(["0.0025", "0.01", "0.025", "0.1", "0.3", "1", "5"])


def test_decimals_are_what_is_written():
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e-05) == Fraction(1, 100_000)
    assert exact(3 * 0.1) == Fraction(3, 10)
    assert most_ticks(0.3, 0.1) == least_ticks(0.3, 0.1) == 3
    assert most_ticks(exact(0.3) - exact(0.1), 0.1) == 2


@given(st.integers(0, 10**6), INCREMENTS)
def test_whole_volumes_are_whole_numbers_of_ticks(ticks, increment):
    volume = float(ticks * Decimal(increment))
    assert most_ticks(volume, float(increment)) == ticks
    assert least_ticks(volume, float(increment)) == ticks
    assert is_multiple(volume, float(increment)) == (ticks > 0)


@given(st.decimals("0.001", "100000", places=4).map(float), INCREMENTS)
def test_a_volume_lies_between_its_ticks(volume, increment):
    most, least = most_ticks(volume, float(increment)), least_ticks(volume, float(increment))
    assert most * Fraction(increment) <= exact(volume) <= least * Fraction(increment)
    assert least - most == (0 if is_multiple(volume, float(increment)) else 1) or most == least == 0
