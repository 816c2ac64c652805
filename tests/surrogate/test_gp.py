from __future__ import annotations

import math

import pytest
import torch

from labloop.surrogate.curves import curve_features
from labloop.surrogate.gp import _Matern, factor, fit_process
from labloop.surrogate.kernels import (
    OWN_CURVES,
    OWN_ROWS,
    RESIDUAL_GP,
    TRUST_VARIANCE,
    covariance,
    matern,
    noise_of,
)
from labloop.surrogate.points import Points

SHAPES = [OWN_ROWS, OWN_CURVES, RESIDUAL_GP]


def points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 3, generator=generator, dtype=torch.float64)
    phi = torch.cat([x - 0.5, (x - 0.5) ** 2], dim=1)
    return Points(x, phi, torch.sin(3 * x[:, :1]), *[x.new_zeros(n, 0, 1)] * 2, curve_features(x))


def unknown(n):
    return torch.full((n,), math.nan, dtype=torch.float64)


def values(p):
    return torch.sin(3 * p.x[:, 0]) + p.x[:, 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_many_rows_reach_the_optimum_by_way_of_a_part_of_them(shape, monkeypatch):
    p = points(60)
    y = values(p) + 0.1 * torch.randn(60, generator=torch.Generator().manual_seed(1)).double()
    whole = fit_process(shape, p, y, unknown(60), 0)
    monkeypatch.setattr("labloop.surrogate.gp.NEARING_ROWS", 20)
    by_part = fit_process(shape, p, y, unknown(60), 0)
    test = points(9, seed=2)
    for one, other in zip(whole.marginal(test), by_part.marginal(test), strict=True):
        assert torch.allclose(one, other, rtol=0.01, atol=1e-3)
    monkeypatch.setattr("labloop.surrogate.gp._maximised", lambda *a: a[-2])  # where it starts
    assert not torch.allclose(
        fit_process(shape, p, y, unknown(60), 0).marginal(test)[1],
        whole.marginal(test)[1],
        rtol=0.05,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_textbook_solution(shape):
    train, test = points(25), points(6, seed=1)
    y = values(train)
    gp = fit_process(shape, train, y, unknown(25), 0)
    K = covariance(shape, gp.theta, train, train, 0) + gp.theta.noise * torch.eye(25)
    k = covariance(shape, gp.theta, test, train, 0)
    prior = train.prior[:, 0] if shape.history else torch.zeros(25)
    start = test.prior[:, 0] if shape.history else torch.zeros(6)
    wanted_mean = start + k @ torch.linalg.solve(K, y - prior)
    wanted = covariance(shape, gp.theta, test, test, 0) - k @ torch.linalg.solve(K, k.mT)
    mean, joint = gp.joint(test)
    assert torch.allclose(mean, wanted_mean, atol=1e-5)
    assert torch.allclose(joint, wanted, atol=1e-5)
    marginal_mean, marginal = gp.marginal(test)
    assert torch.allclose(marginal_mean, mean, atol=1e-9)
    assert torch.allclose(marginal, joint.diagonal().clamp_min(1e-8), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_stripes_of_a_triangle_take_the_same_variance_away(shape, monkeypatch):
    p, test = points(25), points(6, seed=1)
    process = fit_process(shape, p, values(p), unknown(25), 0)
    joint_mean, joint = process.joint(test)
    for stripe in (1, 7, 25, 40):
        monkeypatch.setattr("labloop.surrogate.gp.STRIPE", stripe)
        mean, variance = process.marginal(test)
        assert torch.allclose(mean, joint_mean)
        assert torch.allclose(variance, joint.diagonal(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_left_out_predictions_are_those_of_the_process_without_the_row(shape):
    train = points(12)
    y = values(train) + 0.1 * torch.arange(12) % 3
    gp = fit_process(shape, train, y, unknown(12), 0)
    K = covariance(shape, gp.theta, train, train, 0) + gp.theta.noise * torch.eye(12)
    rest = torch.arange(1, 12)
    prior = train.prior[:, 0] if shape.history else torch.zeros(12)
    solved = torch.linalg.solve(K[rest][:, rest], K[rest, 0])
    assert float(gp.left_out_mean[0]) == pytest.approx(
        float(prior[0] + solved @ (y - prior)[rest]), abs=1e-4
    )
    assert float(gp.left_out_variance[0]) == pytest.approx(
        float(K[0, 0] - solved @ K[rest, 0]), rel=1e-3
    )


def test_trust_is_near_one_where_the_history_is_right_and_lower_where_it_is_not():
    train = points(40)
    good = fit_process(RESIDUAL_GP, train, train.prior[:, 0] * 1.0, unknown(40), 0).trust
    wrong = fit_process(RESIDUAL_GP, train, torch.cos(9 * train.x[:, 2]), unknown(40), 0).trust
    assert abs(good[0] - 1.0) < 0.2
    assert wrong[0] < 0.6
    assert good[1] <= math.sqrt(TRUST_VARIANCE)


def test_known_variances_are_used_where_given():
    known = unknown(4)
    known[:2] = torch.tensor([0.5, 0.0])
    gp = fit_process(OWN_ROWS, points(4), torch.tensor([0.0, 1.0, 2.0, 1.0]).double(), known, 0)
    noise = noise_of(gp.theta, known)
    assert noise[:2].tolist() == pytest.approx(
        [0.5 + float(gp.theta.excess), float(gp.theta.excess)]
    )
    assert noise[2:].tolist() == [float(gp.theta.noise)] * 2


def test_a_row_of_great_variance_is_not_followed():
    train = points(20)
    y = values(train)
    y[3] += 50.0
    known = torch.full((20,), 1e-3, dtype=torch.float64)
    known[3] = 1e4
    gp = fit_process(OWN_ROWS, train, y, known, 0)
    mean, _ = gp.marginal(train)
    assert abs(float(mean[3]) - float(values(train)[3])) < 1.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_give_a_usable_process(shape, rows):
    gp = fit_process(shape, points(rows), values(points(rows)), unknown(rows), 0)
    mean, variance = gp.marginal(points(5, seed=2))
    assert torch.isfinite(mean).all()
    assert (variance > 0).all()


def test_conflicting_repeats_and_missing_values_are_survived():
    train = points(10).take(torch.zeros(10, dtype=torch.int64))
    y = torch.tensor([1.0, -1.0] * 5, dtype=torch.float64)
    y[4] = math.nan
    gp = fit_process(OWN_ROWS, train, y, unknown(10), 0)
    assert len(gp.weights) == 9
    mean, variance = gp.marginal(train)
    assert torch.isfinite(mean).all()
    assert (variance > 0).all()
    assert float(gp.noise) > 0.3


def test_more_rows_than_a_process_keeps_are_thinned_the_same_way_twice(monkeypatch):
    monkeypatch.setattr("labloop.surrogate.gp.MAX_ANCHORS", 15)
    train = points(40)
    one = fit_process(OWN_ROWS, train, values(train), unknown(40), 0, seed=1)
    two = fit_process(OWN_ROWS, train, values(train), unknown(40), 0, seed=1)
    assert len(one.weights) == 15
    assert torch.equal(one.weights, two.weights)


def test_rows_that_stand_for_limits_teach_but_are_neither_scored_nor_counted_as_noise():
    train = points(12)
    y, known = values(train), torch.full((12,), 0.01, dtype=torch.float64)
    known[8:] = 50.0
    measured = torch.arange(12) < 8
    gp = fit_process(OWN_ROWS, train, y, known, 0, measured=measured)
    assert float(gp.noise) == pytest.approx(0.01 + float(gp.theta.excess))
    assert torch.equal(torch.isnan(gp.left_out_mean), ~measured)
    assert len(gp.weights) == 12


def test_the_kernel_that_is_fitted_is_the_one_that_predicts_and_its_gradient_is_right():
    x = points(12).x
    x = torch.cat([x, x[:1]])  # a copy: no distance, where a root has no slope
    lengthscale = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64, requires_grad=True)
    fitted = _Matern.apply(x, lengthscale)
    assert torch.allclose(fitted, matern(x / lengthscale, x / lengthscale), atol=1e-12)
    assert torch.autograd.gradcheck(lambda leaf: _Matern.apply(x, leaf), (lengthscale,))


def test_a_matrix_that_needs_jitter_leaves_the_others_of_its_batch_alone():
    easy = torch.eye(3, dtype=torch.float64) + 1.0
    hard = torch.diag(torch.tensor([1.0, 1.0, -1e-5], dtype=torch.float64))
    together = factor(torch.stack([easy, hard]))
    assert torch.equal(together[0], factor(easy))
    assert torch.equal(together[1], factor(hard))
    assert torch.allclose(together[0] @ together[0].mT, easy, atol=1e-7)
    assert torch.allclose(together[1] @ together[1].mT, hard, atol=1e-4)
