from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labloop.surrogate.guard import log_density, vote

densities = st.lists(st.floats(-1e6, 50), min_size=8, max_size=40)


@given(densities, st.integers(0, 1000))
def test_votes_lie_between_none_and_one(values, seed):
    own = torch.tensor(values, dtype=torch.float64)
    other = own[torch.randperm(len(own), generator=torch.Generator().manual_seed(seed))]
    assert 0.0 <= vote(own, other) <= 1.0


def test_an_expert_that_is_always_worse_has_no_vote_and_one_that_is_better_has_one():
    own = torch.linspace(-1.0, 0.5, 30)
    noise = 0.01 * torch.arange(30)
    assert vote(own, own - 1.0 - noise) == 0.0
    assert vote(own, own + 1.0 + noise) == 1.0


def test_few_rows_or_no_scores_leave_the_vote():
    assert vote(torch.zeros(7), torch.full((7,), -9.0)) == 1.0
    assert vote(torch.zeros(20), torch.zeros(0)) == 1.0


def test_rows_that_were_not_left_out_do_not_count():
    own = torch.linspace(-1.0, 0.5, 30)
    other = own + torch.linspace(-0.3, 0.2, 30)
    gaps = torch.full((20,), torch.nan)
    padded = vote(torch.cat([own, torch.zeros(20)]), torch.cat([other, gaps]))
    assert padded == vote(own, other)
    assert vote(torch.zeros(20), torch.cat([torch.full((7,), -9.0), gaps[:13]])) == 1.0


def test_log_density_is_the_normal_one():
    wanted = torch.distributions.Normal(1.0, 2.0).log_prob(torch.tensor(4.0))
    got = log_density(torch.tensor([4.0]), torch.tensor([1.0]), torch.tensor([4.0]))
    assert float(got) == pytest.approx(float(wanted))
