"""A stored round is exported as planned, with the names that campaign.toml has now."""

from labloop.campaign.exporting import spelled_as
from labloop.definition import Robot

TROUGH = {"wells": 1, "well_volume_ul": 1000.0, "dead_volume_ul": 100.0, "labware": "Trough"}


def test_names_and_columns_are_those_of_now_and_volumes_those_of_the_plan():
    planned = Robot(kind="hamilton", source_plate=[TROUGH], max_dispense_ul=300.0)
    now = Robot(
        kind="hamilton",
        max_dispense_ul=50.0,
        plate_labware="Cor_96",
        source_labware="Rack_24",
        tips="dispense",
        csv={"columns": {"Source": "source_well"}},
        source_plate=[TROUGH | {"labware": "Trough 60ml", "dead_volume_ul": 5.0}],
    )
    spelled = spelled_as(planned, now)
    assert (spelled.plate_labware, spelled.source_labware) == ("Cor_96", "Rack_24")
    assert (spelled.tips, spelled.csv) == ("dispense", now.csv)
    assert spelled.max_dispense_ul == 300.0
    assert spelled.source_plates[0].labware == "Trough 60ml"
    assert spelled.source_plates[0].dead_volume_ul == 100.0


def test_a_robot_of_another_kind_changes_nothing():
    planned = Robot(kind="ot2")
    assert spelled_as(planned, Robot(kind="flex", plate_labware="other")) == planned


def test_source_plates_of_another_form_keep_their_names():
    planned = Robot(kind="hamilton", source_plate=[TROUGH])
    now = Robot(kind="hamilton", source_plate=[TROUGH | {"wells": 12, "labware": "Reservoir"}])
    assert spelled_as(planned, now).source_plates == planned.source_plates
    assert spelled_as(planned, Robot(kind="hamilton")).source_plates == planned.source_plates


def test_source_plates_that_changed_places_keep_their_names():
    deep = TROUGH | {"labware": "Deep", "holds": ["a"]}
    flat = TROUGH | {"labware": "Flat", "well_volume_ul": 300.0, "holds": ["b"]}
    planned = Robot(kind="hamilton", source_plate=[deep, flat])
    assert spelled_as(planned, Robot(kind="hamilton", source_plate=[flat, deep])) == planned
    assert spelled_as(planned, Robot(kind="hamilton", source_plate=[flat])) == planned
