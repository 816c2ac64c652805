from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.surrogate.correlation import left_out_residuals, response_correlation
from labloop.surrogate.transfer import fit


def normal(rows, responses, rho=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, responses + 1, generator=generator, dtype=torch.float64)
    return (1 - rho) ** 0.5 * z[:, 1:] + rho**0.5 * z[:, :1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 12), st.integers(1, 5), st.floats(0.0, 1.0), st.floats(0.0, 0.9),
    st.integers(0, 99), st.booleans(),
)  # fmt: skip
def test_any_residuals_give_a_correlation_matrix(rows, responses, rho, missing, seed, huge):
    z = normal(rows, responses, rho, seed)
    if huge and rows:
        z[0] = 1e12
    generator = torch.Generator().manual_seed(seed)
    z[torch.rand(z.shape, generator=generator) < missing] = torch.nan
    R = response_correlation(z)
    assert torch.equal(R.diagonal(), torch.ones(responses, dtype=torch.float64))
    assert torch.allclose(R, R.mT)
    assert float(torch.linalg.eigvalsh(R)[0]) >= 0.9e-3
    torch.linalg.cholesky(R)


def test_many_rows_tell_the_correlation_whichever_of_them_are_missing():
    z = normal(4000, 3, rho=0.6)
    z[:1500, 0] = torch.nan
    z[3000:, 1] = torch.nan
    R = response_correlation(z)
    assert torch.allclose(R[~torch.eye(3, dtype=torch.bool)], torch.tensor(0.6).double(), atol=0.06)


def test_few_rows_tell_little():
    z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    assert float(response_correlation(z)[0, 1]) == pytest.approx(2 / 6)
    assert torch.equal(response_correlation(z[:0]), torch.eye(2, dtype=torch.float64))


def test_responses_never_measured_together_are_independent():
    z = normal(40, 2, rho=0.9)
    z[:20, 0] = torch.nan
    z[20:, 1] = torch.nan
    assert torch.equal(response_correlation(z), torch.eye(2, dtype=torch.float64))


def test_one_strange_row_does_not_decide():
    z = normal(50, 2)
    z[7] = torch.tensor([40.0, 40.0])
    assert abs(float(response_correlation(z)[0, 1])) < 0.3


def expert(rows, mean, variance):
    return SimpleNamespace(
        rows=torch.tensor(rows, dtype=torch.int64),
        left_out_mean=torch.tensor(mean, dtype=torch.float64),
        left_out_variance=torch.tensor(variance, dtype=torch.float64),
    )


def test_residuals_are_those_of_the_mixture_over_experts_that_could_leave_the_row_out():
    nan = float("nan")
    y = torch.tensor([[1.0], [nan], [2.0], [3.0]], dtype=torch.float64)
    experts = {
        "a": [expert([0, 2, 3], [0.0, 0.0, nan], [1.0, 1.0, 1.0])],
        "b": [expert([0, 2, 3], [2.0, nan, nan], [1.0, 1.0, 1.0])],
        "silent": [expert([], [], [])],
    }
    weights = torch.tensor([[0.25], [0.25], [0.5]], dtype=torch.float64)
    z = left_out_residuals(experts, weights, y).squeeze(1)
    # of the first row both say something: mean 1, variance 1 within and 1 between
    assert z[0] == pytest.approx(0.0)
    assert torch.isnan(z[1])
    assert z[2] == pytest.approx(2.0)
    assert torch.isnan(z[3])


def shared_errors(rho, rows=60):
    random = np.random.default_rng(3)
    X = random.random((rows, 4))
    errors = normal(rows, 2, rho, seed=1).numpy()
    return X, np.column_stack([np.sin(3 * X[:, 0]), X[:, 1] ** 2]) + 0.3 * errors


def test_surrogate_sees_that_measurements_err_together():
    together = fit(None, *shared_errors(0.8)).correlation
    apart = fit(None, *shared_errors(0.0)).correlation
    assert together[0, 1] > 0.5
    assert abs(apart[0, 1]) < 0.3


def test_a_thinned_process_still_tells_of_which_rows_it_speaks():
    y = normal(8, 1)
    y[2] = torch.nan
    rows = [0, 3, 7]
    thinned = expert(rows, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    z = left_out_residuals({"a": [thinned]}, torch.ones(1, 1, dtype=torch.float64), y).squeeze(1)
    assert torch.nonzero(~torch.isnan(z)).squeeze(1).tolist() == rows
    assert torch.allclose(z[rows], y[rows, 0])
