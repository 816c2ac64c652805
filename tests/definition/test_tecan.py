import pytest

from labloop.definition import Robot
from labloop.definition.checks.robots import robot_problems


@pytest.mark.parametrize("kind", ["evo", "fluent"])
def test_increments_that_a_worklist_cannot_carry(kind):
    for increment in (0.01, 0.05, 0.1, 0.3, 1.0):
        assert list(robot_problems(Robot(kind=kind, increment_ul=increment))) == []
    for increment in (0.025, 0.005, 0.001, 0.125):
        assert list(robot_problems(Robot(kind=kind, increment_ul=increment))) == [
            "[robot], increment_ul: must be a multiple of 0.01 µL, to which a Tecan worklist "
            f"carries volumes (got {increment:g})"
        ]
    assert list(robot_problems(Robot(kind="manual", increment_ul=0.025))) == []
