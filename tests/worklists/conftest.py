import numpy as np
import pandas as pd
import pytest

from labloop.definition import Plate, Robot
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.worklists import RoundPlan


@pytest.fixture
def plan():
    """Two plates' worth of a small round: two formulas, a control, one component by hand."""
    plate = Plate(
        wells=24, well_volume_ul=100.0, inoculum_ul=10.0, diluent="water", controls={"ref": 1}
    )
    robot = Robot(
        kind="biomek",
        min_dispense_ul=1.0,
        increment_ul=0.1,
        max_dispense_ul=50.0,
        dead_volume_ul=20.0,
        source_wells=24,
        source_well_volume_ul=500.0,
    )
    layout = pd.DataFrame(
        [
            (1, "A1", "formula", "R1F1", 1),
            (1, "A2", "control", "ref", 1),
            (1, "A3", "empty", None, 0),
            (2, "D6", "formula", "R1F2", 1),
        ],
        columns=["plate", "well", "role", "formula", "replicate"],
    )
    recipes = pd.DataFrame(
        [
            ("R1F1", "glucose", 5.04, 5.0, 100.0, 50),
            ("R1F1", "peptone", "soy", "soy", np.nan, 0),
            ("R1F2", "glucose", 0.5, 0.5, 10.0, 50),
            ("R1F2", "peptone", "wheat", "wheat", np.nan, 0),
            ("ref", "glucose", 0.0, 0.0, np.nan, 0),
            ("ref", "peptone", "soy", "soy", np.nan, 0),
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    )
    units = {"glucose": "mM", "peptone": "g/L"}
    dispenses = plan_dispenses(layout, recipes, components=list(units), plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, units, plate, robot)
