from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.surrogate import censoring
from labloop.surrogate.censoring import limit_sites, pseudo_observations
from labloop.surrogate.kernels import matern
from labloop.surrogate.stacking import prior_rows
from labloop.surrogate.transfer import fit


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def posterior(mean, covariance, site_mean, site_variance):
    gain = torch.linalg.solve(covariance + torch.diag(site_variance), covariance).mT
    return mean + gain @ (site_mean - mean), covariance - gain @ covariance


def sampled(mean, covariance, limit, side, noise, seed=0):
    """Moments by brute force: draws of the prior weighted by how likely each makes the limits."""
    random = np.random.default_rng(seed)
    draws = random.multivariate_normal(mean.numpy(), covariance.numpy(), size=400_000)
    z = side.numpy() * (draws - limit.numpy()) / np.sqrt(noise.numpy())
    weight = torch.special.ndtr(torch.as_tensor(z)).prod(dim=1).numpy()
    centre = np.average(draws, axis=0, weights=weight)
    return centre, np.average((draws - centre) ** 2, axis=0, weights=weight)


@settings(max_examples=60, deadline=None)
@given(
    mean=st.floats(-3, 3),
    sd=st.floats(0.1, 3),
    limit=st.floats(-3, 3),
    side=st.sampled_from([-1.0, 1.0]),
    noise_sd=st.floats(0.1, 2),
)
def test_one_limit_has_the_moments_of_numerical_integration(mean, sd, limit, side, noise_sd):
    low, high = min(mean, limit) - 12 * sd, max(mean, limit) + 12 * sd
    f = torch.linspace(low, high, 200_001, dtype=torch.float64)
    weight = torch.special.log_ndtr(side * (f - limit) / noise_sd)
    weight = torch.softmax(weight - 0.5 * ((f - mean) / sd) ** 2, 0)
    wanted = (weight * f).sum()
    wanted_variance = (weight * (f - wanted) ** 2).sum()
    prior = tensor(mean), tensor(sd**2).reshape(1, 1)
    site = limit_sites(*prior, tensor(limit), tensor(side), tensor(noise_sd**2))
    found, variance = posterior(*prior, *site)
    # What is given up beyond six standard deviations inside the limit is far below this.
    assert float(found[0]) == pytest.approx(float(wanted), abs=1e-4 * sd)
    assert float(variance[0, 0]) == pytest.approx(float(wanted_variance), rel=1e-3)


@pytest.mark.parametrize("sides", [[-1, -1, -1, -1], [1, -1, 1, 1], [-1, 1, 1, -1]])
def test_several_limits_agree_with_weighted_draws(sides):
    x = tensor(0.0, 0.15, 0.5, 1.0).unsqueeze(1) / 0.4
    covariance = 1.0 + 2.0 * matern(x, x)
    mean, side = tensor(0.5, 0.4, 0.0, -0.3), tensor(*map(float, sides))
    limit, noise = tensor(0.2, 0.0, 0.3, -0.2), tensor(0.1, 0.2, 0.05, 0.1)
    site = limit_sites(mean, covariance, limit, side, noise)
    found, variance = posterior(mean, covariance, *site)
    wanted, wanted_variance = sampled(mean, covariance, limit, side, noise)
    assert found.numpy() == pytest.approx(wanted, abs=0.05)
    # Expectation propagation is not exact here: marginals cut by several limits are skewed.
    assert variance.diagonal().sqrt().numpy() == pytest.approx(np.sqrt(wanted_variance), rel=0.08)


def test_a_limit_that_is_no_surprise_says_nothing_and_one_that_is_says_nearly_all():
    prior = tensor(0.0), torch.ones(1, 1, dtype=torch.float64)
    noise = tensor(0.01)
    _, expected = limit_sites(*prior, tensor(8.0), tensor(-1.0), noise)
    mean, surprising = limit_sites(*prior, tensor(-8.0), tensor(-1.0), noise)
    assert float(expected) > 1e4
    assert float(surprising) < 0.1
    assert -8.3 < float(mean) < -8.0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 40),
    noise=st.sampled_from([0.0, 1e-8, 1e-3, 1.0, 1e6]),
    limit=st.sampled_from([0.0, -5.0, 1e3, -1e6]),
    alike=st.booleans(),
)
def test_contradicting_and_absurd_limits_still_give_usable_gaussians(seed, n, noise, limit, alike):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 3, generator=generator, dtype=torch.float64)
    x = x[:1].expand(n, 3) if alike else x
    side = torch.where(torch.arange(n) % 2 == 0, 1.0, -1.0).double()
    mean, variance = limit_sites(
        torch.zeros(n).double(), 4.0 + 5.0 * matern(x, x), torch.full((n,), limit).double(), side,
        torch.full((n,), noise).double(),
    )  # fmt: skip
    assert torch.isfinite(mean).all()
    assert torch.isfinite(variance).all()
    assert (variance > 0).all()


