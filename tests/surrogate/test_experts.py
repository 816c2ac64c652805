from __future__ import annotations

import torch

from labloop.surrogate.experts import calibrated_ensemble
from labloop.surrogate.points import Points


def points(values: torch.Tensor) -> Points:
    """Points of which only the tuned members' values (n, M) matter."""
    n = len(values)
    empty = torch.zeros(n, 0, dtype=torch.float64)
    return Points(torch.rand(n, 2).double(), empty, empty, values.unsqueeze(-1))


def ensemble(values, y, seen):
    one = torch.ones((), dtype=torch.float64)
    return calibrated_ensemble(points(values), y, seen, 0, 0.1 * one, one.expand(2))


def test_a_row_that_every_member_saw_has_no_left_out_prediction():
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0], [2.0, 2.0]], dtype=torch.float64)
    y = torch.tensor([2.0, torch.nan, 2.0], dtype=torch.float64)
    seen = torch.tensor([[True, False, True], [False, True, True]])
    found = ensemble(values, y, seen)
    assert found.left_out_mean[0] == 3.0
    assert torch.isnan(found.left_out_mean[1])
    assert len(found.left_out_mean) == len(found.left_out_variance) == 2


def test_rows_that_nobody_left_out_leave_the_spread_alone():
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0]], dtype=torch.float64)
    seen = torch.tensor([[True, True], [False, True]])
    near, far = (
        ensemble(values, torch.tensor([2.0, second], dtype=torch.float64), seen)
        for second in (6.0, 900.0)
    )
    assert torch.equal(near.inflation, far.inflation)
    assert torch.equal(near.discrepancy, far.discrepancy)
