"""What strategies found round by round: means over campaigns with their standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import HOVER, PANEL, base_layout, literal, named_once, quiet_axes
from labloop.report.numbers import plus_minus
from labloop.report.theme import Theme

_BETWEEN = 36  # pixels between panels
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "hexagon", "x", "star")


class Panel(NamedTuple):
    """One measure: the frame's column of means, and its title; `<column>_sem` are the errors."""

    column: str
    title: str


def curves(
    summary: pd.DataFrame, strategies: Sequence[str], panels: Sequence[Panel], theme: Theme
) -> go.Figure:
    """Return the curves of strategies, one panel a measure, each with a band of ± one error.

    Args:
        summary: A row a `strategy` and `round`, with the panels' columns.
        strategies: In the order of the legend.
        panels: What is shown, at least one.
        theme: Colours.
    """
    height = 90 + PANEL * len(panels)
    figure = make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=_BETWEEN / height
    )
    named: set[str] = set()
    for row, panel in enumerate(panels, start=1):
        for place, strategy in enumerate(strategies):
            rows = summary[(summary["strategy"] == strategy) & summary[panel.column].notna()]
            figure.add_trace(_band(rows, panel, strategy, place, theme), row=row, col=1)
            line = _line(rows, panel, strategy, place, theme)
            figure.add_trace(named_once(line, named), row=row, col=1)
        figure.update_yaxes(title_text=literal(panel.title), row=row, col=1)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(margin={"t": 76})
    quiet_axes(figure, theme)
    rounds = sorted(set(summary["round"]))
    figure.update_xaxes(tickvals=rounds, range=[rounds[0] - 0.2, rounds[-1] + 0.2])
    figure.update_xaxes(title_text="round", row=len(panels), col=1)
    return figure


def _colour(place: int, theme: Theme) -> str:
    return theme.origins[place % len(theme.origins)]


def _line(rows: pd.DataFrame, panel: Panel, strategy: str, place: int, theme: Theme) -> go.Scatter:
    colour = _colour(place, theme)
    spread = rows[f"{panel.column}_sem"]
    texts = [
        f"<b>{literal(strategy)}</b>, round {number}<br>{literal(panel.title)}<br>"
        f"{plus_minus(mean, sem)}"
        for number, mean, sem in zip(rows["round"], rows[panel.column], spread, strict=True)
    ]
    return go.Scatter(
        x=rows["round"], y=rows[panel.column], mode="lines+markers", name=literal(strategy),
        line={
            "color": colour, "width": 2 if place else 3, "dash": _DASHES[place % len(_DASHES)],
        },
        marker={
            "symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 8, "color": colour,
            "line": {"color": theme.paper, "width": 0.75},
        },
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip


def _band(rows: pd.DataFrame, panel: Panel, strategy: str, place: int, theme: Theme) -> go.Scatter:
    """Return what lies within one standard error; with one campaign nothing."""
    spread = rows[f"{panel.column}_sem"].fillna(0.0)
    upper, lower = rows[panel.column] + spread, rows[panel.column] - spread
    red, green, blue = bytes.fromhex(_colour(place, theme)[1:])
    return go.Scatter(
        x=[*rows["round"], *rows["round"][::-1]], y=[*upper, *lower[::-1]], fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.14)", line={"width": 0}, mode="lines",
        hoverinfo="skip", showlegend=False, legendgroup=literal(strategy),
    )  # fmt: skip
