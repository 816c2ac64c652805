"""Random formulas fill what constraints leave evenly, and mending moves no more than it must."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.definition import parse
from labloop.space import FormulaSpace

SIX = "abcdef"
FIFTY = [f"c{number}" for number in range(50)]


def space_of(components, constraints=(), **sections):
    return FormulaSpace.of(
        parse(
            {
                "name": "x",
                "component": [{"unit": "mM", **component} for component in components],
                "response": [{"name": "titre"}],
                "constraint": list(constraints),
                **sections,
            }
        )
    )


def mixture(**fields):
    parts = [{"name": name, "high": 1.0, **fields} for name in SIX]
    return space_of(parts, [{"total": dict.fromkeys(SIX, 1.0), "equals": 1.0}])


def few_of_many(**sections):
    stocks = {"stocks": [400.0, 20.0]} if sections else {}
    components = [{"name": name, "high": 10.0, **stocks} for name in FIFTY]
    return space_of(components, [{"present": FIFTY, "at_most": 20}], **sections)


ROBOT = {
    "robot": {"kind": "echo525"},
    "plate": {"wells": 384, "well_volume_ul": 50.0, "inoculum_ul": 25.0},
}


def test_parts_of_a_mixture_are_spread_as_on_the_simplex():
    space = mixture()
    table = space.concentrations(space.sample(20_000, np.random.default_rng(0)))
    # each part of a formula drawn evenly from the simplex has the beta distribution (1, 5)
    wanted = 1 - (1 - np.array([0.1, 0.25, 0.5, 0.75, 0.9])) ** (1 / 5)
    for part in table.T:
        np.testing.assert_allclose(
            np.quantile(part, [0.1, 0.25, 0.5, 0.75, 0.9]), wanted, atol=0.02
        )


def test_many_components_under_a_small_total_are_spread_as_below_the_simplex():
    components = [{"name": name, "high": 1.0} for name in FIFTY]
    space = space_of(components, [{"total": dict.fromkeys(FIFTY, 1.0), "at_most": 2.5}])
    table = space.concentrations(space.sample(5_000, np.random.default_rng(0)))
    # the mean of the beta distribution (1, 50) times the total; pulled from even margins all
    # components would stay below 0.1
    np.testing.assert_allclose(np.median(table), 2.5 * (1 - 0.5 ** (1 / 50)), rtol=0.1)
    assert np.quantile(table, 0.95) > 0.12
    assert table.sum(axis=1).mean() > 2.2


@pytest.mark.parametrize("sections", [{}, ROBOT], ids=["by hand", "by robot"])
def test_presence_limits_spread_the_number_and_leave_concentrations_even(sections):
    space = few_of_many(**sections)
    table = space.concentrations(space.sample(5_000, np.random.default_rng(0)))
    present = table > 0
    numbers = np.bincount(present.sum(axis=1), minlength=21)
    assert len(numbers) == 21
    # the more components, the more different formulas: probabilities grow with the number
    np.testing.assert_allclose(numbers / 5_000, np.arange(1, 22) / 231, atol=0.015)
    assert present.mean(axis=0).std() < 0.02
    quartiles = np.quantile(table[present], [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [2.5, 5.0, 7.5], atol=0.75)


def test_loose_constraints_leave_margins_alone():
    space = space_of(
        [{"name": name, "high": 1.0} for name in SIX],
        [{"total": dict.fromkeys(SIX, 1.0), "at_most": 5.0}],
    )
    points = np.random.default_rng(0).random((1_000, 6))
    np.testing.assert_array_equal(space.scattered(points), space.from_unit(points))


def test_too_many_present_lose_no_more_than_the_surplus_and_rather_the_little():
    space = few_of_many()
    rng = np.random.default_rng(0)
    start = np.zeros((500, 50), dtype=np.uint16)
    start[:, :11] = 600
    start[:, 11:22] = 6
    mended, holds = space.mend(start, rng)
    assert holds.all()
    assert ((mended > 0).sum(axis=1) == 20).all()
    assert ((mended == start) | (mended == 0)).all()
    lost = (mended[:, :22] == 0).mean(axis=0)
    assert lost[:11].mean() < 0.05 < lost[11:].mean()


def test_a_volume_is_saved_on_cheaper_levels_nearby():
    space = space_of(
        [{"name": name, "high": 20.0, "stocks": [400.0, 20.0]} for name in FIFTY],
        robot={"kind": "echo525"},
        plate={"wells": 384, "well_volume_ul": 50.0, "inoculum_ul": 25.0},
    )
    start = space.from_unit(np.random.default_rng(0).random((200, 50)) * 0.6)
    mended, holds = space.mend(start, np.random.default_rng(1))
    assert holds.all()
    moved = np.abs(space.encode(mended) - space.encode(start))
    # only as far as needed: the well is nearly full, and most components are nearly where they were
    volume = space.constraints[0]
    assert (volume.sums(mended) > 0.95 * volume.upper).all()
    assert np.median(moved) <= 0.16
    assert not ((mended == 0) & (start > 0)).any()
