"""Goals as arithmetic: signs, targets, logarithms and bounds."""

from __future__ import annotations

import math

import pytest
import torch

from labloop.definition import Response
from labloop.proposal.goals import Goals


def goals(*responses):
    made = [
        Response.model_validate({"name": f"r{i}", **response})
        for i, response in enumerate(responses)
    ]
    return Goals.of(made)


def values(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_bigger_objective_values_are_better():
    wanted = goals({}, {"goal": "minimize"}, {"goal": "near", "bound": 7.0}, {"goal": "observe"})
    Y = values([1.0, 2.0, 6.5, 9.0], [3.0, 4.0, 9.0, 9.0])
    assert wanted.values(Y).tolist() == [[1.0, -2.0, -0.5], [3.0, -4.0, -2.0]]
    assert not wanted.is_linear
    assert goals({}).is_linear
    assert goals({"goal": "minimize"}, {"goal": "at_least", "bound": 3.0}).is_linear
    assert not goals({"goal": "near", "bound": 7.0}).is_linear


@pytest.mark.parametrize("bound", [90.1, 0.1, 7.3, 1e-9])
def test_a_value_on_its_bound_meets_it(bound):
    wanted = goals({}, {"goal": "at_least", "bound": bound}, {"goal": "at_most", "bound": bound})
    inside = values([0.0, bound, bound])
    assert wanted.met(inside).tolist() == [True]
    assert wanted.met(values([0.0, bound * (1 - 1e-12), bound])).tolist() == [False]
    assert wanted.met(values([0.0, bound, bound * (1 + 1e-12)])).tolist() == [False]


def test_without_bounds_everything_meets_them():
    assert goals({}).met(values([1.0], [-9.0])).tolist() == [True, True]


def test_bounds_targets_and_references_of_a_log_response_are_logarithms():
    log = {"transform": "log"}
    wanted = goals(
        {"goal": "near", "bound": 10.0, "reference": 100.0, **log},
        {"goal": "at_least", "bound": 5.0, **log},
        {"goal": "minimize", "reference": 20.0, **log},
    )
    assert wanted.target[0].item() == math.log(10.0)
    assert wanted.lower[1].item() == math.log(5.0)
    torch.testing.assert_close(
        wanted.reference,
        torch.tensor([-(math.log(100) - math.log(10)), -math.log(20)], dtype=torch.float64),
    )
