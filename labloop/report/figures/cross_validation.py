"""What networks predicted of formulas that they never saw against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import (
    PANEL,
    base_layout,
    literal,
    named_once,
    quiet_axes,
    shortened,
)
from labloop.report.subjects import Response
from labloop.report.theme import Theme

_ACROSS = 2  # panels side by side
_SCORES = {"r2": "R²", "spearman": "rank", "plain_r2": "forest’s R²"}
_NAMED = 6  # sources with a colour of their own
_HOVER = (
    "<b>formula %{customdata}</b> of %{meta[0]}<br>%{meta[1]}<br>"
    "measured %{y:.4g}<br>predicted %{x:.4g}<extra></extra>"
)


def cross_validation(
    left_out: pd.DataFrame, scores: pd.DataFrame, shown: Sequence[Response], theme: Theme
) -> go.Figure:
    """Return predicted against measured of formulas left out, one panel a response.

    Args:
        left_out: Frame `source`, `formula`, `response`, `measured`, `predicted`.
        scores: Frame by response with `r2`, `plain_r2` and `spearman`, said above the panels.
        shown: The responses, at least one, each with rows in `left_out`.
        theme: Colours; the six sources with most formulas have one of their own.
    """
    across = min(_ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    height = 80 + (PANEL + 64) * down
    figure = make_subplots(
        rows=down, cols=across, horizontal_spacing=0.22 / across, vertical_spacing=112 / height,
        subplot_titles=[_score(scores, response) for response in shown],
    )  # fmt: skip
    sources = left_out["source"].value_counts(sort=True).index.tolist()
    named: set[str] = set()
    for panel, response in enumerate(shown):
        place = {"row": panel // across + 1, "col": panel % across + 1}
        rows = left_out[left_out["response"] == response.name]
        for trace in _traces(rows, sources, response, theme):
            figure.add_trace(named_once(trace, named), **place)
        title, ends = literal(shortened(response.title)), _common_range(rows)
        figure.update_xaxes(title_text=f"predicted {title}", range=ends, **place)
        figure.update_yaxes(title_text=f"measured {title}", range=ends, **place)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(margin={"t": 84})
    figure.update_annotations(font={"size": 13, "color": theme.ink})
    quiet_axes(figure, theme)
    return figure


def _score(scores: pd.DataFrame, response: Response) -> str:
    if response.name not in scores.index:
        return ""
    row = scores.reindex(columns=[*_SCORES]).astype(float).loc[[response.name]].to_numpy()[0]
    said = zip(_SCORES.values(), row.tolist(), strict=True)
    return ", ".join(f"{name} {value:.2f}" for name, value in said if math.isfinite(value))


def _traces(
    rows: pd.DataFrame, sources: Sequence[str], response: Response, theme: Theme
) -> list[go.Scatter]:
    ends = _common_range(rows)
    traces = [
        go.Scatter(
            x=ends, y=ends, mode="lines", name="as predicted", hoverinfo="skip",
            line={"color": theme.quiet, "width": 1.25, "dash": "dash"},
        )
    ]  # fmt: skip
    for place, source in enumerate(sources):
        points = rows[rows["source"] == source]
        if not len(points):
            continue
        own = place < _NAMED
        traces.append(
            go.Scatter(
                x=points["predicted"], y=points["measured"], mode="markers",
                name=literal(shortened(source)) if own else "other sources",
                marker={"color": theme.origins[min(place, _NAMED)], "size": 5, "opacity": 0.55},
                customdata=points["formula"], hovertemplate=_HOVER,
                meta=[literal(source), literal(response.title)],
            )
        )  # fmt: skip
    return traces


def _common_range(rows: pd.DataFrame) -> list[float]:
    """Return a range that holds predictions and measurements, with some air."""
    both = rows[["predicted", "measured"]].to_numpy(dtype=float)
    low, high = float(both.min()), float(both.max())
    air = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    return [low - air, high + air]
