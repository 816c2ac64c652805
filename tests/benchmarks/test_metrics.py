"""Scores of predictions that are right, wrong, sure and unsure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics import scores, top_recall
from benchmarks.problems import build

PROBLEM = build("yesno-related", 0)
OWN = PROBLEM.own_rows(50, 0)


def test_the_truth_scores_full_marks() -> None:
    assert PROBLEM.Y_truth is not None
    of = scores(PROBLEM, OWN, PROBLEM.Y_truth, np.full_like(PROBLEM.Y_pool, 1.0), 0)
    assert (of.r2, of.spearman, of.recall, of.coverage) == pytest.approx((1, 1, 1, 1))


def test_coverage_and_nll_are_of_new_measurements() -> None:
    assert PROBLEM.Y_truth is not None
    noise = np.sqrt((0.03 * PROBLEM.Y_truth) ** 2 + 0.005**2)
    right = scores(PROBLEM, OWN, PROBLEM.Y_truth, noise, 0)
    sure = scores(PROBLEM, OWN, PROBLEM.Y_truth, noise / 5, 0)
    assert 0.85 < right.coverage < 0.95
    assert sure.coverage < 0.5
    assert sure.nll > right.nll


def test_a_prediction_that_is_the_same_everywhere_earns_what_chance_does() -> None:
    same = np.zeros_like(PROBLEM.Y_pool)
    of = scores(PROBLEM, OWN, same, same + 1, 0)
    assert of.spearman == 0
    assert of.recall == pytest.approx(0.05, abs=0.005)


@given(st.lists(st.integers(0, 9), min_size=20, max_size=60), st.booleans())
def test_recall_is_a_share_and_full_for_the_truth_itself(values: list[int], up: bool) -> None:
    truth = np.array(values) + np.arange(len(values)) * 1e-3
    assert top_recall(truth, truth, maximize=up) == 1
    assert 0 <= top_recall(truth, np.array(values, float), maximize=up) <= 1
    assert top_recall(truth, -truth, maximize=up) == 0
