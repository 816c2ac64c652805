"""Declared instruments: their blocks read as declared, and what does not fit named by its cell."""

from __future__ import annotations

import contextlib
import csv
import io

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Response
from labloop.definition.models import Instrument
from labloop.errors import RejectedError
from labloop.tables.numbers import parse_readings
from labloop.tables.reading import read_bytes, read_table
from labloop.tables.results import read_results
from labloop.wells import SHAPES, row_name, well_names


def grid(wells=24, value=lambda well: 0.5, corner=""):
    rows, columns = SHAPES[wells]
    names = well_names(wells)
    return [[corner, *range(1, columns + 1)]] + [
        [row_name(row), *(value(names[row * columns + at]) for at in range(columns))]
        for row in range(rows)
    ]


def wells_and(values):
    return [list(each) for each in zip(well_names(24), values, strict=False)]


def as_csv(rows, separator=","):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows(rows)
    return buffer.getvalue().encode()


def as_book(merge=(), **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
        for cells in merge:
            sheet.merge_cells(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def instrument(*blocks, **options):
    return Instrument.model_validate({"name": "biotek", "block": list(blocks), **options})


def read(content, *blocks, source=None, plate=None, sheet=None, **options):
    source = source or ("reader.xlsx" if content.startswith(b"PK") else "reader.csv")
    declared = instrument(*blocks, **options)
    return read_bytes(content, source, instrument=declared, plate=plate, sheet=sheet)


def rejected(content, *blocks, **options):
    with pytest.raises(RejectedError) as caught:
        read(content, *blocks, **options)
    return caught.value.problems


LIST = {"holds": "GFP", "form": "list"}
GRID = {"holds": "GFP", "form": "grid"}
TABLE = {"form": "table"}
BIOTEK = (
    {"holds": "GFP", "form": "list", "sheet": "Data_GFP"},
    {"holds": "MG", "form": "list", "sheet": "Data_MG", "cells": "B2"},
    {"holds": "formula", "form": "grid", "sheet": "layout", "cells": "A1:G5"},
)


def biotek(formula=lambda well: f"f {well}"):
    return as_book(
        Data_GFP=wells_and(range(24)),
        Data_MG=[["exported by Gen5"]] + [["", *row] for row in wells_and(range(100, 124))],
        layout=[*grid(value=formula), [], ["made", "by", "hand"]],
        sampling=[["glucose"], [1]],
        strains=[["Name"], ["f A1"]],
    )


def test_lists_and_a_plate_of_formulas():
    table = read(biotek(), *BIOTEK)
    assert table.names == ("well", "GFP", "MG", "formula")
    assert [column[7] for column in table.columns] == ["B2", 7.0, 107.0, "f B2"]
    assert len(table) == 24
    assert table.is_plate
    assert table.cell(7, 0) == 'reader.xlsx, sheet "Data_GFP", cell B8'
    assert table.cell(7, 2) == 'reader.xlsx, sheet "Data_MG", cell C9'
    assert table.cell(7, 3) == 'reader.xlsx, sheet "layout", cell C3'
    assert table.column(2) == 'reader.xlsx, sheet "Data_MG", cells B2:C25 ("MG")'
    assert table.unused == (
        'sheet "Data_MG": 1 cell outside the blocks of instrument "biotek"',
        'sheet "layout": 3 cells outside the blocks of instrument "biotek"',
        'sheets "sampling", "strains"',
    )


def test_results_of_an_instrument_join_the_round_and_its_formulas_are_checked():
    layout = {("1", well): f"f {well}" for well in well_names(24)}
    table = read(biotek(), *BIOTEK)
    rows = read_results(table, (), (Response(name="GFP"), Response(name="MG")), layout=layout)
    assert rows.readings.measured[7].tolist() == [7.0, 107.0]
    table = read(biotek(lambda well: "f A1"), *BIOTEK)
    with pytest.raises(RejectedError) as caught:
        read_results(table, (), (Response(name="GFP"), Response(name="MG")), layout=layout)
    assert len(caught.value.problems) == 21
    assert "well A2 holds formula f A2, but the file says" in caught.value.problems[0]


def test_a_mark_that_does_not_fit_is_named_where_it_was_said():
    content = as_csv([["A1", "0.25"], ["A2", "1.5"]], ";")
    table = read(content, LIST, decimal=",")
    assert parse_readings(table.columns[1], table.style)[1][0].startswith(
        '"0.25" does not fit decimal = "," of [[instrument]] "biotek" in campaign.toml; '
        "--decimal goes before it"
    )
    declared = instrument(LIST, decimal=".")
    table = read_bytes(content, "reader.csv", instrument=declared, decimal=",")
    problem = parse_readings(table.columns[1], table.style)[1][0]
    assert problem.startswith('"0.25" does not fit --decimal ,')


def test_words_units_and_decimals_of_an_instrument():
    rows = [["A1", "SAT"], ["A2", "-999"], ["A3", "0,25"], ["A4", "?????"], ["A5", "OVRFLW"]]
    words = {"sat": "above_range", "-999": "missing", "?????": "missing", "OVRFLW": "missing"}
    table = read(as_csv(rows, ";"), LIST | {"unit": "mg/L"}, words=words, decimal=",")
    assert table.names == ("well", "GFP [mg/L]")
    readings, problems = parse_readings(table.columns[1], table.style)
    assert problems == {}
    expected = ["above_range", "missing", "ok", "missing", "missing"]
    assert readings.statuses.tolist() == expected
    assert readings.measured[2] == 0.25
    numbers = read(as_book(S=[["A1", -999], ["A2", 1.5]]), LIST, words=words)
    readings, _ = parse_readings(numbers.columns[1], numbers.style)
    assert readings.statuses.tolist() == ["missing", "ok"]
    rows = read_results(
        table,
        (),
        (Response(name="GFP", unit="g/L"),),
        layout={("1", f"A{n}"): "1" for n in range(1, 6)},
    )
    assert rows.readings.measured[2, 0] == pytest.approx(0.25e-3)


def test_the_encoding_of_an_instrument():
    content = "Größe\nA1;1\nA2;2\n".encode("cp1252")
    block = LIST | {"cells": "A2"}
    assert read(content, block, encoding="cp1252").columns[1].tolist() == ["1", "2"]
    assert "--encoding" in rejected(content, block)[0]


def test_several_plates_in_one_file():
    blocks = [
        {"holds": name, "form": "grid", "sheet": f"P{plate}", "plate": plate, "cells": cells}
        for plate in ("1", "2")
        for name, cells in (("OD", "A1"), ("GFP", "A7"))
    ]
    content = as_book(
        P1=[*grid(value=lambda _: 1), [], *grid(value=lambda _: 2)],
        P2=[*grid(value=lambda _: 3), [], *grid(value=lambda _: 4)],
    )
    table = read(content, *blocks)
    assert table.names == ("well", "plate", "OD", "GFP")
    assert len(table) == 48
    assert [column[24] for column in table.columns] == ["A1", "2", 3.0, 4.0]
    assert table.cell(24, 2) == 'reader.xlsx, sheet "P2", cell B2'
    assert rejected(content, *blocks, plate="1") == (
        'reader.xlsx: instrument "biotek" says which plate each block is of; leave out --plate',
    )
    del blocks[1]["plate"]
    assert rejected(content, *blocks) == (
        'reader.xlsx: block 2 of instrument "biotek" in campaign.toml names no plate, while others '
        "do; name the plate of each",
    )


def test_the_sheet_may_be_said_by_option():
    content = as_book(Monday=wells_and([1]), Friday=wells_and([2]))
    assert read(content, LIST, sheet="friday").columns[1].tolist() == [2.0]
    assert read(content, LIST, sheet="friday", plate="7").columns[1].tolist() == ["7"]
    assert rejected(content, LIST) == (
        'reader.xlsx: 2 sheets have content ("Monday", "Friday"), and block 1 of instrument '
        '"biotek" in campaign.toml names none; name one there, or with --sheet',
    )
    assert rejected(content, LIST | {"sheet": "Friday"}, sheet="Monday") == (
        'reader.xlsx: instrument "biotek" says which sheets it is read from; leave out --sheet',
    )
    assert rejected(content, LIST | {"sheet": "Fryday"}) == (
        'reader.xlsx: no sheet is called "Fryday"; did you mean "Friday"? it has "Monday", '
        '"Friday"',
    )
    assert rejected(as_csv(wells_and([1])), LIST | {"sheet": "Friday"}) == (
        'reader.csv: a CSV file has no sheets, and block 1 of instrument "biotek" in campaign.toml '
        'names "Friday"; give it the workbook',
    )


AS = 'read as block 1 of instrument "biotek"; correct it in campaign.toml, or the file'
LIST_REMEDY = (
    "a list is two columns without header: correct its cells in campaign.toml, or the file"
)
AS_LIST = f'read as block 1 of instrument "biotek"; {LIST_REMEDY}'
CELLS = (
    'read as block 1 of instrument "biotek"; say which cells of the sheet it is in campaign.toml'
)


@pytest.mark.parametrize(
    ("rows", "block", "problem"),
    [
        ([["well", "GFP"], ["A1", 1]], LIST,
         f'cell A1: found "well" where a well, such as B7, should be, {AS_LIST}'),
        ([["A1", 1], ["", 2]], LIST,
         f"cell A2: the cell is blank where a well, such as B7, should be, {AS_LIST}"),
        ([["A1", 1, "x"]], LIST,
         f'cell C1: found "x" where only the columns of well and value should be, {CELLS}'),
        ([["A1"]], LIST,
         f'cell A1: found "A1" where only the columns of well and value should be, {CELLS}'),
        ([["A1", 1]], LIST | {"cells": "A1:C9"},
         f"cell A1: cells A1:C9 are not two columns, well and value, {AS}"),
        ([["A1", 1]], LIST | {"cells": "D9"}, f"cell D9: no wells are listed here, {AS}"),
        ([["A1", 1], ["a01", 2]], LIST,
         'cell B2: "GFP" of well A1 is already in sheet "S", cell B1; keep one of the two'),
        (grid(), GRID | {"cells": "A2"},
         f"cell B2: found 0.5 where the column number 1 should be, {AS}"),
        (grid(), GRID | {"cells": "A1:H5"},
         f"cell H1: the cell is blank where the column number 7 should be, {AS}"),
        (grid(), GRID | {"cells": "A1:G6"},
         f"cell A6: the cell is blank where the letter E should be, {AS}"),
        (grid(), GRID | {"cells": "A1:F5"},
         "cell A1: cells A1:F5 hold 4 rows and 5 columns of wells, as no plate has (the header and "
         f"the letters are part of the cells), {AS}"),
        (grid()[:4], GRID | {"cells": "A1"},
         "cell A1: cells A1:G4 hold 3 rows and 6 columns of wells, as no plate has (the header and "
         f"the letters are part of the cells), {AS}"),
        ([["x"], [1]], GRID, f"it has no plate, and one is expected, {CELLS}"),
        (grid() + grid(), GRID,
         'it has 2 plates: sheet "S", cells A1:G5; sheet "S", cells A6:G10, and one is expected, '
         + CELLS),
        ([["x"], ["y"]], TABLE | {"header_rows": 2},
         f"cell A1: found no rows below a header, {AS}"),
        ([["x"], ["y"]], TABLE | {"cells": "Z9"}, f"cell Z9: found no rows below a header, {AS}"),
    ],
)  # fmt: skip
def test_blocks_that_do_not_fit_the_file(rows, block, problem):
    between = ", " if problem.startswith("cell ") else ": "
    assert rejected(as_book(S=rows), block) == (f'reader.xlsx, sheet "S"{between}{problem}',)


def test_of_a_csv_file_the_separator_that_splits_most_is_told_of():
    rows = [["A1", "0,5"], ["A2", "0,5"], ["total", "1,0"]]
    assert rejected(as_csv(rows, ";"), LIST) == (
        'reader.csv, row 3, column 1: found "total" where a well, such as B7, should be, '
        + AS_LIST,
    )
    table = read(as_csv(rows, ";"), LIST | {"cells": "A1:B2"})
    assert table.columns[1].tolist() == ["0,5", "0,5"]
    assert table.style.mark == ","
    assert table.unused == ('2 cells outside the blocks of instrument "biotek"',)


def test_plates_of_different_sizes_are_not_one_plate():
    content = as_book(A=grid(24), B=grid(48))
    blocks = GRID | {"sheet": "A"}, {"holds": "OD", "form": "grid", "sheet": "B"}
    assert rejected(content, *blocks) == (
        'reader.xlsx: sheet "A", cells A1:G5 has 24 wells and sheet "B", cells A1:I7 has 48, and '
        "they are said to be of one plate; name their plates in campaign.toml",
    )


def test_a_table_with_two_header_rows():
    rows = [
        ["Reader", "Synergy", "", ""],
        ["well", "OD", "", "GFP"],
        ["", "600", "340", "[mg/L]"],
        ["A1", 1, 2, 3],
        ["", "", "", ""],
        ["A2", 4, 5, 6],
        ["mean", 2.5, "", ""],
    ]
    block = TABLE | {"cells": "A2:D6", "header_rows": 2}
    for content in (as_csv(rows), as_book(S=rows), as_book(("B2:C2", "A2:A3"), S=rows)):
        table = read(content, block)
        assert table.names == ("well", "OD 600", "OD 340", "GFP [mg/L]")
        assert table.rows.tolist() == [4, 6]
        assert table.columns[0].tolist() == ["A1", "A2"]
        assert table.is_plate
        where = "" if content[:2] != b"PK" else 'sheet "S": '
        assert table.unused == (f'{where}4 cells outside the blocks of instrument "biotek"',)
    assert table.cell(1, 2) == 'reader.xlsx, sheet "S", cell C6'
    table = read(as_csv(rows), TABLE | {"cells": "A2", "header_rows": 2}, plate="3")
    assert table.names[-1] == "plate"
    assert len(table) == 1


def test_a_table_of_formulas():
    content = as_csv([["notes"], ["glucose", "OD"], ["1", "2"]])
    table = read(content, TABLE | {"cells": "A2:B3"})
    assert table.names == ("glucose", "OD")
    assert table.cell(0, 1) == 'reader.csv, row 3, column "OD"'
    table = read(content, TABLE | {"cells": "A2", "plate": "2"})
    assert table.names == ("glucose", "OD", "plate")
    assert rejected(content, TABLE | {"cells": "A2", "plate": "2"}, plate="1") == (
        'reader.csv: instrument "biotek" says which plate each block is of; leave out --plate',
    )


def test_a_table_beside_other_blocks_is_joined_by_well():
    content = as_book(
        T=[["Well", "OD", "Name"], ["B2", 7, "x"], ["A1", 8, "y"]], L=wells_and(range(24))
    )
    blocks = TABLE | {"sheet": "T"}, LIST | {"sheet": "L"}
    table = read(content, *blocks)
    assert table.names == ("well", "OD", "Name", "GFP")
    assert [column[0] for column in table.columns] == ["B2", 7.0, "x", 7.0]
    assert table.columns[1][table.columns[0].tolist().index("C3")] == ""
    assert table.unused == ()
    assert rejected(as_book(T=[["OD"], [7]], L=wells_and([1])), *blocks) == (
        'reader.xlsx, sheet "T", cell A1: the table has no column "well", so it cannot stand '
        'beside other blocks, read as block 1 of instrument "biotek"; declare it as an instrument '
        "of its own",
    )
    assert rejected(as_csv([["well"], ["A1"]]), TABLE, TABLE) == (
        f"reader.csv, row 1, column 1: the table has wells and no values, {AS}",
    )
    assert rejected(
        as_book(T=[["well", "", "OD"], ["A1", 7], ["x", 1]], L=wells_and([1])), *blocks
    ) == (
        'reader.xlsx, sheet "T", cell B1: the column has cells but no name; name it in the header, '
        "or leave it out of the cells in campaign.toml",
        'reader.xlsx, sheet "T", cell A3: found "x" where a well, such as B7, should be, read as '
        'block 1 of instrument "biotek"; correct it in campaign.toml, or the file',
    )


def test_options_that_do_not_go_with_an_instrument():
    declared = instrument(LIST)
    with pytest.raises(RejectedError) as caught:
        read_bytes(b"A1,1\n", "reader.csv", names=["a"], instrument=declared)
    assert caught.value.problems == (
        "reader.csv: an instrument says where what is; leave out --no-header",
    )
    with pytest.raises(RejectedError) as caught:
        read_table(pd.DataFrame({"well": ["A1"]}), instrument=declared)
    assert caught.value.problems == ("frame: it is read as it is; leave out instrument",)


def test_formulas_that_nobody_computed_are_refused_within_the_blocks():
    content = as_book(S=[["A1", "=1+1"], ["A2", 2]])
    assert rejected(content, LIST) == (
        'reader.xlsx, sheet "S", cell B1: the formula has no computed value; '
        "open the workbook in Excel and save it, or paste values",
    )
    assert read(content, LIST | {"cells": "A2"}).columns[1].tolist() == [2.0]
    table = as_book(S=[["well", "GFP"], ["A1", "=1+1"]])
    assert "no computed value" in rejected(table, TABLE)[0]


BLOCKS = st.sampled_from(
    [
        LIST,
        GRID,
        TABLE,
        TABLE | {"header_rows": 3},
        LIST | {"cells": "B2"},
        GRID | {"cells": "A1:G5"},
        GRID | {"cells": "XFD1048576:A1"},
        TABLE | {"cells": "A1:XFD1048576"},
        LIST | {"cells": "A1:B1048576"},
    ]
)
TEXT = st.text('A1B2,;\t\n"x. ', max_size=80).map(str.encode)


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), TEXT), st.lists(BLOCKS, min_size=1, max_size=2))
def test_any_bytes_give_a_table_or_a_rejection(content, blocks):
    with contextlib.suppress(RejectedError):
        table = read(content, *blocks, source="reader.csv")
        assert len(table) > 0
        assert all(len(column) == len(table) for column in table.columns)
        assert len(table.names) == len(table.columns) == len(table.positions)


PLAIN = biotek()


@settings(max_examples=40)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_workbook_with_a_flipped_byte_gives_a_table_or_a_rejection(at, byte):
    with contextlib.suppress(RejectedError):
        read(PLAIN[:at] + bytes([byte]) + PLAIN[at + 1 :], *BIOTEK, source="reader.xlsx")
