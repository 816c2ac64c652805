"""Plate readers' files of published campaigns, against the tidy tables that their labs made.

What differs is listed here well by well; nothing else may.
"""

from __future__ import annotations

import re

import pandas as pd
import pytest

from labloop.definition.models import Instrument
from labloop.errors import RejectedError
from labloop.tables.reading import read_table

# The sheets of the cell-free lab: maxima of each well as lists, and a plate of formulas' names.
CELL_FREE = Instrument.model_validate(
    {
        "name": "biotek",
        "block": [
            {"holds": "GFP", "form": "list", "sheet": "Data_GFP"},
            {"holds": "MG", "form": "list", "sheet": "Data_MGapt"},
            {"holds": "formula", "form": "grid", "sheet": "layout"},
        ],
    }
)

# Wells with a formula that the tidy table leaves out: their formulas are not in the sheet
# `strains`, which lists what the lab analysed. Plate 6 repeats two formulas of plate 3, plate 7
# tries another lot of NTPs, and "empty" wells hold nothing.
LEFT_OUT = {
    6: {
        "P3_Buffer 9": "B24 D20 F16 H12 J8 L4",
        "P3_Buffer 51": "C24 E20 G16 I12 K8 M4",
    },
    7: {
        "P0_Ref-_newNTP": "A20 C16 E12 G8 I4",
        "P0_Ref+_newNTP": "A24 C20 E16 G12 I8 K4",
        "P0_H20_newNTP": "B20 D16 F12 H8 J4 P23",
        "P3_Buffer 59_newNTP": "D20 F16 H12 J8 L4",
        "P5_Buffer 21_newNTP": "D24 F20 H16 L8",
        "P3_Buffer 51_newNTP": "E20 G16 I12 K8",
        "empty": "E24 F24 G24 H24 I24 J24",
    },
    8: {"empty": "E24 F24 G24 H24 I24 J24"},
}

# Of round 7 the wells that read less than the blank; the lab wrote 0 for them.
BELOW_THE_BLANK = {
    "E1": 0.0833,
    "F1": 0.0796,
    "E3": 0.0829,
    "F3": 0.0817,
    "D6": 0.0792,
    "E6": 0.0749,
    "F6": 0.0733,
}


def by_well(table):
    """Return what each well holds: {well: {column: value}}."""
    rows = zip(*table.columns, strict=True)
    return {row[0]: dict(zip(table.names[1:], row[1:], strict=True)) for row in rows}


def cell_free_plates(folder):
    files = sorted((folder / "cftx" / "raw").glob("*.xlsm"))
    assert len(files) == 11
    return {int(re.search(r"plate(\d+)_", file.name)[1]): file for file in files}


def test_cell_free_workbooks_hold_what_the_tidy_table_says(real_tables):
    tidy = pd.read_csv(real_tables / "cftx" / "cftx.csv")
    compared, left_out = 0, {}
    for number, file in cell_free_plates(real_tables).items():
        table = read_table(file, instrument=CELL_FREE, plate=str(number))
        assert table.names == ("well", "plate", "GFP", "MG", "formula")
        assert len(table) == 384
        assert table.unused == ('sheets "layoutW", "strains", "sampling"',)
        wells = by_well(table)
        for row in tidy[tidy.name_plate == f"plate {number}"].to_dict("records"):
            for replicate in range(1, 7):
                well = row[f"well_{replicate}"]
                if isinstance(well, str):
                    found = wells.pop(well)
                    assert found["formula"] == row["Buffer"]
                    assert found["GFP"] == row[f"GFP_fluo_{replicate}"]
                    assert found["MG"] == row[f"MG_fluo_{replicate}"]
                    compared += 2
        for well, found in wells.items():
            if found["formula"]:
                left_out.setdefault(number, {}).setdefault(found["formula"], []).append(well)
    assert compared == 6962
    assert left_out == {
        number: {formula: wells.split() for formula, wells in formulas.items()}
        for number, formulas in LEFT_OUT.items()
    }


def test_formulas_left_out_are_those_that_the_lab_did_not_list(real_tables):
    files = cell_free_plates(real_tables)
    for number, formulas in LEFT_OUT.items():
        listed = set(read_table(files[number], sheet="strains").columns[0])
        assert listed.isdisjoint(formulas)


def test_cell_free_workbooks_are_not_guessed_at(real_tables):
    files = cell_free_plates(real_tables)
    for file in (files[0], files[7]):
        with pytest.raises(RejectedError) as caught:
            read_table(file)
        assert f'{file.name}, sheet "Data_GFP", cell A1: a list of wells begins here' in str(
            caught.value
        )
        layout = read_table(file, sheet="layout")
        assert layout.names == ("well", "layout")
        assert layout.unused == ()


def wells_of(line):
    """Return the well of a line such as C1_WA1_A4-R2, the second of wells A1 to A4."""
    top, left, bottom, _, replicate = re.fullmatch(
        r"C\d_W([A-H])(\d+)_([A-H])(\d+)-R(\d)", line
    ).groups()
    step = int(replicate) - 1
    return f"{top}{int(left) + step}" if top == bottom else f"{chr(ord(top) + step)}{left}"


@pytest.mark.parametrize("number", range(1, 8))
def test_flaviolin_workbooks_hold_what_the_tidy_tables_say(real_tables, number):
    """Every tidy value is the well's less that of the blank A9; OD600 was of a tenfold dilution."""
    raw = real_tables / "flaviolin" / "raw"
    tidy = pd.read_csv(real_tables / "flaviolin" / "flaviolin.csv")
    tidy = tidy[(tidy.task == "C1_titer") & (tidy["round"] == number)].set_index("line_name")
    table = read_table(raw / f"data__DBTL{number}__OD.xlsx")
    assert table.names == (("well", "600", "340") if number < 7 else ("well", "340"))
    assert len(table) == 96
    assert table.unused == ()
    wells = by_well(table)
    below = {}
    for name, dilution in (("340", 1.0), ("600", 10.0)):
        if name not in table.names:
            assert tidy[f"OD{name}"].isna().all()
            continue
        lines = read_table(raw / f"data__DBTL{number}__edd_OD{name}.xlsx")
        handed_in = dict(zip(lines.columns[0], lines.columns[3], strict=True))
        assert handed_in == tidy[f"OD{name}"].to_dict()
        assert len(handed_in) == 48
        for line, value in handed_in.items():
            well = wells_of(line)
            expected = dilution * (wells[well][name] - wells["A9"][name])
            if expected < 0.0:
                assert value == 0.0
                below[well] = wells[well][name]
            else:
                assert value == pytest.approx(expected, rel=0, abs=1e-14)
    assert below == (BELOW_THE_BLANK if number == 7 else {})


def test_the_second_flaviolin_table_of_round_7_has_the_same_values(real_tables):
    raw = real_tables / "flaviolin" / "raw"
    one, other = (read_table(raw / f"data__DBTL7__edd_{name}.xlsx") for name in ("OD", "OD340"))
    assert one.columns[0].tolist() == other.columns[0].tolist()
    assert one.columns[3].tolist() == other.columns[3].tolist()
    assert (set(one.columns[1]), set(other.columns[1])) == ({"OD340"}, {"Optical Density"})
