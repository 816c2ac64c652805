"""What another plate may bring, beside what is left to gain and what chance alone does."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from labloop.report.figures.common import HOVER, base_layout, errors, literal, quiet_axes
from labloop.report.theme import Theme

_HEIGHT = 210  # pixels


def outlook(
    gain: tuple[float, float, float],
    potential: float,
    visible: float,
    step: float,
    measure: str,
    theme: Theme,
) -> go.Figure:
    """Return the expected gain of the next plate and what the space may hold, in per cent.

    Args:
        gain: The plate's expected improvement and the ends of its 80 % interval, as shares.
        potential: Median of what is left to gain in the whole space.
        visible: What two measurements differ by chance, which is shaded; NaN for not known.
        step: The improvement that counts as worth having, at which there is a line.
        measure: What the shares are of.
        theme: Colours.
    """
    mean, low, high = (100 * each for each in gain)
    rows = pd.DataFrame(
        [("the next plate", mean, low, high), ("all that is left", *3 * [100 * potential])],
        columns=["name", "x", "low", "high"],
    )
    texts = [
        f"<b>the next plate</b><br>expected gain {mean:.1f} % (80 % interval {low:.1f} to "
        f"{high:.1f} %)",
        f"<b>all that is left</b><br>median over the whole space {100 * potential:.1f} %",
    ]
    figure = go.Figure(
        go.Scatter(
            x=rows["x"], y=rows["name"], mode="markers", showlegend=False,
            marker={"color": [theme.origins[0], theme.quiet], "size": 12,
                    "symbol": ["circle", "diamond"]},
            error_x=errors(rows["high"] - rows["x"], rows["x"] - rows["low"], colour=theme.ink)
            | {"thickness": 2},
            customdata=texts, hovertemplate=HOVER,
        )
    )  # fmt: skip
    ends = [mean, high, 100 * potential, 100 * step]
    if not math.isnan(visible):
        ends.append(100 * visible)
        figure.add_vrect(
            x0=0, x1=100 * visible, fillcolor=theme.unknown, opacity=0.45, line_width=0,
            layer="below",
        )  # fmt: skip
    figure.add_vline(
        x=100 * step, line={"color": theme.quiet, "width": 1, "dash": "dash"},
        annotation={"text": f"{100 * step:.0f} %", "font": {"color": theme.quiet, "size": 12}},
        annotation_position="top",
    )  # fmt: skip
    figure.update_layout(base_layout(theme, _HEIGHT))
    figure.update_layout(margin={"l": 120, "r": 24, "t": 26, "b": 52})
    quiet_axes(figure, theme)
    figure.update_xaxes(title_text=f"gain, % of {literal(measure)}", range=[0, 1.12 * max(ends)])
    figure.update_yaxes(range=[1.6, -0.6], tickfont={"color": theme.ink}, showgrid=False)
    return figure
