from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labloop.surrogate.stacking import log_density, prior_rows, stacked_weights

densities = hnp.arrays(
    "float64",
    st.tuples(st.integers(1, 5), st.integers(0, 30)),
    elements=st.one_of(st.floats(-1e6, 50), st.just(float("nan"))),
)


def weights_of(densities):
    return stacked_weights(densities, torch.ones(len(densities)))


@given(densities)
def test_shares_are_positive_and_sum_to_one(values):
    weights = weights_of(torch.as_tensor(values))
    assert float(weights.sum()) == pytest.approx(1.0)
    assert bool((weights >= 1.0 / (values.shape[1] + values.shape[0]) - 1e-9).all())


@given(densities, st.randoms())
def test_the_order_of_the_rows_does_not_matter(values, random):
    order = list(range(values.shape[1]))
    random.shuffle(order)
    table = torch.as_tensor(values)
    assert torch.allclose(weights_of(table), weights_of(table[:, order]), atol=1e-4)


def test_nothing_known_leaves_equal_shares():
    assert weights_of(torch.zeros(4, 0)).tolist() == [0.25] * 4
    assert weights_of(torch.full((2, 3), torch.nan)).tolist() == [0.5] * 2


def test_an_expert_that_is_always_better_gets_nearly_all_and_few_rows_decide_little():
    better = torch.tensor([[-1.0], [0.5]])
    shares = [float(weights_of(better.expand(2, rows))[1]) for rows in (1, 10, 1000)]
    assert 0.5 < shares[0] < 0.75 < shares[1] < 0.95 < shares[2]


def test_experts_that_are_better_on_different_rows_share():
    ahead = torch.tensor([[0.0, -2.0], [-2.0, 0.0], [-2.0, -2.0]]).repeat(1, 40)
    weights = weights_of(ahead)
    assert float(weights[0]) == pytest.approx(float(weights[1]), abs=1e-3)
    assert float(weights[2]) < 0.05


def test_a_gap_counts_as_the_mean_of_the_known_differences():
    first = torch.linspace(-1.0, 0.5, 20).double()
    other = first + 0.4
    gaps = torch.where(torch.arange(20) % 3 == 0, torch.nan, other)
    full, holes = (weights_of(torch.stack([first, each])) for each in (other, gaps))
    assert torch.allclose(full, holes)


def test_log_density_is_the_normal_one():
    wanted = torch.distributions.Normal(1.0, 2.0).log_prob(torch.tensor(4.0))
    got = log_density(torch.tensor([4.0]), torch.tensor([1.0]), torch.tensor([4.0]))
    assert float(got) == pytest.approx(float(wanted))


def test_nets_and_trees_begin_with_their_shares_of_the_history_s_prediction():
    names = ["own_rows", "residual_gp", "tuned", "forest"]
    rows = prior_rows(names, torch.tensor([0.6, 0.02, 0.38]))
    assert (rows / rows[0]).tolist() == pytest.approx([1.0, 1.0, 0.6, 0.1])
    assert float(rows.sum()) == pytest.approx(4.0)
    assert prior_rows(names[:2], None).tolist() == [1.0, 1.0]
