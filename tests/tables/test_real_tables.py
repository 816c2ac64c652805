"""The tables of published campaigns, read as their labs left them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop.definition import Component, Instrument, Response
from labloop.errors import RejectedError
from labloop.tables.history import read_history
from labloop.tables.mapped import read_mapped
from labloop.tables.reading import read_table


def fits(frame, first, last):
    """Make components of the columns between two names of a frame."""
    names = list(frame.columns)
    chosen = names[names.index(first) : names.index(last) + 1]
    return tuple(Component(name=name, unit="mM", high=1e6) for name in chosen)


def test_every_csv_gives_a_table_or_a_rejection(real_tables):
    readable = 0
    for path in sorted(real_tables.rglob("*.csv")):
        try:
            table = read_table(path)
        except RejectedError as error:
            # One has a name twice; the others are empty robot files.
            assert "both called" in str(error) or "no rows" in str(error)  # noqa: PT017
            continue
        readable += 1
        frame = pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig")
        assert len(table) == len(frame)
    assert readable > 100


@pytest.mark.parametrize(
    ("file", "first", "last", "responses", "n"),
    [
        ("flaviolin/flaviolin.csv", "H3BO3", "Tricine", ["OD340", "OD600", "OD340yield"], 855),
        ("cftx/cftx.csv", "Mg-glutamate", "DNA", ["MG_yield_median", "GFP_yield_median"], 759),
        ("lipomyces_malate/lipomyces_malate.csv", "KH2PO4", "nicotinic acid",
         ["Malate Titer (g/L)", "DCW (g/L)", "NormalizedTiter (%)"], 339),
        ("cellfree_two_labs/metis_cellfree.csv", "NTP", "DNA", ["yield"], 240),
    ],
)  # fmt: skip
def test_tidy_tables_as_history(real_tables, file, first, last, responses, n):
    frame = pd.read_csv(real_tables / file)
    components = fits(frame, first, last)
    wanted = tuple(Response(name=name) for name in responses)
    used = {*responses, *(component.name for component in components)}
    table = read_table(real_tables / file)
    found = read_history(
        table, components, wanted, ignore=[name for name in table.names if name not in used]
    )
    assert found.concentrations.shape == (n, len(components))
    expected = frame[[component.name for component in components]].to_numpy()
    np.testing.assert_array_equal(found.concentrations, expected)
    np.testing.assert_array_equal(found.readings.measured, frame[responses].to_numpy())


def test_a_lab_file_with_units_row_numbers_and_kanamycin(real_tables):
    path = real_tables / "flaviolin" / "raw" / "C2__DBTL1-6.csv"
    frame = pd.read_csv(path)
    components = (
        *(
            Component(name=name.removesuffix("[mM]"), unit="uM", high=1e9)
            for name in frame.columns
            if name.endswith("[mM]")
        ),
        Component(name="Kan", unit="mg/L", high=1e3),
    )
    found = read_history(
        read_table(path), components, (Response(name="OD340"),), ignore=["Line Name"]
    )
    assert found.ignored == ("(row numbers)", "Line Name", "Condition", "condition")
    np.testing.assert_allclose(found.concentrations[:, 0], 1000.0 * frame["MOPS[mM]"], rtol=1e-15)
    np.testing.assert_allclose(found.concentrations[:, -1], 1000.0 * frame["Kan[g/l]"], rtol=1e-15)


def test_workbooks_of_two_plate_readers(real_tables):
    paths = sorted(real_tables.rglob("*.xls[xm]"))
    assert len(paths) > 40
    for path in paths:
        try:
            table = read_table(path)
        except RejectedError as error:
            assert "--sheet" in str(error) or "--no-header" in str(error)  # noqa: PT017
        else:
            assert len(table) > 0
    raw = real_tables / "flaviolin" / "raw" / "data__DBTL1__edd_OD340.xlsx"
    table = read_table(raw)
    values = table.columns[table.names.index("Value")]
    np.testing.assert_array_equal(values.astype(float), pd.read_excel(raw)["Value"])


OF_CELLFREE = (
    *("Mg_Glutamate", "K_Glutamate", "amino_acids", "spermidine", "3-PGA", "NTP", "PEG", "DNA"),
)
OF_CFTX = ["Mg-glutamate", "K-glutamate", "Amino acid", "Spermidine", "3-PGA", "NTPs", "PEG-8000"]


def test_the_names_of_another_lab(real_tables):
    components = tuple(Component(name=name, unit="mM", high=1e6) for name in OF_CELLFREE)
    response = (Response(name="yield"),)
    aliases = {"NTPs": "NTP", "PEG-8000": "PEG", "Amino acid": "amino_acids"}
    table = read_table(real_tables / "cftx" / "cftx.csv")
    others = [name for name in table.names if name not in {*OF_CFTX, "DNA", "MG_yield_median"}]
    told = {"columns": {"MG_yield_median": "yield"}, "ignore": others}
    found = read_history(table, components, response, aliases=aliases, **told)
    expected = pd.read_csv(real_tables / "cftx" / "cftx.csv")[[*OF_CFTX, "DNA"]].to_numpy()
    np.testing.assert_array_equal(found.concentrations, expected)
    assert found.read_as == (
        '"Amino acid" as amino_acids',
        '"NTPs" as NTP',
        '"PEG-8000" as PEG',
    )
    with pytest.raises(RejectedError) as caught:
        read_history(table, components, response, **told)
    strange = [problem for problem in caught.value.problems if "has that name" in problem]
    assert [problem.partition("?")[0].partition("; ")[2] for problem in strange] == [
        'did you mean "amino_acids"',
        'did you mean "NTP"',
        'did you mean "PEG"',
    ]


@pytest.mark.slow
def test_plates_of_a_reader_with_a_map_of_formulas(real_tables):
    """Control buffers have changed names with one another after plate 2: plates tell them apart."""
    folder = real_tables / "cftx"
    names = [*OF_CFTX, "DNA"]
    components = tuple(Component(name=name, unit="mM", high=1e6) for name in names)
    responses = (Response(name="GFP"), Response(name="MG"))
    blocks = [
        {"holds": "GFP", "form": "list", "sheet": "Data_GFP"},
        {"holds": "MG", "form": "list", "sheet": "Data_MGapt"},
        {"holds": "formula", "form": "grid", "sheet": "layout"},
    ]
    reader = Instrument.model_validate({"name": "biotek", "block": blocks})
    contents = read_table(folder / "cftx.csv")
    tidy = pd.read_csv(folder / "cftx.csv")
    compared = 0
    for number in range(11):
        (path,) = folder.glob(f"raw/*plate{number}_*.xlsm")
        table = read_table(path, instrument=reader, plate=f"plate {number}")
        found = read_mapped(
            table,
            contents,
            components,
            responses,
            columns={"Buffer": "formula", "name_plate": "plate"},
        )
        assert len(found.rows) == 384
        at = {well: row for row, well in enumerate(found.wells)}
        for _, row in tidy[tidy["name_plate"] == f"plate {number}"].iterrows():
            for replicate in range(1, 7):
                if isinstance(row[f"well_{replicate}"], str):
                    k = at[row[f"well_{replicate}"]]
                    values = [row[f"GFP_fluo_{replicate}"], row[f"MG_fluo_{replicate}"]]
                    np.testing.assert_allclose(found.readings.measured[k], values, rtol=1e-12)
                    np.testing.assert_array_equal(found.concentrations[k], row[names].astype(float))
                    compared += 1
    assert compared == 3481


def test_a_map_in_which_one_name_is_two_formulas(real_tables):
    names = [*OF_CFTX, "DNA"]
    components = tuple(Component(name=name, unit="mM", high=1e6) for name in names)
    contents = read_table(real_tables / "cftx" / "cftx.csv")
    readings = read_table(pd.DataFrame({"formula": ["P1_Buffer 25"], "GFP": [1.0]}))
    with pytest.raises(RejectedError) as caught:
        read_mapped(
            readings, contents, components, (Response(name="GFP"),), columns={"Buffer": "formula"}
        )
    assert len(caught.value.problems) == 15
    assert caught.value.problems[0] == (
        'cftx.csv, row 332, column "Buffer": formula P1_Buffer 25 is already in row 129 with '
        "another concentration of Mg-glutamate; keep one of the two; where plates differ, both "
        'files need a column "plate"'
    )
