"""Workbooks: the right sheet, the values that Excel shows, and nothing that unpacks into harm."""

from __future__ import annotations

import contextlib
import datetime
import functools
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Response
from labloop.definition.models import Instrument
from labloop.errors import RejectedError
from labloop.tables.archive import check_archive
from labloop.tables.reading import read_bytes
from labloop.tables.results import read_results


def workbook(**sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title.replace("_", " "))
        for row in rows:
            sheet.append(row)
    return saved(book)


def saved(book):
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def rejected(content, **options):
    with pytest.raises(RejectedError) as caught:
        read_bytes(content, "results.xlsx", **options)
    return caught.value.problems


def replaced(content, part, change, **more):
    """Return a workbook with one part changed, and other parts added."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for each in old.infolist():
            text = old.read(each)
            new.writestr(each.filename, change(text) if each.filename == part else text)
        for name, text in more.items():
            new.writestr(name, text)
    return buffer.getvalue()


PLAIN = workbook(Day_7=[["well", "titre"], ["A1", 1.5], ["B1", 2], ["C1", None]])
SHEET = "xl/worksheets/sheet1.xml"


def test_the_only_sheet_with_content():
    table = read_bytes(workbook(Empty=[], Day_7=[["well", "titre"], ["A1", 1.5]]), "results.xlsx")
    assert table.sheet == "Day 7"
    assert table.names == ("well", "titre")
    assert [column.tolist() for column in table.columns] == [["A1"], [1.5]]
    assert table.cell(0, 1) == 'results.xlsx, sheet "Day 7", cell B2'


def test_cells_are_named_as_excel_names_them():
    content = workbook(Day_7=[[None, None, None], [None, "well", "titre"], [None, "A1", "good"]])
    table = read_bytes(content, "results.xlsx")
    with pytest.raises(RejectedError) as caught:
        read_results(table, (), (Response(name="titre"),), layout={("1", "A1"): "7"})
    assert caught.value.problems == (
        'results.xlsx, sheet "Day 7", cell C3: "good" is not a number; write a number, or leave '
        "it blank, NA, <LOD or OVRFLW where there is none",
    )


def test_sheets_by_name():
    content = workbook(Day_3=[["a"], [1]], Day_7=[["b"], [2]])
    assert read_bytes(content, "results.xlsx", sheet="Day 7").names == ("b",)
    assert read_bytes(content, "results.xlsx", sheet="day 3").names == ("a",)
    assert rejected(content) == (
        'results.xlsx: 2 sheets have content; name one with --sheet: "Day 3", "Day 7"',
    )
    assert rejected(content, sheet="Dya 7") == (
        'results.xlsx: no sheet is called "Dya 7"; did you mean "Day 7"? it has "Day 3", "Day 7"',
    )
    assert rejected(workbook(One=[])) == ("results.xlsx: no visible sheet holds anything",)


def test_hidden_sheets_are_read_only_by_name():
    book = openpyxl.load_workbook(io.BytesIO(workbook(A=[["a"], [1]], B=[["b"], [2]])))
    book["A"].sheet_state = "hidden"
    content = saved(book)
    assert read_bytes(content, "results.xlsx").names == ("b",)
    assert read_bytes(content, "results.xlsx", sheet="A").names == ("a",)


def test_kinds_of_cells():
    book = openpyxl.load_workbook(io.BytesIO(workbook(S=[list("abcdef")])))
    sheet = book.active
    sheet.append([True, datetime.date(2024, 5, 1), 0.95, " x ", "0,5", 77])
    sheet["C2"].number_format = "0.0%"
    huge = b"<v>" + b"9" * 400 + b"</v>"
    content = replaced(saved(book), SHEET, lambda xml: xml.replace(b"<v>77</v>", huge))
    cells = [column[0] for column in read_bytes(content, "results.xlsx").columns]
    assert cells[0] == "TRUE"
    assert cells[1].startswith("2024-05-01")
    assert cells[2:5] == ["95%", "x", "0,5"]
    assert isinstance(cells[5], str)


def formula_sheet(cell):
    return replaced(PLAIN, SHEET, lambda xml: xml.replace(b'<c r="B2" t="n"><v>1.5</v></c>', cell))


def test_formulas_have_their_computed_value_or_are_refused():
    computed = formula_sheet(b'<c r="B2"><f>1+1</f><v>2</v></c>')
    assert read_bytes(computed, "results.xlsx").columns[1][0] == 2.0
    to_nothing = formula_sheet(b'<c r="B2" t="str"><f>""</f><v></v></c>')
    assert read_bytes(to_nothing, "results.xlsx").columns[1][0] == ""
    assert rejected(formula_sheet(b'<c r="B2"><f>1+1</f></c>')) == (
        'results.xlsx, sheet "Day 7", cell B2: the formula has no computed value; '
        "open the workbook in Excel and save it, or paste values",
    )


def test_merged_headers_are_refused():
    content = workbook(S=[["titre", None], [1, 2]])
    table = read_bytes(content, "results.xlsx")
    with pytest.raises(RejectedError) as caught:
        read_results(table, (), (Response(name="titre"),))
    assert caught.value.problems[0] == (
        'results.xlsx, sheet "S", column 2: it has cells but no name; '
        "name it in the header (of merged cells only the first has the text)"
    )


@functools.cache
def bomb():
    return replaced(PLAIN, "", bytes, **{"xl/padding.xml": b" " * (200 * 2**20)})


def test_bombs_are_refused_before_they_are_unpacked():
    assert len(bomb()) < 2**20
    assert rejected(bomb()) == (
        "results.xlsx: the workbook would unpack to 200 MB; "
        "that is no table of measurements; save the sheet as CSV",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(encoding):
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    )
    content = replaced(PLAIN, SHEET, lambda _: xml.encode(encoding))
    assert rejected(content) == (
        'results.xlsx: its part "xl/worksheets/sheet1.xml" declares an XML document type, '
        "which no spreadsheet program writes; export the sheet again",
    )


READERS = [
    {},
    {"sheet": "Day 7"},
    {
        "instrument": Instrument.model_validate(
            {"name": "reader", "block": [{"holds": "titre", "form": "list", "sheet": "Day 7"}]}
        )
    },
]


@pytest.mark.parametrize("options", READERS)
def test_every_way_of_reading_is_checked_first(options):
    assert "would unpack to 200 MB" in rejected(bomb(), **options)[0]
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>&a;</x>'
    assert (
        "declares an XML document type"
        in (rejected(replaced(PLAIN, SHEET, lambda _: entities.encode()), **options)[0])
    )
    assert "the workbook is damaged" in rejected(PLAIN[: len(PLAIN) // 2], **options)[0]
    far = replaced(PLAIN, SHEET, lambda xml: xml.replace(b'<row r="4"', b'<row r="999999999"'))
    assert "has too many rows or cells" in rejected(far, **options)[0]
    assert (
        "old or password-protected" in rejected(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", **options)[0]
    )


def test_several_sheets_are_checked_once(monkeypatch):
    calls = []

    def counted(content, source):
        calls.append(source)
        return check_archive(content, source)

    monkeypatch.setattr("labloop.tables.workbook.check_archive", counted)
    plate = [["", *range(1, 7)], *([letter, *[0.5] * 6] for letter in "ABCD")]
    table = read_bytes(workbook(A=plate, B=plate, C=[["notes"]]), "results.xlsx")
    assert table.names == ("well", "A", "B")
    assert calls == ["results.xlsx"]


def test_rows_far_away_do_not_hang():
    far = replaced(PLAIN, SHEET, lambda xml: xml.replace(b'<row r="4"', b'<row r="999999999"'))
    assert rejected(far) == ('results.xlsx: sheet "Day 7" has too many rows or cells',)


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"PK\x03\x04" + bytes(200), PLAIN[:-30], PLAIN[: len(PLAIN) // 2]],
)
def test_damaged_workbooks_are_rejected(content):
    assert "the workbook is damaged" in rejected(content)[0]


def test_another_kind_of_zip_is_rejected():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "the workbook is damaged" in rejected(buffer.getvalue())[0]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_workbook_with_broken_parts_gives_a_table_or_a_rejection(drawn):
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        part = drawn.draw(st.sampled_from(archive.namelist()))
        size = len(archive.read(part))
    at = drawn.draw(st.integers(0, size - 1))
    new = drawn.draw(st.binary(max_size=6))
    length = drawn.draw(st.integers(0, 6))
    content = replaced(PLAIN, part, lambda old: old[:at] + new + old[at + length :])
    with contextlib.suppress(RejectedError):
        assert len(read_bytes(content, "results.xlsx")) > 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_workbook_with_a_flipped_byte_gives_a_table_or_a_rejection(at, byte):
    with contextlib.suppress(RejectedError):
        read_bytes(PLAIN[:at] + bytes([byte]) + PLAIN[at + 1 :], "results.xlsx")
