from __future__ import annotations

import torch
from botorch.sampling.get_sampler import get_sampler
from botorch.sampling.normal import IIDNormalSampler, SobolQMCNormalSampler

from labloop.surrogate.posterior import MixturePosterior


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
