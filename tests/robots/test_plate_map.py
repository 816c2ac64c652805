"""The wellmap TOML of real rounds, read back by wellmap.

wellmap cannot tell a component from its own columns of the same name, and knows no size of plates:
both are tested in tests/worklists.
"""

import pytest

from labloop.wells import padded
from labloop.worklists import plate_map


@pytest.mark.parametrize(("wells", "last"), [(96, "H12"), (384, "P24"), (1536, "AF48")])
def test_every_well_reads_back_as_planned(wells, last, round_of, oracle, tmp_path):
    wellmap = oracle("wellmap")
    plan = round_of("hamilton", wells, formulas=wells - 3, robot={"min_dispense_ul": 0.1})
    path = tmp_path / "map.toml"
    path.write_bytes(plate_map.wellmap_toml(plan))
    read = wellmap.load(path)
    components = list(plan.units)
    filled = plan.layout[plan.layout["role"] != "empty"]
    assert filled["plate"].nunique() == 2
    assert last in set(filled["well"])
    achieved = plan.recipes.set_index(["formula", "component"])["achieved"].to_dict()
    planned = {
        (str(plate), well, padded(well)): (
            role,
            formula,
            replicate,
            *(float(f"{achieved[formula, component]:.10g}") for component in components),
        )
        for plate, well, role, formula, replicate in filled[
            ["plate", "well", "role", "formula", "replicate"]
        ].itertuples(index=False)
    }
    columns = ["role", "formula", "replicate", *components]
    keys = read[["plate", "well", "well0"]].itertuples(index=False, name=None)
    values = read[columns].itertuples(index=False, name=None)
    assert dict(zip(keys, values, strict=True)) == planned
