import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wellmap

from labloop.definition import Plate, Robot
from labloop.plate.layout import arrange
from labloop.worklists import RoundPlan, plate_map

TIDY = b"""\
plate,well,well0,row,column,formula,replicate,role,component,target,achieved
1,A1,A01,A,1,R1F1,1,formula,glucose,5.04,5
1,A1,A01,A,1,R1F1,1,formula,peptone,soy,soy
1,A2,A02,A,2,ref,1,control,glucose,0,0
1,A2,A02,A,2,ref,1,control,peptone,soy,soy
1,A3,A03,A,3,,,empty,,,
2,D6,D06,D,6,R1F2,1,formula,glucose,0.5,0.5
2,D6,D06,D,6,R1F2,1,formula,peptone,wheat,wheat
"""

GRID = b"""\
plate 1,1,2,3,4,5,6
A,R1F1,ref,,,,
B,,,,,,
C,,,,,,
D,,,,,,

plate 2,1,2,3,4,5,6
A,,,,,,
B,,,,,,
C,,,,,,
D,,,,,,R1F2
"""

TOML = b"""\
[plate.1.well.A1]
role = "formula"
formula = "R1F1"
replicate = 1
glucose = 5.0
peptone = "soy"

[plate.1.well.A2]
role = "control"
formula = "ref"
replicate = 1
glucose = 0.0
peptone = "soy"

[plate.2.well.D6]
role = "formula"
formula = "R1F2"
replicate = 1
glucose = 0.5
peptone = "wheat"
"""


def test_tidy_map_to_the_byte(plan):
    assert plate_map.tidy(plan) == TIDY


def test_grid_to_the_byte(plan):
    assert plate_map.grid(plan) == GRID


def test_wellmap_toml_to_the_byte(plan):
    assert plate_map.wellmap_toml(plan) == TOML


@pytest.mark.parametrize("wells", [24, 96, 1536])
def test_wellmap_reads_back_what_was_laid_out(wells, tmp_path):
    layout = arrange(["ä b", "ф.2"], {"ref": 2}, wells=wells, replicates=3, seed=0)
    if wells == 1536:
        layout.loc[layout["well"] == "AF48", ["role", "formula", "replicate"]] = (
            "formula",
            "ä b",
            4,
        )
    columns = ["formula", "component", "target", "achieved", "stock_concentration", "ticks"]
    rows = [(f, "葡萄糖 (D)", n, n / 3, np.nan, 0) for n, f in enumerate(["ä b", "ф.2", "ref"])]
    recipes = pd.DataFrame(rows, columns=columns)
    plan = RoundPlan(
        layout, recipes, pd.DataFrame(), {"葡萄糖 (D)": "mM"}, Plate(wells=wells), Robot()
    )
    path = tmp_path / "map.toml"
    path.write_bytes(plate_map.wellmap_toml(plan))
    read = wellmap.load(path).set_index("well").sort_index()
    filled = layout[layout["role"] != "empty"].set_index("well").sort_index()
    assert list(read.index) == list(filled.index)
    for column in ("role", "formula", "replicate"):
        assert list(read[column]) == list(filled[column])
    amount = dict(zip(recipes["formula"], recipes["achieved"], strict=True))
    np.testing.assert_allclose(
        read["葡萄糖 (D)"].to_numpy(float), [amount[f] for f in filled["formula"]], rtol=1e-9
    )


def test_text_that_a_spreadsheet_would_run_is_escaped_and_numbers_are_not(plan):
    layout = plan.layout.replace({"formula": {"R1F1": "=1+1"}})
    recipes = plan.recipes.replace({"formula": {"R1F1": "=1+1"}, "component": {"glucose": "-x"}})
    odd = replace(plan, layout=layout, recipes=recipes)
    tidy = plate_map.tidy(odd).decode()
    assert "1,A1,A01,A,1,'=1+1,1,formula,'-x,5.04,5\n" in tidy
    assert "A,'=1+1,ref" in plate_map.grid(odd).decode()


