"""Measuring again: what a plate is worth, and when a known formula should be on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal

from labloop.definition import Response
from labloop.proposal.goals import Goals
from labloop.proposal.repeats import Repeatable, again, repeats, value_of_plate

TITRE = Goals.of([Response(name="titre")])


def independent(variances):
    return torch.diag(torch.tensor(variances, dtype=torch.float64))


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def test_a_plate_is_worth_what_its_best_formula_is_expected_to_be():
    mean, covariance = tensor(1.0, 0.0), independent([0.0, 4.0])
    value = value_of_plate(mean, covariance, 1.0, [1]).mean()
    sd = 4.0 / math.sqrt(5.0)
    u = -1.0 / sd
    density = math.exp(-u * u / 2) / math.sqrt(2 * math.pi)
    share = 0.5 * math.erfc(-u / math.sqrt(2))
    assert float(value) == pytest.approx(1.0 + sd * (density + u * share), abs=0.06)


def test_uncertain_rivals_are_measured_again_before_hopeless_new_formulas():
    mean = tensor(1.0, 0.9, -5.0, -5.0, -5.0)
    covariance = independent([0.5, 0.5, 0.01, 0.01, 0.01])
    assert set(repeats(mean, covariance, 0.1, 2, 2)) <= {0, 1}
    assert len(repeats(mean, covariance, 0.1, 2, 2)) >= 1
    assert len(repeats(mean, covariance, 0.1, 2, 1)) == 1
    assert repeats(mean, covariance, 0.1, 2, 0) == []


def test_what_is_known_well_is_not_measured_again():
    mean = tensor(1.0, 0.9, 0.5, 0.5, 0.5)
    covariance = independent([1e-6, 1e-6, 1.0, 1.0, 1.0])
    assert repeats(mean, covariance, 0.1, 2, 2) == []


def test_measuring_again_does_not_help_where_noise_drowns_it():
    mean = tensor(1.0, 0.9, 0.8, 0.8)
    covariance = independent([0.5, 0.5, 0.5, 0.5])
    assert repeats(mean, covariance, 1e9, 2, 2) == []


def test_a_plate_keeps_a_new_formula():
    mean, covariance = tensor(1.0, 0.9, -9.0), independent([1.0, 1.0, 1e-6])
    assert repeats(mean, covariance, 0.1, 2, 5) == []
    assert repeats(mean[:2], covariance[:2, :2], 0.1, 2, 5) == []


def test_of_a_large_plate_only_the_last_formulas_are_replaced():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(60, 60, generator=generator, dtype=torch.float64) / 8
    mean = torch.cat([torch.ones(10), torch.zeros(50)]).double()
    found = repeats(mean, root @ root.T, 0.5, 10, 6)
    assert 1 <= len(found) <= 6
    assert len(set(found)) == len(found)
    # what is learned of the others first does not change what the whole plate is worth
    plate = [*range(10, 60 - len(found)), *found]
    worth, before = (
        value_of_plate(mean, root @ root.T, 0.5, each).mean() for each in (plate, range(10, 60))
    )
    assert float(worth) > float(before)


class Unsure:
    """Says of some formulas that they are good and little known, of all others the opposite."""

    def __init__(self, known, responses):
        self.known = {row.tobytes(): 0.2 - 0.01 * k for k, row in enumerate(known)}
        self.responses = responses

    def posterior(self, X):
        means = [self.known.get(row.tobytes(), -9.0) for row in X.numpy()]
        mean = torch.tensor(means, dtype=torch.float64)
        each = MultivariateNormal(mean, torch.diag(torch.where(mean > -9.0, 0.3, 1e-6).double()))
        if self.responses == 1:
            return GPyTorchPosterior(each)
        many = MultitaskMultivariateNormal.from_independent_mvns([each] * self.responses)
        return GPyTorchPosterior(many)


def taken_again(space, *, rows=None, noise=0.1, listed=None, goals=TITRE, shift=0.0):
    """Return what is repeated of twelve formulas in place of six hopeless new ones, and all."""
    rng = np.random.default_rng(5)
    levels, plate = space.sample(12, rng), space.sample(6, rng)
    measured = space.concentrations(levels) + shift
    responses = len(goals.lower)
    which = Repeatable(
        np.arange(12) if rows is None else np.array(rows, dtype=np.int64),
        np.full(responses, noise),
    )
    unsure = Unsure(space.encode(levels), responses)
    allowed = None if listed is None else levels[listed]
    found, same = again(space, unsure, goals, measured, which, plate, 3, seed=1, listed=allowed)
    np.testing.assert_array_equal(same, levels[found])
    return found.tolist()


def test_only_formulas_that_may_be_repeated_are(free):
    assert 1 <= len(taken_again(free)) <= 3
    assert taken_again(free) == taken_again(free)
    limited = taken_again(free, rows=[7, 9])
    assert limited
    assert set(limited) <= {7, 9}
    assert taken_again(free, rows=[]) == []


def test_repeats_need_noise_that_they_can_see_through(free):
    assert taken_again(free, noise=1e9) == []


def test_what_cannot_be_made_exactly_is_not_repeated(free):
    assert taken_again(free, shift=1e-4) == []


def test_of_a_list_only_its_formulas_are_repeated(free):
    found = taken_again(free, listed=[3, 4])
    assert found
    assert set(found) <= {3, 4}


def test_formulas_that_miss_a_bound_are_not_worth_repeating(free):
    bounded = Goals.of([Response(name="titre"), Response(name="v", goal="at_least", bound=50.0)])
    assert taken_again(free, goals=bounded) == []
    met = Goals.of([Response(name="titre"), Response(name="v", goal="at_least", bound=-50.0)])
    assert taken_again(free, goals=met)


def test_several_objectives_repeat_nothing(free):
    two = Goals.of([Response(name="titre"), Response(name="yield")])
    assert taken_again(free, goals=two) == []
