"""The curves of strategies: a line and a band each, told apart without colour."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from labloop.report.figures.curves import Panel, curves
from labloop.report.theme import THEMES

PANELS = [Panel("found", "share found"), Panel("best", "best <titre>")]


@pytest.fixture
def summary():
    rows = [
        {"strategy": name, "round": number, "found": 0.1 * number, "found_sem": 0.05,
         "best": math.nan if (name, number) == ("b", 1) else 2.0 + number, "best_sem": math.nan}
        for name in ("a", "b") for number in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_each_strategy_has_a_line_and_a_band_in_each_panel(summary, theme):
    figure = curves(summary, ["a", "b"], PANELS, theme)
    bands, lines = figure.data[::2], figure.data[1::2]
    assert [line.name for line in lines] == ["a", "b", "a", "b"]
    assert [line.showlegend for line in lines] == [True, True, False, False]
    assert list(bands[0].y) == pytest.approx([0.15, 0.25, 0.35, 0.25, 0.15, 0.05])
    assert len({line.line.dash for line in lines[:2]}) == 2
    assert len({line.marker.symbol for line in lines[:2]}) == 2


def test_rounds_without_a_value_are_left_out_and_one_campaign_has_no_band(summary):
    figure = curves(summary, ["a", "b"], PANELS, THEMES[0])
    band, line = figure.data[6:8]
    assert list(line.x) == [2, 3]
    assert list(line.y) == [4.0, 5.0]
    assert list(band.y) == [4.0, 5.0, 5.0, 4.0]


def test_titles_are_shown_as_written(summary):
    figure = curves(summary, ["a", "b"], PANELS, THEMES[0])
    assert figure.layout.yaxis2.title.text == "best &lt;titre&gt;"
