"""Strict numbers: what parses, what does not, and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.tables.numbers import (
    NumberError,
    NumberStyle,
    number_in_style,
    number_style,
    parse_number,
    parse_numbers,
    parse_readings,
    reading_in_style,
)

POINT = NumberStyle()
finite = st.floats(allow_nan=False, allow_infinity=False)


def cells(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


@given(finite)
def test_every_finite_number_comes_back(number):
    assert parse_number(repr(number)) == number
    assert parse_number(repr(number).replace(".", ","), decimal=",") == number


@given(st.integers(-(10**12), 10**12))
def test_grouped_thousands_come_back_where_the_mark_is_stated(number):
    assert parse_number(f"{number:,}", decimal=".") == number
    assert parse_number(f"{number:,}".replace(",", "."), decimal=",") == number


@pytest.mark.parametrize("text", ["1", "-2.5", "+3", ".5", "4.", "1e3", "1E-3", " 7 "])
def test_plain_numbers(text):
    assert parse_number(text) == float(text)


@pytest.mark.parametrize(
    "text",
    [
        *("1_000", "１２", "٣", "½", "nan", "NaN", "inf", "-Infinity", "TRUE", "abc"),
        *("0x1F", "1 000", "1e", "--1", "1.2.3", "1-2", "e5", ".", "+", "1d3", "−1"),
    ],
)
@pytest.mark.parametrize("decimal", [None, ".", ","])
def test_what_is_refused_in_every_style(text, decimal):
    with pytest.raises(NumberError):
        parse_number(text, decimal)


@pytest.mark.parametrize(
    ("text", "decimal", "message"),
    [
        ("", None, "the cell is blank"),
        ("abc", None, '"abc" is not a number'),
        ("nan", None, '"nan" is not a number'),
        ("1e999", None, '"1e999" is too large'),
        ("1,234", None, '"1,234" can be 1.234 or 1234; say which with --decimal , or --decimal .'),
        ("0,5", None, '"0,5" has a comma; say what the decimal mark is with --decimal , or .'),
        (
            "1.234,5",
            None,
            '"1.234,5" has a comma; say what the decimal mark is with --decimal , or .',
        ),
        ("95%", None, '"95%" has a percent sign; write the number alone, in the column\'s unit'),
        ("0.5", ",", '"0.5" does not fit --decimal ,'),
        ("1.2.3", None, '"1.2.3" is not a number'),
        ("a\x1b[31m\n", None, '"a�[31m" is not a number'),
        ("x" * 60, None, f'"{"x" * 39}…" is not a number'),
    ],
)
def test_why_a_text_is_no_number(text, decimal, message):
    with pytest.raises(NumberError) as caught:
        parse_number(text, decimal)
    assert str(caught.value) == message


def test_a_comma_that_nobody_stated_needs_to_be_certain():
    bare = NumberStyle(",")
    assert parse_numbers(cells("0,5", "12,25", "1234,567", "0,123", "3"), bare)[1] == {}
    values, problems = parse_numbers(cells("1,234", "1.5"), bare)
    assert np.isnan(values).all()
    assert problems == {
        0: '"1,234" can be 1.234 or 1234; say which with --decimal , or --decimal .',
        1: '"1.5" has a point where other cells have a decimal comma; '
        "say what the decimal mark is with --decimal , or --decimal .",
    }


def test_the_decimal_mark_is_a_point_or_a_comma():
    with pytest.raises(NumberError) as caught:
        number_style(";")
    assert str(caught.value) == 'decimal must be a point or a comma (got ";")'


@pytest.mark.parametrize(
    ("text", "status", "limit"),
    [
        ("", "missing", math.nan),
        ("#N/A", "missing", math.nan),
        ("NA", "missing", math.nan),
        ("n/a", "missing", math.nan),
        ("<LOD", "below_range", math.nan),
        ("< loq", "below_range", math.nan),
        ("<0.5", "below_range", 0.5),
        ("> 4.0", "above_range", 4.0),
        (">ULOQ", "above_range", math.nan),
        ("OVRFLW", "above_range", math.nan),
        ("Over", "above_range", math.nan),
        ("Overflow", "above_range", math.nan),
        ("#Sat", "above_range", math.nan),
        ("Masked", "missing", math.nan),
    ],
)
def test_words_of_instruments_are_statuses(text, status, limit):
    reading = reading_in_style(text, POINT)
    assert reading.status == status
    assert math.isnan(reading.value)
    assert reading.limit == limit or (math.isnan(reading.limit) and math.isnan(limit))


@pytest.mark.parametrize("text", ["nd", "-", "#DIV/0!", "<", "<x", ">1,234", "nan", "?", "<<1"])
def test_other_words_are_refused(text):
    with pytest.raises(NumberError):
        reading_in_style(text, POINT)


@pytest.mark.parametrize(
    "text", ["*", "*****", "?????", "-***", "***.*", ">>>>", "<<<<", "#####", "??*", "<**"]
)
def test_marks_that_stand_for_more_than_one_thing_are_refused(text):
    with pytest.raises(NumberError) as caught:
        reading_in_style(text, POINT)
    assert str(caught.value) == (
        f'"{text}" stands for more than one thing; say what it means here with words of an '
        "[[instrument]] in campaign.toml"
    )
    style = NumberStyle(words={text: "below_range"})
    assert reading_in_style(text, style).status == "below_range"


@pytest.mark.parametrize("text", ["#Low", "#DIV/0!", "Range?", "Path?", "INVALID", "Error"])
def test_words_that_makers_use_for_faults_are_no_values_out_of_range(text):
    with pytest.raises(NumberError, match="is not a number"):
        reading_in_style(text, POINT)


def test_words_of_an_instrument_come_first_and_may_be_numbers():
    words = {
        "over": "missing",
        " Too Low ": "below_range",
        "-999": "missing",
        "9999.0": "above_range",
    }
    style = NumberStyle(words=words)
    column = cells("OVER", "toolow", "-999", -999.0, 9999.0, "9999", "1.5", 2.5, "", "#SAT", "-998")
    readings, problems = parse_readings(column, style)
    assert problems == {}
    expected = ["missing", "below_range", "missing", "missing", "above_range", "above_range"]
    assert readings.statuses.tolist() == [*expected, "ok", "ok", "missing", "above_range", "ok"]
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(readings.measured)), [6, 7, 10])
    plain, _ = parse_readings(np.array([-999.0, 1.0, np.nan]), style)
    assert plain.statuses.tolist() == ["missing", "ok", "missing"]


@given(st.lists(finite | st.just(math.nan), min_size=1))
def test_a_column_of_numbers_or_of_their_texts_reads_alike(numbers):
    texts = cells(*["" if math.isnan(number) else repr(number) for number in numbers])
    mixed = cells(*["" if math.isnan(number) else number for number in numbers])
    for column in (np.array(numbers), texts, mixed):
        readings, problems = parse_readings(column, POINT)
        assert problems == {}
        np.testing.assert_array_equal(readings.measured, numbers)
        assert (readings.statuses == "missing").tolist() == [math.isnan(each) for each in numbers]
        values, blank = parse_numbers(column, POINT)
        np.testing.assert_array_equal(values, numbers)
        assert set(blank.values()) <= {"the cell is blank"}


@given(
    st.lists(st.text("0123456789.,eE+-\n", max_size=6) | st.text(max_size=12), min_size=1),
    st.sampled_from([POINT, NumberStyle(","), NumberStyle(".", True), NumberStyle(",", True)]),
)
def test_a_column_says_the_same_as_its_cells(texts, style):
    column = cells(*[text.strip() for text in texts])
    values, problems = parse_numbers(column, style)
    for row, text in enumerate(column):
        try:
            expected = number_in_style(text, style)
        except NumberError as error:
            assert problems[row] == str(error)  # noqa: PT017
            assert math.isnan(values[row])
        else:
            assert values[row] == expected
            assert row not in problems


def test_infinite_numbers_of_a_frame_are_refused():
    column = np.array([1.0, math.inf])
    assert parse_numbers(column, POINT)[1] == {1: "an infinite number"}
    assert parse_readings(column, POINT)[1] == {1: "an infinite number"}


def test_a_line_break_within_a_cell_is_no_number():
    assert parse_numbers(cells("1\n2", "3"), POINT)[1] == {0: '"1�2" is not a number'}