def test_names_beyond_ascii_get_the_byte_order_mark_that_spreadsheets_need(plan):
    recipes = plan.recipes.replace({"component": {"glucose": "葡萄糖"}})
    written = plate_map.tidy(replace(plan, recipes=recipes))
    assert written.startswith(b"\xef\xbb\xbfplate,")
    assert "葡萄糖" in written.decode("utf-8-sig")


def laid_out(wells, plates):
    """Plates of controls and formulas that are all different, up to the last well."""
    names = [f"F{n}" for n in range(wells * plates)]
    layout = arrange(names, {}, wells=wells, replicates=1, seed=0)
    columns = ["formula", "component", "target", "achieved", "stock_concentration", "ticks"]
    rows = [(f, "salt", n / 7, n / 7, np.nan, 0) for n, f in enumerate(names)]
    recipes = pd.DataFrame(rows, columns=columns)
    return RoundPlan(layout, recipes, pd.DataFrame(), {"salt": "mM"}, Plate(wells=wells), Robot())


@pytest.mark.parametrize(
    ("wells", "rows", "columns", "last"),
    [(24, 4, 6, "D"), (384, 16, 24, "P"), (1536, 32, 48, "AF")],
)
def test_the_grid_is_as_wide_and_high_as_each_plate(wells, rows, columns, last):
    plan = laid_out(wells, 2)
    lines = list(csv.reader(io.StringIO(plate_map.grid(plan).decode())))
    assert len(lines) == 2 * (rows + 1) + 1
    assert lines[rows + 1] == []
    for number, block in ((1, lines[: rows + 1]), (2, lines[rows + 2 :])):
        assert block[0] == [f"plate {number}", *(str(c + 1) for c in range(columns))]
        assert {len(line) for line in block} == {columns + 1}
        assert (block[1][0], block[-1][0]) == ("A", last)
        on_plate = plan.layout[plan.layout["plate"] == number].set_index("well")["formula"]
        assert {
            f"{line[0]}{c}": formula for line in block[1:] for c, formula in enumerate(line[1:], 1)
        } == on_plate.to_dict()


def test_the_tidy_map_reaches_the_last_well_of_every_plate():
    plan = laid_out(1536, 2)
    read = pd.read_csv(io.BytesIO(plate_map.tidy(plan)))
    assert len(read) == 2 * 1536
    last = read[read["well"] == "AF48"]
    assert list(last["plate"]) == [1, 2]
    assert list(last["well0"]) == ["AF48", "AF48"]
    assert set(last["row"]) == {"AF"}
    assert set(last["column"]) == {48}
    assert dict(
        zip(zip(read["plate"], read["well"], strict=True), read["formula"], strict=True)
    ) == {
        (plate, well): formula
        for plate, well, formula in plan.layout[["plate", "well", "formula"]].itertuples(
            index=False
        )
    }


@pytest.mark.parametrize("name", ["row", "col", "well0", "row_i", "col_j", "path"])
def test_components_that_wellmap_would_take_for_its_own(plan, tmp_path, name):
    path = tmp_path / "map.toml"
    recipes = plan.recipes.replace({"component": {"glucose": name}})
    path.write_bytes(plate_map.wellmap_toml(replace(plan, recipes=recipes)))
    read = wellmap.load(path)
    assert read.columns.is_unique
    assert list(read[f"{name} (component)"]) == [5.0, 0.0, 0.5]


def test_names_with_dots_quotes_and_brackets_stay_whole_in_the_wellmap(plan, tmp_path):
    path = tmp_path / "map.toml"
    name = 'a.b "c" [d] = #e, ф'
    recipes = plan.recipes.replace({"component": {"glucose": name}})
    path.write_bytes(plate_map.wellmap_toml(replace(plan, recipes=recipes)))
    assert list(wellmap.load(path)[name]) == [5.0, 0.0, 0.5]
