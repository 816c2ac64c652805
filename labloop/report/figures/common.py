"""What figures have in common: fonts, axes, markers, and what is said under the pointer.

Names are shown as they are written: what plotly would take for HTML is escaped.
"""

from __future__ import annotations

import html
import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from labloop.report.numbers import counted, plus_minus
from labloop.report.subjects import Response
from labloop.report.theme import FONT, Theme, look, spoken

_SPREAD = 0.32  # half the width of a round's formulas, in rounds
_ROOM = 36  # letters along a panel
PANEL = 320  # height in pixels
HOVER = "%{customdata}<extra></extra>"


def literal(text: object) -> str:
    """Return text that plotly shows as it is written."""
    return html.escape(str(text), quote=False)


def shortened(text: str, most: int = 34) -> str:
    """Return a text for an axis or a legend, cut where it would not fit beside the figure."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def on_axis(text: str) -> str:
    """Return a name as an axis has room for, cut where it is long."""
    return literal(text if len(text) <= _ROOM else f"{text[: _ROOM - 1].rstrip()}…")


def base_layout(theme: Theme, height: int) -> dict[str, Any]:
    """Return what the layouts have in common; the height is in pixels."""
    return {
        "template": "none",
        "height": height,
        "font": {"family": FONT, "size": 13, "color": theme.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 64, "r": 12, "t": 48, "b": 56},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": theme.quiet, "activecolor": theme.ink},
        "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
        "legend": {
            "orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top",
            "font": {"size": 12.5},
        },
    }  # fmt: skip


def quiet_axes(figure: go.Figure, theme: Theme) -> None:
    """Draw axes so that they stand behind what they measure."""
    both = {
        "zeroline": False, "linecolor": theme.quiet, "tickfont": {"color": theme.quiet},
        "title": {"font": {"size": 13}},
    }  # fmt: skip
    figure.update_xaxes(showgrid=False, ticks="outside", tickcolor=theme.grid, **both)
    figure.update_yaxes(gridcolor=theme.grid, **both)


def side_by_side(values: pd.DataFrame) -> pd.Series[float]:
    """Return where formulas stand on an axis of rounds: side by side, in order of choice."""
    chosen = values.loc[~values["origin"].isin(["control", "adopted"]), "round"]
    rank = chosen.groupby(chosen).cumcount()
    count = chosen.groupby(chosen).transform("size")
    offset = (rank - (count - 1) / 2) / count.clip(lower=2) * 2 * _SPREAD
    between = 0.5 * (values["origin"] == "adopted")
    return values["round"] + offset.reindex(values.index).fillna(0.0) + between


def named_once(trace: go.Scatter, named: set[str]) -> go.Scatter:
    """Return a trace that is in the legend only if no earlier one of its name is."""
    trace.update(showlegend=trace.name not in named, legendgroup=trace.name)
    named.add(trace.name)
    return trace


def measured_points(
    rows: pd.DataFrame, origin: str, response: Response, theme: Theme
) -> go.Scatter:
    """Return measured means at places `x` with their standard errors, as their origin looks."""
    colour = theme.colour(origin)
    return go.Scatter(
        x=rows["x"], y=rows["measured"], mode="markers", name=literal(spoken(origin)),
        marker={
            "symbol": look(origin).symbol, "color": colour, "size": 8,
            "line": {"color": theme.paper, "width": 0.75},
        },
        error_y=errors(rows["sem"], colour=theme.faint(origin)),
        customdata=hover_texts(rows, response), hovertemplate=HOVER,
    )  # fmt: skip


def errors(
    above: pd.Series[float], below: pd.Series[float] | None = None, *, colour: str
) -> dict[str, Any]:
    """Return thin error bars; as far below as above unless said; an unknown one is not drawn."""
    bars = {"array": above.fillna(0.0), "color": colour, "thickness": 1, "width": 0}
    return bars if below is None else bars | {"arrayminus": below.fillna(0.0)}


def hover_texts(rows: pd.DataFrame, response: Response) -> list[str]:
    """Return what is said of each formula under the pointer."""
    texts = []
    for row in rows.to_dict("records"):
        if row["origin"] == "control":
            lines = [f"<b>{literal(row['formula'])}</b>, control"]
        else:
            lines = [f"<b>formula {row['formula']}</b>, {literal(spoken(row['origin']))}"]
        lines.append(literal(response.title))
        if not math.isnan(row["measured"]):
            wells = counted(row["wells"], "well")
            lines.append(f"measured {plus_minus(row['measured'], row['sem'])} ({wells})")
        if not math.isnan(row["predicted"]):
            lines.append(f"predicted {plus_minus(row['predicted'], row['sd'])}")
        texts.append("<br>".join(lines))
    return texts
