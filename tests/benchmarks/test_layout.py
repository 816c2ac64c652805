"""The comparison of layouts measures what it says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.layout import LAYOUTS, Round, errors, fitted_means, plain_means, summarised, tables

ROUND = Round(48, 20, 3, 18, plates=2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_every_formula_and_control(layout: str) -> None:
    subject = LAYOUTS[layout](ROUND, 1)
    assert subject.shape == (96,)
    assert list(np.bincount(subject)) == [3] * 20 + [36]


def test_the_fit_finds_formulas_under_plates_rings_and_columns() -> None:
    subject = LAYOUTS["labloop"](ROUND, 0)
    truth = np.random.default_rng(0).normal(size=21)
    place = np.arange(96) % 48
    ring = np.minimum.reduce([place // 8, 5 - place // 8, place % 8, 7 - place % 8])
    effect = 0.3 * (np.arange(96) // 48) + 0.2 * ring**2 + np.sin(place % 8)
    Y = (truth[subject] + effect)[:, None]
    found = fitted_means(subject, Y, ROUND)[:, 0]
    np.testing.assert_allclose(found - found.mean(), truth - truth.mean(), atol=1e-12)
    assert np.abs(plain_means(subject, Y)[:, 0] - truth).std() > 0.01


def test_labloops_layout_errs_least_and_the_table_says_so() -> None:
    found = pd.DataFrame(errors(ROUND, 3))
    means = summarised(found)
    plain = means[(means["analysis"] == "plain") & (means["noise"] == 0)]
    by_effect = plain.pivot_table("rmse", "effect", "layout")
    assert (by_effect["labloop"] < by_effect["random"]).all()
    assert (by_effect["random"] < by_effect["grouped"]).all()
    text = tables(means, 3)
    assert text.count("| 2 × 48: 20 × 3 | −35 %, slope |") == 2
    first = float(by_effect["grouped"]["−35 %"])
    assert f"| 2 × 48: 20 × 3 | −35 % | {first:.3f} ± " in text
