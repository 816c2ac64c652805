"""Scores from nothing found to the best there is, labloop's lead over pairs, and the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.campaign_scores import (
    by_class,
    campaigns,
    mean_and_error,
    paired,
    published,
    scored,
)
from benchmarks.campaign_summary import page, verdict


def ran(strategy: str, best: list[float], **more: Any) -> pd.DataFrame:
    plain: dict[str, Any] = {
        "trial": "replay-p", "seed": 0, "strategy": strategy, "optimum": 3.0, "ordinary": 1.0,
        "found_1": 0.0, "found_5": 0.5, "hypervolume": math.nan, "whole": math.nan,
        "kind": "replay", "likeness": "unrelated", "similarity": 0.1, "logarithmic": 0.0,
        "processor": 2.0, "seconds": 4.0, "memory": 500.0, "allowed": 1.0, "repeated": 0,
    }  # fmt: skip
    rows = [
        plain | {"round": number, "best": value, "regret": 3.0 - value} | more
        for number, value in enumerate(best, start=1)
    ]
    return pd.DataFrame(rows)


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    return campaigns(scored(pd.concat(parts, ignore_index=True)))


def test_of_a_pool_the_score_is_the_way_from_its_median_to_its_best() -> None:
    assert scored(ran("random", [0.5, 1.0, 2.0, 3.0]))["score"].tolist() == [-0.25, 0.0, 0.5, 1.0]


def test_of_a_free_campaign_the_score_is_the_titre_as_a_share_of_the_best() -> None:
    free = ran("random", [3.0 + math.log(0.5)], found_1=math.nan, found_5=math.nan)
    assert scored(free)["score"].tolist() == [pytest.approx(0.5)]


def test_of_two_responses_the_score_is_the_share_of_the_hypervolume() -> None:
    two = ran("random", [math.nan], optimum=math.nan, whole=4.0, hypervolume=1.0, found_5=math.nan)
    assert scored(two)["score"].tolist() == [0.25]


def test_nothing_that_meets_the_bounds_is_nothing_found() -> None:
    assert scored(ran("random", [math.nan]))["score"].tolist() == [0.0]


def test_of_several_runs_of_a_campaign_the_last_counts() -> None:
    assert table(ran("random", [1.0]), ran("random", [2.0]))["area"].tolist() == [0.5]


def test_a_trial_is_of_the_class_of_its_first_seed() -> None:
    both = [
        ran("random", [1.0], seed=1, likeness="alike"),
        ran("random", [1.0], seed=0, likeness="unrelated"),
    ]
    assert table(*both)["likeness"].tolist() == ["unrelated", "unrelated"]


def test_a_campaign_has_its_area_and_what_it_had_after_each_plate() -> None:
    row = table(ran("labloop", [1.0, 2.0, 3.0, 3.0])).iloc[0]
    assert row["area"] == pytest.approx((0.0 + 0.5 + 1.0 + 1.0) / 4)
    assert (row["score_2"], row["regret_2"], row["found_5_4"]) == (0.5, 1.0, 0.5)
    assert (row["processor"], row["first"]) == (2.0, 2.0)


def test_labloops_lead_is_over_the_campaigns_that_both_ran() -> None:
    ours = [ran("labloop", [3.0], seed=seed) for seed in range(3)]
    every = table(*ours, ran("BayBE", [2.0], seed=1), ran("BayBE", [1.0], trial="replay-q"))
    lead = paired(every, "BayBE", "area")
    assert lead.to_dict() == {("replay-p", 1): 0.5}
    row = by_class(every).set_index("strategy").loc["BayBE"]
    assert (row["lead"], row["campaigns"], row["trials"]) == (0.5, 2, 2)


def test_the_error_of_a_mean_over_trials_is_that_of_the_seeds() -> None:
    index = pd.MultiIndex.from_product([["a", "b"], [0, 1]], names=["trial", "seed"])
    mean, error = mean_and_error(pd.Series([0.0, 2.0, 10.0, 12.0], index=index))
    assert mean == 6.0
    # each trial's mean has a standard error of 1, so the mean of two has half of √2
    assert error == pytest.approx(math.sqrt(2) / 2)


def test_no_campaigns_in_common_give_no_lead() -> None:
    assert np.isnan(mean_and_error(paired(table(ran("labloop", [1.0])), "BayBE", "area"))).all()


def test_the_verdict_says_what_is_reached_and_what_is_missed() -> None:
    ours = [ran("labloop", [2.0, 3.0, 3.0, 3.0], seed=seed, found_5=0.6) for seed in (0, 1)]
    rival = [ran("BayBE", [2.0, 2.0, 3.0, 3.0], seed=seed) for seed in (0, 1)]
    alone = [ran("mixing", [3.0, 3.0, 3.0, 3.0], seed=seed) for seed in (0, 1)]
    assert verdict(table(*ours, *rival, *alone)).splitlines() == [
        "- Replay, unrelated: area ahead of the best rival, BayBE, by +0.125 ± 0.000 (reached).",
        "- Replay, unrelated: top 5 % found ahead of the best rival, BayBE, by +0.100 ± 0.000 "
        "(reached).",
        "- Unrelated history, area less that of BayBE without history: +0.125 ± 0.000 "
        "(reached; wanted no worse than one standard error).",
        "- Area less that of mixing alone: -0.125 ± 0.000 (missed).",
        "- labloop's formulas that satisfy every constraint: 100 %; repeated: 0.",
    ]


def test_the_first_plate_with_related_history_is_set_against_the_fifth_without() -> None:
    more = {
        "kind": "virtual lab", "likeness": "related", "trial": "lab-20-related",
        "found_1": math.nan, "found_5": math.nan,
    }  # fmt: skip
    ours = ran("labloop", [2.9] * 6, **more)
    rival = ran("SingleTaskGP", [1.0, 1.0, 1.0, 1.0, 3.0, 3.0], **more)
    difference = math.exp(-0.1) - 1
    assert (
        f"- Related lines, plate 1 less SingleTaskGP's plate 5: {difference:+.3f} (missed)."
        in verdict(table(ours, rival)).splitlines()
    )


def test_the_page_has_a_table_a_class_and_one_of_all_trials() -> None:
    text = page(table(ran("labloop", [2.0] * 4), ran("random", [1.0] * 4)))
    assert "### Replay, unrelated (trials: 1)\n\n| strategy | campaigns | area |" in text
    zeros, halves = "0.00/0.00/0.00", "0.50/0.50/0.50"
    assert f"| random | 1 | 0.000 | +0.500 | {zeros} | {zeros} | {halves} | 2.0 | 500 |" in text
    assert text.endswith("| replay-p | unrelated | 0.50 | 0.00 |")


def test_what_is_published_are_means_over_seeds() -> None:
    both = pd.concat([ran("labloop", [2.0], seed=0), ran("labloop", [3.0], seed=1)])
    row = published(scored(both)).iloc[0]
    assert (row["seeds"], row["score"], row["score_error"]) == (2, 0.75, 0.25)
