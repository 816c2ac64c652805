from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement, PosteriorMean
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.optim import optimize_acqf, optimize_acqf_discrete
from botorch.sampling.normal import SobolQMCNormalSampler

from labloop.surrogate.transfer import fit


def test_draws_are_joint_seeded_and_of_the_right_size(surrogate, candidates):
    drawn = surrogate.draw(candidates, 400, seed=3)
    assert drawn.shape == (400, 50, 2)
    assert np.array_equal(drawn, surrogate.draw(candidates, 400, seed=3))
    assert not np.array_equal(drawn, surrogate.draw(candidates, 400, seed=4))
    twins = surrogate.draw(np.repeat(candidates[:1], 2, axis=0), 50)
    assert np.abs(twins[:, 0] - twins[:, 1]).max() < 0.01 * surrogate.scale.max()


def test_noise_widens_the_posterior_by_what_was_asked(surrogate, candidates):
    X = torch.as_tensor(candidates[:3])
    with torch.no_grad():
        plain = surrogate.posterior(X).variance
        noisy = surrogate.posterior(X, observation_noise=True).variance
        given = surrogate.posterior(X, observation_noise=torch.full((3, 2), 7.0)).variance
    assert np.allclose((noisy - plain).numpy(), surrogate.noise, rtol=1e-6)
    assert torch.allclose(given - plain, torch.full((3, 2), 7.0).double())


def test_outputs_can_be_chosen(surrogate, candidates):
    X = torch.as_tensor(candidates[:4])
    with torch.no_grad():
        both, second = surrogate.posterior(X), surrogate.posterior(X, output_indices=[1])
    assert torch.allclose(second.mean[..., 0], both.mean[..., 1])
    assert torch.allclose(second.variance[..., 0], both.variance[..., 1])


def test_gradients_reach_the_inputs(surrogate, candidates):
    X = torch.as_tensor(candidates[:2].copy()).requires_grad_()
    surrogate.posterior(X).rsample(torch.Size([8])).sum().backward()
    assert X.grad is not None
    assert torch.isfinite(X.grad).all()
    assert (X.grad[:, 0] != 0).all()


def one_response(values: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:
    return values[..., 0]


def acquisition(name, surrogate, lines):
    baseline = torch.as_tensor(lines.own_x)
    sampler = SobolQMCNormalSampler(torch.Size([16]), seed=1)
    objective = GenericMCObjective(one_response)
    if name == "qLogEI":
        return qLogExpectedImprovement(surrogate, 4.0, sampler=sampler, objective=objective)
    if name == "qLogNEI":
        return qLogNoisyExpectedImprovement(
            surrogate, baseline, sampler=sampler, objective=objective
        )
    return qLogNoisyExpectedHypervolumeImprovement(
        surrogate, ref_point=[0.0, 0.0], X_baseline=baseline, sampler=sampler
    )


# The forest's steps can end a line search; BoTorch then starts anew and says so.
@pytest.mark.filterwarnings("ignore:Optimization failed:RuntimeWarning")
@pytest.mark.parametrize("name", ["qLogEI", "qLogNEI", "qLogNEHVI"])
def test_botorch_optimises_batches(surrogate, lines, candidates, name):
    value = acquisition(name, surrogate, lines)
    bounds = torch.tensor([[0.0] * 6, [1.0] * 6], dtype=torch.float64)
    found, best = optimize_acqf(
        value, bounds, q=2, num_restarts=1, raw_samples=8, options={"maxiter": 5}
    )
    assert found.shape == (2, 6)
    assert torch.isfinite(best).all()
    chosen, _ = optimize_acqf_discrete(value, q=2, choices=torch.as_tensor(candidates))
    rows = {tuple(row) for row in candidates.tolist()}
    assert all(tuple(row) in rows for row in chosen.tolist())


def test_botorch_s_analytic_acquisitions_work_on_one_response(lines, candidates):
    model = fit(None, lines.own_x, lines.own_y[:, :1])
    X = torch.as_tensor(candidates).unsqueeze(1)
    with torch.no_grad():
        assert torch.allclose(PosteriorMean(model)(X), model.posterior(X).mean.flatten())
        assert torch.isfinite(LogExpectedImprovement(model, best_f=3.0)(X)).all()
