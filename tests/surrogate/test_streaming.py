from __future__ import annotations

import numpy as np
import pytest
import torch

from labloop.surrogate.transfer import fit


def test_streamed_moments_are_those_of_the_posterior(surrogate, candidates):
    streamed = surrogate.mean_and_variance(candidates, chunk=7, by_expert=True)
    with torch.no_grad():
        posterior = surrogate.posterior(torch.as_tensor(candidates))
    scale = surrogate.scale
    assert np.allclose(streamed.mean, posterior.mean.numpy(), atol=1e-3 * scale.max())
    assert np.allclose(streamed.variance, posterior.variance.numpy(), rtol=0.02, atol=1e-3)
    assert streamed.expert_mean is not None
    assert streamed.expert_variance is not None
    share = surrogate.weights[:, None, :]
    assert np.allclose((share * streamed.expert_mean).sum(0), streamed.mean)
    assert streamed.expert_mean.shape == (len(surrogate.experts), 50, 2)


def exact(surrogate, X):
    with torch.no_grad():
        posterior = surrogate.posterior(torch.as_tensor(X))
    return posterior.mean.numpy(), posterior.variance.numpy()


@pytest.mark.parametrize(("noise", "chunk", "close"), [
    (1e-3, 16, 1e-4), (1e-3, 1024, 1e-4), (0.3, 1024, 1e-4), (0.3, 16, 0.05),
])  # fmt: skip
def test_streams_are_exact_for_tiny_noise_and_for_few_rows(candidates, noise, chunk, close):
    random = np.random.default_rng(2)
    X = random.random((150, 6))
    Y = np.sin(4.0 * X[:, :1]) + X[:, 1:2] * X[:, 2:3]
    sem = noise * Y.std()
    surrogate = fit(None, X, Y + sem * random.normal(size=Y.shape), np.full_like(Y, sem**2))
    asked = np.concatenate([candidates, X[:20]])
    streamed = surrogate.mean_and_variance(asked, chunk=chunk)
    mean, variance = exact(surrogate, asked)
    assert (np.abs(streamed.mean - mean) < close * np.sqrt(variance)).all()
    assert np.allclose(streamed.variance, variance, rtol=close, atol=0)


def test_chunks_do_not_change_predictions(surrogate, candidates):
    whole = surrogate.mean_and_variance(candidates, chunk=50)
    parts = surrogate.mean_and_variance(candidates, chunk=13)
    assert np.allclose(whole.mean, parts.mean, atol=1e-3)


def test_progress_may_interrupt_a_stream(surrogate, candidates):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        surrogate.mean_and_variance(candidates, chunk=5, progress=stop)


def test_blocks_of_chunks_change_no_digit(surrogate, monkeypatch):
    X = np.random.default_rng(1).random((200, 6))
    found = []
    for block in (1, 2, 8):
        monkeypatch.setattr("labloop.surrogate.streaming.BLOCK", block)
        found.append(surrogate.mean_and_variance(X, chunk=16, by_expert=True))
    for other in found[1:]:
        assert np.array_equal(found[0].expert_mean, other.expert_mean)
        assert np.array_equal(found[0].expert_variance, other.expert_variance)
