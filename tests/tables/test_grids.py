"""Plates of letters and numbers: found wherever they stand, read cell by cell, or refused."""

from __future__ import annotations

import contextlib
import csv
import io
import math

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labloop.errors import RejectedError
from labloop.tables.numbers import NumberStyle, is_number, number_in_style, parse_readings
from labloop.tables.reading import read_bytes
from labloop.wells import SHAPES, row_name, well_names

SIZES = (24, 48, 96, 384, 1536)


def grid(wells=96, corner="", head=str, value=lambda well: well.lower() + "v"):
    """Return the rows of a plate with its header and letters."""
    rows, columns = SHAPES[wells]
    header = [corner, *(head(number) for number in range(1, columns + 1))]
    names = well_names(wells)
    return [header] + [
        [row_name(row), *(value(names[row * columns + at]) for at in range(columns))]
        for row in range(rows)
    ]


def as_csv(rows, separator=","):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows(rows)
    return buffer.getvalue()


def as_book(**sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title.strip("_"))
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row, start=1):
                if cell != "":
                    sheet.cell(number, column, cell)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(content, source=None, **options):
    if isinstance(content, str):
        content = content.encode()
    if source is None:
        source = "reader.xlsx" if content.startswith(b"PK") else "reader.csv"
    return read_bytes(content, source, **options)


def rejected(content, **options):
    with pytest.raises(RejectedError) as caught:
        read(content, **options)
    return caught.value.problems


@pytest.mark.parametrize("wells", SIZES)
def test_every_shape_of_plate(wells):
    table = read(as_csv(grid(wells, corner="OD600")))
    assert table.names == ("well", "OD600")
    assert table.columns[0].tolist() == list(well_names(wells))
    assert table.columns[1].tolist() == [well.lower() + "v" for well in well_names(wells)]
    assert table.is_plate
    assert table.unused == ()


@pytest.mark.parametrize("head", [str, "{:02d}".format, "{:.1f}".format, "{:03d}.00".format])
def test_ways_of_writing_the_numbers_of_columns(head):
    assert read(as_csv(grid(384, head=head))).columns[1][0] == "a1v"
    assert read(as_book(S=grid(384, head=lambda n: head(n)))).columns[1][0] == "a1v"


def test_small_letters_and_blank_wells():
    rows = grid(24, corner="OD", value=lambda well: "" if well == "B2" else 1.5)
    rows[2][0] = "b"
    table = read(as_csv(rows))
    assert table.columns[1][table.columns[0].tolist().index("B2")] == ""
    assert len(table) == 24


@pytest.mark.parametrize(
    ("above", "corner", "title"),
    [
        ([["GFP"]], "OD600", "OD600"),
        ([["GFP"]], "<>", "GFP"),
        ([["", "", "OD600 [mg/L]:"], []], "", "OD600 [mg/L]"),
        ([["Fluorescence"], ["", "485", "528"]], "", "Fluorescence"),
        ([["", "340"]], "", "340"),
        ([["OD600"], ["Start Time: 12:00"], ["", "Temperature: 28.9 °C"]], "<>", "OD600"),
        ([], "well", "reader"),
        ([], "Unnamed: 0", "reader"),
    ],
)
def test_the_title_is_the_corners_or_the_nearest_text_above_or_the_files(above, corner, title):
    assert read(as_csv(above + grid(corner=corner))).names == ("well", title)


def test_the_title_is_the_sheets_where_nothing_else_is():
    table = read(as_book(_340=grid(value=lambda _: 0.5)))
    assert table.names == ("well", "340")
    assert table.sheet == "340"
    assert table.cell(18, 1) == 'reader.xlsx, sheet "340", cell H3'
    assert table.cell(18, 0) == 'reader.xlsx, sheet "340", cell H3'
    assert table.row(18) == 'reader.xlsx, sheet "340", cell H3'
    assert table.short_row(18) == 'sheet "340", cell H3'
    assert table.column(1) == 'reader.xlsx, sheet "340", cells A1:M9 ("340")'


