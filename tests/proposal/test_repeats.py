"""Measuring again: what a plate is worth, and when a known formula should be on it."""

from __future__ import annotations

import math

import pytest
import torch

from labloop.proposal.repeats import repeats, value_of_plate


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
