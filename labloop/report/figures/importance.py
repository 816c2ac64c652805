"""Which components matter for which response, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import HOVER, base_layout, literal, quiet_axes, shortened
from labloop.report.subjects import Response
from labloop.report.theme import Theme

_ROW = 26  # pixels
_NAME = 22  # characters of a component's name
_TITLE = 60  # characters of a response's title, shared by the panels


def importance(
    values: pd.DataFrame, components: Sequence[str], shown: Sequence[Response], theme: Theme
) -> go.Figure:
    """Return a bar a component and response with its 90 % interval, a panel a response.

    Args:
        values: Frame `response`, `component`, `importance`, `low`, `high`.
        components: What is shown, from top to bottom, at least one.
        shown: The responses, at least one, from left to right.
        theme: Colours.
    """
    most = max(1, len(shown))
    figure = make_subplots(
        rows=1, cols=most, shared_yaxes=True, horizontal_spacing=0.1 / most,
        subplot_titles=[literal(shortened(r.name, _TITLE // most)) for r in shown],
    )  # fmt: skip
    for col, response in enumerate(shown, start=1):
        rows = values[values["response"] == response.name].set_index("component")
        rows = rows.reindex(list(components))
        figure.add_trace(_bars(rows, response, theme), row=1, col=col)
    figure.update_layout(base_layout(theme, 96 + _ROW * len(components)))
    figure.update_layout(showlegend=False, margin={"t": 40, "l": 12}, bargap=0.3)
    figure.update_annotations(font={"size": 13, "color": theme.ink})
    quiet_axes(figure, theme)
    figure.update_yaxes(showgrid=False, autorange="reversed", automargin=True, range=None)
    figure.update_yaxes(
        tickvals=list(range(len(components))),
        ticktext=[literal(shortened(name, _NAME)) for name in components],
        tickfont={"color": theme.ink}, col=1,
    )  # fmt: skip
    end = float(values["high"].max())
    figure.update_xaxes(
        showgrid=True, gridcolor=theme.grid, range=[0, min(max(1.04 * end, 0.05), 1.2)],
        tickformat=".0%", nticks=5,
    )  # fmt: skip
    return figure


def _bars(rows: pd.DataFrame, response: Response, theme: Theme) -> go.Bar:
    share, low, high = (rows[name] for name in ("importance", "low", "high"))
    texts = [
        f"<b>{literal(name)}</b><br>{literal(response.name)}<br>"
        f"importance {value:.1%} ({least:.1%} to {most:.1%})"
        for name, value, least, most in zip(rows.index, share, low, high, strict=True)
    ]
    return go.Bar(
        x=share, y=list(range(len(rows))), orientation="h",
        marker={"color": theme.origins[0], "opacity": 0.75},
        error_x={
            "array": high - share, "arrayminus": share - low, "color": theme.ink,
            "thickness": 1.25, "width": 3,
        },
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip
