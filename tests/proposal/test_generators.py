"""What all generators of candidates promise: feasible levels, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.proposal.grid import permuted_grid
from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.local_moves import local_moves
from labloop.proposal.mixing import mix


def made(name, space, rng):
    parents = space.sample(10, np.random.default_rng(99))
    if name == "latin_hypercube":
        return latin_hypercube(space, 50, rng)
    if name == "grid":
        return np.concatenate(list(permuted_grid(space, 5, 500, rng)))
    if name == "mixing":
        return mix(space, space.concentrations(parents), 200, rng)
    return local_moves(space, parents, 200, rng)[0]


@pytest.mark.parametrize("name", ["latin_hypercube", "grid", "mixing", "local_moves"])
@pytest.mark.parametrize("which", ["free", "hard", "mixture"])
def test_every_generator_makes_only_feasible_levels(name, which, request):
    space = request.getfixturevalue(which)
    levels = made(name, space, np.random.default_rng(0))
    assert len(levels) >= 40
    assert levels.dtype == np.uint16
    assert (levels < space.counts).all()
    assert space.satisfied(levels).all()


@pytest.mark.parametrize("name", ["latin_hypercube", "grid", "mixing", "local_moves"])
def test_every_generator_repeats_itself_with_its_seed_only(name, hard):
    one, again, other = (made(name, hard, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or (one != other).any()
