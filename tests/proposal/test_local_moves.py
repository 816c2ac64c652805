"""Mutations and crossovers differ from their parents, mostly a little."""

from __future__ import annotations

import numpy as np

from labloop.proposal.local_moves import local_moves


def test_children_of_one_parent_differ_from_it_in_few_components(space_of):
    space = space_of(
        [*({"name": f"c{i}", "high": 1.0} for i in range(30)), {"name": "x", "fixed": 1.0}]
    )
    parent = space.sample(1, np.random.default_rng(0))
    children, first = local_moves(space, parent, 1_000, np.random.default_rng(1))
    assert (first == 0).all()
    changed = (children != parent).sum(axis=1)
    assert (changed > 0).mean() > 0.99  # a jump may land where it began
    assert np.median(changed) <= 4


def test_at_the_end_of_a_table_the_move_goes_inside(space_of):
    space = space_of([{"name": "a", "high": 1.0, "step": 1.0}, {"name": "b", "fixed": 1.0}])
    for end in (0, 1):
        parent = np.array([[end, 0]], dtype=np.uint16)
        children, _ = local_moves(space, parent, 200, np.random.default_rng(0))
        assert (children[:, 0] == 1 - end).mean() > 0.8  # all but jumps to the same level


def test_crossovers_take_components_of_both_parents(space_of):
    space = space_of([{"name": f"c{i}", "high": 1.0} for i in range(20)])
    parents = np.array([[0] * 20, [1000] * 20], dtype=np.uint16)
    children, first = local_moves(space, parents, 2_000, np.random.default_rng(0))
    own = (children == parents[first]).sum(axis=1)
    others = (children == parents[1 - first]).sum(axis=1)
    assert 0.2 < ((own > 4) & (others > 4)).mean() < 0.3  # half are crossed, half of those alone
    assert set(first) == {0, 1}