def test_cells_of_a_csv_file_are_named_by_row_and_column():
    table = read(as_csv([["x"], [], *grid()]))
    assert table.columns[0][13] == "B2"
    assert table.cell(13, 1) == "reader.csv, row 5, column 3"
    assert table.column(1) == 'reader.csv, rows 3 to 11, columns 1 to 13 ("x")'


def test_a_text_export_with_labels_beside_the_plate():
    """As Gen5 writes it: tabs, lines of the protocol above, the read's name behind each row."""
    rows = [
        [*row, "abs600:600" if at else ""] for at, row in enumerate(grid(value=lambda _: "0.5"))
    ]
    protocol = [["Software Version", "3.12.08"], [], ["Plate Number", "Plate 1"], [], ["Results"]]
    protocol += [["Actual Temperature:", "25.2"]]
    table = read(as_csv(protocol + rows, "\t"), "export.txt")
    assert table.names == ("well", "Results")
    assert set(table.columns[1]) == {"0.5"}
    assert table.unused == ("14 cells outside the grids",)


def test_a_workbook_with_lines_of_the_reader_around_each_plate():
    """As i-control writes it: what was set, when and how warm, a corner that says nothing."""
    settings = [["Mode", "", "Absorbance"], ["Part of Plate", "", "A1-H12"]]
    warm = [[], ["Start Time:", "", "22.11.2024"], ["", "Temperature: 29 °C"]]
    above = [["Label: OD600"], *settings, *warm]
    below = [[], ["End Time:", "", "22.11.2024"]]
    one = above + grid(corner="<>", value=lambda _: 0.5) + below
    other = [["Label: GFP"], *above[1:], *grid(corner="<>", value=lambda _: "OVER"), *below]
    table = read(as_book(Sheet2=[["Application: Tecan i-control"], [], *one, [], *other]))
    assert table.names == ("well", "Label: OD600", "Label: GFP")
    readings, problems = parse_readings(table.columns[2], table.style)
    assert problems == {}
    assert set(readings.statuses) == {"above_range"}
    assert table.unused == ('sheet "Sheet2": 19 cells outside the grids',)


def test_several_plates_on_several_sheets():
    content = as_book(
        Abs=[["600"], *grid(value=lambda _: 1.0), [], ["340"], *grid(value=lambda _: 2.0)],
        GFP=[[], ["", "", "by", "me"], *[["", "", *row] for row in grid(value=lambda _: 3.0)]],
        Protocol=[["Reader", "Synergy"], ["Gain", 80]],
    )
    table = read(content)
    assert table.names == ("well", "600", "340", "by")
    assert [column[0] for column in table.columns] == ["A1", 1.0, 2.0, 3.0]
    assert table.sheet is None
    assert table.cell(0, 3) == 'reader.xlsx, sheet "GFP", cell D4'
    assert table.unused == (
        'sheet "GFP": 1 cell outside the grids',
        'sheet "Protocol": 4 cells, no grid',
    )
    assert read(content, sheet="gfp").names == ("well", "by")
    assert read(content, sheet="GFP").sha256 != table.sha256


def test_plates_side_by_side_have_titles_of_their_own():
    one, two = grid(24, value=lambda _: 1), grid(24, value=lambda _: 2)
    titles = ["", "OD600", *[""] * 6, "GFP"]
    rows = [titles] + [[*left, "", *right] for left, right in zip(one, two, strict=True)]
    assert read(as_csv(rows)).names == ("well", "OD600", "GFP")


