from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from labloop.surrogate.kernels import matern
from labloop.surrogate.pathwise import Waves, draw_functions, spectrum
from labloop.surrogate.transfer import fit


@pytest.fixture(scope="module")
def formulas(lines):
    return np.concatenate([np.random.default_rng(9).random((5, 6)), lines.own_x[:2]])


def drawn(surrogate, X, seeds=48, samples=128):
    # every seed has random features of its own, whose error is thereby averaged too
    return np.concatenate(
        [surrogate.sample_functions(samples, seed=seed).values(X) for seed in range(seeds)]
    )


def assert_moments(values, posterior):
    """Compare draws (S, n, m) with a posterior, response by response, within sampling error."""
    mean, sd = posterior.mean.numpy(), posterior.variance.sqrt().numpy()
    assert (np.abs(values.mean(0) - mean) < 5.0 * sd / np.sqrt(len(values))).all()
    n, m = mean.shape
    joint = posterior.covariance_matrix.numpy().reshape(n, m, n, m)
    for j in range(m):
        size = np.outer(sd[:, j], sd[:, j])
        # five standard errors of a covariance of so many normal draws are 0.064 to 0.09 of this;
        # a mixture of wide and narrow experts has heavier tails, the more so the rarer the wide
        assert (np.abs(np.cov(values[:, :, j].T) - joint[:, j, :, j]) < 0.25 * size).all()


def at(surrogate, X):
    with torch.no_grad():
        return surrogate.posterior(torch.as_tensor(X))


@pytest.mark.parametrize("count", [0, 1, 30])
def test_functions_have_the_posterior_s_moments(pretrained, lines, formulas, count):
    model = fit(pretrained, lines.own_x[:count], lines.own_y[:count])
    assert_moments(drawn(model, formulas), at(model, formulas))


def test_functions_of_the_patent_s_model_have_its_moments(plain, lines, formulas):
    model = fit(plain, lines.own_x, lines.own_y, transfer="patent")
    assert_moments(drawn(model, formulas), at(model, formulas))


@pytest.mark.parametrize("noise", [1e-3, 0.3])
def test_functions_follow_known_noise_of_rows_with_missing_values(lines, formulas, noise):
    Y = lines.own_y.copy()
    Y[::3, 1] = np.nan
    variance = np.full_like(Y, noise**2)
    variance[::2] *= 100.0
    model = fit(None, lines.own_x, Y, variance)
    assert_moments(drawn(model, formulas), at(model, formulas))


def test_responses_of_equal_kernels_are_correlated_as_in_the_posterior(lines, formulas):
    model = fit(None, lines.own_x, lines.own_y)
    twin = fit(None, lines.own_x, lines.own_y[:, :1].repeat(2, axis=1))
    for rho in (-0.5, 0.9):
        twin.correlation = np.array([[1.0, rho], [rho, 1.0]])
        values, posterior = drawn(twin, formulas), at(twin, formulas)
        joint = posterior.covariance_matrix.view(7, 2, 7, 2)[:, 0, :, 1].numpy()
        sd = posterior.variance.sqrt().numpy()
        away = values - values.mean(0)
        got = np.einsum("sn,sk->nk", away[:, :, 0], away[:, :, 1]) / len(values)
        assert (np.abs(got - joint) < 0.09 * np.outer(sd[:, 0], sd[:, 1])).all()
    model.correlation = np.array([[1.0, 0.9], [0.9, 1.0]])
    unlike = drawn(model, formulas, seeds=1)
    assert np.corrcoef(unlike[:, 0, 0], unlike[:, 0, 1])[0, 1] > 0.4


def test_a_function_is_the_same_however_formulas_are_handed_in(surrogate):
    X = np.random.default_rng(1).random((200, 6))
    functions = surrogate.sample_functions(12, seed=3)
    whole = functions.values(X, chunk=200)
    assert whole.shape == (12, 200, 2)
    close = 1e-4 * surrogate.scale.max()
    assert np.allclose(functions.values(X, chunk=37), whole, atol=close, rtol=0)
    later = np.concatenate([functions.values(X[150:]), functions.values(X[:150])], axis=1)
    assert np.allclose(later, whole[:, np.r_[150:200, 0:150]], atol=close, rtol=0)


def test_seeds_decide(surrogate, formulas):
    one, same, other = (
        surrogate.sample_functions(8, seed=seed).values(formulas) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_functions_of_trees_move_in_steps(surrogate):
    functions = surrogate.sample_functions(64, seed=1)
    line = np.full((400, 6), 0.5)
    line[:, 0] = np.linspace(0.4, 0.4001, 400)
    jumps = np.abs(np.diff(functions.values(line), axis=1)).max(axis=(1, 2))
    assert functions.in_steps.any()
    assert not functions.in_steps.all()
    assert jumps[~functions.in_steps].max() < 1e-3


def test_experts_take_their_shares_of_the_draws_in_any_order(surrogate):
    weights = torch.tensor([[0.5, 0.5], [0.25, 0.25], [0.25, 0.0], [0.0, 0.25]]).double()

    def experts_of(seed, samples):
        _, paths = draw_functions(
            surrogate._describe, surrogate._processes, weights, torch.eye(2).double(), 30,
            samples, seed,
        )  # fmt: skip
        chosen = np.empty((samples, 2), dtype=int)
        for j, draws, path in paths:
            expert = [each[j] for each in surrogate._processes.values()]
            chosen[draws.numpy(), j] = next(i for i, e in enumerate(expert) if e is path.expert)
        return chosen

    chosen = experts_of(0, 16)
    assert np.bincount(chosen[:, 0], minlength=4).tolist() == [8, 4, 4, 0]
    assert np.bincount(chosen[:, 1], minlength=4).tolist() == [8, 4, 0, 4]
    assert (chosen[:, 0] == chosen[:, 1]).sum() == 12
    assert (np.diff(chosen[:, 0]) < 0).any()
    assert {int(experts_of(seed, 1)[0, 0]) for seed in range(30)} == {0, 1, 2}


@pytest.mark.parametrize("columns", [1, 6, 50])
def test_random_features_have_the_matern_kernel(columns):
    x = torch.rand(40, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    length = torch.full((columns,), 0.5 * columns**0.5, dtype=torch.float64)
    features = Waves(spectrum(columns, seed=1))(x, length)
    assert torch.allclose(features.square().sum(-1), torch.ones(40, dtype=torch.float64))
    assert (features @ features.mT - matern(x / length, x / length)).abs().max() < 0.1


def test_progress_may_interrupt_an_evaluation(surrogate):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        surrogate.sample_functions(2).values(np.zeros((9, 6)), chunk=3, progress=stop)


@dataclass(frozen=True)
class Stranger:
    response: int = 0


def test_an_expert_without_functions_is_named(surrogate):
    with pytest.raises(NotImplementedError) as refusal:
        draw_functions(
            surrogate._describe, {"stranger": [Stranger()]}, torch.ones(1, 1).double(),
            torch.eye(1).double(), 30, 2, 0,
        )  # fmt: skip
    assert str(refusal.value) == "Stranger has no draws of whole functions."
