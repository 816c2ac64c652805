"""Means, the best simple model, and what is missed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.summary import average_table, cell_table, compared, summarised, verdict


def raw(model: str, seeds: range, **scores: float) -> pd.DataFrame:
    plain: dict[str, Any] = {
        "problem": "p", "family": "f", "size": 50, "model": model, "response": 0, "r2": 0.5,
        "spearman": 0.7, "nll": 1.0, "coverage": 0.9, "recall": 0.4, "seconds": 1.0,
        "prepare_seconds": 0.0, "failure": np.nan,
    }  # fmt: skip
    return pd.DataFrame([{**plain, **scores, "seed": seed} for seed in seeds])


def joined(*parts: pd.DataFrame) -> pd.DataFrame:
    return summarised(pd.concat(parts, ignore_index=True))


def test_a_difference_is_over_the_seeds_that_both_have() -> None:
    ours = raw("labloop", range(4))
    ours["r2"] = [0.2, 0.4, 0.9, 0.9]
    cell = compared(joined(ours, raw("forest", range(2), r2=0.5))).iloc[0]
    assert cell["r2"] == pytest.approx(0.6)
    assert (cell["best"], cell["best_r2"]) == ("forest", 0.5)
    assert cell["difference"] == pytest.approx(-0.2)
    assert cell["missed"] == "R2"


def test_a_wrong_level_counts_as_minus_one() -> None:
    means = joined(raw("labloop", range(1), r2=-25.0), raw("labloop", range(1, 2), r2=0.5))
    assert means["r2"].tolist() == [-0.25]


def test_every_miss_is_named() -> None:
    cells = compared(
        joined(
            raw("labloop", range(2), r2=0.47, coverage=0.7, nll=1.2, recall=0.3),
            raw("SingleTaskGP", range(2)),
            raw("expert tuned", range(2), recall=0.6),
        )
    )
    assert cells["missed"].tolist() == ["R2, coverage, NLL"]
    assert cell_table(cells).splitlines()[-1] == (
        "| p | 50 | 0.47 | 0.50 SingleTaskGP | -0.03 | 0.70 | 1.20 (1.00) | 0.30 (0.60 tuned) "
        "| R2, coverage, NLL |"
    )


def test_a_failed_seed_is_left_out_of_the_means() -> None:
    failed = raw("forest", range(3), r2=np.nan)
    means = joined(raw("labloop", range(3)), raw("forest", range(3, 4), r2=0.4), failed)
    forest = means.set_index("model").loc["forest"]
    assert (forest["r2"], forest["seeds"]) == (0.4, 1)


def test_the_verdict_says_what_is_reached() -> None:
    means = joined(
        raw("labloop", range(2)), raw("forest", range(2), r2=0.3),
        raw("SingleTaskGP", range(2), nll=1.1), raw("expert tuned", range(2), recall=0.3),
    )  # fmt: skip
    assert verdict(compared(means), means) == (
        "- R2 at least that of the best simple model less 0.02: 1 of 1 (mean difference +0.00).\n"
        "- 90 % intervals cover 90 % on average (reached; wanted 85 to 95), least 90 % on p at 50 "
        "rows (reached; wanted 75).\n"
        "- NLL no worse than SingleTaskGP's: 1 of 1.\n"
        "- Share of the top 5 % found, mean of all: 0.400; best single expert, tuned, 0.300 "
        "(reached)."
    )
    assert "| labloop | 0.50 | 0.70 | 1.00 | 0.90 | 0.40 | 1.0 |" in average_table(means)