def test_one_plate_of_the_round():
    table = read(as_csv(grid(24, corner="OD")), plate="2")
    assert table.names == ("well", "plate", "OD")
    assert set(table.columns[1]) == {"2"}
    table = read("well,OD\nA1,0.5\n", plate="2")
    assert table.names == ("well", "OD", "plate")
    assert table.columns[2].tolist() == ["2"]
    assert table.cell(0, 2) == "reader.csv, row 2, --plate"
    assert not table.is_plate
    assert rejected("well,Plate,OD\nA1,1,0.5\n", plate="2") == (
        'reader.csv: it has a column "plate"; leave out --plate',
    )


def test_decimal_commas_and_words():
    value = {"A1": "0,5", "A2": "OVRFLW", "A3": "#SAT", "A4": "Masked"}.get
    table = read(as_csv(grid(24, value=lambda well: value(well, "1,25")), ";"))
    assert table.style.mark == ","
    readings, problems = parse_readings(table.columns[1], table.style)
    assert problems == {}
    assert readings.measured[[0, 4]].tolist() == [0.5, 1.25]
    assert readings.statuses[:4].tolist() == ["ok", "above_range", "above_range", "missing"]


def test_what_stands_for_more_than_one_thing_is_refused():
    table = read(as_csv(grid(24, value=lambda well: "*****" if well == "A2" else "1")))
    _, problems = parse_readings(table.columns[1], table.style)
    assert problems == {
        1: '"*****" stands for more than one thing; say what it means here with words of an '
        "[[instrument]] in campaign.toml"
    }


WHOLE = (
    "give all rows and columns of the plate, blank where nothing was measured, or a row a well "
    'with columns "well" and what was measured'
)


@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        (grid()[:8], "row 1, column 1", "columns 1 to 12 with rows A to G"),
        (grid()[:2], "row 1, column 1", "columns 1 to 12 with row A"),
        ([row[:10] for row in grid()], "row 1, column 1", "columns 1 to 9 with rows A to H"),
        ([["x"], *grid(384)[:9]], "row 2, column 1", "columns 1 to 24 with rows A to H"),
        ([*grid()[:4], ["x"], *grid()[4:]], "row 1, column 1", "columns 1 to 12 with rows A to C"),
    ],
)
def test_a_part_of_a_plate_is_refused(rows, where, what):
    expected = f"{what} are no whole plate (of 24, 48, 96, 384 or 1536 wells); {WHOLE}"
    assert rejected(as_csv(rows)) == (f"reader.csv, {where}: {expected}",)
    row, column = (int(word.rstrip(",")) for word in where.split()[1::2])
    cell = f"{'ABC'[column - 1]}{row}"
    assert rejected(as_book(S=rows)) == (f'reader.xlsx, sheet "S", cell {cell}: {expected}',)


INSTRUMENT = "declare how it is read as an [[instrument]] in campaign.toml, for --instrument"


def test_plates_of_one_title_are_refused():
    assert rejected(as_csv([*grid(), [], *grid()])) == (
        'reader.csv: 2 plates are called "reader" (rows 1 to 9, columns 1 to 13; rows 11 to 19, '
        f"columns 1 to 13); {INSTRUMENT}",
    )
    assert rejected(as_book(P1=grid(corner="OD"), P2=grid(corner="OD"))) == (
        'reader.xlsx: 2 plates are called "OD" (sheet "P1", cells A1:M9; sheet "P2", cells A1:M9); '
        f"name one sheet with --sheet, or {INSTRUMENT}",
    )


def test_plates_of_different_sizes_are_refused():
    assert rejected(as_book(P1=grid(96), P2=grid(24))) == (
        'reader.xlsx: it has plates of different sizes (96 in sheet "P1", cells A1:M9; 24 in '
        f'sheet "P2", cells A1:G5); name one sheet with --sheet, or {INSTRUMENT}',
    )


