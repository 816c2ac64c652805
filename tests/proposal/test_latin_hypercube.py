"""The Latin hypercube fills every stratum of every component."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.proposal.latin_hypercube import latin_hypercube


@pytest.mark.parametrize("count", [2, 7, 24])
def test_each_stratum_of_each_component_is_hit_once(free, count):
    levels = latin_hypercube(free, count, np.random.default_rng(0))
    assert levels.shape == (count, 4)
    edges = np.linspace(0, free.counts[0], count + 1)
    for column in levels.T:
        # the level at a place is the one whose own stretch holds it
        low, high = np.sort(column), np.sort(column) + 1
        assert (high > edges[:-1]).all()
        assert (low < edges[1:]).all()


def test_strata_are_even_in_concentration_where_levels_are_not(space_of):
    space = space_of(
        [{"name": name, "high": 60.0, "stocks": [1000.0, 100.0]} for name in "ab"],
        robot={"kind": "biomek"},
    )
    table = space.concentrations(latin_hypercube(space, 12, np.random.default_rng(0)))
    for column in table.T:
        counts, _ = np.histogram(column, bins=4, range=(0, 60))
        assert np.abs(counts - 3).max() <= 1


def test_one_formula_is_a_hypercube_too(hard):
    assert latin_hypercube(hard, 1, np.random.default_rng(0)).shape == (1, 6)
