from __future__ import annotations

import pytest
import torch

from labloop.surrogate.experts import calibrated_ensemble, plain_ensemble
from labloop.surrogate.kernels import LEVEL_VARIANCE
from labloop.surrogate.points import Points


def ensemble(values, y, seen, noise=0.1):
    one = torch.ones((), dtype=torch.float64)
    noises = torch.full((len(y),), noise, dtype=torch.float64)
    return calibrated_ensemble("tuned", values, y, seen, 0, noises, one.expand(2), 0.5 * one)


def test_a_row_that_every_member_saw_has_no_left_out_prediction():
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0], [2.0, 2.0]], dtype=torch.float64)
    y = torch.tensor([2.0, torch.nan, 2.0], dtype=torch.float64)
    seen = torch.tensor([[True, False, True], [False, True, True]])
    found = ensemble(values, y, seen)
    assert found.left_out_mean[0] == 3.0
    assert torch.isnan(found.left_out_mean[1])
    assert len(found.left_out_mean) == len(found.left_out_variance) == 2
    assert found.rows.tolist() == [0, 2]
    assert float(found.noise) == 0.5


def test_rows_that_nobody_left_out_leave_the_spread_alone():
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0]], dtype=torch.float64)
    seen = torch.tensor([[True, True], [False, True]])
    near, far = (
        ensemble(values, torch.tensor([2.0, second], dtype=torch.float64), seen)
        for second in (6.0, 900.0)
    )
    assert torch.equal(near.inflation, far.inflation)
    assert torch.equal(near.discrepancy, far.discrepancy)


def test_members_far_from_what_they_left_out_are_spread_wider():
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(60, 8, generator=generator, dtype=torch.float64)
    seen = torch.rand(8, 60, generator=generator) < 0.6
    near, far = (ensemble(values, scale * values.mean(1), seen, 0.01) for scale in (1.0, 8.0))
    assert near.inflation + near.discrepancy < 0.3 * (far.inflation + far.discrepancy)


def test_without_any_row_the_level_is_unknown():
    values, y = torch.zeros(0, 8, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    found = ensemble(values, y, torch.zeros(8, 0, dtype=torch.bool))
    assert float(found.level) == LEVEL_VARIANCE
    one_row = ensemble(
        torch.zeros(1, 8).double(), torch.zeros(1).double(), seen=torch.zeros(8, 1) > 0
    )
    assert float(one_row.level) == 0.0


@pytest.mark.parametrize("saw", [True, False])
def test_a_single_member_has_no_spread_but_a_prediction(saw):
    y = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    seen = torch.full((1, 3), saw)
    x = torch.rand(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = Points(x, x[:, :0], x[:, :1], y.reshape(3, 1, 1) - 0.5, x.new_zeros(3, 0, 1), x[:, :0])
    for found in (
        ensemble(y.unsqueeze(1) - 0.5, y, seen),
        plain_ensemble(0, 2, torch.tensor(0.1, dtype=torch.float64)),
    ):
        for mean, spread in (found.marginal(points), found.joint(points)):
            assert torch.equal(mean, y - 0.5)
            assert torch.isfinite(spread).all()
    found = ensemble(y.unsqueeze(1) - 0.5, y, seen)
    assert torch.isnan(found.left_out_mean).tolist() == [saw] * 3
    assert (found.left_out_variance > 0).all()
