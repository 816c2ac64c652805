import numpy as np
import pytest
import torch

from labloop.surrogate.curves import OUTSIDE, fit_curves, left_out_curves


def saturating(u):
    """Two nutrients, an inhibitor and a product; the fourth input does nothing."""
    one = u[:, 0] / (0.2 + u[:, 0]) + u[:, 1] / (0.5 + u[:, 1]) - u[:, 2] ** 2
    return np.column_stack([one, 2.0 * u[:, 0] * u[:, 1]])


def rows(n, seed=0):
    u = np.random.default_rng(seed).random((n, 4))
    return u, saturating(u)


def share_explained(u, Z, said):
    return 1.0 - ((Z - said) ** 2).mean(0) / Z.var(0)


def test_sums_and_products_are_learned():
    u, Z = rows(300)
    new, wanted = rows(500, seed=1)
    said = fit_curves(u, Z)(torch.as_tensor(new)).numpy()
    assert (share_explained(new, wanted, said) > 0.995).all()


def test_the_best_formula_lies_beyond_the_rows():
    u, Z = rows(300)
    rough = (u[:, 0] < 0.7) | (u[:, 1] < 0.7)
    said = fit_curves(u[rough], Z[rough])(torch.tensor([[1.0, 1.0, 0.0, 0.5]]).double())
    assert float(said[0, 0]) > Z[rough, 0].max()


def test_a_row_is_predicted_by_the_others():
    u, Z = rows(60)
    noise = np.random.default_rng(102).normal(size=(60, 1))
    left_out = left_out_curves(u, np.column_stack([Z[:, 0], noise]))
    assert share_explained(u, Z[:, :1], left_out[:, :1]) > 0.9
    assert share_explained(u, noise, left_out[:, 1:]) < 0.1


def test_copies_of_a_row_do_not_predict_it():
    u, _ = rows(40)
    noise = np.random.default_rng(3).normal(size=(40, 1))
    twice = left_out_curves(np.repeat(u, 5, axis=0), np.repeat(noise, 5, axis=0))
    assert share_explained(u, noise, twice[::5]) < 0.1


def test_many_rows_keep_the_shares_of_all():
    u, Z = rows(450)
    assert (share_explained(u, Z, left_out_curves(u, Z)) > 0.99).all()


def test_inputs_that_do_not_vary_say_nothing():
    u, Z = rows(50)
    u[:, 3] = 0.5
    curves = fit_curves(u, Z)
    other = u.copy()
    other[:, 3] = 0.9
    assert torch.equal(curves(torch.as_tensor(u)), curves(torch.as_tensor(other)))


def test_without_inputs_that_vary_the_mean_is_left():
    u, Z = np.full((6, 2), 0.5), np.arange(12.0).reshape(6, 2)
    said = fit_curves(u, Z)(torch.zeros(1, 2, dtype=torch.float64))
    assert said[0].tolist() == pytest.approx(Z.mean(0))
    assert np.isnan(left_out_curves(u, Z)).all()


def test_far_outside_curves_stay_as_at_the_edge():
    u, Z = rows(50)
    curves = fit_curves(u, Z)
    edge = torch.full((1, 4), 1.0 + OUTSIDE, dtype=torch.float64)
    assert torch.equal(curves(edge), curves(edge + 100.0))


def test_curves_have_gradients():
    u, Z = rows(50)
    curves = fit_curves(u, Z)
    points = torch.as_tensor(rows(5, seed=9)[0]).requires_grad_()
    assert torch.autograd.gradcheck(curves, (points,))


def test_single_precision_says_the_same():
    u, Z = rows(100)
    curves = fit_curves(u, Z)
    new = torch.as_tensor(rows(50, seed=4)[0])
    assert torch.allclose(curves(new), curves(new.float()).double(), atol=1e-4)
