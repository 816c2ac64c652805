"""Predicted before the plate was made against measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import (
    HOVER,
    PANEL,
    base_layout,
    errors,
    hover_texts,
    measured_points,
    named_once,
    on_axis,
    quiet_axes,
)
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order

_ACROSS = 3  # panels side by side


def parity(values: pd.DataFrame, shown: Sequence[Response], latest: int, theme: Theme) -> go.Figure:
    """Return what was predicted before a plate was made against what was measured of it.

    One panel for each response that is shown; the formulas of round `latest` are in their origins'
    colours with 90 % intervals, those of other rounds grey. For the frame see
    `labloop.report.subjects`.
    """
    across = min(_ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    figure = make_subplots(
        rows=down, cols=across, horizontal_spacing=0.26 / across, vertical_spacing=0.36 / down
    )
    named: set[str] = set()
    for panel, response in enumerate(shown):
        place = {"row": panel // across + 1, "col": panel % across + 1}
        rows = values[values["response"] == response.name]
        rows = rows.dropna(subset=["predicted", "measured"])
        for trace in _traces(rows.assign(x=rows["predicted"]), response, latest, theme):
            figure.add_trace(named_once(trace, named), **place)
        ends = _common_range(rows)
        figure.update_xaxes(title_text=on_axis(f"predicted {response.title}"), range=ends, **place)
        figure.update_yaxes(title_text=on_axis(f"measured {response.title}"), range=ends, **place)
    figure.update_layout(base_layout(theme, 80 + (PANEL + 40) * down))
    quiet_axes(figure, theme)
    return figure


def _traces(rows: pd.DataFrame, response: Response, latest: int, theme: Theme) -> list[go.Scatter]:
    ends = _common_range(rows)
    traces = [
        go.Scatter(
            x=ends, y=ends, mode="lines", name="as predicted", hoverinfo="skip",
            line={"color": theme.quiet, "width": 1.25, "dash": "dash"},
        )
    ]  # fmt: skip
    others = rows[rows["round"] != latest]
    if len(others):
        traces.append(
            go.Scatter(
                x=others["predicted"], y=others["measured"], mode="markers", name="other rounds",
                marker={"color": theme.quiet, "size": 6, "opacity": 0.35},
                customdata=hover_texts(others, response), hovertemplate=HOVER,
            )
        )  # fmt: skip
    of_round = rows[rows["round"] == latest]
    for origin in in_order(set(of_round["origin"])):
        points = of_round[of_round["origin"] == origin]
        predicted = points["predicted"]
        above, below = points["high"] - predicted, predicted - points["low"]
        trace = measured_points(points, origin, response, theme)
        trace.error_x = errors(above, below, colour=theme.faint(origin))
        traces.append(trace)
    return traces


def _common_range(rows: pd.DataFrame) -> list[float]:
    """Return a range that holds predictions and measurements, with some air."""
    both = rows[["predicted", "measured"]].to_numpy(dtype=float)
    low, high = float(np.min(both)), float(np.max(both))
    air = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return [low - air, high + air]
