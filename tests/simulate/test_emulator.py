"""The emulator: the better of two models, with an honest score and plain arrays inside."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from labloop.simulate.emulator import fit_emulator, fit_forest, fit_process


def silent(done, total):
    pass


def smooth(X):
    return np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


def stepped(X):
    return (X[:, 0] > 0.5) * 2.0 + (X[:, 1] > 0.3) * (X[:, 2] > 0.6)


@pytest.fixture(scope="module")
def X():  # noqa: N802
    return np.random.default_rng(0).random((80, 4))


@pytest.fixture(scope="module")
def emulator(X):
    noise = 0.02 * np.random.default_rng(1).standard_normal((80, 2))
    Y = np.stack([smooth(X), stepped(X)], axis=1) + noise
    steps = []
    made = fit_emulator(X, Y, np.array([0.05, np.nan]), lambda done, of: steps.append((done, of)))
    assert steps == [(k, 24) for k in range(1, 25)]
    return made


def test_each_response_has_the_model_that_suits_it(emulator):
    assert emulator.kinds == ("a Gaussian process", "a random forest")
    assert (emulator.r2 > 0.8).all()


def test_it_answers_formulas_that_were_never_measured(emulator):
    fresh = np.random.default_rng(2).random((200, 4))
    error = emulator.truth(fresh)[:, 0] - smooth(fresh)
    assert np.abs(error).mean() < 0.1


def test_the_error_of_measuring_is_that_of_replicates_or_else_the_models(emulator):
    assert emulator.noise[0] == 0.05
    assert 0.0 < emulator.noise[1] < 1.0


def test_workers_get_the_same_emulator(emulator, X):
    again = pickle.loads(pickle.dumps(emulator))
    np.testing.assert_array_equal(again.truth(X), emulator.truth(X))


def test_what_cannot_be_predicted_scores_nothing(X):
    chance = np.random.default_rng(3).standard_normal((80, 1))
    assert fit_emulator(X, chance, np.array([np.nan]), silent).r2[0] < 0.2


@pytest.mark.parametrize("fit", [fit_process, fit_forest])
def test_one_value_everywhere_is_answered_everywhere(fit, X):
    np.testing.assert_allclose(fit(X, np.full(80, 3.5)).mean(X[:5] + 1), 3.5)


def test_formulas_outside_the_range_are_scaled_and_never_warned_of(X):
    wide = 100 * X - 30
    model = fit_process(wide, smooth(X))
    np.testing.assert_allclose(model.mean(wide), smooth(X), atol=0.05)
