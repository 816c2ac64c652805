"""What a round takes of the deck."""

from __future__ import annotations

import pandas as pd

from labloop.definition import Robot
from labloop.plate.deck_load import DeckLoad, deck_load, source_plates


def test_source_plates_plates_and_racks_are_counted() -> None:
    dispenses = pd.DataFrame({"source_plate": [1, 1, 3], "plate": [1, 2, 2]})
    robot = Robot.model_validate({"kind": "hamilton", "positions": 7})
    load = deck_load(dispenses, {"a": 96, "b": 97}, robot)
    assert load == DeckLoad(source_plates=2, plates=2, tip_racks=3, standing_racks=3, positions=7)
    assert load.needed == 7
    assert deck_load(dispenses, {}, robot).tip_racks == 0


def test_an_opentrons_needs_one_rack_a_pipette_at_once() -> None:
    dispenses = pd.DataFrame({"source_plate": [1, 1, 3], "plate": [1, 2, 2]})
    tips = {"p20_single_gen2": 400, "p300_single_gen2": 97}
    load = deck_load(dispenses, tips, Robot(kind="ot2"))
    assert (load.tip_racks, load.standing_racks, load.needed) == (7, 2, 6)


def test_every_listed_source_plate_is_shown_and_what_stands_in_it() -> None:
    robot = Robot.model_validate(
        {
            "kind": "hamilton",
            "source_plate": [
                {"wells": 1, "well_volume_ul": 9e4, "dead_volume_ul": 1.0, "labware": "trough"},
                {"wells": 6, "well_volume_ul": 9e3, "dead_volume_ul": 1.0},
            ],
        }
    )
    deck = pd.DataFrame(
        {
            "stock": ["water", "zinc", "zinc"],
            "stock_concentration": [float("nan"), 10.0, 10.0],
            "source_plate": [1, 3, 3],
            "source_well": ["A1", "A1", "B1"],
            "fill_volume_ul": [100.0, 20.1, 30.2],
        }
    )
    shown = source_plates(deck, robot)
    assert shown.to_dict("list") == {
        "source_plate": [1, 2, 3],
        "labware": ["trough", "", ""],
        "wells": [1, 6, 24],
        "used": [1, 0, 2],
        "stocks": [1, 0, 1],
    }
