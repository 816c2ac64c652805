"""Files and frames to tables: encodings, separators, headers, and bytes of any kind."""

from __future__ import annotations

import hashlib
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from labloop.errors import RejectedError
from labloop.tables.numbers import NumberStyle, is_number
from labloop.tables.reading import read_bytes, read_table
from labloop.tables.table import letters, reject


def rejected(content, source="results.csv", **options):
    with pytest.raises(RejectedError) as caught:
        read_bytes(content, source, **options)
    return caught.value


def rows(table):
    return [tuple(column[row] for column in table.columns) for row in range(len(table))]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(separator, end):
    text = end.join(separator.join(row) for row in [("well", "titre"), ("A1", "1.5"), ("A2", "")])
    table = read_bytes(text.encode(), "results.csv")
    assert table.names == ("well", "titre")
    assert rows(table) == [("A1", "1.5"), ("A2", "")]
    assert table.rows.tolist() == [2, 3]
    assert table.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_with_byte_order_marks(encoding):
    text = "葡萄糖,µ\n1,2\n"
    if encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeff" + text
    assert read_bytes(text.encode(encoding), "f.csv").names == ("葡萄糖", "µ")


def test_other_encodings_are_refused_until_they_are_named():
    content = "well,zucker grün\nA1,1\n".encode("latin-1")
    assert rejected(content).problems == (
        "results.csv, line 1: byte 0xFC is not utf-8 text; say which encoding it is with "
        "--encoding (latin-1 and cp1252 are common in Europe, gbk in China), or save it as UTF-8",
    )
    assert read_bytes(content, "f.csv", encoding="latin-1").names[1] == "zucker grün"
    content = "孔,葡萄糖\nA1,1\n".encode("gbk")
    assert "--encoding" in rejected(content).problems[0]
    assert read_bytes(content, "f.csv", encoding="gbk").names == ("孔", "葡萄糖")


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        (b"", {}, "results.csv: it is empty"),
        (b" \n\n,,\n", {}, "results.csv: it is empty"),
        (b"well,titre\n", {}, "results.csv: it has a header and no rows"),
        (b"a,b\n1,2,3\n", {}, "results.csv, row 2: it has 3 cells where row 1 has 2; "
         "leave a cell blank where there is no value"),
        (b"a,b\n\n1\n", {}, "results.csv, row 3: it has 1 cells where row 1 has 2; "
         "leave a cell blank where there is no value"),
        (b'a,b\n"1,2\n', {}, "results.csv, after row 1: broken quotes or cells "
         "(unexpected end of data)"),
        (b"a,a\n1,2\n", {}, 'results.csv: columns 1 and 2 are both called "a"; '
         "rename or remove one"),
        (b"a\0,b\n1,2\n", {}, "results.csv: it holds NUL characters; it is no CSV text"),
        (b"0.5,1\n2,3\n", {}, "results.csv, row 1: it holds numbers where the names of the columns "
         "should be; if there is no header row, say so with --no-header"),
        (b"x,y\n2,3\n", {"names": ["a", "b"]}, "results.csv, row 1: it holds no number and seems "
         "to be a header; leave out --no-header"),
        (b"1,2,3\n", {"names": ["a", "b"]}, "results.csv: it has 3 columns, and without a header "
         "2 are expected: a, b"),
        (b"a,b;c\n1,2,3\n4;5;6", {}, "results.csv: the header holds semicolons and commas, and "
         "none of them splits every row into as many cells; put names that hold them in quotes"),
        (b"a,b\n1,2\n", {"encoding": "klingon"}, 'results.csv: no encoding is called "klingon"; '
         "try latin-1 or gbk"),
        (b"a,b\n1,\xff\n", {"encoding": "ascii"}, "results.csv, line 2: byte 0xFF is not ascii "
         "text; try another --encoding, or save it as UTF-8"),
        (b"a,b\n1,2\n", {"sheet": "Day 7"}, "results.csv: a CSV file has no sheets; "
         "leave out --sheet"),
        (b"a,b\n1,2\n", {"decimal": "x"}, 'decimal must be a point or a comma (got "x")'),
    ],
)  # fmt: skip
def test_what_is_refused(content, options, problem):
    assert rejected(content, **options).problems == (problem,)


def test_old_and_wrong_workbooks():
    assert rejected(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "a.xls").problems == (
        "a.xls: an old or password-protected Excel file; save it as .xlsx",
    )
    assert rejected(b"a,b\n1,2\n", "a.xlsx").problems == (
        "a.xlsx: it is no Excel workbook; if it is CSV, name it .csv",
    )


def test_decimal_commas_with_semicolons_need_no_option():
    table = read_bytes(b"glucose;titre\n0,5;1,25\n", "f.csv")
    assert table.style.mark == ","
    assert not table.style.stated
    assert read_bytes(b'glucose,titre\n"0,5",1\n', "f.csv").style.mark == "."


