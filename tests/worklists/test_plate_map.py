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
