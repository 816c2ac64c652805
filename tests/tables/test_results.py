"""Results of a round: joined by plate and well, by formula, or by composition; never by order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Component, Response
from labloop.errors import RejectedError
from labloop.tables.reading import read_bytes, read_table
from labloop.tables.results import read_results

COMPONENTS = (Component(name="glucose", unit="mM"), Component(name="serum", unit="%"))
RESPONSES = (Response(name="titre", unit="g/L"), Response(name="viability", unit="%"))
LAYOUT = {
    ("1", "A1"): "7",
    ("1", "A2"): "8",
    ("1", "B1"): "7",
    ("1", "B2"): "commercial",
    ("1", "H12"): None,
}
TWO_PLATES = {("1", "A1"): "7", ("2", "A1"): "8"}


def results(text, layout=LAYOUT, **options):
    table = read_bytes(text.encode(), "results.csv")
    return read_results(table, COMPONENTS, RESPONSES, layout=layout, **options)


def problems(text, layout=LAYOUT, **options):
    with pytest.raises(RejectedError) as caught:
        results(text, layout, **options)
    return caught.value.problems


def test_by_well_in_any_order_and_spelling():
    found = results("well,titre\nb01,1.5\nA01,2\nA2,OVRFLW\n")
    assert found.key == "well"
    assert found.wells == ("B1", "A1", "A2")
    assert found.plates == ("1", "1", "1")
    assert found.formulas == ("7", "7", "8")
    assert found.readings.statuses[:, 0].tolist() == ["ok", "ok", "above_range"]
    assert found.present == (True, False)
    assert found.absent == ("B2",)
    assert found.rows == (2, 3, 4)


def test_empty_wells_without_readings_are_passed_over():
    found = results("well,titre\nA1,2\nH12,\nC3,NA\n")
    assert found.wells == ("A1",)
    assert found.readings.measured.tolist()[0][0] == 2.0
    assert found.rows == (2,)


def test_plates_by_name_or_number():
    assert results("plate,well,titre\n2,A1,5\n1,A1,4\n", TWO_PLATES).formulas == ("8", "7")
    frame = pd.DataFrame({"plate": [2.0, 1.0], "well": ["A1", "A1"], "titre": [5.0, 4.0]})
    found = read_results(read_table(frame), COMPONENTS, RESPONSES, layout=TWO_PLATES)
    assert found.plates == ("2", "1")
    assert results("plate,well,titre\n2,A1,5\n", TWO_PLATES).absent == ("1:A1",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "well,titre\nA1,1\nB1,2\nA01,3\n",
            'results.csv, row 4, column "well": well A1 is already in row 2; keep one of the two',
        ),
        (
            "well,titre\nH12,1\n",
            'results.csv, row 2, column "well": well H12 holds no formula on plate 1; '
            "is this the file of the right round? If so, remove the row",
        ),
        (
            "well,titre\nZZ99,1\n",
            'results.csv, row 2, column "well": "ZZ99" is no well; wells are written as A1 or A01',
        ),
        (
            "well,titre\nfirst,1\n",
            'results.csv, row 2, column "well": "first" is no well; wells are written as A1 or A01',
        ),
        (
            "well,titre\n,1\n",
            'results.csv, row 2, column "well": the cell is blank; write the well, such as A1',
        ),
        (
            "plate,well,titre\n3,A1,1\n",
            'results.csv, row 2, column "well": plate "3" is not in this round, which has 1; '
            "is this the file of another round?",
        ),
        (
            "well,formula,titre\nA1,9,1\n",
            'results.csv, row 2, column "well": well A1 holds formula 7, but the file says "9"; '
            "is this the file of another round?",
        ),
        (
            "well,note\nA1,fine\n",
            'results.csv: no column for any response ("titre", "viability"); add one, or say which '
            'column it is with --columns "FILE NAME=titre"',
        ),
        (
            "well,titer\nA1,1\n",
            'results.csv, column "titer": no component or response has that name; '
            'did you mean "titre"? the campaign has glucose, serum, titre, viability; '
            'name it with --columns "titer=…", for all files under [aliases] in campaign.toml, '
            'or leave it out with --ignore "titer"',
        ),
        (
            "well,titre\nA1,low\n",
            'results.csv, row 2, column "titre": "low" is not a number; write a number, or leave '
            "it blank, NA, <LOD or OVRFLW where there is none",
        ),
        (
            "formula,titre\n77,1\n",
            'results.csv, row 2, column "formula": formula "77" is not in this round; '
            'did you mean "7"?',
        ),
        (
            "formula,titre\n8,1\n8,2\n",
            'results.csv, row 3, column "formula": formula 8 has 2 rows and only 1 wells; '
            "remove what does not belong to this round",
        ),
        (
            "formula,replicate,titre\n7,1,1\n7,1,2\n",
            'results.csv, row 3, column "replicate": replicate 1 of formula 7 is already in row 2; '
            "keep one of the two",
        ),
        (
            "titre\n8\n",
            'results.csv: nothing says which formula a row is; add a column "well" or "formula", '
            "or the columns of the components",
        ),
    ],
)
def test_what_is_refused(text, problem):
    found = problems(text)
    assert problem in found
    assert len(found) == 1 or "titer" in text


def test_two_plates_need_a_column():
    assert problems("well,titre\nA1,1\n", TWO_PLATES) == (
        'results.csv: the round has plates 1, 2; add a column "plate", or name the one that the '
        "file is of with --plate",
    )


def test_wells_without_a_round():
    assert problems("well,titre\nA1,1\n", None) == (
        "results.csv: it has wells or formulas, but no round is waiting for results; "
        "name the round with --round, or add the columns of the components",
    )


def test_by_formula_with_replicates():
    found = results("formula,titre,viability\n7,1,90\nCommercial,2,80\n7,3,\n",
                    {**LAYOUT, ("1", "B2"): "Commercial"})  # fmt: skip
    assert found.key == "formula"
    assert found.formulas == ("7", "Commercial", "7")
    assert found.absent == ("8",)
    frame = pd.DataFrame({"titre": [4.0]}, index=pd.Index([8], name="formula"))
    by_frame = read_results(read_table(frame), COMPONENTS, RESPONSES, layout=LAYOUT)
    assert by_frame.formulas == ("8",)


def test_by_composition():
    found = results("glucose,serum,titre,well\n1,0,5,A1\n1,0,6,A2\n", None)
    assert found.key == "composition"
    assert found.concentrations is not None
    assert found.concentrations.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert found.ignored == ()
    assert found.wells == ("A1", "A2")


def test_with_a_round_wells_come_first_and_components_are_said_to_be_unused():
    found = results("glucose,serum,titre,well\n1,0,5,A1\n")
    assert found.key == "well"
    assert found.ignored == ("glucose", "serum")


def test_rows_of_readings_follow_the_rows_kept():
    found = results("well,titre\nH12,\nA2,1\nA1,2\n")
    np.testing.assert_array_equal(found.readings.measured[:, 0], [1.0, 2.0])
    assert found.formulas == ("8", "7")


def plate_reader(text, **options):
    """Read a table as one that a plate reader wrote, which lists every well."""
    table = replace(read_bytes(text.encode(), "reader.csv"), is_plate=True)
    return read_results(table, COMPONENTS, RESPONSES, layout=options.pop("layout", LAYOUT))


def test_what_a_reader_measures_in_wells_without_formula_is_a_blank():
    found = plate_reader("well,titre\nA1,2\nH12,0.1\nC3,\nA2,3\n")
    assert found.wells == ("A1", "H12", "A2")
    assert found.formulas == ("7", "", "8")
    assert found.blanks == ("H12",)
    assert found.readings.measured[:, 0].tolist() == [2.0, 0.1, 3.0]
    several = {("1", "A1"): "7", ("2", "A1"): None}
    assert plate_reader("plate,well,titre\n2,A1,1\n", layout=several).blanks == ("2:A1",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "well,titre\nC3,1\n",
            'reader.csv, row 2, column "well": well C3 holds no formula on plate 1; '
            "is this the file of the right round? If so, remove the row",
        ),
        (
            "well,titre\nH12,1\nH12,2\n",
            'reader.csv, row 3, column "well": well H12 is already in row 2; keep one of the two',
        ),
        (
            "plate,well,titre\n2,A1,1\n",
            'reader.csv, row 2, column "well": plate "2" is not in this round, which has 1; '
            "is this the file of another round?",
        ),
        (
            "well,formula,titre\nH12,7,1\n",
            'reader.csv, row 2, column "well": well H12 holds no formula, but the file says "7"; '
            "is this the file of another round?",
        ),
    ],
)
def test_what_is_refused_of_a_reader(text, problem):
    with pytest.raises(RejectedError) as caught:
        plate_reader(text)
    assert caught.value.problems == (problem,)


@settings(max_examples=50)
@given(st.permutations(range(5)), st.permutations(range(4)))
def test_neither_order_of_rows_nor_of_columns_matters(rows, columns):
    frame = pd.DataFrame(
        {
            "well": ["A1", "A2", "B1", "B2", "H12"],
            "plate": ["1"] * 5,
            "titre": [1.0, 2.0, 3.0, 4.0, 5.0],
            "viability": [90.0, np.nan, 70.0, 60.0, 50.0],
        }
    )

    def stored(handed_in):
        table = replace(read_table(handed_in), is_plate=True)
        found = read_results(table, COMPONENTS, RESPONSES, layout=LAYOUT)
        places = zip(found.plates, found.wells, found.formulas, strict=True)
        values = np.column_stack([found.readings.measured, found.readings.statuses == "ok"])
        return dict(zip(places, values.tolist(), strict=True)), found.absent, set(found.blanks)

    np.testing.assert_equal(stored(frame.iloc[list(rows), list(columns)]), stored(frame))


WIDE = {(plate, f"A{n}"): "7" if n < 4 else None for plate in "12" for n in range(1, 25)}


def test_a_plate_that_the_round_has_not_is_said_once():
    text = "well,plate,titre\nA1,3,1\nA2,3,1\nA3,3,1\n"
    once = 'plate "3" is not in this round, which has 1, 2; is this the file of another round?'
    assert problems(text, WIDE) == (f'results.csv, row 2, column "well", and 2 more: {once}',)
    table = read_bytes(b"well,titre\nA1,1\nA2,1\n", "results.csv", plate="3")
    with pytest.raises(RejectedError) as caught:
        read_results(table, COMPONENTS, RESPONSES, layout=WIDE)
    assert caught.value.problems == (f"results.csv, --plate: {once}",)


def test_readings_of_wells_without_formula_are_one_problem():
    layout = {key: formula for key, formula in WIDE.items() if key[0] == "1"}
    text = "well,titre\n" + "".join(f"A{n},1\n" for n in range(1, 25))
    said = (
        "results.csv: 21 wells hold no formula and have a reading (A4, A5, A6, A7, A8, A9, A10, "
        "A11, A12, A13, A14, A15 and 9 more); is this the file of the right round? If so, leave "
        "their cells blank"
    )
    assert problems(text, layout) == (
        f"{said}, or, if a plate reader wrote the file, declare the reader as an [[instrument]] "
        'with form = "table" in campaign.toml, for --instrument; they are stored as blanks then',
    )
    with pytest.raises(RejectedError) as caught:
        plate_reader("plate,well,titre\n1,H1,1\n2,H2,1\n", layout=WIDE)
    assert caught.value.problems == (
        "reader.csv: 2 wells hold no formula and have a reading (1:H1, 2:H2); is this the file of "
        "the right round? If so, leave their cells blank",
    )


def test_a_whole_plate_of_which_nothing_is_said_is_named_as_one():
    found = results("plate,well,titre\n1,A1,5\n", WIDE)
    assert found.absent == ("1:A2", "1:A3", "plate 2 (all 3 wells)")
