from labloop.definition import Robot
from labloop.definition.checks.robots import robot_problems


def problems(**robot):
    return list(robot_problems(Robot.model_validate(robot)))


def test_a_minimum_below_the_least_drop():
    assert problems(kind="idot") == []
    assert problems(kind="idot", min_dispense_ul=0.004) == [
        "[robot], min_dispense_ul: must be at least 0.008, the least that an I.DOT dispenses (got "
        "0.004)"
    ]
    assert problems(kind="manual", min_dispense_ul=0.004) == []


def test_dead_volumes_that_the_waste_takes():
    plate = {"wells": 96, "well_volume_ul": 80.0, "dead_volume_ul": 0.25}
    told = "dead_volume_ul: must be at least 0.3, what an I.DOT sheds of a source well before each"
    assert problems(kind="idot", dead_volume_ul=0.0, source_plate=[plate]) == [
        f"[robot], {told} plate (got 0)",
        f"[[robot.source_plate]] number 1, {told} plate (got 0.25)",
    ]
    assert problems(kind="idot", dead_volume_ul=0.3) == []
