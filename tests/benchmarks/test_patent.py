"""Rows needed are read off a learning curve; the table counts where a claim is reached."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from benchmarks.patent import CLAIMS, MODES, rows_needed, table


def test_rows_needed_are_where_the_curve_first_reaches_what_is_wanted() -> None:
    assert rows_needed([0, 24, 50], [0.1, 0.5, 0.9], 0.1) == 0
    assert rows_needed([0, 24, 50], [0.1, 0.5, 0.9], 0.3) == pytest.approx(12)
    assert rows_needed([0, 24, 50], [0.1, 0.5, 0.9], 0.95) == math.inf


def test_the_table_has_the_median_and_how_often_a_claim_is_reached() -> None:
    values = {"a": 0.1, "b": 0.2, "c": math.inf}
    frame = pd.DataFrame(
        [
            {"problem": problem, "seed": 0, "mode": mode, "claim": claim.name, "value": value}
            for problem, value in values.items()
            for mode in MODES
            for claim in CLAIMS
        ]
    )
    lines = table(frame).splitlines()
    assert lines[0].startswith("Medians over 3 problems")
    assert "| relative error after transfer | under 15 % | 0.20 (1) | 0.20 (1) |" in lines
    assert "| k-fold R2 of the pretrained net | over 0.85 | 0.20 (1) | 0.20 (1) |" in lines
