"""The smooth process: what it says between formulas, whatever their units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from labloop.simulate import smooth
from labloop.simulate.smooth import fit_process


@pytest.fixture
def X():  # noqa: N802
    return np.random.default_rng(0).random((60, 3))


def wave(X):
    return np.sin(3 * X[:, 0]) + 2.0


def test_it_finds_a_smooth_function_and_its_noise(X):
    noisy = wave(X) + 0.05 * np.random.default_rng(1).standard_normal(len(X))
    process = fit_process(X, noisy)
    fresh = np.random.default_rng(2).random((100, 3))
    assert np.abs(process.mean(fresh) - wave(fresh)).mean() < 0.05
    assert 0.03 < np.sqrt(process.noise) < 0.08


def test_units_of_formulas_and_values_do_not_matter(X):
    y = wave(X)
    plain = fit_process(X, y).mean(X[:5] + 0.05)
    other = fit_process(50 * X - 7, 1000 * y).mean(50 * (X[:5] + 0.05) - 7)
    np.testing.assert_allclose(other, 1000 * plain, rtol=1e-5)


def test_far_from_all_formulas_the_answer_is_their_mean(X):
    y = wave(X)
    assert fit_process(X, y).mean(X[:1] + 1e6)[0] == pytest.approx(y.mean())


def test_the_gradient_is_that_of_the_posterior(X, monkeypatch):
    seen = {}
    real = smooth.minimize

    def spy(loss, start, **options):
        seen.update(loss=loss, start=start)
        return real(loss, start, **options)

    monkeypatch.setattr(smooth, "minimize", spy)
    fit_process(X, wave(X))
    at = seen["start"] + [0.3, -0.2, 0.1, 1.0]
    numeric = approx_fprime(at, lambda log: seen["loss"](log)[0], 1e-6)
    np.testing.assert_allclose(seen["loss"](at)[1], numeric, rtol=1e-3, atol=1e-3)
