"""Rows that no lab would send on purpose: a usable posterior or a refusal, never a NaN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.surrogate.pretraining import Pretrained, pretrain
from labloop.surrogate.training import PLAIN, Recipe
from labloop.surrogate.transfer import fit
from labloop.surrogate.validation import cross_validate

QUICK = Recipe(epochs=2)
PATENT = replace(PLAIN, epochs=2)
COLUMNS = 4
NETS = ["none", "residual", "plain"]


def rows(n, columns=COLUMNS, seed=3):
    random = np.random.default_rng(seed)
    X = random.random((n, columns))
    Y = np.column_stack([np.sin(3 * X[:, 0]) + X[:, -1], X[:, columns // 2] ** 2])
    return X, Y + 0.1 * random.normal(size=Y.shape)


@pytest.fixture(scope="module")
def nets() -> dict[str, Pretrained | None]:
    X, Y = rows(50, seed=0)
    source = np.repeat([0, 1], 25)
    small = {"layers": 4, "members": 2}
    return {
        "none": None,
        "residual": pretrain(X, Y, source, recipe=QUICK, **small),
        "plain": pretrain(X, Y, source, recipe=PATENT, **small),
    }


def transferred(pretrained, X, Y, Yvar=None, **settings):
    plain = pretrained is not None and pretrained.recipe.kind == "plain"
    return fit(pretrained, X, Y, Yvar, transfer="patent" if plain else "staged", **settings)


def usable(surrogate, X):
    """Whether everything that the choice of a plate asks for is a number."""
    few, many = X[:5], np.resize(X, (1100, X.shape[1]))
    for each in (few, many):  # double and single precision
        predicted = surrogate.mean_and_variance(each)
        assert np.isfinite(predicted.mean).all()
        assert np.isfinite(predicted.variance).all()
        assert (predicted.variance > 0).all()
    assert np.isfinite(surrogate.noise).all()
    assert (surrogate.noise >= 0).all()
    assert (surrogate.weights[0] > 0).all()
    assert np.isfinite(surrogate.draw(few, 3)).all()
    inputs = torch.tensor(few, requires_grad=True)
    posterior = surrogate.posterior(inputs)
    total = posterior.mean.sum() + posterior.variance.sum()
    (total + posterior.rsample(torch.Size([4])).sum()).backward()
    assert inputs.grad is not None
    assert torch.isfinite(inputs.grad).all()
    surrogate.trust()


def refused(call) -> bool:
    try:
        call()
    except RefusedError:
        return True
    return False


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(("count", "alike"), [(0, False), (1, False), (2, False), (2, True)])
def test_few_rows_or_one_row_again_and_again(nets, kind, count, alike):
    X, Y = rows(count)
    X = np.repeat(X[:1], count, axis=0) if alike else X
    usable(transferred(nets[kind], X, Y), rows(5)[0])


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("size", [1e30, 1e-99])
def test_responses_of_any_size(nets, kind, size):
    X, Y = rows(12)
    surrogate = transferred(nets[kind], X, Y * size)
    usable(surrogate, X)
    ordinary = transferred(nets[kind], X, Y)
    if kind == "none":
        assert surrogate.mean_and_variance(X).mean / size == pytest.approx(
            ordinary.mean_and_variance(X).mean, rel=1e-3
        )


@pytest.mark.parametrize("kind", NETS)
def test_a_response_over_ten_decades_and_more(nets, kind):
    X, _ = rows(20)
    random = np.random.default_rng(1)
    for signs in ([1.0], [-1.0, 1.0]):
        Y = 10.0 ** random.uniform(-10, 10, (20, 2)) * random.choice(signs, (20, 2))
        usable(transferred(nets[kind], X, Y), X)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(("level", "rounding"), [(0.0, 0.0), (-1e30, 0.0), (7.0, 1e-14)])
def test_constant_responses_and_what_rounding_makes_of_them(nets, kind, level, rounding):
    X, Y = rows(12)
    usable(transferred(nets[kind], X, level * (1.0 + rounding * Y)), X)


@pytest.mark.parametrize("kind", NETS)
def test_components_that_never_vary(nets, kind):
    X, Y = rows(12)
    usable(transferred(nets[kind], np.full_like(X, 0.3), Y), X)
    usable(transferred(nets[kind], X, Y, varying=np.zeros(COLUMNS, dtype=bool)), X)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("distance", [-10.0, 1e6])
def test_inputs_far_from_the_campaigns_range(nets, kind, distance):
    X, Y = rows(12)
    surrogate = transferred(nets[kind], X * distance, Y)
    usable(surrogate, X)
    usable(surrogate, X * distance)
    usable(transferred(nets[kind], X, Y), X * distance)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("variance", [0.0, 1e300, np.inf, -1.0])
def test_variances_of_nothing_and_without_end(nets, kind, variance):
    X, Y = rows(12)
    usable(transferred(nets[kind], X, Y, np.full_like(Y, variance)), X)
    mixed = np.full_like(Y, 0.01)
    mixed[::2] = variance
    usable(transferred(nets[kind], X, Y, mixed), X)


def test_rows_without_information_leave_the_others_theirs():
    X, Y = rows(30)
    known = np.full_like(Y, 0.01)
    known[20:] = np.inf
    Y[20:] += 50.0
    scale = Y[:20].std(axis=0)
    with_them = fit(None, X, Y, known).mean_and_variance(X[:20]).mean
    assert (np.abs(with_them - Y[:20]).mean(axis=0) < 0.5 * scale).all()


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("size", [1.0, 1e10])
def test_repeats_without_error_that_contradict_one_another(nets, kind, size):
    X, Y = rows(20)
    surrogate = transferred(nets[kind], np.repeat(X[:4], 5, axis=0), size * Y, np.zeros_like(Y))
    usable(surrogate, X)


@pytest.mark.parametrize("kind", NETS)
def test_a_response_without_a_value(nets, kind):
    X, Y = rows(12)
    Y[:, 1] = np.nan
    usable(transferred(nets[kind], X, Y), X)
    usable(transferred(nets[kind], X, np.full_like(Y, np.nan)), X)


@pytest.mark.parametrize("columns", [1, pytest.param(200, marks=pytest.mark.slow)])
def test_one_component_and_two_hundred(columns):
    X, Y = rows(20, columns)
    nets = pretrain(X, Y, np.zeros(20, int), layers=4, members=2, recipe=QUICK)
    for pretrained in (None, nets):
        usable(fit(pretrained, X[:10], Y[:10]), X)


number = st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e30, 1e10, 1e-10, -1e99, 1e308, 5e-324])


@settings(max_examples=20, deadline=None)
@given(draw=st.data(), kind=st.sampled_from(["none", "residual"]), n=st.integers(0, 8))
def test_any_mix_of_rows_is_usable_or_refused(nets, draw, kind, n):
    def table(values, columns=2):
        flat = draw.draw(st.lists(values, min_size=n * columns, max_size=n * columns))
        return np.array(flat, dtype=float).reshape(n, columns)

    missing = st.just(float("nan"))
    X = table(st.sampled_from([0.0, 0.5, 1.0, -0.2, 1e-9, 40.0, 1e6]), COLUMNS)
    Y = table(number | missing)
    Yvar = table(st.sampled_from([0.0, 1e-30, 0.01, 1e30, np.inf]) | missing)
    censored = table(st.sampled_from([0.0, 0.0, -1.0, 1.0])).astype(int)
    largest = np.where(np.isnan(Y), 0.0, np.abs(Y)).max(axis=0, initial=0.0)
    extreme = ((largest > 1e100) | ((largest > 0) & (largest < 1e-100))).any()
    if extreme:
        assert refused(lambda: transferred(nets[kind], X, Y, Yvar, censored=censored))
    else:
        usable(transferred(nets[kind], X, Y, Yvar, censored=censored), rows(5)[0])


@settings(max_examples=8, deadline=None)
@given(
    draw=st.data(),
    n=st.integers(2, 10),
    sources=st.integers(1, 3),
)
def test_any_history_teaches_finite_nets(draw, n, sources):
    flat = draw.draw(st.lists(number | st.just(float("nan")), min_size=2 * n, max_size=2 * n))
    Y = np.array(flat).reshape(n, 2)
    X = rows(n)[0] * draw.draw(st.sampled_from([1.0, 0.0, 1e6, -40.0]))
    source = np.arange(n) % sources
    small = {"layers": 3, "members": 2, "recipe": QUICK}
    try:
        nets = pretrain(X, Y, source, **small)
        validation = cross_validate(X, Y, source, folds=2, **small)
        again = Pretrained.from_blob(*nets.to_blob())
        surrogate = transferred(again, X[:2], Y[:2])
    except RefusedError:
        return
    for moments in nets.predict(X):
        assert np.isfinite(moments).all()
    assert not np.isinf(validation.predicted).any()
    usable(surrogate, rows(5)[0])


def test_of_a_response_that_no_source_has_the_nets_say_nothing():
    X, Y = rows(30)
    nets = pretrain(
        X, np.where([True, False], Y, np.nan), np.zeros(30, int), layers=4, members=3, recipe=QUICK
    )
    assert nets.known.tolist() == [True, False]
    mean, spread = nets.predict(X)
    assert (mean[:, 1] == 0).all()
    assert (spread[:, 1] == 0).all()
    assert mean[:, 0].std() > 0
    surrogate = fit(nets, X[:12], Y[:12])
    usable(surrogate, X)
    alone = fit(None, X[:12], Y[:12])
    one, two = (each.mean_and_variance(X[12:]).mean[:, 1] for each in (surrogate, alone))
    error, wanted = (np.abs(each - Y[12:, 1]).mean() for each in (one, two))
    assert error < 1.5 * wanted


@pytest.mark.slow
def test_five_thousand_own_rows_and_fifty_thousand_of_history():
    X, Y = rows(50_000, 8)
    source = np.arange(50_000) % 40
    few = Recipe(epochs=1, batch=1000)
    nets = pretrain(X, Y, source, layers=3, members=2, recipe=few)
    assert nets.rows == 50_000
    for pretrained in (None, nets):
        surrogate = fit(pretrained, X[:5000], Y[:5000])
        usable(surrogate, X[:200])
        error = surrogate.mean_and_variance(X[:2000]).mean - Y[:2000]
        assert (np.sqrt((error**2).mean(axis=0)) < 0.2).all()
