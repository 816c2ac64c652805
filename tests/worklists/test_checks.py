from dataclasses import replace

import pytest

from labloop.errors import RefusedError
from labloop.worklists.checks import check


def broken(plan, row, **values):
    dispenses = plan.dispenses.copy()
    for column, value in values.items():
        dispenses.loc[row, column] = value
    return replace(plan, dispenses=dispenses)


def refusal(plan):
    with pytest.raises(RefusedError) as refused:
        check(plan)
    return str(refused.value)


def test_a_sound_plan_passes(plan):
    check(plan)


def test_a_volume_below_the_minimum(plan):
    assert "A1 (plate 1) would get a volume below 1 µL" in refusal(
        broken(plan, 6, ticks=5, volume_ul=0.5)
    )


def test_a_negative_volume_and_one_that_is_no_number(plan):
    for volume in (-5.0, float("nan")):
        assert "A1 (plate 1) would get a volume below 1 µL" in refusal(
            broken(plan, 6, volume_ul=volume)
        )


def test_a_volume_above_the_maximum(plan):
    assert "A1 (plate 1) would get a volume above 50 µL" in refusal(
        broken(plan, 6, ticks=501, volume_ul=50.1)
    )


def test_a_volume_off_the_increment(plan):
    assert "A1 (plate 1) would get a volume off the increment of 0.1 µL" in refusal(
        broken(plan, 6, volume_ul=5.04)
    )


def test_a_volume_that_is_not_the_planned_one(plan):
    assert "D6 (plate 2) would get a volume not the planned number of increments" in refusal(
        broken(plan, 7, ticks=49)
    )


def test_a_well_that_the_plate_lacks(plan):
    assert "a plate of 24 wells has no E1 (plate 1)" in refusal(broken(plan, 6, well="E1"))
    assert "a plate of 24 wells has no A01 (plate 1)" in refusal(broken(plan, 6, well="A01"))


def test_a_source_well_that_the_source_plate_lacks(plan):
    message = refusal(broken(plan, 6, source_well="H12"))
    assert "a source plate of 24 wells has no H12 (plate 1)" in message


def test_a_well_that_must_stay_empty(plan):
    assert "A3 (plate 1) must stay empty but would be filled" in refusal(broken(plan, 6, well="A3"))


def test_overfilled_and_underfilled_wells(plan):
    assert "A1 (plate 1) would hold more than 100 µL with the inoculum" in refusal(
        broken(plan, 6, ticks=51, volume_ul=5.1)
    )
    assert "A1 (plate 1) would hold less than 100 µL with the inoculum" in refusal(
        broken(plan, 6, ticks=49, volume_ul=4.9)
    )
    nothing = replace(plan, dispenses=plan.dispenses[plan.dispenses["plate"] == 1])
    assert "D6 (plate 2) would hold less than 100 µL with the inoculum" in refusal(nothing)


def test_a_drained_source(plan):
    small = replace(plan, robot=plan.robot.model_copy(update={"source_well_volume_ul": 279.9}))
    assert refusal(small) == (
        "The round cannot be exported: source A1 (plate 1) would give more than 259.9 µL and fall "
        "below the dead volume. Nothing was written."
    )


def test_two_stocks_in_one_source_well(plan):
    assert "source B1 (plate 1) would hold two stocks at once" in refusal(
        broken(plan, 7, source_well="B1")
    )


@pytest.mark.parametrize("first", "=+-@\t")
def test_names_that_a_spreadsheet_would_run_are_never_altered_but_refused(plan, first):
    message = refusal(replace(plan, dispenses=plan.dispenses.replace("glucose", f"{first}glucose")))
    assert message == (
        f'The name "{first}glucose" begins with {first!r}, which spreadsheets take for a '
        "calculation; rename it in campaign.toml."
    )
