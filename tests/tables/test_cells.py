"""Cells by row and column: what their names mean and how messages name them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.tables.cells import Area, Sheet, as_text, count, parse_area, region, spot

places = st.integers(1, 16384)


@given(places, places, places, places)
def test_what_an_area_is_called_is_read_as_the_area(top, left, height, width):
    area = Area(top, left, top + height, left + width)
    if area.right <= 16384:
        assert parse_area(str(area)) == (area, True)
        assert parse_area(str(area).lower()) == (area, True)
    corner = Area(top, left, top, left)
    assert parse_area(str(corner)) == (corner, False)


def test_corners_may_be_given_in_any_order():
    assert parse_area("M9:A1") == (Area(1, 1, 9, 13), True)
    assert parse_area("A9:M1") == (Area(1, 1, 9, 13), True)


@pytest.mark.parametrize("text", ["", "A", "1", "A0", "A1:", "A1:B", "Sheet!A1", "AAAA1", "Ａ1"])
def test_what_names_no_cells(text):
    with pytest.raises(ValueError, match="names no cells"):
        parse_area(text)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *[("1", 1), ("01", 1), ("1.0", 1), ("1,00", 1), (12.0, 12), ("048", 48)],
        *[("0", None), (0.0, None), (1.5, None), ("1.5", None), ("", None), ("A1", None)],
        *[("-1", None), (-1.0, None), (float("inf"), None), ("１", None), ("1e0", None)],
    ],
)
def test_cells_that_count(cell, number):
    assert count(cell) == number


def test_cells_of_a_sheet():
    sheet = Sheet("f.xlsx", "S", [["a"], ["", "b", 2.0]], [3, 5])
    assert sheet.at(3, 1) == "a"
    assert sheet.at(5, 3) == 2.0
    assert [sheet.at(*place) for place in [(4, 1), (3, 2), (5, 0), (99, 9)]] == [""] * 4
    assert list(sheet.filled()) == [(3, 1, "a"), (5, 2, "b"), (5, 3, 2.0)]
    assert sheet.width == 3


def test_names_of_cells():
    assert spot("f.xlsx", "S", 9, 27) == 'f.xlsx, sheet "S", cell AA9'
    assert spot("f.csv", None, 9, 27) == "f.csv, row 9, column 27"
    assert region("S", Area(1, 1, 9, 13)) == 'sheet "S", cells A1:M9'
    assert region(None, Area(1, 1, 9, 13)) == "rows 1 to 9, columns 1 to 13"
    assert as_text(340.0) == "340"
    assert as_text(" a \n b ") == "a b"