def test_measured_values_come_back_as_they_came_and_missing_ones_stay_missing():
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.stack([torch.linspace(-1, 1, 6), torch.full((6,), math.nan)], dim=1).double()
    known = torch.full_like(y, math.nan)
    known[0, 0] = 0.04
    sides = torch.zeros(6, 2, dtype=torch.int8)
    sides[4:, 0] = 1
    sides[0, 1] = -1
    found, variance = pseudo_observations(x, y, known, sides)
    assert torch.equal(found[:4, 0], y[:4, 0])
    assert torch.equal(variance[:4].nan_to_num(-1), known[:4].nan_to_num(-1))
    assert torch.isnan(found[:, 1]).all()
    assert (variance[4:, 0] > 0).all()
    assert (found[4:, 0] > y[4:, 0]).all()


def test_more_limits_than_are_seen_together(monkeypatch):
    monkeypatch.setattr(censoring, "BLOCK", 10)
    n = 25
    x = torch.rand(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, sides = torch.zeros(n, 1).double(), torch.full((n, 1), -1, dtype=torch.int8)
    found, variance = pseudo_observations(x, y, torch.full_like(y, math.nan), sides)
    assert (found < 0).all()
    assert torch.isfinite(variance).all()


def test_limits_teach_where_the_response_lies():
    random = np.random.default_rng(3)
    X = random.random((40, 2))
    truth = 4.0 * X[:, :1]
    hidden = truth[:, 0] < 2.0
    Y = np.where(hidden[:, None], 2.0, truth + 0.02 * random.normal(size=truth.shape))
    censored = np.where(hidden, -1, 0)[:, None]
    test = np.column_stack([np.linspace(0, 0.4, 20), np.full(20, 0.5)])

    def error(surrogate):
        return np.abs(surrogate.mean_and_variance(test).mean[:, 0] - 4.0 * test[:, 0]).mean()

    aware = fit(None, X, Y, censored=censored)
    blind = fit(None, X, Y)
    assert error(aware) < 0.6 * error(blind)
    assert aware.rows.tolist() == [40]


@pytest.mark.parametrize("rows", [1, 5, 30])
@pytest.mark.parametrize("history", [True, False])
def test_limits_alone_are_enough_for_a_surrogate(pretrained, lines, rows, history):
    censored = np.full((rows, 2), -1)
    censored[::2, 1] = 1
    surrogate = fit(
        pretrained if history else None, lines.own_x[:rows], lines.own_y[:rows], censored=censored
    )
    predictions = surrogate.mean_and_variance(lines.X[:20])
    assert np.isfinite(predictions.mean).all()
    assert (predictions.variance > 0).all()
    assert (surrogate.noise > 0).all()
    assert surrogate.trust()["score_own_rows"].isna().all()


def test_limits_do_not_judge_the_experts(pretrained, lines):
    censored = np.zeros_like(lines.own_y, dtype=int)
    censored[:25] = -1
    surrogate = fit(pretrained, lines.own_x, lines.own_y - censored, censored=censored)
    # Beside five measured rows none can have less than what it begins with.
    prior = [prior_rows(surrogate.experts, blend) for blend in pretrained.blend.mT]
    least = torch.stack(prior, 1).numpy() / (5 + len(surrogate.experts))
    assert (surrogate.weights >= least - 1e-9).all()


def test_limits_that_are_no_surprise_do_not_count_as_noise(pretrained, lines):
    censored = np.zeros_like(lines.own_y, dtype=int)
    censored[20:] = -1
    above = lines.own_y.max(axis=0) + lines.own_y.std(axis=0)
    limited = fit(pretrained, lines.own_x, np.where(censored < 0, above, lines.own_y),
                  censored=censored)  # fmt: skip
    measured = fit(pretrained, lines.own_x[:20], lines.own_y[:20])
    assert (limited.noise < 3.0 * measured.noise).all()


def test_the_patent_leaves_limits_out(plain, lines):
    censored = np.zeros_like(lines.own_y, dtype=int)
    censored[10:] = 1
    limited = fit(plain, lines.own_x, lines.own_y, transfer="patent", censored=censored)
    without = np.where(censored == 0, lines.own_y, np.nan)
    missing = fit(plain, lines.own_x, without, transfer="patent")
    one, two = (each.mean_and_variance(lines.X[:9]) for each in (limited, missing))
    assert np.array_equal(one.mean, two.mean)


def test_censoring_of_another_shape_or_meaning_is_an_error(lines):
    for censored in (np.zeros((30, 1)), np.full((30, 2), 2)):
        with pytest.raises(ValueError, match="censored must be -1, 0 or 1 in the shape of Y"):
            fit(None, lines.own_x, lines.own_y, censored=censored)
