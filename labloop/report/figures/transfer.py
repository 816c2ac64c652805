"""How far the history is followed, round by round."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import (
    HOVER,
    base_layout,
    errors,
    literal,
    named_once,
    quiet_axes,
    shortened,
)
from labloop.report.numbers import plus_minus
from labloop.report.theme import Theme

_HEIGHT = 520
_FOR_WORDS = 0.2  # of the rounds' width, kept free for what the dashed lines mean
_APART = 0.06  # rounds between the marks of two responses
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "hexagon", "x", "star")
_WIDTH = 72  # characters of a line under the pointer


def transfer(trust: pd.DataFrame, shown: Sequence[str], theme: Theme) -> go.Figure:
    """Return two panels over the rounds: what is left of the history's differences, and its share.

    Above, the scale of the history's prediction with its standard deviation: 1 where formulas
    differ here as the history says, 0 where they differ without relation to it. Below, the share
    of the prediction that comes from models which start from the history.

    Args:
        trust: Frame `round`, `response`, `b`, `b_sd`, `history_share`, `text`.
        shown: Names of the responses, in the order of the legend.
        theme: Colours.
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09, row_heights=[0.6, 0.4]
    )
    named: set[str] = set()
    for place, response in enumerate(shown):
        rows = trust[trust["response"] == response]
        x = rows["round"] + _APART * (place - (len(shown) - 1) / 2)
        for row, trace in enumerate(_traces(rows, x, response, place, theme), start=1):
            figure.add_trace(named_once(trace, named), row=row, col=1)
    for level, text in ((1.0, "as the history says"), (0.0, "no relation")):
        figure.add_hline(
            y=level, row=1, col=1, line={"color": theme.quiet, "width": 1, "dash": "dash"},
            annotation={"text": text, "font": {"color": theme.quiet, "size": 12}},
            annotation_position="top left",
        )  # fmt: skip
    figure.update_layout(base_layout(theme, _HEIGHT))
    figure.update_layout(margin={"t": 60})
    quiet_axes(figure, theme)
    rounds = sorted(set(trust["round"]))
    room = _FOR_WORDS * (rounds[-1] - rounds[0] + 1)
    figure.update_xaxes(range=[rounds[0] - 0.4 - room, rounds[-1] + 0.4], tickvals=rounds)
    figure.update_xaxes(title_text="round", row=2, col=1)
    figure.update_yaxes(title_text="scale of its prediction", row=1, col=1)
    figure.update_yaxes(
        title_text="share of the prediction", range=[-0.04, 1.04], tickformat=".0%", row=2, col=1
    )
    return figure


def _traces(
    rows: pd.DataFrame, x: pd.Series[float], response: str, place: int, theme: Theme
) -> list[go.Scatter]:
    colour = theme.origins[place % len(theme.origins)]
    look = {
        "mode": "lines+markers", "name": literal(shortened(response)), "hovertemplate": HOVER,
        "customdata": _hovers(rows, response), "line": {"color": colour, "width": 1.5},
        "marker": {
            "symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 9, "color": colour,
            "line": {"color": theme.paper, "width": 0.75},
        },
    }  # fmt: skip
    return [
        go.Scatter(x=x, y=rows["b"], error_y=errors(rows["b_sd"], colour=colour), **look),
        go.Scatter(x=x, y=rows["history_share"], **look),
    ]


def _hovers(rows: pd.DataFrame, response: str) -> list[str]:
    texts = []
    for row in rows.to_dict("records"):
        lines = [f"<b>{literal(response)}</b>, round {row['round']}"]
        if not math.isnan(row["b"]):
            lines.append(f"scale {plus_minus(row['b'], row['b_sd'])}")
        if not math.isnan(row["history_share"]):
            lines.append(f"{row['history_share']:.0%} from models that start from the history")
        lines += map(literal, textwrap.wrap(str(row["text"]), _WIDTH))
        texts.append("<br>".join(lines))
    return texts
