"""What is wanted of a plate as a whole holds, whatever the campaign."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.definition import ProposalSettings, Response, parse
from labloop.errors import DefinitionError, RefusedError
from labloop.proposal.batch import Known, choose
from labloop.proposal.goals import Goals
from labloop.proposal.wishes import granted, stocks_of
from labloop.space import FormulaSpace
from labloop.space.narrowing import part_of

WANTED = Goals.of([Response(name="titre")])


def wishes(**given):
    seats = {"latin_hypercube": 0.2, "mixing": 0.2, "exploration": 0.2}
    return ProposalSettings.model_validate({"candidates": 2_000, "seats": seats, **given})


def stocks_on(space, levels):
    return {
        (j, int(stock))
        for j, table in enumerate(space.tables)
        for stock in table.stock[levels[:, j]]
        if stock >= 0
    }


def plate(space, fake_surrogate, given, measured=15, count=12):
    rng = np.random.default_rng(3)
    table = space.concentrations(space.sample(measured, rng)) if measured else np.empty((0, 6))
    X = space.encode_concentrations(table)
    truth = -((X - 0.4) ** 2).sum(axis=1, keepdims=True)
    none = np.empty((0, len(space.tables)))
    known = Known(table.reshape(measured, len(space.tables)), truth[:, 0], none, none)
    surrogate = fake_surrogate(X, truth) if measured else None
    return choose(space, surrogate, WANTED, known, given, count, 1)


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("measured", [0, 15])
@pytest.mark.parametrize(
    "shared", [["b"], ["a", "e"], pytest.param(["c", "f"], marks=pytest.mark.slow)]
)
def test_shared_components_have_one_level_on_the_plate(hard, fake_surrogate, shared, measured):
    chosen = plate(hard, fake_surrogate, wishes(shared=shared), measured)
    assert len(chosen.levels) == 12
    assert hard.satisfied(chosen.levels).all()
    assert len(np.unique(chosen.levels, axis=0)) == 12
    for name in shared:
        assert len(np.unique(chosen.levels[:, hard.names.index(name)])) == 1


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("measured", [0, 15])
@pytest.mark.parametrize("most", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_no_more_stocks_than_wanted_are_on_the_plate(hard, fake_surrogate, most, measured):
    assert len(stocks_of(hard, [np.ones(len(t), dtype=bool) for t in hard.tables])) == 3
    chosen = plate(hard, fake_surrogate, wishes(most_stocks=most), measured)
    assert len(stocks_on(hard, chosen.levels)) <= most
    assert hard.satisfied(chosen.levels).all()
    assert len(chosen.levels) == 12


@pytest.mark.usefixtures("small_pools")
def test_the_shared_level_is_the_one_that_the_acquisition_wants(free, fake_surrogate):
    chosen = plate(free, fake_surrogate, wishes(shared=["b"]), measured=30)
    (level,) = np.unique(free.encode(chosen.levels)[:, 1])
    assert 0.2 < level < 0.6


@pytest.mark.usefixtures("small_pools")
def test_wishes_are_granted_the_same_for_the_same_seed(hard, fake_surrogate):
    given = wishes(shared=["b"], most_stocks=2)
    one, again = (plate(hard, fake_surrogate, given) for _ in range(2))
    np.testing.assert_array_equal(one.levels, again.levels)


def test_stocks_that_every_formula_needs_are_not_taken_away(space_of):
    space = space_of(
        [
            {"name": name, "low": 10.0, "high": 60.0, "stocks": [600.0, 900.0]}
            for name in ("a", "b", "c")
        ],
        robot={"kind": "ot2"},
    )
    part = granted(space, None, wishes(most_stocks=3), np.random.default_rng(0))
    assert len(stocks_of(part.space, [np.ones(len(t), dtype=bool) for t in part.space.tables])) == 3
    message = (
        "[proposal], most_stocks: no formula that satisfies all constraints was found with 2 "
        "stocks; 3 are needed."
    )
    with pytest.raises(RefusedError, match=f"^{re.escape(message)}$"):
        granted(space, None, wishes(most_stocks=2), np.random.default_rng(0))


def test_wishes_do_not_go_with_a_list(hard, fake_surrogate):
    none = np.empty((0, 6))
    known = Known(none, np.empty(0), none, none)
    listed = hard.sample(20, np.random.default_rng(0))
    with pytest.raises(RefusedError, match="leave the wishes or the list out"):
        choose(hard, None, WANTED, known, wishes(shared=["b"]), 4, 1, listed)


@st.composite
def spaces(draw):
    """Random components with stocks, a total and a presence limit that can hold."""
    number = draw(st.integers(2, 6))
    components = []
    for k in range(number):
        stocks = draw(st.lists(st.sampled_from([50.0, 200.0, 800.0]), max_size=3, unique=True))
        low = draw(st.sampled_from([0.0, 0.0, 2.0]))
        components.append(
            {"name": f"c{k}", "unit": "mM", "low": low, "high": 20.0, "stocks": stocks}
        )
    names = [c["name"] for c in components]
    constraints = [{"total": dict.fromkeys(names, 1.0), "at_most": 8.0 * number}]
    if draw(st.booleans()) and not any(c["low"] for c in components):
        constraints.append({"present": names, "at_most": draw(st.integers(1, number))})
    shared = draw(st.lists(st.sampled_from(names), max_size=number - 1, unique=True))
    definition = {
        "name": "x", "component": components, "response": [{"name": "titre"}],
        "constraint": constraints, "robot": {"kind": "ot2"},
    }  # fmt: skip
    return definition, shared, draw(st.integers(1, 8))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(spaces(), st.integers(0, 99))
def test_every_formula_of_the_part_grants_the_wishes(drawn, seed):
    check_part(drawn, seed)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(spaces(), st.integers(0, 99))
def test_every_formula_of_any_part_grants_the_wishes(drawn, seed):
    check_part(drawn, seed)


def check_part(drawn, seed):
    definition, shared, most = drawn
    try:
        space = FormulaSpace.of(parse(definition))
    except DefinitionError:
        return
    rng = np.random.default_rng(seed)
    given = wishes(shared=shared, most_stocks=most)
    goal = rng.random((1, len(space.tables)))

    def score(levels):
        return -((space.encode(levels) - goal) ** 2).sum(axis=1)

    try:
        part = granted(space, score, given, rng)
    except RefusedError:  # more stocks are needed
        return
    levels = part.in_whole(part.space.sample(50, rng))
    assert space.satisfied(levels).all()
    assert len(stocks_on(space, levels)) <= most
    for name in shared:
        assert len(np.unique(levels[:, space.names.index(name)])) == 1


def test_a_part_means_the_same_formulas_as_the_whole(hard):
    rng = np.random.default_rng(0)
    keep = [rng.random(len(table)) < 0.5 for table in hard.tables]
    for kept in keep:
        kept[0] = True
    part = part_of(hard, keep)
    levels = part.space.from_unit(rng.random((200, len(keep))))
    whole = part.in_whole(levels)
    np.testing.assert_array_equal(part.space.concentrations(levels), hard.concentrations(whole))
    np.testing.assert_array_equal(part.space.encode(levels), hard.encode(whole))
    np.testing.assert_array_equal(part.space.satisfied(levels), hard.satisfied(whole))