def test_a_semicolon_wins_where_both_split_evenly():
    table = read_bytes(b"a;b\n0,5;1\n", "f.csv")
    assert rows(table) == [("0,5", "1")]
    table = read_bytes(b'"a","x;y",z;\n1,2,3\n', "f.csv")
    assert table.names == ("a", "x;y", "z;")
    table = read_bytes(b"a,x;y\n1,2\n", "f.csv")
    assert table.names == ("a", "x;y")


def test_blank_rows_and_nameless_blank_columns_are_left_out():
    table = read_bytes(b"\na,b,\n1,2,\n,,\n3,4,\n", "f.csv")
    assert table.names == ("a", "b")
    assert table.rows.tolist() == [3, 5]
    assert table.cell(1, 1) == 'f.csv, row 5, column "b"'


def test_without_header_names_are_the_callers():
    table = read_bytes(b"0.1,0.2,9\n0.3,0.4,8\n", "f.csv", names=["a", "b", "titre"])
    assert table.names == ("a", "b", "titre")
    assert table.rows.tolist() == [1, 2]


def test_missing_files_are_rejected(tmp_path):
    with pytest.raises(RejectedError) as caught:
        read_table(tmp_path / "none.csv")
    assert caught.value.problems == (f"{tmp_path / 'none.csv'}: there is no such file",)
    with pytest.raises(RejectedError, match="it cannot be read"):
        read_table(tmp_path)


def test_files_are_read_by_path_or_text(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert read_table(path).sha256 == read_table(str(path)).sha256
    assert read_table(path).source == "f.csv"


def test_frames():
    frame = pd.DataFrame(
        {
            "well": ["A1", " B1 ", None],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "titre": np.array([1.5, np.nan, 2.0], dtype=np.float32),
            "flag": [True, 2, np.float64("nan")],
        },
        index=[10, 20, 30],
    )
    table = read_table(frame)
    assert rows(table)[0] == ("A1", 1.0, 1.5, "True")
    assert table.columns[0].tolist() == ["A1", "B1", ""]
    assert np.isnan(table.columns[1][1])
    assert table.columns[3].tolist() == ["True", 2.0, ""]
    assert table.cell(1, 2) == 'frame, index 20, column "titre"'


def test_a_named_index_is_a_column():
    frame = pd.DataFrame({"titre": [1.0, 2.0]}, index=pd.Index(["A1", "B1"], name="well"))
    assert read_table(frame).names == ("well", "titre")


def test_equal_frames_have_equal_fingerprints():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert read_table(frame).sha256 == read_table(frame.copy()).sha256
    assert read_table(frame).sha256 != read_table(frame.assign(a=[1.0, 3.0])).sha256
    assert read_table(frame).sha256 != read_table(frame.rename(columns={"a": "c"})).sha256


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1.0, 2.0]]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")),
    ],
)
def test_frames_without_rows_or_names_are_rejected(frame):
    with pytest.raises(RejectedError):
        read_table(frame)


def test_a_long_list_of_problems_is_cut():
    with pytest.raises(RejectedError) as caught:
        reject("f.csv", [f"problem {n}" for n in range(25)])
    assert caught.value.headline == "f.csv was rejected (25 problems); nothing was changed:"
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "(+5 more)"


def test_letters_of_columns():
    assert [letters(n) for n in (1, 26, 27, 52, 703)] == ["A", "Z", "AA", "AZ", "AAA"]


STYLE = NumberStyle()
plain_text = st.text(alphabet=string.ascii_letters + string.digits + ' ,;\t"._-µ葡', max_size=8)


@given(
    st.lists(plain_text.filter(str.strip), min_size=2, max_size=5, unique_by=str.strip),
    st.lists(st.lists(plain_text, min_size=5, max_size=5), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_a_csv_writer_wrote_comes_back(header, body, separator):
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    wanted = [tuple(cell.strip() for cell in row[: len(header)]) for row in body]
    writer.writerows(wanted)
    # What has no rows, or numbers for names, may be turned down.
    assume(any(map(any, wanted)) and not any(is_number(name.strip(), STYLE) for name in header))
    assume(len({" ".join(name.split()) for name in header}) == len(header))
    table = read_bytes(buffer.getvalue().encode(), "f.csv")
    assert table.names == tuple(" ".join(name.split()) for name in header)
    assert rows(table) == [row for row in wanted if any(row)]


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text(alphabet='aé1.,;\t"\n\r \0', max_size=200).map(str.encode),
        st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail),
    ),
    st.sampled_from([None, "latin-1", "gbk", "utf-16", "utf-7", "idna", "hex", "a\0b"]),
    st.sampled_from([None, ["a"], ["a", "b"]]),
    st.sampled_from([None, ".", ","]),
)
@example(b"\xff\xfea", None, None, None)
@example(b'"' + b"a" * 140_000 + b'"', None, None, None)
@example(b"a\r\rb", None, None, None)
def test_any_bytes_give_a_table_or_a_rejection(content, encoding, names, decimal):
    try:
        table = read_bytes(content, "f.csv", encoding=encoding, names=names, decimal=decimal)
    except RejectedError:
        return
    assert len(table) > 0
    assert all(len(column) == len(table) for column in table.columns)
    assert len(table.names) == len(table.columns) == len(table.positions)