@pytest.mark.parametrize(
    "turn", [list, lambda rows: [list(row) for row in zip(*rows, strict=True)]]
)
def test_a_list_of_wells_beside_a_plate_is_refused(turn):
    wells = turn([[f"A{number}", "0.5"] for number in range(1, 7)])
    assert rejected(as_book(Plate=grid(), List=wells)) == (
        'reader.xlsx, sheet "List", cell A1: a list of wells begins here, and a plate stands in '
        f'sheet "Plate", cells A1:M9; name one sheet with --sheet, or {INSTRUMENT}',
    )
    assert rejected(as_csv([*grid(), [], *wells])) == (
        "reader.csv, row 11, column 1: a list of wells begins here, and a plate stands in rows 1 "
        f"to 9, columns 1 to 13; {INSTRUMENT}",
    )


def test_plates_that_nobody_filled_in_are_left_out():
    blank = grid(24, corner="GFP", value=lambda _: "")
    table = read(as_book(P1=grid(24, corner="OD", value=lambda _: 0.5), P2=blank, P3=blank))
    assert table.names == ("well", "OD")
    assert table.unused == (
        'sheet "P2", cells A1:G5: a plate without values',
        'sheet "P3", cells A1:G5: a plate without values',
    )
    assert rejected(as_csv(blank)) == (
        "reader.csv: no cell of its plates holds anything (rows 1 to 5, columns 1 to 7)",
    )


@pytest.mark.parametrize(
    "rows", [[["", *range(1, 7)], ["Row A", *range(6)]], [["x", *range(1, 13)], [], ["A", 0.5]]]
)
def test_a_header_of_a_plate_without_its_letters_is_refused(rows):
    assert rejected(as_csv(rows).replace("x", "").replace("A,0.5", "A" + ",0.5" * 12)) == (
        "reader.csv, row 1: it holds numbers where the names of the columns should be; of a plate "
        "the letters A, B … stand below one another in the column before the numbers, from the "
        "next row on; if it is a table without header row, say so with --no-header",
    )


def test_sheets_without_plates_are_read_as_before():
    content = as_book(A=[["well", "x"], ["A1", 1]], B=[["y"], [2]])
    assert rejected(content) == (
        'reader.xlsx: 2 sheets have content; name one with --sheet: "A", "B"',
    )
    assert read(content, sheet="A").names == ("well", "x")
    assert not read(content, sheet="A").is_plate


def test_formulas_that_nobody_computed_are_refused_only_within_the_plate():
    rows = grid(24, corner="OD", value=lambda _: 0.5)
    rows[1][1] = "=1+1"
    assert rejected(as_book(S=rows)) == (
        'reader.xlsx, sheet "S", cell B2: the formula has no computed value; '
        "open the workbook in Excel and save it, or paste values",
    )
    rows[1][1] = 0.5
    assert len(read(as_book(S=[*rows, [], ["=1+1", "mean"]]))) == 24


def test_columns_of_numbers_without_letters_are_a_table():
    assert "--no-header" in rejected("1,2,3,4,5\n1,2,3,4,5\n")[0]
    names = list("abcdefg")
    text = as_csv([["A", 1, 2, 3, 4, 5, 6], ["A", 1, 2, 3, 4, 5, 6]])
    assert len(read(text, names=names)) == 2


TEXTS = st.sampled_from(["", "OVRFLW", "<LOD", ">4.0", "#N/A", "NA", "OVER", "Masked"])
NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))
NOTES = st.lists(
    st.lists(st.sampled_from(["", "Reader", "note 7", "12.5", "x"]), max_size=4), max_size=4
)


@st.composite
def files(draw, commas=True):
    """A file with one or two plates somewhere in it; what it holds by title and well."""
    wells = draw(st.sampled_from([24, 24, 48, 96, 384]))
    pool = draw(st.lists(st.one_of(NUMBERS, TEXTS), min_size=3, max_size=9).filter(any))
    head = draw(st.sampled_from([str, "{:02d}".format, "{:.1f}".format]))
    separator = draw(st.sampled_from([",", ";", "\t"]))
    right = draw(st.integers(0, 3))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    comma = commas and separator != "," and draw(st.booleans())
    shift = draw(st.integers(0, 20))
    wanted, rows = {}, []
    for title in ["OD600", "340"][: draw(st.integers(1, 2))]:
        names = well_names(wells)
        values = {well: pool[(at + shift) % len(pool)] for at, well in enumerate(names)}
        shift += 1
        wanted[title] = values
        rows += [*draw(NOTES), []]
        written = {well: text_of(value, comma) for well, value in values.items()}
        block = grid(wells, corner=title, head=head, value=written.get)
        rows += [[""] * right + row for row in block] + [[]]
    rows += draw(NOTES)
    return rows, separator, end, wanted, comma


