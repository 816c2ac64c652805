"""The figures of the method's page: sound SVG that says what its numbers say."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from defusedxml import ElementTree

from docs.figures.campaigns import Course, course
from docs.figures.drawing import Panel, mark, page, text
from docs.figures.plates import plate_effects
from docs.figures.results import calibration, trust

SPACE = "{http://www.w3.org/2000/svg}"


def made_up(likeness: str, off: float) -> Course:
    rounds = np.arange(1, 4)
    told = pd.DataFrame(
        {"round": rounds, "rows": 16 * (rounds - 1), "b": 1.0, "b_sd": 0.1, "share": 0.5}
    )
    rng = np.random.default_rng(1)
    mean = rng.normal(size=300)
    predicted = pd.DataFrame(
        {"round": np.repeat(rounds, 100), "mean": mean, "sd": 0.1,
         "measured": mean + off * rng.normal(size=300)}
    )  # fmt: skip
    return Course(likeness, told, predicted)


def test_a_point_of_a_panel_is_where_its_axes_say() -> None:
    panel = Panel(10, 20, 100, 50, (0, 10), (-1, 1))
    assert panel.at(0, -1) == (10, 70)
    assert panel.at(10, 1) == (110, 20)
    assert panel.at(5, 0) == (60, 45)


def test_text_is_shown_as_it_is_written() -> None:
    drawn = ElementTree.fromstring(page(10, 10, "a < b", [text(0, 0, "<b> & c")]))
    assert [each.text for each in drawn] == ["a < b", None, "<b> & c"]


@pytest.mark.parametrize("symbol", ["circle", "square", "diamond", "triangle-up", "cross", "other"])
def test_every_symbol_is_drawn(symbol: str) -> None:
    ElementTree.fromstring(mark(symbol, 1, 2, "#000000"))


def test_trust_has_a_line_for_each_campaign_and_number() -> None:
    drawn = trust([made_up("related", 0.1), made_up("unrelated", 0.1)])
    root = ElementTree.fromstring(drawn)
    thick = [each for each in root.iter(f"{SPACE}polyline") if each.get("stroke-width") == "2"]
    assert len(thick) == 4


@pytest.mark.parametrize(("off", "least", "most"), [(0.1, 86, 94), (0.05, 98, 100), (0.3, 30, 55)])
def test_calibration_says_how_often_intervals_held(off: float, least: int, most: int) -> None:
    held = re.search(r"90 % intervals held (\d+)%", calibration([made_up("related", off)]))
    assert held is not None
    assert least <= int(held[1]) <= most


@pytest.mark.slow
def test_the_corrected_half_of_plate_effects_is_the_tighter_one() -> None:
    root = ElementTree.fromstring(plate_effects())
    grey = [each for each in root.iter(f"{SPACE}polyline") if each.get("stroke-width") == "2"]
    spans: tuple[list[float], list[float]] = ([], [])
    for each in grey:
        (x, low), (_, high) = (map(float, p.split(",")) for p in each.get("points", "").split())
        spans[x > 450].append(abs(low - high))
    assert len(spans[0]) == len(spans[1]) == 40
    assert np.mean(spans[1]) < 0.5 * np.mean(spans[0])


@pytest.mark.slow
def test_a_course_has_what_each_round_said_and_brought() -> None:
    ran = course("related", seed=1, rounds=2)
    assert list(ran.trust["round"]) == [1, 2]
    assert list(ran.trust["rows"]) == [0, 16]
    assert ran.predicted.groupby("round").size().to_dict() == {1: 16, 2: 16}
    assert np.isfinite(ran.predicted.to_numpy(dtype=float)).all()
