"""A stream of candidates becomes the same short list as sorting all of them at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.definition import parse
from labloop.proposal.pool import NEAR, Pool, best_of, near, thinned
from labloop.space import FormulaSpace

SPACE = FormulaSpace.of(
    parse(
        {
            "name": "x",
            "component": [{"name": name, "unit": "mM", "high": 1.0} for name in "abc"],
            "response": [{"name": "titre"}],
        }
    )
)


def pool_of(levels, score):
    return Pool(levels, np.full(len(levels), "grid"), score)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=6),
    keep=st.integers(1, 30),
    distinct=st.integers(1, 1_000),
)
def test_the_best_of_a_stream_are_the_best_of_all(seed, sizes, keep, distinct):
    rng = np.random.default_rng(seed)
    chunks = [rng.integers(0, distinct, size=(size, 3)).astype(np.uint16) for size in sizes]

    def score(levels):
        return np.sin(levels.astype(float) @ np.array([1.0, 1e-3, 1e-6]) * 1.7)

    kept = best_of(iter(chunks), "grid", score, keep)
    everything = np.unique(np.concatenate(chunks), axis=0)
    wanted = np.sort(score(everything))[::-1][:keep]
    np.testing.assert_array_equal(kept.score, wanted)
    assert len(np.unique(kept.levels, axis=0)) == len(kept) if len(kept) else True
    if len(kept):
        np.testing.assert_array_equal(score(kept.levels), kept.score)
        assert (kept.origin == "grid").all()


def test_copies_of_the_best_do_not_crowd_out_the_others():
    levels = np.zeros((1_000, 3), dtype=np.uint16)
    levels[:10, 0] = np.arange(10)
    kept = best_of([levels], "grid", lambda rows: -rows[:, 0].astype(float), 10)
    assert kept.levels[:, 0].tolist() == list(range(10))


def test_an_empty_stream_is_an_empty_pool():
    assert len(best_of([], "grid", lambda rows: rows[:, 0], 10)) == 0


def test_pools_join_and_keep_what_belongs_together():
    one = pool_of(np.array([[1, 1, 1], [2, 2, 2]], dtype=np.uint16), np.array([0.1, 0.9]))
    two = Pool(np.array([[2, 2, 2]], dtype=np.uint16), np.array(["mixing"]), np.array([0.95]))
    top = Pool.joined([one, two]).top(5)
    assert top.levels.tolist() == [[2, 2, 2], [1, 1, 1]]
    assert top.origin.tolist() == ["mixing", "grid"]
    assert top.score.tolist() == [0.95, 0.1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_near_means_near_in_every_component(seed):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 1001, size=(60, 3)).astype(np.uint16)
    others = SPACE.encode(levels[rng.integers(0, 60, 5)]) + rng.normal(scale=0.02, size=(5, 3))
    codes = SPACE.encode(levels)
    gaps = np.abs(codes[:, None] - others).max(axis=-1)
    np.testing.assert_array_equal(near(SPACE, levels, others), (gaps < NEAR).any(axis=1))
    assert not near(SPACE, levels, np.empty((0, 3))).any()
    assert near(SPACE, levels[:0], others).shape == (0,)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_thinned_pool_has_no_near_pairs_and_left_out_none_but_for_one(seed, count):
    rng = np.random.default_rng(seed)
    pool = pool_of(rng.integers(0, 120, size=(60, 3)).astype(np.uint16), rng.random(60))
    thin = thinned(SPACE, pool, count)
    codes = SPACE.encode(thin.levels)
    gaps = np.abs(codes[:, None] - codes).max(axis=-1) + np.eye(len(codes))
    assert gaps.min() >= NEAR * (1 - 1e-6)
    assert (np.diff(thin.score) <= 0).all()
    assert thin.score[0] == pool.score.max()
    if len(thin) < count:
        assert near(SPACE, pool.levels, codes).all()
