from __future__ import annotations

import pytest
import torch
from botorch.sampling.get_sampler import get_sampler
from botorch.sampling.normal import IIDNormalSampler, SobolQMCNormalSampler
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.surrogate.posterior import MixturePosterior, coupled


def mixture(batch=(), weights=((0.5, 0.25), (0.25, 0.75), (0.25, 0.0))):
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(*batch, 3, 2, 4, 4, generator=generator, dtype=torch.float64)
    means = 3.0 * torch.randn(*batch, 3, 2, 4, generator=generator, dtype=torch.float64)
    return MixturePosterior(means, root @ root.mT, torch.tensor(weights, dtype=torch.float64))


def test_moments_are_those_of_the_mixture():
    p = mixture()
    w, mean, variance = p.weights[:, 0], p.means[:, 0, 1], p.covariances[:, 0, 1, 1]
    wanted = (w * mean).sum()
    assert torch.isclose(p.mean[1, 0], wanted)
    assert torch.isclose(p.variance[1, 0], (w * (variance + mean**2)).sum() - wanted**2)


def test_samples_have_the_mixture_s_moments_jointly():
    p = mixture()
    sampler = SobolQMCNormalSampler(torch.Size([8192]), seed=1)
    drawn = sampler(p)
    assert drawn.shape == (8192, 4, 2)
    assert torch.allclose(drawn.mean(0), p.mean, atol=0.03)
    assert torch.allclose(drawn.var(0), p.variance, rtol=0.03)
    between = torch.einsum("k,ki,kj->ij", p.weights[:, 0], p.means[:, 0], p.means[:, 0])
    wanted = torch.einsum("k,kij->ij", p.weights[:, 0], p.covariances[:, 0]) + between
    wanted = wanted - torch.outer(p.mean[:, 0], p.mean[:, 0])
    assert torch.allclose(torch.cov(drawn[..., 0].T), wanted, atol=0.03 * float(wanted.abs().max()))


def test_each_expert_gives_its_share_of_the_samples():
    means = torch.tensor([0.0, 100.0, 200.0], dtype=torch.float64).view(3, 1, 1)
    p = MixturePosterior(
        means, 1e-6 * torch.ones(3, 1, 1, 1, dtype=torch.float64),
        torch.tensor([[0.5], [0.25], [0.25]], dtype=torch.float64),
    )  # fmt: skip
    drawn = p.rsample(torch.Size([64])).round().flatten()
    assert [int((drawn == value).sum()) for value in (0.0, 100.0, 200.0)] == [32, 16, 16]


def test_shapes_follow_sample_and_batch():
    p = mixture(batch=(5, 2))
    assert p.mean.shape == p.variance.shape == (5, 2, 4, 2)
    assert p.rsample().shape == (1, 5, 2, 4, 2)
    assert p.rsample(torch.Size([3, 6])).shape == (3, 6, 5, 2, 4, 2)
    assert get_sampler(p, torch.Size([8]))(p).shape == (8, 5, 2, 4, 2)


def test_one_draw_at_a_time_comes_from_every_expert():
    torch.manual_seed(0)
    means = torch.tensor([0.0, 100.0], dtype=torch.float64).view(2, 1, 1)
    p = MixturePosterior(
        means, 1e-6 * torch.ones(2, 1, 1, 1, dtype=torch.float64),
        torch.tensor([[0.5], [0.5]], dtype=torch.float64),
    )  # fmt: skip
    drawn = {float(p.rsample(torch.Size([1])).round()) for _ in range(40)}
    assert drawn == {0.0, 100.0}


def test_batches_share_base_samples_so_that_equal_points_get_equal_draws():
    p = mixture()
    twice = MixturePosterior(
        p.means.expand(2, *p.means.shape), p.covariances.expand(2, *p.covariances.shape), p.weights
    )
    drawn = get_sampler(twice, torch.Size([16]), seed=0)(twice)
    assert torch.equal(drawn[:, 0], drawn[:, 1])


def test_sampler_is_sobol_until_the_dimension_is_too_great():
    assert isinstance(get_sampler(mixture(), torch.Size([4])), SobolQMCNormalSampler)
    many = MixturePosterior(
        torch.zeros(1, 3, 8000), torch.zeros(1, 3, 1, 1).expand(1, 3, 8000, 8000), torch.ones(1, 3)
    )
    assert isinstance(get_sampler(many, torch.Size([4])), IIDNormalSampler)


CORRELATED = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)


def correlated(**kwargs):
    p = mixture(**kwargs)
    return MixturePosterior(p.means, p.covariances, p.weights, CORRELATED)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 999), st.floats(0.0, 0.6))
