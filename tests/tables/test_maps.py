"""Maps of what is in the wells of a lab's own plates, joined by names and never by order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import Component, Response
from labloop.errors import RejectedError
from labloop.tables import read_mapped, read_table
from labloop.tables.reading import read_bytes
from labloop.wells import well_names

COMPONENTS = (
    Component(name="glucose", unit="mM", molar_mass=180.0),
    Component(name="extract", choices=("soy", "wheat")),
    Component(name="MOPS", unit="mM", fixed=40.0),
)
RESPONSES = (Response(name="OD600"), Response(name="titre", unit="g/L"))


def mapped(readings, contents, **options):
    return read_mapped(
        read_bytes(readings.encode(), "reader.csv"),
        read_bytes(contents.encode(), "map.csv"),
        COMPONENTS,
        RESPONSES,
        **options,
    )


def problems(readings, contents, **options):
    with pytest.raises(RejectedError) as caught:
        mapped(readings, contents, **options)
    return caught.value.problems


def test_by_well_with_blanks_and_absent_wells():
    found = mapped(
        "well,OD600\nB1,0.9\nA01,0.5\nA2,0.1\nA3,\nA4,NA\n",
        "well,glucose [g/L],extract,volume\nA1,1.8,soy,200\nB01,0,wheat,200\nA3,3.6,soy,1\nC1,,,\n"
        "D1,0,soy,1\n",
    )
    assert found.wells == ("B1", "A1", "A2", "A3")
    assert found.plates == ("1",) * 4
    np.testing.assert_allclose(
        found.concentrations, [[0, 1, 40], [10, 0, 40], [np.nan] * 3, [20, 0, 40]]
    )
    assert found.is_blank.tolist() == [False, False, True, False]
    assert found.readings.statuses[:, 0].tolist() == ["ok", "ok", "ok", "missing"]
    assert found.blanks == ("A2",)
    assert found.absent == ("D1",)
    assert found.unmapped == ()
    assert found.ignored == ("volume",)
    assert found.filled == ("MOPS",)
    assert found.read_as == ('"glucose [g/L]" as glucose, g/L in mM',)
    assert found.rows == (2, 3, 4, 5)
    assert found.source == "reader.csv"


def test_by_plate_and_well():
    found = mapped(
        "plate,well,OD600\n2,A1,2\n1,A1,1\n",
        "plate,well,glucose,extract\n1,A1,10,soy\n2,A1,20,soy\n2,A2,3,soy\n3,A1,5,soy\n3,A2,5,soy\n",
    )
    assert found.concentrations[:, 0].tolist() == [20.0, 10.0]
    assert found.plates == ("2", "1")
    assert found.absent == ("2:A2", "plate 3")


def test_a_whole_plate_is_not_called_plate_twice():
    contents = "plate,formula,glucose,extract\nplate 0,a,1,soy\nplate 1,b,2,soy\n"
    assert mapped("plate,formula,OD600\nplate 0,a,1\n", contents).absent == ("plate 1",)


def test_one_plate_takes_its_name_from_either_file():
    with_plate = "plate,well,glucose,extract\nP7,A1,10,soy\n"
    assert mapped("well,OD600\nA1,1\n", with_plate).plates == ("P7",)
    found = mapped("plate,well,OD600\nP7,A1,1\n", "well,glucose,extract\nA1,10,soy\n")
    assert found.plates == ("P7",)
    assert found.concentrations[0, 0] == 10.0


def test_by_formula_with_replicates_in_wells():
    found = mapped(
        "well,formula,OD600\nA1,F2,2\nA2,F1,1\nA3,F2,2.5\nA4,empty,0.1\nA5,,0.2\nA6,,\n",
        "Medium,glucose,extract\nF1,10,soy\nF2,20,wheat\nF3,30,soy\nF1,10,soy\n",
        columns={"Medium": "formula"},
    )
    np.testing.assert_array_equal(found.concentrations[:3, 0], [20, 10, 20])
    assert found.wells == ("A1", "A2", "A3", "A4", "A5")
    assert found.blanks == ("A4", "A5")
    assert found.unmapped == ("empty",)
    assert found.absent == ("F3",)


def test_a_name_that_means_another_formula_on_another_plate():
    contents = "plate,formula,glucose,extract\n1,ref,10,soy\n1,a,5,soy\n2,ref,20,soy\n2,a,5,soy\n"
    found = mapped("plate,formula,OD600\n2,ref,1\n1,ref,1\n3,a,1\n", contents)
    assert found.concentrations[:, 0].tolist() == [20.0, 10.0, 5.0]
    assert problems("plate,formula,OD600\n3,ref,1\n", contents) == (
        'reader.csv, row 2, column "formula": the map map.csv does not have "ref" on plate "3", '
        "and it is not the same on its other plates; add its row to the map",
    )
    assert problems("formula,OD600\nref,1\n", contents) == (
        'map.csv, row 4, column "formula": formula ref is already in row 2 with another '
        "concentration of glucose; keep one of the two; where plates differ, both files need a "
        'column "plate"',
    )


@pytest.mark.parametrize(
    ("readings", "contents", "problem"),
    [
        (
            "well,OD600\nA1,1\n",
            "well,glucose,extract\nA1,1,soy\nA01,2,soy\n",
            'map.csv, row 3, column "well": well A1 is already in row 2 with another '
            "concentration of glucose; keep one of the two",
        ),
        (
            "well,OD600\nA1,1\na01,2\n",
            "well,glucose,extract\nA1,1,soy\n",
            'reader.csv, row 3, column "well": well A1 is already in row 2; keep one of the two, '
            'or add a column "plate"; where this says nothing of a plate, leave it out with '
            '--ignore "well"',
        ),
        (
            "well,OD600\nA1,1\n",
            "well,glucose,extract\nfirst,1,soy\n",
            'map.csv, row 2, column "well": "first" is no well; wells are written as A1 or A01',
        ),
        (
            "well,OD600\n,1\nA1,1\n",
            "well,glucose,extract\nA1,1,soy\n",
            'reader.csv, row 2, column "well": the cell is blank; write the well, such as A1',
        ),
        (
            "well,OD600\nA1,1\n",
            "well,glucose,extract\n,1,soy\n",
            'map.csv, row 2, column "well": the cell is blank; write the well',
        ),
        (
            "well,OD600\nA1,1\n",
            "well,glucose,extract\nA1,1,\n",
            'map.csv, row 2, column "extract": "" is no choice; the choices are soy, wheat',
        ),
        (
            "well,OD600\nA1,1\n",
            "well,extract\nA1,soy\n",
            'map.csv: no column for component "glucose"; add a column "glucose" (the same number '
            "in every row where it did not vary, 0 for none), or say which column it is with "
            '--columns "FILE NAME=glucose"',
        ),
        (
            "well,OD600\nA1,1\n",
            "glucose,extract\n1,soy\n",
            'map.csv: no column "well" or "formula" says what its rows are of; say which column '
            'it is with --columns "FILE NAME=formula"',
        ),
        (
            "well,OD600\nA1,1\n",
            "formula,glucose,extract\nF1,1,soy\n",
            'reader.csv: it has no column "formula", by which the map map.csv goes; say which '
            'column it is with --columns "FILE NAME=formula"',
        ),
        (
            "well,OD600\nA1,1\n",
            "plate,well,glucose,extract\n1,A1,1,soy\n2,A1,2,soy\n",
            'reader.csv: the map has plates 1, 2; add a column "plate", or name the one that the '
            "file is of with --plate",
        ),
        (
            "plate,well,OD600\n1,A1,1\n2,A1,1\n",
            "well,glucose,extract\nA1,1,soy\n",
            'map.csv: it has no column "plate", and the readings are of plates 1, 2; add one',
        ),
        (
            "well,formula,OD600\nA1,F1,1\n",
            "well,formula,glucose,extract\nA1,F2,1,soy\n",
            'reader.csv, row 2, column "formula": the file says "F1", but the map map.csv has '
            '"F2" there; is this the map of another plate?',
        ),
        (
            "formula,OD600\nP8_1,1\n",
            "formula,glucose,extract\nP0_1,1,soy\nP0_2,1,soy\nP0_3,1,soy\nP0_4,1,soy\n",
            "reader.csv: the map map.csv has none of its formulas; the file has \"P8_1\", the map "
            '"P0_1", "P0_2", "P0_3" …',
        ),
        (
            "well,glucose,OD600\nA1,1,1\n",
            "well,glucose,extract\nA1,1,soy\n",
            'reader.csv, column "glucose": the map map.csv says what is in each well; leave this '
            'column out with --ignore "glucose"',
        ),
    ],
)  # fmt: skip
def test_what_is_refused(readings, contents, problem):
    assert problems(readings, contents) == (problem,)


def test_columns_are_of_either_file():
    assert problems("well,OD600\nA1,1\n", "well,glucose,extract\nA1,1,soy\n", ignore=["pH"]) == (
        'neither reader.csv nor map.csv has a column "pH"',
    )


WELLS = well_names(96)


@settings(max_examples=40)
@given(st.permutations(range(24)), st.permutations(range(24)), st.permutations(range(5)))
def test_neither_order_of_rows_nor_of_columns_matters(of_readings, of_contents, of_columns):
    readings = pd.DataFrame({"well": WELLS[:24], "OD600": np.arange(24.0), "titre": 1.0})
    contents = pd.DataFrame(
        {"well": WELLS[4:28], "glucose": np.arange(24.0), "extract": "soy", "MOPS": 4.0, "pH": 7.0}
    )

    def stored(left, right):
        found = read_mapped(read_table(left), read_table(right), COMPONENTS, RESPONSES)
        rows = np.column_stack([found.concentrations, found.readings.measured])
        return dict(zip(found.wells, rows.tolist(), strict=True)), set(found.absent)

    shuffled = stored(
        readings.iloc[list(of_readings)], contents.iloc[list(of_contents), list(of_columns)]
    )
    expected = stored(readings, contents)
    assert shuffled[1] == expected[1] == set(WELLS[24:28])
    np.testing.assert_equal(shuffled[0], expected[0])
