"""Whatever bytes are handed in: a table and rows, or a rejection that lists what is wrong.

Never another exception, and never a value that the file does not hold. Quick here;
`LABLOOP_FUZZ=20000 pytest tests/tables/test_fuzzed.py` tries more.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import zipfile
from functools import cache

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.definition import Component, Instrument, Response
from labloop.errors import RejectedError
from labloop.tables import read_history, read_mapped, read_results
from labloop.tables.reading import read_bytes
from labloop.wells import SHAPES, row_name, well_names

EXAMPLES = int(os.environ.get("LABLOOP_FUZZ", "30"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

COMPONENTS = (
    Component(name="glucose", unit="mM", molar_mass=180.0),
    Component(name="extract", choices=("soy", "wheat")),
    Component(name="MOPS", unit="mM", fixed=40.0),
)
RESPONSES = (Response(name="OD600"), Response(name="titre", unit="g/L"))
LAYOUT = {("1", well): "7" if at % 3 else None for at, well in enumerate(well_names(96))}
ALIASES = {"Dextrose": "glucose", "600": "OD600", "Medium": "formula"}

# What cells of such files hold, the awkward among them; plain text is drawn besides.
CELLS = st.sampled_from(
    [
        *("", "1", "0.5", "1,5", "1.234,5", "1_0", "nan", "inf", "1e999", "<0.1", "<LOD", "OVRFLW"),
        *(
            "NA",
            "#N/A",
            "１",
            "-3",
            "A1",
            "A01",
            "H12",
            "AF48",
            "P25",
            "ZZ9",
            "soy",
            "7",
            "mM",
            "g/L",
        ),
        *(
            "%",
            "=1+1",
            "\ufeff",
            "\x00",
            "\u202e",
            '"',
            ";",
            "\t",
            "\n",
            "1 000",
            "5%",
            "<>",
            "***",
        ),
    ]
) | st.text(max_size=6)
HEADERS = st.sampled_from(
    [
        *("well", "plate", "formula", "replicate", "glucose", "glucose [mM]", "glucose, g/L"),
        *("Dextrose", "extract", "MOPS", "OD600", "600", "titre", "titre (mg/L)", "titre_ug/mL"),
        *("Note", "", "x", "glucose (", "[mM]", "Medium", "OD600 [OD]"),
    ]
) | st.text(max_size=6)


@st.composite
def scattered(draw):
    """Draw the rows of a table with some likely header."""
    header = draw(st.lists(HEADERS, min_size=1, max_size=6))
    width = st.integers(max(0, len(header) - 1), len(header) + 1)
    rows = draw(
        st.lists(width.flatmap(lambda n: st.lists(CELLS, min_size=n, max_size=n)), max_size=6)
    )
    return [header, *rows]


@st.composite
def spoilt(draw):
    """Draw the rows of a good table, some cells of which are changed."""
    rows = [
        ["plate", "well", "formula", "Dextrose [g/L]", "extract", "OD600", "titre"],
        ["1", "A2", "7", "1.8", "soy", "0.5", "2"],
        ["1", "B3", "7", "1.8", "soy", "0.25", "<0.1"],
        ["1", "c05", "8", "0", "wheat", "", "OVRFLW"],
    ]
    kept = draw(st.lists(st.sampled_from(range(7)), unique=True, min_size=2))
    for _ in range(draw(st.integers(0, 2))):
        row, column = draw(st.integers(0, 3)), draw(st.sampled_from(kept))
        rows[row][column] = draw(CELLS if row else HEADERS)
    return [[row[at] for at in kept] for row in rows]


def tables():
    return scattered() | spoilt()


@st.composite
def plates(draw):
    """Draw the rows of a sheet with a plate, some cells of which are changed."""
    rows, columns = SHAPES[draw(st.sampled_from([24, 48, 96]))]
    top, left = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    sheet = [[""] * (left + columns + 2) for _ in range(top + rows + 2)]
    sheet[top][left] = draw(st.sampled_from(["", "OD600", "600", "<>"]))
    for at in range(columns):
        sheet[top][left + 1 + at] = str(at + 1)
    for row in range(rows):
        sheet[top + 1 + row][left] = row_name(row)
        for at in range(columns):
            sheet[top + 1 + row][left + 1 + at] = f"0.{row}{at}"
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.integers(0, len(sheet) - 1))
        sheet[row][draw(st.integers(0, len(sheet[row]) - 1))] = draw(CELLS)
    return sheet


def as_csv(rows, separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


@cache
def workbook():
    """Return the parts of a small workbook by name."""
    book = openpyxl.Workbook()
    book.active.title = "table"
    for row in (["well", "OD600", "titre"], ["A1", 0.5, "<LOD"], ["A2", 0.25, 1.5]):
        book.active.append(row)
    grid = book.create_sheet("600")
    grid.append(["", *range(1, 7)])
    for row in range(4):
        grid.append([row_name(row), *(row + at / 10 for at in range(6))])
    grid.merge_cells("H1:J1")
    content = io.BytesIO()
    book.save(content)
    with zipfile.ZipFile(content) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def as_workbook(parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def read(content, source, **options):
    """Read bytes in every way; what is not rejected is looked at."""
    with contextlib.suppress(RejectedError):
        table = read_bytes(content, source, **options)
        for column in table.columns:
            assert len(column) == len(table) > 0
        for row in {0, len(table) - 1}:
            assert [table.cell(row, at) for at in range(len(table.names))]
        for reading in (
            lambda: read_history(table, COMPONENTS, RESPONSES, aliases=ALIASES),
            lambda: read_results(table, COMPONENTS, RESPONSES, layout=LAYOUT, aliases=ALIASES),
            lambda: read_results(table, COMPONENTS, RESPONSES, aliases=ALIASES),
            lambda: read_mapped(table, MAP, COMPONENTS, RESPONSES, aliases=ALIASES),
            lambda: read_mapped(READINGS, table, COMPONENTS, RESPONSES, aliases=ALIASES),
        ):
            with contextlib.suppress(RejectedError):
                check(reading())


def check(rows):
    """Hold rows to what is promised of them."""
    ok = rows.readings.statuses == "ok"
    assert np.isfinite(rows.readings.measured[ok]).all()
    assert np.isnan(rows.readings.measured[~ok]).all()
    assert len(rows.rows) == len(rows.readings.measured)
    for names in (rows.wells, rows.plates):
        assert len(names) in (0, len(rows.rows))
    if rows.concentrations is not None:
        known = rows.concentrations[~np.isnan(rows.concentrations).any(axis=1)]
        assert (known >= 0).all()
        assert (known < 1e33).all()


MAP = read_bytes(b"well,formula,glucose,extract\nA1,7,1,soy\nA2,8,2,wheat\n", "map.csv")
READINGS = read_bytes(b"well,formula,OD600\nA1,7,0.5\nB1,8,0.1\n", "reader.csv")


@fuzzed
@given(st.binary(max_size=300))
def test_any_bytes(content):
    read(content, "any.csv")


@fuzzed
@given(st.binary(max_size=60), st.sampled_from(["cp1252", "gbk", "utf-16", "utf-7", "rot13", "x"]))
def test_any_encoding(content, encoding):
    read(b"well,OD600\nA1," + content, "any.csv", encoding=encoding)


@fuzzed
@given(tables(), st.sampled_from(",;\t"), st.sampled_from([None, ",", "."]))
def test_tables(rows, separator, decimal):
    read(as_csv(rows, separator), "table.csv", decimal=decimal)


@fuzzed
@given(plates(), st.sampled_from(",;\t"), st.sampled_from([None, "1", "7"]))
def test_plates(rows, separator, plate):
    read(as_csv(rows, separator), "plates.csv", plate=plate)


BLOCKS = st.fixed_dictionaries(
    {"holds": st.sampled_from(["OD600", "titre", "formula"])},
    optional={
        "form": st.sampled_from(["grid", "list", "table"]),
        "sheet": st.sampled_from(["table", "600", "none"]),
        "cells": st.sampled_from(["A1", "A1:C3", "B2", "A1:G5", "XFD9"]),
        "plate": st.sampled_from(["1", "2"]),
        "unit": st.sampled_from(["g/L", "mg/L", "mM"]),
        "header_rows": st.integers(1, 3),
    },
)
INSTRUMENTS = st.builds(
    lambda blocks: Instrument.model_validate({"name": "reader", "block": blocks}),
    st.lists(BLOCKS, min_size=1, max_size=3),
)


@fuzzed
@given(tables() | plates(), INSTRUMENTS)
def test_declared_layouts_of_csv(rows, instrument):
    read(as_csv(rows), "reader.csv", instrument=instrument)


@fuzzed
@given(INSTRUMENTS)
def test_declared_layouts_of_workbooks(instrument):
    read(as_workbook(workbook()), "reader.xlsx", instrument=instrument)


SNIPPETS = st.sampled_from(
    [
        *(b"", b"<", b">", b'"', b"1e999", b"NaN", b"-1", b"\xff", b"\x00", b"&x;", b"<f>1</f>"),
        *(b"</row>", b'<c r="A1"><v>1</v></c>', b'r="ZZZ99999999"', b't="s"', b't="e"', b"<v/>"),
        *(b"99999999999", b"<!DOCTYPE x>", b'<row r="1048577">', b's="77"', b"rId9"),
        b'<mergeCell ref="A1:??"/>',
    ]
) | st.binary(max_size=4)


@fuzzed
@given(st.data())
def test_mutated_workbooks(data):
    parts = dict(workbook())
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(parts)))
        part = parts[name]
        start = data.draw(st.integers(0, len(part)))
        stop = data.draw(st.integers(start, min(len(part), start + 12)))
        parts[name] = part[:start] + data.draw(SNIPPETS) + part[stop:]
    if data.draw(st.booleans()) and data.draw(st.booleans()):
        del parts[data.draw(st.sampled_from(sorted(parts)))]
    read(as_workbook(parts), "book.xlsx", sheet=data.draw(st.sampled_from([None, "table", "600"])))


@fuzzed
@given(st.data())
def test_workbooks_cut_or_spoilt(data):
    content = as_workbook(workbook())
    at = data.draw(st.integers(0, len(content)))
    read(content[:at] + data.draw(st.binary(max_size=3)) + content[at + 1 :], "book.xlsx")
    read(content[:at], "book.xlsx")


@fuzzed
@given(tables(), tables())
def test_maps(readings, contents):
    with contextlib.suppress(RejectedError):
        left, right = (read_bytes(as_csv(rows), "a.csv") for rows in (readings, contents))
        check(read_mapped(left, right, COMPONENTS, RESPONSES, aliases=ALIASES))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"PK\x03\x04", b"\n\n", b",", b'"', b"\xef\xbb\xbf"]
)
def test_next_to_nothing(content):
    for name in ("a.csv", "a.xlsx"):
        with pytest.raises(RejectedError):
            read_bytes(content, name)