def test_coupling_keeps_the_shares_and_agrees_as_often_as_possible(experts, responses, seed, zero):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(experts, responses, generator=generator, dtype=torch.float64)
    weights[1:][torch.rand(experts - 1, responses, generator=generator) < zero] = 0.0
    weights /= weights.sum(0)
    shares, chosen = coupled(weights)
    assert float(shares.sum()) == pytest.approx(1.0)
    for k in range(experts):
        got = (shares.unsqueeze(-1) * (chosen == k)).sum(0)
        assert torch.allclose(got, weights[k], atol=1e-7)
    agree = (chosen == chosen[:, :1]).all(1)
    assert float(shares[agree].sum()) >= float(weights.amin(1).sum()) - 1e-7


def test_equal_weights_make_every_draw_one_expert_s():
    weights = torch.full((4, 3), 0.25, dtype=torch.float64)
    shares, chosen = coupled(weights)
    assert torch.allclose(shares, torch.full((4,), 0.25, dtype=torch.float64))
    assert torch.equal(chosen, torch.arange(4).unsqueeze(-1).expand(4, 3))


def test_correlation_leaves_each_response_as_it_is():
    plain, together = mixture(batch=(2,)), correlated(batch=(2,))
    assert torch.equal(plain.mean, together.mean)
    assert torch.equal(plain.variance, together.variance)
    drawn = SobolQMCNormalSampler(torch.Size([8192]), seed=1)(together)
    assert torch.allclose(drawn.mean(0), together.mean, atol=0.03)
    assert torch.allclose(drawn.var(0), together.variance, rtol=0.03)


@pytest.mark.parametrize("make", [mixture, correlated])
def test_draws_have_the_joint_covariance_of_points_and_responses(make):
    p = make()
    drawn = SobolQMCNormalSampler(torch.Size([32768]), seed=1)(p).flatten(1)
    wanted = p.covariance_matrix
    assert torch.allclose(torch.cov(drawn.T), wanted, atol=0.02 * float(wanted.abs().max()))
    assert torch.allclose(wanted.diagonal().view(4, 2), p.variance)
    assert float(torch.linalg.eigvalsh(wanted)[0]) > 0


def test_equal_covariances_are_correlated_by_the_factor_asked():
    p = mixture(weights=((1.0, 1.0), (0.0, 0.0), (0.0, 0.0)))
    covariances = p.covariances[:, :1].expand(3, 2, 4, 4)
    joint = MixturePosterior(p.means, covariances, p.weights, CORRELATED).covariance_matrix
    cross = joint.view(4, 2, 4, 2)[:, 0, :, 1]
    assert torch.allclose(cross, 0.8 * covariances[0, 0], atol=1e-6)


@pytest.mark.parametrize("make", [mixture, correlated])
def test_a_weighted_sum_has_the_moments_and_draws_of_the_responses_it_sums(make):
    p = make(batch=(2,))
    weights = torch.tensor([0.5, -2.0], dtype=torch.float64)
    total = p.scalarize(weights, offset=3.0)
    assert total.mean.shape == total.variance.shape == (2, 4, 1)
    assert torch.allclose(total.mean[..., 0], p.mean @ weights + 3.0)
    spread = torch.kron(torch.eye(4, dtype=torch.float64), weights)
    wanted = spread @ p.covariance_matrix @ spread.T
    assert torch.allclose(total.covariance_matrix, wanted, rtol=1e-6, atol=1e-6)
    assert torch.allclose(total.weights.sum(0), torch.ones(1, dtype=torch.float64))


def test_as_many_weights_as_responses_are_needed():
    with pytest.raises(RefusedError) as refusal:
        mixture().scalarize(torch.ones(3))
    assert str(refusal.value) == (
        "The responses are weighed by a tensor of shape (3,), the posterior has 2: "
        "give one weight for each."
    )


def test_no_points_give_empty_draws():
    p = MixturePosterior(
        torch.zeros(3, 2, 0), torch.zeros(3, 2, 0, 0), torch.full((3, 2), 1 / 3), CORRELATED
    )
    assert p.rsample(torch.Size([5])).shape == (5, 0, 2)


def test_base_samples_have_to_begin_with_the_sample_shape():
    with pytest.raises(RuntimeError) as refusal:
        mixture().rsample_from_base_samples(torch.Size([3]), torch.zeros(2, 4, 2))
    assert str(refusal.value) == (
        "base_samples of shape (2, 4, 2) do not start with sample_shape (3,)"
    )
