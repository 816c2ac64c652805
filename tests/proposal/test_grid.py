"""The permuted grid takes grid levels only, each equally often, and small grids whole."""

from __future__ import annotations

import itertools

import numpy as np

from labloop.proposal import grid
from labloop.proposal.grid import permuted_grid


def test_every_chunk_takes_each_grid_level_equally_often(free, monkeypatch):
    monkeypatch.setattr(grid, "CHUNK", 100)
    chunks = list(permuted_grid(free, 5, 250, np.random.default_rng(0)))
    assert [len(chunk) for chunk in chunks] == [100, 100, 50]
    for chunk in chunks:
        for column, levels in zip(chunk.T, free.spread(5), strict=True):
            numbers, counts = np.unique(column, return_counts=True)
            np.testing.assert_array_equal(numbers, levels)
            assert (counts == len(chunk) / 5).all()
    assert len(np.unique(chunks[0], axis=0)) > 80


def test_a_small_grid_is_enumerated_whole(free):
    rows = np.concatenate(list(permuted_grid(free, 3, 81, np.random.default_rng(0))))
    wanted = list(itertools.product(*(levels.tolist() for levels in free.spread(3))))
    assert sorted(map(tuple, rows.tolist())) == sorted(wanted)
    assert len(wanted) == 81


def test_choices_and_short_tables_take_part_with_all_their_levels(hard):
    rows = np.concatenate(list(permuted_grid(hard, 9, 2_000, np.random.default_rng(0))))
    assert set(rows[:, 2]) == {0, 1, 2, 3}
    assert set(rows[:, 4]) == {0}
    assert set(rows[:, 5]) == {0, 1}