def text_of(value, comma):
    text = value if isinstance(value, str) else repr(value)
    return text.replace(".", ",") if comma else text


def check(table, wanted):
    assert table.names == ("well", *wanted)
    for title, values in wanted.items():
        column = table.columns[table.names.index(title)]
        readings, problems = parse_readings(column, table.style)
        assert problems == {}
        for row, well in enumerate(table.columns[0]):
            expected = values[well]
            if isinstance(expected, float):
                assert readings.statuses[row] == "ok"
                assert readings.measured[row] == expected
            else:
                [status] = parse_readings(column[row : row + 1], table.style)[0].statuses
                assert readings.statuses[row] == status != "ok"
                assert math.isnan(readings.measured[row])


@settings(max_examples=60)
@given(files(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_any_plate_in_any_csv_file_reads_back_exactly(file, encoding):
    rows, separator, end, wanted, comma = file
    text = end.join(separator.join(row) for row in rows)
    table = read(text.encode(encoding), decimal="," if comma else ".")
    check(table, wanted)
    # every filled cell is a plate's or is said to be unused
    unused = sum(int(each.split()[0]) for each in table.unused)
    filled = sum(cell != "" for row in rows for cell in row)
    shape = SHAPES[len(next(iter(wanted.values())))]
    blank = sum(value == "" for values in wanted.values() for value in values.values())
    assert filled - unused == len(wanted) * ((shape[0] + 1) * (shape[1] + 1)) - blank


@settings(max_examples=15)
@given(files(commas=False))
def test_any_plate_in_any_workbook_reads_back_exactly(file):
    rows, _, _, wanted, _ = file
    numbers = [[_number(cell) for cell in row] for row in rows]
    check(read(as_book(Reader=numbers)), wanted)


def _number(cell):
    return number_in_style(cell, NumberStyle()) if is_number(cell, NumberStyle()) else cell


@settings(max_examples=100)
@given(
    st.lists(
        st.lists(st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "8", "A", "B", "C", "D", ""])),
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t"]),
)
@example([["", "1", "2", "3", "4", "5", "6"], ["A"], ["B"], ["C"], ["D"]], ",")
def test_near_plates_give_a_table_or_a_rejection(rows, separator):
    with contextlib.suppress(RejectedError):
        table = read(as_csv(rows, separator))
        assert len(table) > 0
        if table.is_plate:
            assert len({table.cell(row, 1) for row in range(len(table))}) == len(table)


def test_many_plates_take_no_longer_each_and_many_sheets_are_refused():
    names = [f"read {number}" for number in range(300)]
    table = read(as_csv([row for name in names for row in [*grid(24, corner=name), []]]))
    assert table.names == ("well", *names)
    book = openpyxl.Workbook()
    for _ in range(100):
        book.create_sheet()
    buffer = io.BytesIO()
    book.save(buffer)
    assert rejected(buffer.getvalue()) == ("reader.xlsx: it has 101 sheets; name one with --sheet",)


def test_a_sheet_called_plate_is_no_key():
    table = read(as_book(plate=grid(24, value=lambda _: 0.5)), plate="3")
    assert table.names == ("well", "plate", "plate")
    assert [column[0] for column in table.columns] == ["A1", "3", 0.5]
    assert table.column(2) == 'reader.xlsx, sheet "plate", cells A1:G5 ("plate")'
