"""Headers of several rows: which text stands for which columns."""

from __future__ import annotations

import pytest

from labloop.tables.cells import Area, Sheet
from labloop.tables.headers import joined_header


def joined(rows, merged=()):
    sheet = Sheet("f.csv", None, rows, range(1, len(rows) + 1))
    area = Area(1, 1, len(rows) + 1, max(map(len, rows)))
    return joined_header(sheet, area, len(rows), merged)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([["well", "OD"]], ["well", "OD"]),
        ([["OD", ""], ["600", "340"]], ["OD 600", "OD 340"]),
        # "well" has nothing below it: it is a name of its own, not the name of a group
        ([["well", "", "OD", ""], ["", "plate", "600", "340"]],
         ["well", "plate", "OD 600", "OD 340"]),
        ([["OD", "", "", "note"], ["600", "340", "", ""]], ["OD 600", "OD 340", "", "note"]),
        ([["day 1", "", "", ""], ["OD", "", "GFP", ""], ["a", "b", "a", "b"]],
         ["day 1 OD a", "day 1 OD b", "day 1 GFP a", "day 1 GFP b"]),
        ([["", ""], ["x", "y"]], ["x", "y"]),
        ([[600.0, ""], ["raw ", "raw  2"]], ["600 raw", "600 raw 2"]),
    ],
)  # fmt: skip
def test_a_text_carries_on_to_the_right(rows, names):
    assert joined(rows) == names


def test_where_cells_are_merged_only_they_carry_on():
    rows = [["well", "OD", "", ""], ["", "600", "340", "note"]]
    assert joined(rows) == ["well", "OD 600", "OD 340", "OD note"]
    merged = (Area(1, 1, 2, 1), Area(1, 2, 1, 3))
    assert joined(rows, merged) == ["well", "OD 600", "OD 340", "note"]
    assert joined(rows, (Area(9, 1, 9, 4),)) == ["well", "OD 600", "OD 340", "OD note"]
