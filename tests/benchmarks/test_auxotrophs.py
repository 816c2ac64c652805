"""Strains answer to yes/no media by rules, and relatives share them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.auxotrophs import COMPONENTS, relative, strain


@pytest.mark.parametrize("share", [0.0, 0.5, 0.85, 1.0])
def test_every_component_has_one_rule(share: float) -> None:
    rng = np.random.default_rng(3)
    for each in (first := strain(rng), relative(first, share, rng)):
        assert sorted({*each.components.ravel().tolist()}) == list(range(COMPONENTS))


def test_a_strain_grows_best_on_what_it_needs_and_stops_without_it() -> None:
    each = strain(np.random.default_rng(0))
    whole = np.ones((1, COMPONENTS))
    lacking = whole.copy()
    lacking[0, each.components[0, 0]] = 0  # the first rule is of a component that is needed
    assert 0 < each.growth(lacking)[0] < 0.7 * each.growth(whole)[0] < 1


def test_a_relative_that_shares_all_rules_is_the_same() -> None:
    rng = np.random.default_rng(1)
    first = strain(rng)
    X = (rng.random((50, COMPONENTS)) < 0.5).astype(float)
    np.testing.assert_array_equal(relative(first, 1.0, rng).growth(X), first.growth(X))
