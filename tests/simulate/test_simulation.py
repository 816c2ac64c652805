"""What a backtest says: means, errors, and which differences are more than chance."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from labloop.definition import Response
from labloop.simulate.simulation import (
    Measure,
    Simulation,
    measures_of,
    outcome,
    rounds_frame,
    summary_of,
)

BEST = Measure("best", "best titre (g/L)")


def response(**given):
    return Response.model_validate({"name": "titre", "unit": "g/L"} | given)


def record(strategy, seed, number, best, **given):
    return {
        "trial": "test", "strategy": strategy, "seed": seed, "round": number,
        "formulas": 6 * number, "best": best, "optimum": 2.0, "regret": 2.0 - best,
        "found_1": math.nan, "found_5": math.nan, "hypervolume": math.nan, "seconds": 0.1,
    } | given  # fmt: skip


def frame_of(found, responses=None, **given):
    """Return the frame of rounds from strategy → best after the last of two rounds, by seed."""
    records = [
        record(name, seed, number, value - 0.5 * (number == 1), **given)
        for name, values in found.items()
        for seed, value in enumerate(values, start=1)
        for number in (1, 2)
    ]
    return rounds_frame(records, responses or [response()])


def test_values_are_in_the_responses_unit():
    log = frame_of({"a": [0.0]}, [response(transform="log")])
    np.testing.assert_allclose(log["best"], np.exp([-0.5, 0.0]))
    least = frame_of({"a": [-3.0]}, [response(goal="minimize")])
    assert least["best"].tolist() == [3.5, 3.0]
    assert least["optimum"].tolist() == [-2.0, -2.0]
    near = frame_of({"a": [-0.25]}, [response(goal="near", bound=7.0)])
    assert near["best"].tolist() == [0.75, 0.25]


def test_the_summary_has_means_and_their_standard_errors():
    summary = summary_of(frame_of({"a": [1.0, 2.0, 4.0], "b": [1.0, 1.0, 1.0]}))
    last = summary[summary["round"] == 2].set_index("strategy")
    assert last.loc["a", "best"] == pytest.approx(7 / 3)
    assert last.loc["a", "best_sem"] == pytest.approx(np.std([1, 2, 4], ddof=1) / math.sqrt(3))
    assert last["seeds"].tolist() == [3, 3]
    assert last["formulas"].tolist() == [12, 12]


@pytest.mark.parametrize(
    ("given", "title", "sign"),
    [
        ({}, "best titre (g/L)", 1),
        ({"goal": "minimize"}, "best titre (g/L)", -1),
        (
            {"goal": "near", "bound": 7.0},
            "least distance of titre from its target (g/L)",
            -1,
        ),
    ],
)
def test_what_is_compared(given, title, sign):
    only = [response(**given)]
    assert measures_of(only, frame_of({"a": [1.0]}, only)) == (Measure("best", title, sign),)


def test_in_a_pool_the_share_found_decides_and_of_several_objectives_hypervolume():
    pool = measures_of([response()], frame_of({"a": [1.0]}, found_5=0.5))
    assert [measure.column for measure in pool] == ["found_5", "best"]
    two = [response(), response(name="yield")]
    (only,) = measures_of(two, frame_of({"a": [1.0]}, two))
    assert only == Measure("hypervolume", "hypervolume of titre and yield")


def test_the_best_is_named_and_what_chance_cannot_explain():
    found = {"a": [3.0, 3.1, 2.9, 3.0], "b": [1.0, 1.2, 0.9, 1.1], "c": [2.0, 4.0, 3.0, 2.8]}
    assert outcome(frame_of(found), BEST) == (
        "After 2 rounds a was ahead: best titre (g/L) 3.000 ± 0.041.",
        "More than chance apart from it, seed by seed: b (1.950 ± 0.029 behind).",
        "May be as good, by 4 seeds: c (0.05 ± 0.39 behind).",
    )


def test_who_was_ahead_on_the_way_is_told():
    records = [
        record(name, seed, number, value)
        for name, values in {"a": (0.0, 3.0), "b": (2.0, 2.9)}.items()
        for seed in (1, 2, 3)
        for number, value in enumerate(values, start=1)
    ]
    assert outcome(rounds_frame(records, [response()]), BEST)[:2] == (
        "After 2 rounds a was ahead: best titre (g/L) 3 ± 0.",
        "On average over the rounds b was ahead: best titre (g/L) 2.45, a 1.5.",
    )


def test_less_is_better_where_that_is_wanted():
    least = [response(goal="minimize")]
    frame = frame_of({"a": [-3.0, -3.1, -2.9], "b": [-1.0, -1.1, -0.9]}, least)
    first, second = outcome(frame, measures_of(least, frame)[0])
    assert first == "After 2 rounds b was ahead: best titre (g/L) 1.000 ± 0.058."
    assert second == "More than chance apart from it, seed by seed: a (2 ± 0 behind)."


def test_two_seeds_are_too_few_to_tell():
    said = outcome(frame_of({"a": [3.0, 3.1], "b": [1.0, 1.2]}), BEST)
    assert said[-1] == "With 2 seeds chance cannot be ruled out; run 3 or more."


def test_equal_strategies_may_be_as_good():
    said = outcome(frame_of({"a": [3.0, 2.0, 1.0], "b": [3.0, 2.0, 1.0]}), BEST)
    assert said == (
        "After 2 rounds a and b shared the lead: best titre (g/L) 2.00 ± 0.58.",
        "May be as good, by 3 seeds: b (0 ± 0 behind).",
    )


def test_a_strategy_alone_is_ahead_of_none():
    assert outcome(frame_of({"a": [3.0, 2.0, 1.0]}), BEST) == (
        "After 2 rounds a stood at best titre (g/L) 2.00 ± 0.58.",
    )


def test_campaigns_that_met_no_bound_count_as_the_worst_and_are_told():
    said = outcome(frame_of({"a": [3.0, 3.1, 2.9], "b": [math.nan, 2.9, 2.8]}), BEST)
    assert said[0].startswith("After 2 rounds a was ahead")
    assert said[1] == "Found no formula that meets all bounds: b in 1 of 3 seeds."
    nothing = outcome(frame_of({"a": [math.nan] * 3}), BEST)
    assert nothing == ("Found no formula that meets all bounds: a in 3 of 3 seeds.",)


@pytest.fixture
def simulation():
    found = {"labloop": [3.0, 3.1, 2.9], "<b>x</b>": [1.0, 1.2, math.nan]}
    frame = frame_of(found, found_5=0.5)
    measures = measures_of([response()], frame)
    return Simulation(
        "<i>small", "replay", frame, summary_of(frame), measures,
        ("A note.",), ("A warning.",), outcome(frame, measures[0]),
    )  # fmt: skip


def test_the_table_has_a_row_a_strategy_and_a_column_a_round(simulation):
    table = simulation.table(simulation.measures[1])
    assert table.to_dict("list") == {
        "strategy": ["labloop", "<b>x</b>"],
        "round 1": ["2.500 ± 0.058", "0.60 ± 0.10"],
        "round 2": ["3.000 ± 0.058", "1.100 ± 0.100"],
    }


def test_the_page_says_it_all_and_takes_no_name_for_html(simulation, tmp_path):
    path = simulation.report(tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    page = text[text.index("<main>") : text.index("</main>")]
    for said in ("&lt;i&gt;small", "A note.", "A warning.", "3.000 ± 0.058", "&lt;b&gt;x"):
        assert said in page
    assert "<b>x" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_frames_are_whole(simulation):
    assert isinstance(simulation.rounds, pd.DataFrame)
    assert list(simulation.rounds.columns) == [
        "strategy", "seed", "round", "formulas", "best", "optimum", "found_1", "found_5",
        "hypervolume", "seconds",
    ]  # fmt: skip
