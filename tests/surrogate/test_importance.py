from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labloop.simulate.virtual_lab import VirtualLab
from labloop.surrogate.importance import (
    BASE_ROWS,
    MOST_ROWS,
    base_rows,
    importance,
    network_importance,
    total_order,
)
from labloop.surrogate.pretraining import pretrain
from labloop.surrogate.transfer import fit


@dataclass(frozen=True)
class Draws:
    """A posterior whose draws are the truth plus so much of a slope along the first column."""

    X: torch.Tensor
    truth: torch.Tensor
    slope: float

    def rsample_from_base_samples(self, sample_shape, base):
        z = base[:, :, :1, :1]
        return self.truth + self.slope * z * self.X[..., :1]


@dataclass(frozen=True)
class Known:
    """A surrogate that knows a function of rows (…, D) → (…, m)."""

    function: object
    num_outputs: int = 1
    slope: float = 0.0
    experts: tuple[str, ...] = ("truth",)

    def mean_and_variance(self, X):
        return replace(_NOTHING, mean=self.function(np.asarray(X)))

    def posterior(self, X):
        return Draws(X, torch.as_tensor(self.function(X.numpy())), self.slope)


@dataclass(frozen=True)
class Moments:
    mean: np.ndarray | None = None


_NOTHING = Moments()


def uniform(rows, columns, seed=0):
    return np.random.default_rng(seed).random((rows, columns))


def linear(X):
    return X @ np.array([[3.0], [1.0], [0.0]])


def ishigami(X):
    a, b, c = np.moveaxis(np.pi * (2.0 * X - 1.0), -1, 0)
    return (np.sin(a) + 7.0 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a))[..., None]


def test_a_linear_function_has_the_shares_of_its_squares():
    found = importance(Known(linear), uniform(512, 3), np.arange(3))
    assert np.allclose(found.value[:, 0], [0.9, 0.1, 0.0], atol=0.05)
    assert found.value[2, 0] == found.high[2, 0] == 0.0


def test_ishigami_s_function_has_its_published_indices():
    found = importance(Known(ishigami), uniform(512, 3), np.arange(3))
    assert np.allclose(found.value[:, 0], [0.5574, 0.4424, 0.2437], atol=0.08)


def test_total_order_indices_count_interactions_for_both():
    X, other = uniform(20_000, 2), uniform(20_000, 2, seed=1)
    swapped = np.stack([np.where(np.arange(2) == i, other, X) for i in range(2)])
    product = [(rows[..., :1] - 0.5) * (rows[..., 1:] - 0.5) for rows in (X, swapped)]
    assert np.allclose(total_order(*product), 1.0, atol=0.05)


def test_columns_of_a_choice_move_together():
    number = np.random.default_rng(3).integers(3, size=400)
    rows = np.column_stack([np.eye(3)[number], uniform(400, 1)])

    def function(X):
        return X[..., 1:2] + X[..., 3:]

    found = importance(Known(function), rows, np.array([0, 0, 0, 1]))
    of_choice = (2 / 9) / (2 / 9 + 1 / 12)  # variances of a column of three, and of a uniform one
    assert found.value.shape == (2, 1)
    assert np.allclose(found.value[:, 0], [of_choice, 1 - of_choice], atol=0.08)


def test_what_does_not_vary_has_no_importance():
    rows = uniform(200, 3)
    rows[:, 1] = 0.4
    found = importance(Known(linear), rows, np.arange(3))
    assert found.value[1, 0] == found.low[1, 0] == found.high[1, 0] == 0.0
    constant = importance(Known(lambda X: 0.0 * X[..., :1] + 7.0), rows, np.arange(3))
    assert not constant.value.any()
    still = importance(Known(linear), rows[:1].repeat(9, axis=0), np.arange(3))
    assert not still.high.any()


def test_what_the_draws_do_not_agree_on_widens_the_interval():
    sure, unsure = (
        importance(Known(linear, slope=slope), uniform(512, 3), np.arange(3))
        for slope in (0.0, 2.0)
    )
    assert np.array_equal(sure.value, unsure.value)
    assert (unsure.high - unsure.low)[0, 0] > 2.0 * (sure.high - sure.low)[0, 0]
    assert unsure.low[0, 0] < 0.9 < unsure.high[0, 0]


@given(
    arrays(float, (9, 3), elements=st.floats(0, 1)),
    arrays(float, (3, 2), elements=st.floats(-5, 5)),
    st.floats(0, 3),
)
def test_any_rows_give_finite_indices_inside_their_intervals(rows, slopes, slope):
    surrogate = Known(lambda X: X @ slopes, num_outputs=2, slope=slope)
    found = importance(surrogate, rows, np.arange(3))
    for values in (found.value, found.low, found.high):
        assert values.shape == (3, 2)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


@given(st.floats(-3, 3), st.floats(0.1, 10))
def test_level_and_scale_of_a_response_do_not_matter(level, scale):
    base, swapped = ishigami(uniform(50, 3)), ishigami(uniform(150, 3, seed=1)).reshape(3, 50, 1)
    moved = total_order(level + scale * base, level + scale * swapped)
    assert np.allclose(total_order(base, swapped), moved)


@given(st.integers(0, 10_000))
def test_the_rows_to_predict_stay_few(components):
    assert base_rows(components) <= BASE_ROWS
    assert base_rows(components) * (components + 1) <= MOST_ROWS


def test_a_transferred_surrogate_says_what_its_responses_depend_on(pretrained, lines):
    surrogate = fit(pretrained, lines.own_x, lines.own_y)
    rows = uniform(60, 6)
    found, again = (importance(surrogate, rows, np.arange(6), seed=4) for _ in range(2))
    assert found.value.shape == (6, 2)
    assert found.value[:, 0].argmax() == 0
    assert (found.low < found.high)[:5].all()
    for name in ("value", "low", "high"):
        assert np.array_equal(getattr(found, name), getattr(again, name))
    other = importance(surrogate, rows, np.arange(6), seed=5)
    assert np.array_equal(found.value, other.value)
    assert not np.array_equal(found.low, other.low)


def test_the_pretrained_network_says_what_the_history_depends_on(pretrained):
    found = network_importance(pretrained, uniform(60, 6), np.arange(6))
    assert found.value[:, 0].argmax() == 0
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    assert (found.low < found.high)[:5].all()
    halved = replace(pretrained, known=torch.tensor([True, False]))
    lacking = network_importance(halved, uniform(60, 6), np.arange(6))
    assert np.isnan(lacking.value).all(axis=0).tolist() == [False, True]
    assert np.array_equal(lacking.high[:, 0], found.high[:, 0])


@pytest.mark.slow
def test_inert_components_of_the_virtual_lab_come_out_near_zero():
    source = VirtualLab(10, 2, seed=3).source
    line = VirtualLab(10, 2, seed=3).line("related")
    random = np.random.default_rng(0)
    X, own = random.random((600, 10)), random.random((60, 10))
    history = pretrain(
        X, np.log(source.measure(X, random)), np.zeros(600, dtype=int), layers=5, members=4
    )
    surrogate = fit(history, own, np.log(line.measure(own, random)))
    rows = random.random((512, 10))
    for found in (
        network_importance(history, rows, np.arange(10)),
        importance(surrogate, rows, np.arange(10)),
    ):
        assert found.value[~source.active].max() < 0.05
        assert found.value.max() > 0.1
