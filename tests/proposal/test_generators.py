"""What all generators of candidates promise: feasible levels, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labloop.definition import parse
from labloop.errors import DefinitionError
from labloop.proposal.grid import permuted_grid
from labloop.proposal.latin_hypercube import latin_hypercube
from labloop.proposal.local_moves import local_moves
from labloop.proposal.mixing import mix
from labloop.space import FormulaSpace

GENERATORS = ["latin_hypercube", "grid", "mixing", "local_moves"]


def made(name, space, rng):
    parents = space.sample(10, np.random.default_rng(99))
    if name == "latin_hypercube":
        return latin_hypercube(space, 50, rng)
    if name == "grid":
        return np.concatenate(list(permuted_grid(space, 5, 500, rng)))
    if name == "mixing":
        return mix(space, space.concentrations(parents), 200, rng)
    return local_moves(space, parents, 200, rng)[0]


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("which", ["free", "hard", "mixture"])
def test_every_generator_makes_only_feasible_levels(name, which, request):
    space = request.getfixturevalue(which)
    levels = made(name, space, np.random.default_rng(0))
    assert len(levels) >= 40
    assert levels.dtype == np.uint16
    assert (levels < space.counts).all()
    assert space.satisfied(levels).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_repeats_itself_with_its_seed_only(name, hard):
    one, again, other = (made(name, hard, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or (one != other).any()


@st.composite
def definitions(draw):
    """Mixtures, totals, presence limits, small wells, choices, scales and fixed components."""
    few = draw(st.integers(3, 6))
    names = [f"c{number}" for number in range(few)]
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=few, max_size=few))
    components = [{"name": n, **KIND[kind]} for n, kind in zip(names, kinds, strict=True)]
    if draw(st.booleans()):
        components.append({"name": "fixed", "fixed": 0.2})
    if draw(st.booleans()):
        components.append({"name": "hydrolysate", "choices": ["soy", "wheat", "pea"]})
    plain = [n for n, kind in zip(names, kinds, strict=True) if kind != "stocks"]
    constraints = []
    total = draw(st.sampled_from(["none", "equals", "at_most", "at_least"]))
    if total != "none" and len(plain) >= 3:
        constraints.append({"total": dict.fromkeys(plain, 1.0), total: 1.0})
    if draw(st.booleans()):
        at_most = draw(st.integers(max(2, few - 3), few - 1))
        constraints.append({"present": names, "at_most": at_most})
    return {
        "name": "x",
        "component": [c if "choices" in c else {"unit": "mM", **c} for c in components],
        "response": [{"name": "titre"}],
        "constraint": constraints,
        "robot": {"kind": "echo525"},
        "plate": {"wells": 384, "well_volume_ul": 50.0, "inoculum_ul": 20.0},
    }


KIND = {
    "fine": {"high": 1.0},
    "lattice": {"high": 1.0, "step": 0.02},
    "log": {"high": 1.0, "scale": "log"},
    "few": {"levels": [0.0, 0.1, 0.4, 1.0]},
    "stocks": {"high": 20.0, "stocks": [60.0, 4.0]},
}
KINDS = list(KIND)


@settings(max_examples=12, deadline=None)
@given(definitions(), st.integers(0, 2**32 - 1))
def test_whatever_the_definition_all_made_is_feasible_and_repeatable(definition, seed):
    try:
        space = FormulaSpace.of(parse(definition))
    except DefinitionError:
        assume(False)
    for name in GENERATORS:
        levels = made(name, space, np.random.default_rng(seed))
        assert levels.dtype == np.uint16
        assert (levels < space.counts).all()
        assert space.satisfied(levels).all()
        # of parts on scales that do not fit together, some sums cannot be settled
        assert len(levels) >= (50 if name == "latin_hypercube" else 40)
        again = made(name, space, np.random.default_rng(seed))
        np.testing.assert_array_equal(levels, again)
