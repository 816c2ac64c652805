from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch

from labloop.surrogate.foresight import trust_sd_after, variance_after
from labloop.surrogate.gp import fit_process
from labloop.surrogate.kernels import (
    OWN_ROWS,
    RESIDUAL_GP,
    TRUST_VARIANCE,
    covariance,
)
from labloop.surrogate.points import Points


def points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 3, generator=generator, dtype=torch.float64)
    phi = torch.cat([x - 0.5, (x - 0.5) ** 2], dim=1)
    no_members = [x.new_zeros(n, 0, 1)] * (len(fields(Points)) - 3)
    return Points(x, phi, torch.sin(3 * x[:, :1]), *no_members)


def joined(one, other):
    return Points(*(torch.cat([getattr(p, name) for p in (one, other)]) for name in vars(one)))


def fitted(shape, rows):
    train = points(rows)
    y = torch.sin(3 * train.x[:, 0]) + train.x[:, 1]
    unknown = torch.full((rows,), math.nan, dtype=torch.float64)
    return fit_process(shape, train, y, unknown, 0), train


@pytest.mark.parametrize("rows", [0, 15])
def test_the_scale_is_as_well_known_as_if_the_rows_were_measured(rows):
    process, train = fitted(RESIDUAL_GP, rows)
    planned = points(6, seed=1)
    every = joined(train, planned)
    K = covariance(RESIDUAL_GP, process.theta, every, every, 0)
    K = K + process.noise * torch.eye(len(every.x))
    h = every.prior[:, 0]
    wanted = TRUST_VARIANCE - TRUST_VARIANCE**2 * float(h @ torch.linalg.solve(K, h))
    after = trust_sd_after(process, planned)
    assert after == pytest.approx(math.sqrt(wanted), abs=1e-4)
    assert after < process.trust[1]


@pytest.mark.parametrize("shape", [OWN_ROWS, RESIDUAL_GP])
@pytest.mark.parametrize("rows", [0, 15])
def test_variances_are_those_of_the_process_with_the_rows(shape, rows):
    process, train = fitted(shape, rows)
    planned, over = points(6, seed=1), points(9, seed=2)
    every = joined(train, planned)
    K = covariance(shape, process.theta, every, every, 0)
    K = K + process.noise * torch.eye(len(every.x))
    k = covariance(shape, process.theta, over, every, 0).expand(9, len(every.x))
    own = covariance(shape, process.theta, over, over, 0).diagonal()
    wanted = own - (k * torch.linalg.solve(K, k.mT).mT).sum(1)
    after = variance_after(process, planned, over)
    assert torch.allclose(after, wanted.clamp_min(1e-8), atol=1e-4)
    assert (after <= process.marginal(over)[1]).all()
