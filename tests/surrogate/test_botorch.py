"""BoTorch's own acquisition functions and optimisers on the fitted surrogate."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from botorch.acquisition.analytic import (
    LogExpectedImprovement,
    PosteriorMean,
    UpperConfidenceBound,
)
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.monte_carlo import qUpperConfidenceBound
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.objective import PosteriorTransform, ScalarizedPosteriorTransform
from botorch.exceptions import UnsupportedError
from botorch.optim import optimize_acqf, optimize_acqf_discrete, optimize_acqf_mixed
from botorch.sampling.normal import SobolQMCNormalSampler

from labloop.errors import RefusedError
from labloop.surrogate.transfer import fit

BOUNDS = torch.tensor([[0.0] * 6, [1.0] * 6], dtype=torch.float64)
SUM = ScalarizedPosteriorTransform(torch.tensor([0.3, 0.7], dtype=torch.float64), offset=1.0)

# The forest's steps can end a line search; BoTorch then starts anew and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Optimization failed:RuntimeWarning")


@pytest.fixture(scope="module")
def single(surrogate):
    return surrogate.subset_output([0])


def rows(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, 6, generator=generator, dtype=torch.float64)


def sampler(samples=16):
    return SobolQMCNormalSampler(torch.Size([samples]), seed=1)


def acquisition(name, surrogate, lines, pending=None):
    single = surrogate.subset_output([0])
    baseline = torch.as_tensor(lines.own_x)
    noisy = {"X_pending": pending, "prune_baseline": True, "sampler": sampler()}
    makers = {
        "qLogNEI": lambda: qLogNoisyExpectedImprovement(single, baseline, **noisy),
        "qLogNEI of a sum": lambda: qLogNoisyExpectedImprovement(
            surrogate, baseline, posterior_transform=SUM, **noisy
        ),
        "qLogEI": lambda: qLogExpectedImprovement(
            single, 2.0, sampler=sampler(), X_pending=pending
        ),
        "qUCB": lambda: qUpperConfidenceBound(single, 0.2, sampler=sampler(), X_pending=pending),
        "qLogNEHVI": lambda: qLogNoisyExpectedHypervolumeImprovement(
            surrogate, [-2.0, -2.0], baseline, **noisy
        ),
        "PosteriorMean": lambda: PosteriorMean(single),
        "UCB": lambda: UpperConfidenceBound(single, 2.0),
        "LogEI": lambda: LogExpectedImprovement(single, 2.0),
        "LogEI of a sum": lambda: LogExpectedImprovement(surrogate, 2.0, posterior_transform=SUM),
    }
    return makers[name]()


BATCHES = ["qLogNEI", "qLogNEI of a sum", "qLogEI", "qUCB", "qLogNEHVI"]
POINTS = ["PosteriorMean", "UCB", "LogEI", "LogEI of a sum"]


@pytest.mark.parametrize(("name", "q"), [*((n, 2) for n in BATCHES), *((n, 1) for n in POINTS)])
def test_acquisitions_have_finite_values_and_gradients_that_lead_upwards(surrogate, lines, name, q):
    value = acquisition(name, surrogate, lines)
    start = rows(3, q).requires_grad_()
    before = value(start)
    before.sum().backward()
    assert before.shape == (3,)
    assert torch.isfinite(before).all()
    assert torch.isfinite(start.grad).all()
    # a point that is in no draw the best of its batch has none of its own
    assert (start.grad[..., :5] != 0).flatten(1).any(-1).all()
    step = 1e-5 * start.grad / start.grad.flatten(1).norm(dim=1).view(3, 1, 1)
    with torch.no_grad():
        assert (value(start + step) > before).all()


@pytest.mark.parametrize(("name", "q"), [*((n, 2) for n in BATCHES), ("LogEI of a sum", 1)])
def test_optimising_improves_on_where_it_starts(surrogate, lines, name, q):
    value = acquisition(name, surrogate, lines)
    start = rows(1, q, seed=4)
    with torch.no_grad():
        before = value(start)
    found, best = optimize_acqf(
        value, BOUNDS, q=q, num_restarts=1, batch_initial_conditions=start,
        options={"maxiter": 8},
    )  # fmt: skip
    assert found.shape == (q, 6)
    assert ((found >= 0) & (found <= 1)).all()
    assert float(best) > float(before)


@pytest.mark.parametrize("name", ["qLogNEI", "qLogNEHVI"])
def test_what_is_pending_is_not_worth_proposing_again(surrogate, lines, name):
    with torch.no_grad():
        value = acquisition(name, surrogate, lines)
        formula = max(rows(64, 1, seed=2), key=lambda row: float(value(row[None])))[None]
        alone = value(formula)
        pending = acquisition(name, surrogate, lines, pending=formula[0])(formula)
    assert float(pending) < float(alone) - 1.0


def test_a_pending_formula_counts_as_one_of_the_batch(surrogate, lines):
    pair = rows(1, 2, seed=2)
    with torch.no_grad():
        pending = acquisition("qLogEI", surrogate, lines, pending=pair[0, 1:])(pair[:, :1])
        together = acquisition("qLogEI", surrogate, lines)(pair)
    assert torch.allclose(pending, together)


def test_discrete_and_mixed_optimisers_stay_on_what_is_allowed(single, lines):
    value = qLogNoisyExpectedImprovement(single, torch.as_tensor(lines.own_x), sampler=sampler())
    choices = rows(20)
    chosen, best = optimize_acqf_discrete(value, q=2, choices=choices)
    assert torch.isfinite(best).all()
    allowed = {tuple(row) for row in choices.tolist()}
    assert len({tuple(row) for row in chosen.tolist()} & allowed) == 2
    found, best = optimize_acqf_mixed(
        value, BOUNDS, q=2, num_restarts=1, raw_samples=4, options={"maxiter": 3},
        fixed_features_list=[{0: 0.0}, {0: 1.0}],
    )  # fmt: skip
    assert torch.isfinite(best).all()
    assert set(found[:, 0].tolist()) <= {0.0, 1.0}


def test_analytic_acquisitions_want_one_response(surrogate):
    with pytest.raises(UnsupportedError, match="posterior transform"):
        LogExpectedImprovement(surrogate, 2.0)


def test_a_weighted_sum_of_responses_is_predicted_as_such(surrogate):
    X = rows(4, 3)
    with torch.no_grad():
        both, total = surrogate.posterior(X), surrogate.posterior(X, posterior_transform=SUM)
        weights = SUM.weights
        assert torch.allclose(total.mean[..., 0], both.mean @ weights + 1.0)
        pairs = both.covariance_matrix.view(4, 3, 2, 3, 2).diagonal(dim1=1, dim2=3)
        wanted = torch.einsum("j,bjkq,k->bq", weights, pairs, weights)
        assert torch.allclose(total.variance[..., 0], wanted)


class Halved(PosteriorTransform):
    scalarize = False

    def evaluate(self, Y, X=None):
        return Y / 2

    def forward(self, posterior, X=None):
        posterior.means = posterior.means / 2
        posterior.covariances = posterior.covariances / 4
        return posterior


def test_other_transforms_are_called_with_the_posterior(surrogate):
    X = rows(3)
    with torch.no_grad():
        halved = surrogate.posterior(X, posterior_transform=Halved())
        assert torch.allclose(halved.mean, surrogate.posterior(X).mean / 2)


def moments(surrogate, X, kind):
    posterior = surrogate.posterior(X)
    if kind == "mean":
        return posterior.mean
    if kind == "variance":
        return posterior.variance
    if kind == "sum":
        return surrogate.posterior(X, posterior_transform=SUM).variance
    generator = torch.Generator().manual_seed(3)
    base = torch.randn(8, *posterior.base_sample_shape, generator=generator, dtype=torch.float64)
    return posterior.rsample_from_base_samples(torch.Size([8]), base)


@pytest.mark.parametrize("kind", ["mean", "variance", "sum", "samples"])
def test_gradients_are_those_of_finite_differences(surrogate, kind):
    X = (0.1 + 0.8 * rows(2, 3, seed=6)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: moments(surrogate, x, kind), (X,), eps=1e-6, atol=1e-5, rtol=1e-4, fast_mode=True
    )


def test_gradients_are_finite_at_measured_rows_and_at_the_corners(surrogate, lines):
    X = torch.cat([torch.as_tensor(lines.own_x[:3]), torch.zeros(1, 6), torch.ones(1, 6)]).double()
    X.requires_grad_()
    for kind in ("mean", "variance", "samples"):
        (gradient,) = torch.autograd.grad(moments(surrogate, X, kind).sum(), X)
        assert torch.isfinite(gradient).all()


def test_shapes_follow_batches_and_base_samples_are_shared_by_them(surrogate):
    for shape in [(1,), (3,), (2, 3), (4, 2, 3), (0,), (2, 0)]:
        posterior = surrogate.posterior(rows(*shape))
        assert posterior.mean.shape == posterior.variance.shape == (*shape, 2)
        assert posterior.rsample(torch.Size([5])).shape == (5, *shape, 2)
    X = rows(3).expand(4, 3, 6)
    drawn = sampler()(surrogate.posterior(X))
    assert torch.allclose(drawn, drawn[:, :1].expand_as(drawn))


def test_a_batch_predicts_what_its_parts_do(surrogate):
    X = rows(4, 3)
    with torch.no_grad():
        whole, part = surrogate.posterior(X), surrogate.posterior(X[1])
        assert torch.allclose(whole.mean[1], part.mean)
        assert torch.allclose(whole.variance[1], part.variance)


def test_single_precision_is_taken_in_and_answered_in_double(surrogate):
    X = rows(3).float().requires_grad_()
    posterior = surrogate.posterior(X)
    assert posterior.dtype == torch.float64
    posterior.mean.sum().backward()
    assert X.grad.dtype == torch.float32
    with torch.no_grad():
        assert torch.allclose(posterior.mean, surrogate.posterior(X.double()).mean)


def test_samples_repeat_with_torch_s_seed(surrogate):
    posterior = surrogate.posterior(rows(3))
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(posterior.sample(torch.Size([4])))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not drawn[0].requires_grad


def test_noise_of_another_shape_is_broadcast(surrogate):
    X = rows(4, 3)
    with torch.no_grad():
        plain = surrogate.posterior(X).variance
        for noise in (torch.full((1, 2), 5.0), torch.full((3, 2), 5.0), torch.full((4, 3, 2), 5.0)):
            added = surrogate.posterior(X, observation_noise=noise).variance - plain
            assert torch.allclose(added, torch.full_like(added, 5.0))
        second = surrogate.posterior(X, output_indices=[1], observation_noise=True).variance
        assert np.allclose((second - plain[..., 1:]).numpy(), surrogate.noise[1])


def test_a_subset_of_responses_keeps_their_correlation(pretrained, lines):
    Y = np.column_stack([lines.own_y, lines.own_y[:, 0] + lines.own_y[:, 1]])
    three = fit(None, lines.own_x, Y)
    swapped = three.subset_output([2, 0])
    assert swapped.correlation[0, 1] == pytest.approx(three.correlation[2, 0])
    X = rows(3)
    with torch.no_grad():
        chosen = three.posterior(X, output_indices=[2, 0]).covariance_matrix
        assert torch.allclose(swapped.posterior(X).covariance_matrix, chosen)


def test_copies_and_modes_predict_the_same(surrogate):
    X = rows(3)
    with torch.no_grad():
        before = surrogate.posterior(X).covariance_matrix
        for same in (
            copy.deepcopy(surrogate), pickle.loads(pickle.dumps(surrogate)),
            surrogate.train(), surrogate.eval(), surrogate.to(torch.float64),
        ):  # fmt: skip
            assert torch.equal(same.posterior(X).covariance_matrix, before)


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_or_no_own_rows_still_give_acquisitions(pretrained, lines, history, count):
    model = fit(pretrained if history else None, lines.own_x[:count], lines.own_y[:count])
    value = qLogExpectedImprovement(model, 2.0, sampler=sampler(), posterior_transform=SUM)
    found, best = optimize_acqf(
        value, BOUNDS, q=2, num_restarts=1, raw_samples=4, options={"maxiter": 3}
    )
    assert found.shape == (2, 6)
    assert torch.isfinite(best)


def test_conditioning_and_fantasies_are_refused_with_a_remedy(surrogate, lines):
    X, Y = torch.as_tensor(lines.own_x), torch.as_tensor(lines.own_y)
    with pytest.raises(NotImplementedError) as refusal:
        surrogate.condition_on_observations(X, Y)
    assert str(refusal.value) == (
        "A Surrogate cannot be conditioned on more observations, because its networks would have "
        "to be tuned anew: add the rows to the campaign's own and call labloop.surrogate.fit again."
    )
    with pytest.raises(NotImplementedError) as refusal:
        surrogate.fantasize(X, sampler())
    assert str(refusal.value) == (
        "A Surrogate has no fantasy models, because its networks would have to be tuned anew for "
        "each: use an acquisition function of joint draws, such as qLogNoisyExpectedImprovement "
        "with X_pending."
    )


@pytest.mark.parametrize("X", [torch.zeros(4, 3), torch.zeros(6)])
def test_rows_of_another_width_are_refused(surrogate, X):
    with pytest.raises(RefusedError) as refusal:
        surrogate.posterior(X)
    assert str(refusal.value) == (
        f"X has the shape {tuple(X.shape)}: give rows of the 6 columns that the surrogate was "
        "fitted to, (…, rows, 6)."
    )
