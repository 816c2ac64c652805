"""Partial dependence and interactions of functions whose effects are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labloop.surrogate.effects import Averages, averages, interaction, levelled, trend

PLACES = np.linspace(0.0, 1.0, 7)


@dataclass(frozen=True)
class Known:
    """A surrogate that knows a function (n, D) → (n, m); its draws differ by an offset, by noise
    that is another at each formula, and by a slope along the first column."""

    function: Any
    offset: float = 0.0
    grain: float = 0.0
    slope: float = 0.0

    def mean_and_variance(self, X):
        return Moments(self.function(X))

    def sample_functions(self, samples, *, seed=0):
        return Draws(self, np.random.default_rng(seed).standard_normal(samples))


@dataclass(frozen=True)
class Moments:
    mean: np.ndarray


@dataclass(frozen=True)
class Draws:
    of: Known
    z: np.ndarray

    def values(self, X):
        z = self.z[:, None, None]
        grain = np.sin(1e4 * z * (1.0 + X.sum(axis=1)[:, None]))
        along = self.of.slope * z * X[:, :1]
        return self.of.function(X) + self.of.offset * z + self.of.grain * grain + along


def set_to(base, columns, values):
    rows = np.repeat(base[None], len(values), axis=0)
    rows[:, :, columns] = np.asarray(values)[:, None]
    return rows


def uniform(rows, columns=3, seed=0):
    return np.random.default_rng(seed).random((rows, columns))


def curve(surrogate, rows=40):
    base = uniform(rows)
    (found,), _ = averages(surrogate, [set_to(base, [0], PLACES[:, None])], base)
    return found


def additive(X):
    return X @ np.array([[3.0, 0.0], [1.0, -2.0], [0.0, 0.0]])


def test_the_curve_of_an_additive_function_is_its_own_part_about_the_mean_of_the_rest():
    rest = uniform(40)[:, 1].mean()
    found = curve(Known(additive))
    assert np.allclose(found.mean[:, 0], 3.0 * PLACES + rest)
    assert np.allclose(found.mean[:, 1], -2.0 * rest)
    low, high = found.interval
    assert np.allclose(low, found.mean)
    assert np.allclose(high, found.mean)


def test_what_all_formulas_share_stays_and_what_is_of_each_alone_averages_out():
    shared, alone = curve(Known(additive, offset=1.0)), curve(Known(additive, grain=1.0))
    width = [float(np.subtract(*found.interval[::-1]).mean()) for found in (shared, alone)]
    assert width[0] == pytest.approx(2 * 1.645, rel=0.3)  # of a standard normal offset
    assert width[1] < 4 * 0.71 / np.sqrt(40) * 1.3  # of sines, of which 40 are averaged


def test_the_interval_is_about_the_mean_function_and_not_about_the_few_draws():
    found = curve(Known(additive, offset=1.0, slope=1.0))
    assert np.allclose(found.draws.mean(axis=0), found.mean)


def test_the_level_is_that_of_many_formulas():
    base, many = uniform(5), uniform(500, seed=1)
    settings = [set_to(base, [0], PLACES[:, None]), base[None]]
    (found, few), values = averages(Known(additive, offset=1.0), settings, many)
    moved = levelled(found, few, values)
    off = 3.0 * base[:, 0].mean() - 3.0 * many[:, 0].mean()  # what is of this component's own
    assert np.allclose(moved.mean[:, 0] + off, 3.0 * PLACES + many[:, 1].mean())
    assert np.allclose(moved.draws.std(axis=0), found.draws.std(axis=0))


def grid(surrogate, k=5):
    places = (np.arange(k) + 0.5) / k
    cells = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    base = uniform(2000)
    (found,), values = averages(surrogate, [set_to(base[:20], [0, 1], cells)], base)
    first, second = np.divmod(np.arange(k * k), k)
    return found, first, second, values, (1 - 1 / k**2) ** -2


def test_a_product_is_all_interaction_and_a_sum_is_none():
    product = grid(Known(lambda X: (X[:, :1] - 0.5) * (X[:, 1:2] - 0.5)))
    assert interaction(*product)[0] == pytest.approx([1.0], abs=0.06)
    assert interaction(*grid(Known(additive)))[0] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_known_mixture_of_both_has_its_share():
    def both(X):
        u, v = X[:, :1] - 0.5, X[:, 1:2] - 0.5
        return u + v + 2.0 * u * v

    of_pair, alone = 4.0 / 144.0, 1.0 / 12.0
    share, low, high = interaction(*grid(Known(both)))
    assert share == pytest.approx([of_pair / (of_pair + 2 * alone)], abs=0.02)
    assert low <= share <= high


def test_a_part_of_the_grid_tells_interactions_too_and_a_line_none():
    found, first, second, values, _ = grid(Known(additive))
    some = first + second < 7
    part = Averages(found.mean[some], found.draws[:, some])
    assert interaction(part, first[some], second[some], values)[0] == pytest.approx(
        [0, 0], abs=1e-9
    )
    line = first == 0
    alone = Averages(found.mean[line], found.draws[:, line])
    shares = interaction(alone, first[line], second[line], values)
    assert np.isnan(shares).all()


def test_a_response_that_does_not_vary_has_no_interactions():
    constant = grid(Known(lambda X: 0.0 * X[:, :1] + 7.0))
    assert np.array_equal(interaction(*constant), np.zeros((3, 1)))


@given(arrays(float, (4, 9, 1), elements=st.floats(-5, 5)))
def test_any_surface_has_a_share_between_nothing_and_all_inside_its_interval(surfaces):
    cells = Averages(surfaces[0], surfaces)
    first, second = np.divmod(np.arange(9), 3)
    share, low, high = interaction(cells, first, second, cells)
    assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()


@pytest.mark.parametrize(
    ("height", "kind", "at"),
    [
        (0.0 * PLACES, "flat", 0),
        (PLACES, "rises", 6),
        (-PLACES, "falls", 6),
        (-((PLACES - 0.5) ** 2), "peak", 3),
        ((PLACES - 1 / 3) ** 2, "valley", 2),
        (np.minimum(PLACES, 0.35), "levels off", 3),
        (-np.minimum(PLACES, 0.35), "bottoms out", 3),
        (np.maximum(PLACES, 0.7), "takes off", 4),
        (-np.maximum(PLACES, 0.7), "drops", 4),
    ],
)
def test_what_a_curve_does_is_told_where_the_draws_agree(height, kind, at):
    z = np.random.default_rng(1).standard_normal((64, 1))
    sure = height + 3.0 * z  # the level is unknown, the shape is not
    assert trend(height, sure)[:] == (kind, at)
    unsure = height + 3.0 * np.random.default_rng(2).standard_normal((64, 7))
    assert trend(height, unsure).kind == "flat"


def test_a_hump_that_is_not_sure_is_no_peak_but_the_fall_beyond_it_is_told():
    random = np.random.default_rng(3)
    height = np.array([3.7, 4.0, 4.1, 4.1, 3.8, 3.3, 2.7])
    draws = height + 0.02 * random.standard_normal((64, 7))
    draws[:, 0] += random.standard_normal(64)
    assert trend(height, draws)[:] == ("drops", 3)


def test_choices_have_no_direction_but_a_highest():
    z = np.random.default_rng(1).standard_normal((64, 1))
    height = np.array([1.0, 3.0, 2.0])
    assert trend(height, height + z, ordered=False)[:] == ("differs", 1)


def test_a_transferred_surrogate_s_draws_are_as_wide_as_its_predictions(pretrained, lines):
    from labloop.surrogate.transfer import fit

    surrogate = fit(pretrained, lines.own_x, lines.own_y)
    rows = uniform(6, lines.own_x.shape[1], seed=3)
    found, again = (averages(surrogate, [rows[:, None]], rows, seed=4) for _ in range(2))
    alone = surrogate.mean_and_variance(rows)
    assert np.allclose(found[0][0].mean, alone.mean)
    ratio = found[0][0].draws.std(axis=0) / np.sqrt(alone.variance)
    assert 0.5 < ratio.mean() < 1.5
    assert np.array_equal(found[0][0].draws, again[0][0].draws)
