"""History rows: columns matched by name and unit, and the exact text of every refusal."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import Component, Response
from labloop.errors import RejectedError
from labloop.tables.history import read_history
from labloop.tables.reading import read_bytes, read_table

GLUCOSE = Component(name="glucose", unit="mM", high=60.0, molar_mass=180.0)
FOLATE = Component(name="folic acid", unit="mg/L", high=5.0)
COMPONENTS = (GLUCOSE, FOLATE)
RESPONSES = (Response(name="titre", unit="g/L"), Response(name="viability", unit="%"))
CHOICE = Component(name="extract", choices=("soy", "wheat"))
FIXED = Component(name="MOPS", unit="mM", fixed=40.0)


def history(text, components=COMPONENTS, responses=RESPONSES, **options):
    table = read_bytes(text.encode(), "old.csv", decimal=options.pop("decimal", None))
    return read_history(table, components, responses, **options)


def problems(text, *arguments, **options):
    with pytest.raises(RejectedError) as caught:
        history(text, *arguments, **options)
    return caught.value.problems


def test_rows_in_the_order_of_the_campaign():
    found = history("titre,folic acid,glucose,viability\n1.5,0.1,20,90\n<LOD,0,5,NA\n")
    assert found.concentrations.tolist() == [[20.0, 0.1], [5.0, 0.0]]
    np.testing.assert_array_equal(found.readings.measured, [[1.5, 90.0], [math.nan] * 2])
    assert found.readings.statuses.tolist() == [["ok", "ok"], ["below_range", "missing"]]
    assert found.present == (True, True)
    assert found.rows == (2, 3)
    assert found.source == "old.csv"


@pytest.mark.parametrize(
    "header",
    ["glucose [mM]", "Glucose[mM]", "GLUCOSE (mM)", " glucose ", "Glu_cose"],
)
def test_spellings_of_a_name(header):
    assert history(f"{header},Folic_Acid,titre\n20,1,1\n").concentrations[0, 0] == 20.0


@pytest.mark.parametrize(
    ("header", "factor"),
    [("glucose [g/L]", 1000.0 / 180.0), ("glucose (M)", 1000.0), ("glucose [µM]", 0.001)],
)
def test_units_in_headers_are_converted(header, factor):
    found = history(f"{header},folic acid,titre (mg/L)\n3,1,250\n")
    assert found.concentrations[0, 0] == pytest.approx(3.0 * factor)
    assert found.readings.measured[0, 0] == pytest.approx(0.25)


def test_limits_are_converted_with_the_values():
    found = history("glucose,folic acid,titre (mg/L)\n3,1,<50\n")
    assert found.readings.limits[0, 0] == pytest.approx(0.05)


def test_a_name_that_ends_in_brackets_is_a_name():
    responses = (Response(name="titre (g/L)"),)
    assert history("glucose,folic acid,titre (g/L)\n3,1,7\n", responses=responses).present == (
        True,
    )


def test_exact_names_come_before_folded_ones():
    components = (Component(name="A", unit="mM"), Component(name="a", unit="mM"))
    assert history("a,A,titre\n1,2,3\n", components).concentrations.tolist() == [[2.0, 1.0]]


def test_columns_mapped_by_the_user():
    found = history(
        "Zucker [g/L],Vit B9,Ertrag (Tag 7)\n0.18,1,2\n",
        columns={"Zucker [g/L]": "glucose", "Vit B9": "folic acid", "Ertrag (Tag 7)": "titre"},
    )
    assert found.concentrations[0].tolist() == pytest.approx([1.0, 1.0])
    assert found.readings.measured[0, 0] == 2.0


def test_what_is_not_used_is_said():
    found = history(
        ",glucose,folic acid,titre,Note,well,Kan\n0,1,2,3,good,A1,5\n1,1,2,3,,A2,5\n",
        ignore=["Kan"],
    )
    assert found.ignored == ("(row numbers)", "Note", "Kan")
    assert found.wells == ("A1", "A2")
    assert found.plates == ("1", "1")


def test_a_fixed_component_without_column_is_filled_and_said():
    found = history("glucose,folic acid,titre\n1,2,3\n", (*COMPONENTS, FIXED))
    assert found.concentrations.tolist() == [[1.0, 2.0, 40.0]]
    assert found.filled == ("MOPS",)


def test_choices_are_positions():
    found = history("extract,titre\nwheat,1\nsoy,2\n", (CHOICE,))
    assert found.concentrations.tolist() == [[1.0], [0.0]]
    assert problems("extract,titre\nwheet,1\n", (CHOICE,)) == (
        'old.csv, row 2, column "extract": "wheet" is no choice; did you mean "wheat"? '
        "the choices are soy, wheat",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "glucos,glucose,folic acid,titre\n1,1,2,3\n",
            'old.csv, column "glucos": no component or response has that name; '
            'did you mean "glucose"? the campaign has glucose, folic acid, titre, viability; '
            'name it with --columns "glucos=…", for all files under [aliases] in campaign.toml, '
            'or leave it out with --ignore "glucos"',
        ),
        (
            "glucose,titre\n1,3\n",
            'old.csv: no column for component "folic acid"; add a column "folic acid" '
            "(the same number in every row where it did not vary, 0 for none), "
            'or say which column it is with --columns "FILE NAME=folic acid"',
        ),
        (
            "glucose,folic acid\n1,3\n",
            'old.csv: no column for any response ("titre", "viability"); add one, or say which '
            'column it is with --columns "FILE NAME=titre"',
        ),
        (
            "glucose,folic acid,titre\n1,3,2\nhigh,3,2\n",
            'old.csv, row 3, column "glucose": "high" is not a number',
        ),
        (
            "glucose,folic acid,titre\n1,3,good\n",
            'old.csv, row 2, column "titre": "good" is not a number; write a number, or leave it '
            "blank, NA, <LOD or OVRFLW where there is none",
        ),
        (
            "glucose,folic acid,titre\n,3,2\n",
            'old.csv, row 2, column "glucose": the cell is blank; write 0 for none',
        ),
        (
            "glucose,folic acid,titre\n-1,3,2\n",
            'old.csv, row 2, column "glucose": a concentration cannot be negative (-1)',
        ),
        (
            'glucose,folic acid,titre\n"1,234",3,2\n',
            'old.csv, row 2, column "glucose": "1,234" can be 1.234 or 1234; '
            "say which with --decimal , or --decimal .",
        ),
        (
            'glucose,folic acid,titre\n"0,5",3,2\n',
            'old.csv, row 2, column "glucose": "0,5" has a comma; '
            "say what the decimal mark is with --decimal , or .",
        ),
        (
            "glucose,folic acid [mM],titre\n1,3,2\n",
            'old.csv, column "folic acid [mM]": folic acid: cannot convert mM to mg/L without '
            "molar_mass; add molar_mass = … (in g/mol) to the component",
        ),
        (
            "glucose [day 7],folic acid,titre\n1,3,2\n",
            'old.csv, column "glucose [day 7]": glucose: unknown unit "day 7"; units are '
            "M, mM, uM, nM, g/L, mg/L, ug/L, ng/mL, %, X, U/mL",
        ),
        (
            "glucose,folic acid,viability [RFU]\n1,3,2\n",
            'old.csv, column "viability [RFU]": viability: the column is in "RFU", the campaign '
            'wants "%"; convert the numbers and rename the column',
        ),
        (
            "glucose,Glucose,folic acid,titre\n1,1,3,2\n",
            'old.csv, column "Glucose": column "glucose" is already component "glucose"; '
            "leave one of them out with --ignore",
        ),
        (
            ",glucose,folic acid,titre\nx,1,3,2\n",
            "old.csv, column 1: it has cells but no name; "
            "name it in the header (of merged cells only the first has the text)",
        ),
    ],
)
def test_what_is_refused(text, problem):
    assert problems(text) == (problem,)


def test_names_that_the_user_gave_wrongly():
    text = "glucose,folic acid,titre\n1,3,2\n"
    assert problems(text, columns={"sugar": "glucose"}) == (
        'old.csv: it has no column "sugar"; its columns are glucose, folic acid, titre',
    )
    assert problems("sugar,folic acid,titre\n1,3,2\n", columns={"sugar": "glucos"}) == (
        'old.csv, column "sugar": the campaign has no "glucos"; did you mean "glucose"? '
        "it has glucose, folic acid, titre, viability",
        'old.csv: no column for component "glucose"; add a column "glucose" '
        "(the same number in every row where it did not vary, 0 for none), "
        'or say which column it is with --columns "FILE NAME=glucose"',
    )


def test_all_problems_are_listed_together():
    with pytest.raises(RejectedError) as caught:
        history("glucose,folic acid,titre,junk\nx,-3,y,1\n")
    assert len(caught.value.problems) == 4
    assert caught.value.headline == "old.csv was rejected (4 problems); nothing was changed:"
    assert caught.value.exit_code == 3


def test_a_stated_decimal_comma():
    found = history("glucose;folic acid;titre\n1.234,5;0,5;1,234\n", decimal=",")
    assert found.concentrations.tolist() == [[1234.5, 0.5]]
    assert found.readings.measured[0, 0] == 1.234


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 3), min_size=1, max_size=20))
def test_a_frame_and_its_csv_give_the_same_rows(values):
    frame = pd.DataFrame(values, columns=["glucose", "folic acid", "titre"])
    one = read_history(read_table(frame), COMPONENTS, RESPONSES)
    other = history(frame.to_csv(index=False))
    np.testing.assert_array_equal(one.concentrations, other.concentrations)
    np.testing.assert_array_equal(one.readings.measured, other.readings.measured)
    np.testing.assert_array_equal(one.concentrations, frame.iloc[:, :2])


def test_wells_and_plates_are_kept():
    text = "plate,well,glucose,folic acid,titre\n2,a01,1,2,3\n1,A1,1,2,3\n1,,1,2,4\n"
    found = history(text)
    assert found.plates == ("2", "1", "1")
    assert found.wells == ("A1", "A1", "")
    assert history(text, ignore=["well"]).wells == ()
    assert not found.is_blank.any()


def test_two_rows_of_one_well():
    assert problems("well,glucose,folic acid,titre\nA1,1,2,3\nA1,1,2,3\n") == (
        'old.csv, row 3, column "well": well A1 is already in row 2; keep one of the two, or add '
        'a column "plate"; where this says nothing of a plate, leave it out with --ignore "well"',
    )
    assert problems("plate,well,glucose,folic acid,titre\n1,A1,1,2,3\n1,A1,1,2,3\n") == (
        'old.csv, row 3, column "well": well A1 of plate 1 is already in row 2; keep one of the '
        'two; where this says nothing of a plate, leave it out with --ignore "well"',
    )
    assert problems("well,glucose,folic acid,titre\nflask 3,1,2,3\n") == (
        'old.csv, row 2, column "well": "flask 3" is no well; wells are written as A1 or A01; '
        'where this says nothing of a plate, leave it out with --ignore "well"',
    )
