"""Every strategy: whole plates of new, feasible formulas, with a pool only from it; repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.definition import ProposalSettings, SurrogateSettings, parse
from labloop.proposal.goals import Goals
from labloop.proposal.pool import NEAR
from labloop.simulate.strategies import STRATEGIES
from labloop.simulate.trial import SoFar, Trial
from labloop.space import FormulaSpace

from .conftest import definition

SETTINGS = ProposalSettings(formulas=6, candidates=500)


def truth(space):
    return lambda levels: space.encode(levels)[:, :1] - (space.encode(levels)[:, 1:2] - 0.3) ** 2


def trial_of(history=True, pool=None):
    parsed = parse(definition({"name": "titre"}))
    space = FormulaSpace.of(parsed)
    made = space.sample(30 if history else 0, np.random.default_rng(0))
    answer = truth(space)
    return Trial(
        name="test",
        space=space,
        goals=Goals.of(parsed.responses),
        X_history=space.encode(made),
        Y_history=answer(made),
        source=np.zeros(len(made), dtype=np.int64),
        performers=space.concentrations(made)[np.argsort(-answer(made)[:, 0])[:8]],
        measure=lambda levels, rng: answer(levels) + 0.01 * rng.standard_normal((len(levels), 1)),
        truth=answer,
        pool=None if pool is None else space.sample(pool, np.random.default_rng(1)),
        nets=SurrogateSettings(layers=5, members=2),
    )


def played(trial, name, plates=2, count=6):
    """Return the plates of a campaign, and what was left of the pool."""
    propose = STRATEGIES[name](trial, SETTINGS, 1)
    rng = np.random.default_rng(0)
    so_far = SoFar(np.empty((0, 4), dtype=np.uint16), np.empty((0, 1)), trial.pool)
    for number in range(plates):
        plate = propose(so_far, count, number)
        assert len(plate.origin) == len(plate.levels)
        levels = np.concatenate([so_far.levels, plate.levels])
        Y = np.concatenate([so_far.Y, trial.measure(plate.levels, rng)])
        left = so_far.left
        if left is not None:
            gone = {row.tobytes() for row in plate.levels}
            left = left[[row.tobytes() not in gone for row in left]]
        so_far = SoFar(levels, Y, left)
    return so_far


@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_plates_are_whole_feasible_and_new(name, history):
    trial = trial_of(history)
    so_far = played(trial, name)
    assert len(so_far.levels) == 12
    assert trial.space.satisfied(so_far.levels).all()
    codes = trial.space.encode(so_far.levels)
    gaps = np.abs(codes[:, None] - codes[None]).max(axis=-1)[~np.eye(12, dtype=bool)]
    assert name == "random" or (gaps >= NEAR * (1 - 1e-6)).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_with_a_pool_only_its_formulas_are_chosen_and_each_once(name):
    trial = trial_of(pool=15)
    so_far = played(trial, name, plates=3)
    chosen = {row.tobytes() for row in so_far.levels}
    assert chosen == {row.tobytes() for row in trial.pool}
    assert len(so_far.levels) == len(trial.pool)


@pytest.mark.parametrize("name", ["latin hypercube", "mixing", "permuted grid", "patent"])
def test_the_same_seed_gives_the_same_plates(name):
    first, second = (played(trial_of(), name).levels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_patents_plate_is_three_thirds():
    trial = trial_of()
    so_far = SoFar(np.empty((0, 4), dtype=np.uint16), np.empty((0, 1)), None)
    origin = STRATEGIES["patent"](trial, SETTINGS, 1)(so_far, 8, 0).origin.tolist()
    assert [origin.count(each) for each in ("latin_hypercube", "mixing", "permuted_grid")] == [
        2, 2, 4,
    ]  # fmt: skip


def test_mixing_stays_between_what_was_good():
    trial = trial_of()
    so_far = SoFar(np.empty((0, 4), dtype=np.uint16), np.empty((0, 1)), None)
    plate = STRATEGIES["mixing"](trial, SETTINGS, 1)(so_far, 6, 0)
    made = trial.space.concentrations(plate.levels)[:, :3]
    low, high = trial.performers[:, :3].min(axis=0), trial.performers[:, :3].max(axis=0)
    assert (made >= low - 0.3).all()
    assert (made <= high + 0.3).all()
