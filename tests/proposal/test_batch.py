"""The plate: as many formulas as asked, all new, all feasible, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.definition import ProposalSettings, Response
from labloop.proposal.batch import GRID, LATIN_HYPERCUBE, LISTED, LOCAL, MIXING, Known, choose
from labloop.proposal.exploration import EXPLORATION
from labloop.proposal.goals import Goals
from labloop.proposal.pool import NEAR
from labloop.space.prices import prices

pytestmark = pytest.mark.usefixtures("small_pools")

ORIGINS = {LATIN_HYPERCUBE, MIXING, GRID, LOCAL, EXPLORATION}


def goals(*responses):
    made = [
        Response.model_validate({"name": f"r{i}", **response})
        for i, response in enumerate(responses)
    ]
    return Goals.of(made)


def settings(latin_hypercube=0.1, mixing=0.1, exploration=0.0, **more):
    seats = {"latin_hypercube": latin_hypercube, "mixing": mixing, "exploration": exploration}
    return ProposalSettings.model_validate({"candidates": 5_000, "seats": seats, **more})


def truth(codes):
    """Two responses that trade off: nearness to two corners."""
    return np.stack([-((codes - 0.3) ** 2).sum(axis=1), -((codes - 0.7) ** 2).sum(axis=1)], axis=1)


def known_of(space, measured=12, pending=0, performers=0):
    levels = space.sample(measured + pending + performers, np.random.default_rng(5))
    table = space.concentrations(levels)
    return Known(
        measured=table[:measured],
        utility=truth(space.encode(levels[:measured]))[:, 0],
        pending=table[measured : measured + pending],
        performers=table[measured + pending :],
    )


def chosen_from(space, known, fake_surrogate, count=12, seed=1, wanted=None, responses=1, **given):
    X = space.encode_concentrations(known.measured if len(known.measured) else known.performers)
    surrogate = fake_surrogate(X, truth(X)[:, :responses])
    wanted = goals({}) if wanted is None else wanted
    options = {"settings": settings(), **given}
    return choose(space, surrogate, wanted, known, count=count, seed=seed, **options)


def nearest_gaps(codes, others):
    """For each row, how far the nearest of other rows is in its most different column."""
    return np.abs(codes[:, None] - others[None]).max(axis=-1).min(axis=1, initial=np.inf)


def check(space, chosen, known, count):
    assert chosen.levels.shape == (count, len(space.tables))
    assert chosen.levels.dtype == np.uint16
    assert len(chosen.origin) == len(chosen.acquisition) == count
    assert set(chosen.origin) <= ORIGINS
    assert space.satisfied(chosen.levels).all()
    codes = space.encode(chosen.levels)
    among = np.abs(codes[:, None] - codes[None]).max(axis=-1) + np.eye(count)
    assert among.min() >= NEAR * (1 - 1e-6)
    earlier = space.encode_concentrations(np.concatenate([known.measured, known.pending]))
    assert nearest_gaps(codes, earlier).min() >= NEAR * (1 - 1e-6)


@pytest.mark.parametrize("which", ["free", "hard", "mixture"])
def test_a_plate_is_full_of_new_feasible_formulas(which, request, fake_surrogate):
    space = request.getfixturevalue(which)
    known = known_of(space, pending=6)
    chosen = chosen_from(space, known, fake_surrogate)
    check(space, chosen, known, 12)
    assert np.isfinite(chosen.acquisition).all()
    assert (chosen.acquisition >= 0).all()


def test_the_plate_is_where_the_surrogate_sees_the_best(free, fake_surrogate):
    known = known_of(free, measured=30)
    chosen = chosen_from(free, known, fake_surrogate, settings=settings(0.0, 0.0))
    values = truth(free.encode(chosen.levels))[:, 0]
    random = truth(free.encode(free.sample(200, np.random.default_rng(0))))[:, 0]
    assert values.max() > known.utility.max()
    assert np.median(values) > np.quantile(random, 0.9)


def test_the_same_seed_gives_the_same_plate_and_another_another(hard, fake_surrogate):
    known = known_of(hard, pending=3)
    one, again, other = (chosen_from(hard, known, fake_surrogate, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.levels, again.levels)
    np.testing.assert_array_equal(one.origin, again.origin)
    np.testing.assert_array_equal(one.acquisition, again.acquisition)
    assert (one.levels != other.levels).any()


@pytest.mark.parametrize(
    ("shares", "latin", "mixed"), [((0.5, 0.25), 6, 3), ((0.0, 1.0), 0, 12), ((1.0, 0.0), 12, 0)]
)
def test_reserved_seats_are_respected(free, fake_surrogate, shares, latin, mixed):
    known = known_of(free, measured=15)
    chosen = chosen_from(free, known, fake_surrogate, settings=settings(*shares))
    check(free, chosen, known, 12)
    assert np.isfinite(chosen.acquisition).all() or latin == 12
    assert (chosen.origin[:latin] == LATIN_HYPERCUBE).all()
    assert (chosen.origin[latin : latin + mixed] == MIXING).all()


def test_without_a_surrogate_the_plate_fills_the_space(hard):
    known = Known(np.empty((0, 6)), np.empty(0), np.empty((0, 6)), np.empty((0, 6)))
    chosen = choose(hard, None, goals({}), known, settings(), 24, 3)
    check(hard, chosen, known, 24)
    assert (chosen.origin == LATIN_HYPERCUBE).all()
    assert np.isnan(chosen.acquisition).all()


def test_history_chooses_a_quarter_of_a_first_plate_by_its_predictions(free, fake_surrogate):
    known = known_of(free, measured=0, performers=10)
    chosen = chosen_from(free, known, fake_surrogate)
    check(free, chosen, known, 12)
    assert np.isfinite(chosen.acquisition).all()
    assert (chosen.origin[:9] == LATIN_HYPERCUBE).all()
    X = free.encode_concentrations(known.performers)
    surrogate = fake_surrogate(X, truth(X)[:, :1])
    predicted = surrogate.mean_and_variance(free.encode(chosen.levels), by_expert=True)
    mean = np.asarray(predicted.expert_mean).mean(axis=0)[:, 0]
    assert mean[9:].min() > np.median(mean[:9])


def test_a_first_plate_of_one_formula(free, fake_surrogate):
    known = known_of(free, measured=0, performers=10)
    check(free, chosen_from(free, known, fake_surrogate, count=1), known, 1)


def test_one_measured_formula_is_enough_to_go_on(free, fake_surrogate):
    known = known_of(free, measured=1)
    check(free, chosen_from(free, known, fake_surrogate, count=6), known, 6)


@pytest.mark.parametrize(
    "wanted",
    [
        goals({}, {}),
        goals({}, {"goal": "minimize", "weight": 3.0}),
        goals({}, {"goal": "at_least", "bound": -0.3}),
        goals({}, {"goal": "at_most", "bound": -2.0}),
        goals({"goal": "near", "bound": -0.2}, {"goal": "observe"}),
        goals({"goal": "observe"}, {"goal": "near", "bound": -0.2, "reference": 2.0}),
    ],
    ids=["two", "weighted", "at_least", "at_most", "near", "reference"],
)
def test_every_kind_of_goal_fills_the_plate(free, fake_surrogate, wanted):
    known = known_of(free, measured=20, pending=2)
    chosen = chosen_from(free, known, fake_surrogate, wanted=wanted, responses=2)
    check(free, chosen, known, 12)


def test_a_bound_keeps_the_plate_where_it_can_be_met(free, fake_surrogate):
    known = known_of(free, measured=30)
    wanted = goals({}, {"goal": "at_least", "bound": -0.25})
    plate = settings(0.0, 0.0)
    bounded = chosen_from(free, known, fake_surrogate, wanted=wanted, responses=2, settings=plate)
    alone = chosen_from(free, known, fake_surrogate, settings=plate)
    second = [truth(free.encode(chosen.levels))[:, 1] for chosen in (bounded, alone)]
    assert (second[0] >= -0.4).sum() > (second[1] >= -0.4).sum()


@pytest.mark.parametrize("measured", [0, 12])
def test_listed_candidates_are_chosen_only_from_the_list_and_once(hard, fake_surrogate, measured):
    known = known_of(hard, measured=measured, performers=8, pending=2)
    listed = hard.sample(60, np.random.default_rng(8))
    measured_again = hard.nearest(np.concatenate([known.measured, known.pending]))
    listed = np.concatenate([listed, measured_again, listed[:10]])
    chosen = chosen_from(hard, known, fake_surrogate, listed=listed)
    assert set(chosen.origin) == {LISTED}
    rows = set(map(tuple, chosen.levels.tolist()))
    assert len(rows) == 12
    assert rows <= set(map(tuple, listed.tolist()))
    assert not rows & set(map(tuple, measured_again.tolist()))


def test_a_list_that_is_used_up_gives_what_it_has(hard, fake_surrogate):
    known = known_of(hard)
    fresh = hard.sample(5, np.random.default_rng(8))
    listed = np.concatenate([fresh, hard.nearest(known.measured)])
    chosen = chosen_from(hard, known, fake_surrogate, listed=listed)
    assert sorted(map(tuple, chosen.levels.tolist())) == sorted(map(tuple, fresh.tolist()))
    nothing = chosen_from(hard, known, fake_surrogate, listed=hard.nearest(known.measured))
    assert nothing.levels.shape == (0, 6)
    assert chosen_from(hard, known, fake_surrogate, listed=fresh[:0]).levels.shape == (0, 6)


def test_listed_formulas_that_break_a_constraint_are_never_chosen(hard, fake_surrogate):
    listed = hard.from_unit(np.random.default_rng(0).random((200, 6)))
    feasible = int(hard.satisfied(np.unique(listed, axis=0)).sum())
    assert 0 < feasible < 150
    known = known_of(hard)
    for surrogate_given in (True, False):
        if surrogate_given:
            chosen = chosen_from(hard, known, fake_surrogate, count=200, listed=listed)
        else:
            chosen = choose(hard, None, goals({}), known, settings(), 200, 1, listed)
        assert hard.satisfied(chosen.levels).all()
        assert len(chosen.levels) == feasible


def test_a_listed_plate_without_a_surrogate_spreads_over_the_list(free):
    rng = np.random.default_rng(0)
    near_corner = free.from_unit(rng.random((200, 4)) * 0.05)
    elsewhere = free.from_unit(np.array([[0.9, 0.9, 0.9, 0.9], [0.1, 0.9, 0.1, 0.9]]))
    listed = np.concatenate([near_corner, elsewhere])
    known = Known(np.empty((0, 4)), np.empty(0), np.empty((0, 4)), np.empty((0, 4)))
    chosen = choose(free, None, goals({}), known, settings(), 3, 1, listed)
    rows = set(map(tuple, chosen.levels.tolist()))
    assert set(map(tuple, elsewhere.tolist())) <= rows


def test_a_space_with_few_formulas_is_used_to_the_last(space_of, fake_surrogate):
    space = space_of([{"name": name, "levels": [0, 1, 2]} for name in "ab"])
    nothing = Known(np.empty((0, 2)), np.empty(0), np.empty((0, 2)), np.empty((0, 2)))
    for count in (9, 20):
        chosen = choose(space, None, goals({}), nothing, settings(), count, 1)
        assert len(np.unique(chosen.levels, axis=0)) == len(chosen.levels) == 9
    rows = space.concentrations(chosen.levels)
    known = Known(rows[:6], np.arange(6.0), rows[6:7], np.empty((0, 2)))
    chosen = chosen_from(space, known, fake_surrogate, count=9)
    assert sorted(map(tuple, space.concentrations(chosen.levels).tolist())) == sorted(
        map(tuple, rows[7:].tolist())
    )


def test_progress_is_told(free, fake_surrogate):
    told = []
    known = known_of(free)
    chosen_from(
        free, known, fake_surrogate, progress=lambda stage, done, total: told.append((stage, done))
    )
    assert [stage for stage, _ in dict.fromkeys((stage, 0) for stage, _ in told)] == [
        "scoring candidates",
        "refining the best",
        "choosing the plate",
    ]
    assert ("scoring candidates", 5**4) in told  # the whole grid


def test_a_measured_formula_off_the_grid_does_not_come_again_from_a_list(space_of, fake_surrogate):
    """The list is snapped to levels; what was measured between them counts as its level."""
    space = space_of([{"name": name, "high": 1.0, "step": 0.1} for name in "abcd"])
    library = np.random.default_rng(0).random((60, 4))
    listed = space.nearest(library)
    measured = library[:40]
    known = Known(measured, truth(measured)[:, 0], np.empty((0, 4)), np.empty((0, 4)))
    chosen = chosen_from(space, known, fake_surrogate, listed=listed)
    assert not {row.tobytes() for row in chosen.levels} & {row.tobytes() for row in listed[:40]}


@pytest.mark.parametrize("which", ["free", "hard"])
def test_a_plate_larger_than_its_shortlist_is_filled(which, request, fake_surrogate):
    space = request.getfixturevalue(which)
    known = known_of(space, pending=3)
    chosen = chosen_from(space, known, fake_surrogate, count=700)
    check(space, chosen, known, 700)
    assert np.isfinite(chosen.acquisition).all()


def test_a_list_longer_than_the_shortlist_is_used_to_the_last(hard, fake_surrogate):
    known = known_of(hard)
    listed = np.unique(hard.sample(400, np.random.default_rng(8)), axis=0)
    left = {row.tobytes() for row in listed} - {
        row.tobytes() for row in hard.nearest(known.measured)
    }
    chosen = chosen_from(hard, known, fake_surrogate, count=400, listed=listed)
    assert {row.tobytes() for row in chosen.levels} == left
    assert len(chosen.levels) == len(left)


@pytest.mark.parametrize(("share", "seats"), [(0.25, 3), (1.0, 12)])
def test_exploration_has_its_seats(hard, fake_surrogate, share, seats):
    known = known_of(hard, measured=20, pending=2)
    chosen = chosen_from(hard, known, fake_surrogate, settings=settings(0.0, 0.0, share))
    check(hard, chosen, known, 12)
    assert (chosen.origin[:seats] == EXPLORATION).all()
    assert (chosen.origin == EXPLORATION).sum() == seats


def test_a_price_of_a_well_makes_the_plate_cheaper(space_of, fake_surrogate):
    space = space_of(
        [
            {"name": n, "high": 1.0, "price": p}
            for n, p in zip("abcd", (9.0, 1.0, 0.0, 0.0), strict=True)
        ]
    )
    known = known_of(space, measured=20)
    spent = []
    for more in ({}, {"well_price": 1.0}):
        chosen = chosen_from(space, known, fake_surrogate, settings=settings(0.0, 0.0, **more))
        check(space, chosen, known, 12)
        spent.append(prices(space.components, space.concentrations(chosen.levels)).sum())
    assert spent[1] < 0.75 * spent[0]
