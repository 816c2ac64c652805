"""Figures of what virtual campaigns did: trust in the history, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from docs.figures.campaigns import LINES, Course
from docs.figures.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    QUIET,
    SMALL,
    Panel,
    axes,
    line,
    mark,
    page,
    text,
)

COLOURS = dict(zip(LINES, (BLUE, GREEN, ORANGE), strict=True))


def trust(courses: Sequence[Course]) -> str:
    """Return how the history is trusted round by round, on lines that resemble it or not."""
    rounds = courses[0].trust["round"]
    ticks = [(number, str(number)) for number in rounds]
    ends = (rounds.min() - 0.2, rounds.max() + 0.2)
    left = Panel(70, 60, 340, 240, ends, (-0.5, 1.6))
    right = Panel(530, 60, 340, 240, ends, (0.0, 1.0))
    parts = axes(left, "Scale b of the history's prediction", "round", "", ticks,
                 [(v, f"{v:g}") for v in (-0.5, 0.0, 0.5, 1.0, 1.5)])  # fmt: skip
    parts += axes(right, "Share of experts that use the history", "round", "", ticks,
                  [(v, f"{v:.0%}") for v in (0.0, 0.25, 0.5, 0.75, 1.0)])  # fmt: skip
    for number, course in enumerate(courses):
        colour, frame = COLOURS[course.likeness], course.trust
        aside = 0.05 * (number - (len(courses) - 1) / 2)
        for row in frame.itertuples():
            ends_of_bar = [left.at(row.round + aside, row.b + way * row.b_sd) for way in (-1, 1)]
            parts.append(line(ends_of_bar, colour))
        for panel, column in ((left, "b"), (right, "share")):
            places = [
                panel.at(at + aside, value)
                for at, value in zip(frame["round"], frame[column], strict=True)
            ]
            parts.append(line(places, colour, width=2))
            parts += [mark("circle", *place, colour, size=3.5) for place in places]
    legend = ("related line (rank correlation .95)", "moderately (.75)", "unrelated (.4)")
    for x, name, words in zip((70, 330, 480), LINES, legend, strict=True):
        parts += [mark("circle", x + 6, 366, COLOURS[name]), text(x + 18, 370, words, size=SMALL)]
    return page(900, 386, "How far the history is trusted, round by round", parts)


def calibration(courses: Sequence[Course]) -> str:
    """Return predictions made before the plate against what was measured, and their coverage."""
    frame = pd.concat([course.predicted for course in courses], ignore_index=True)
    frame = frame[frame["round"] > 1]
    ends = (float(frame[["mean", "measured"]].min().min()) - 0.1,
            float(frame[["mean", "measured"]].max().max()) + 0.1)  # fmt: skip
    left = Panel(80, 60, 320, 280, ends, ends)
    right = Panel(530, 60, 320, 280, (0, 1), (0, 1))
    titres = [(np.log(value), f"{value:g}") for value in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    titres = [(v, label) for v, label in titres if ends[0] < v < ends[1]]
    shares = [(v, f"{v:.0%}") for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts = axes(left, "Predicted before the plate, and measured", "predicted titre, g/L",
                 "measured titre, g/L", titres, titres)  # fmt: skip
    parts += axes(
        right, "How often intervals hold the measurement", "said", "found", shares, shares
    )
    parts.append(line([left.at(ends[0], ends[0]), left.at(ends[1], ends[1])], QUIET, dashed=True))
    parts.append(line([right.at(0, 0), right.at(1, 1)], QUIET, dashed=True))
    for row in frame.itertuples():
        half = 1.645 * row.sd
        low, high = (left.at(min(max(row.mean + way * half, ends[0]), ends[1]), row.measured)
                     for way in (-1, 1))  # fmt: skip
        parts.append(line([low, high], "#b9d3e6"))
    parts += [
        mark("circle", *left.at(row.mean, row.measured), BLUE, size=2.6)
        for row in frame.itertuples()
    ]
    levels = np.linspace(0.02, 0.98, 33)
    off = (frame["measured"] - frame["mean"]).abs() / frame["sd"]
    found = [float((off <= norm.ppf(0.5 + level / 2)).mean()) for level in levels]
    parts.append(
        line([right.at(said, f) for said, f in zip(levels, found, strict=True)], BLUE, width=2)
    )
    hit = float((off <= norm.ppf(0.95)).mean())
    x, y = right.at(0.9, hit)
    parts += [mark("circle", x, y, BLUE, size=4.5),
              text(right.left + right.width - 8, right.top + right.height - 16,
                   f"90 % intervals held {hit:.0%}", anchor="end", size=SMALL)]  # fmt: skip
    return page(900, 404, "Predictions against measurements, and how often intervals hold", parts)
