"""Whether predictions held what they promised, round by round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.coverage import PROMISED, TO_END, compared, drift, share_between, shares
from labloop.report.figures.common import (
    HOVER,
    base_layout,
    errors,
    hover_texts,
    literal,
    named_once,
    on_axis,
    quiet_axes,
    side_by_side,
)
from labloop.report.numbers import plus_minus
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order, look, spoken

_PANEL = 230  # height in pixels
_BETWEEN = 46
_APART = 1.5  # rounds between the last one and all together


def calibration(values: pd.DataFrame, shown: Sequence[Response], theme: Theme) -> go.Figure:
    """Return the share of measured means within their 90 % interval and the errors, by round.

    A line of two panels for each response: the shares with their 90 % interval, all rounds together
    last; and each formula's error in standard deviations of its prediction, with the mean of each
    round. For the frame see `labloop.report.subjects`.
    """
    height = 132 + (_PANEL + _BETWEEN) * len(shown)
    figure = make_subplots(
        rows=len(shown), cols=2, column_widths=[0.4, 0.6], horizontal_spacing=0.11,
        vertical_spacing=_BETWEEN / height,
    )  # fmt: skip
    rounds = sorted({int(each) for each in values["round"]})
    named: set[str] = set()
    for row, response in enumerate(shown, start=1):
        rows = compared(values[values["response"] == response.name])
        figure.add_trace(named_once(_shares(rows, rounds, theme), named), row=row, col=1)
        for trace in _errors(rows, response, theme):
            figure.add_trace(named_once(trace, named), row=row, col=2)
        figure.update_yaxes(title_text=on_axis(f"% within, {response.name}"), row=row, col=1)
        figure.update_yaxes(title_text=on_axis(f"error in sd, {response.name}"), row=row, col=2)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(margin_t=84)  # room for a legend of several lines
    quiet_axes(figure, theme)
    figure.update_yaxes(range=[0, 104], col=1)
    some = rounds[:: math.ceil(len(rounds) / 10)]
    figure.update_xaxes(
        tickvals=[*some, rounds[-1] + _APART], ticktext=[*(str(r) for r in some), "all"],
        range=[rounds[0] - 0.6, rounds[-1] + _APART + 0.6], col=1,
    )  # fmt: skip
    figure.update_xaxes(tickvals=some, range=[rounds[0] - 0.6, rounds[-1] + 0.6], col=2)
    figure.update_xaxes(title_text="round", row=len(shown))
    _lines(figure, len(shown), theme)
    return figure


def _shares(rows: pd.DataFrame, rounds: Sequence[int], theme: Theme) -> go.Scatter:
    found = shares(rows)
    inside, count = int(rows["inside"].sum()), len(rows)
    ends = share_between(inside, count) if count else (0.0, 0.0)
    every = pd.DataFrame(
        [(rounds[-1] + _APART, inside, count, inside / max(count, 1), *ends)], columns=found.columns
    )
    found = pd.concat([found, every], ignore_index=True) if count else found
    names = [f"round {r:.0f}" if r <= rounds[-1] else "all rounds" for r in found["round"].tolist()]
    texts = [
        f"<b>{name}</b><br>{row['inside']} of {row['count']} within: {100 * row['share']:.0f} % "
        f"({100 * row['low']:.0f} to {100 * row['high']:.0f} %)"
        for name, row in zip(names, found.to_dict("records"), strict=True)
    ]
    share = 100 * found["share"]
    return go.Scatter(
        x=found["round"], y=share, mode="markers", name="share within, with its 90 % interval",
        marker={"color": theme.ink, "size": 9},
        error_y=errors(100 * found["high"] - share, share - 100 * found["low"], colour=theme.quiet),
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip


def _errors(rows: pd.DataFrame, response: Response, theme: Theme) -> list[go.Scatter]:
    rows = rows[rows["error"].notna()].copy()
    rows["x"] = side_by_side(rows)
    traces = []
    for origin in in_order(set(rows["origin"])):
        points = rows[rows["origin"] == origin]
        traces.append(
            go.Scatter(
                x=points["x"], y=points["error"], mode="markers", name=literal(spoken(origin)),
                marker={"symbol": look(origin).symbol, "color": theme.faint(origin), "size": 6},
                customdata=hover_texts(points, response), hovertemplate=HOVER,
            )
        )  # fmt: skip
    means = [(int(str(number)), *drift(each)) for number, each in rows.groupby("round")]
    found = pd.DataFrame(means, columns=["round", "mean", "sem"], dtype=float)
    traces.append(
        go.Scatter(
            x=found["round"], y=found["mean"], mode="lines+markers",
            name="mean of the round, with its standard error",
            line={"color": theme.ink, "width": 1.5}, marker={"size": 7},
            error_y=errors(found["sem"], colour=theme.ink),
            customdata=[
                f"<b>round {number:.0f}</b><br>mean error {plus_minus(mean, sem)} sd"
                for number, mean, sem in found.to_numpy().tolist()
            ],
            hovertemplate=HOVER,
        )
    )  # fmt: skip
    return traces


def _lines(figure: go.Figure, shown: int, theme: Theme) -> None:
    """Draw what was promised: 90 % within, and errors around zero."""
    thin = {"color": theme.quiet, "width": 1}
    dashed = thin | {"dash": "dash"}
    lines: list[dict[str, Any]] = []
    for k in range(shown):
        left, right = (str(place) if place > 1 else "" for place in (2 * k + 1, 2 * k + 2))
        for axis, y, line in (
            (left, 100 * PROMISED, dashed), (right, 0.0, thin), (right, -TO_END, dashed),
            (right, TO_END, dashed),
        ):  # fmt: skip
            at = {"xref": f"x{axis} domain", "yref": f"y{axis}", "y0": y, "y1": y}
            lines.append({"type": "line", "x0": 0, "x1": 1, "line": line, **at})
    figure.update_layout(shapes=lines)
