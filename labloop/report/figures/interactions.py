"""Which two components do more together than each alone, and the strongest pair's surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import HOVER, base_layout, literal, quiet_axes, shortened
from labloop.report.numbers import number
from labloop.report.subjects import Component, Response
from labloop.report.theme import Theme

_ROW, _LEAST = 46, 300  # pixels of a pair, and of a panel
_BETWEEN = 96
_NAME = 18  # characters of a component's name
_TITLE = 34
_SCALE = "Viridis"


class PairPanel(NamedTuple):
    """What is shown of one response.

    `pairs` are rows of `first`, `second`, `strength`, `low`, `high`, strongest first, at least
    one; `first` and `second` are the strongest pair's components, `surface` its `first_amount`,
    `second_amount`, `mean`, `low`, `high`.
    """

    response: Response
    pairs: pd.DataFrame
    first: Component
    second: Component
    surface: pd.DataFrame


def interactions(panels: Sequence[PairPanel], theme: Theme) -> go.Figure:
    """Return for each response the pairs' shares with their intervals, and a map of the first.

    The map has the average response at amounts of both components.
    """
    tall = [max(_LEAST, _ROW * len(panel.pairs)) for panel in panels]
    height = sum(tall) + _BETWEEN * len(panels)
    figure = make_subplots(
        rows=len(panels), cols=2, column_widths=[0.42, 0.58], row_heights=tall,
        horizontal_spacing=0.16, vertical_spacing=_BETWEEN / height,
        subplot_titles=[text for panel in panels for text in _titles(panel)],
    )  # fmt: skip
    for row, panel in enumerate(panels, start=1):
        figure.add_trace(_bars(panel, theme), row=row, col=1)
        figure.add_trace(_map(panel), row=row, col=2)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(showlegend=False, margin={"t": 40, "l": 12})
    figure.update_annotations(font={"size": 13, "color": theme.ink})
    quiet_axes(figure, theme)
    for row, panel in enumerate(panels, start=1):
        _settle_axes(figure, row, panel, theme)
    return figure


def _titles(panel: PairPanel) -> tuple[str, str]:
    title = literal(shortened(panel.response.title, _TITLE))
    return f"strongest pairs for {literal(shortened(panel.response.name, _NAME))}", title


def _settle_axes(figure: go.Figure, row: int, panel: PairPanel, theme: Theme) -> None:
    names = [
        "<br>× ".join(literal(shortened(pair[end], _NAME)) for end in ("first", "second"))
        for pair in panel.pairs.to_dict("records")
    ]
    end = max(1.04 * float(panel.pairs["high"].max()), 0.02)
    figure.update_xaxes(
        range=[0, end], tickformat=".0%" if end > 0.05 else ".1%", nticks=5, showgrid=True,
        gridcolor=theme.grid, title_text="share of its variance", row=row, col=1,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, autorange="reversed", showgrid=False,
        automargin=True, tickfont={"color": theme.ink, "size": 12}, row=row, col=1,
    )  # fmt: skip
    for axis, component, update in (
        ("first", panel.first, figure.update_xaxes), ("second", panel.second, figure.update_yaxes),
    ):  # fmt: skip
        amounts = list(dict.fromkeys(panel.surface[f"{axis}_amount"].tolist()))
        update(
            tickvals=list(range(len(amounts))), ticktext=[_written(amount) for amount in amounts],
            title_text=literal(shortened(component.title, _TITLE)), title_standoff=6,
            showgrid=False, row=row, col=2,
        )  # fmt: skip


def _written(amount: float | str) -> str:
    return literal(shortened(amount, 12)) if isinstance(amount, str) else f"{amount:.3g}"


def _bars(panel: PairPanel, theme: Theme) -> go.Bar:
    pairs = panel.pairs
    share, low, high = (pairs[name] for name in ("strength", "low", "high"))
    texts = [
        f"<b>{literal(pair['first'])} × {literal(pair['second'])}</b><br>"
        f"{pair['strength']:.2%} of the variance of {literal(panel.response.name)}<br>"
        f"({pair['low']:.2%} to {pair['high']:.2%})"
        for pair in pairs.to_dict("records")
    ]
    return go.Bar(
        x=share, y=list(range(len(pairs))), orientation="h", width=0.5,
        marker={"color": theme.origins[0], "opacity": 0.75},
        error_x={
            "array": high - share, "arrayminus": share - low, "color": theme.ink,
            "thickness": 1.25, "width": 3,
        },
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip


def _map(panel: PairPanel) -> go.Heatmap:
    surface = panel.surface
    sides = [
        {amount: k for k, amount in enumerate(dict.fromkeys(surface[name].tolist()))}
        for name in ("first_amount", "second_amount")
    ]
    cells: list[list[float | None]] = [[None] * len(sides[0]) for _ in sides[1]]
    texts = [[""] * len(sides[0]) for _ in sides[1]]
    hover = [[""] * len(sides[0]) for _ in sides[1]]
    for cell in surface.to_dict("records"):
        x, y = sides[0][cell["first_amount"]], sides[1][cell["second_amount"]]
        cells[y][x], texts[y][x] = cell["mean"], f"{cell['mean']:.3g}"
        hover[y][x] = (
            f"{_both(panel, cell)}<br>{literal(panel.response.title)}, on average<br>"
            f"{number(cell['mean'])} ({number(cell['low'])} to {number(cell['high'])})"
        )
    return go.Heatmap(
        z=cells, text=texts, texttemplate="%{text}", colorscale=_SCALE, showscale=False,
        xgap=2, ygap=2, customdata=hover, hovertemplate=HOVER, textfont={"size": 12},
    )  # fmt: skip


def _both(panel: PairPanel, cell: dict[Any, Any]) -> str:
    pairs = ((panel.first, cell["first_amount"]), (panel.second, cell["second_amount"]))
    return "<br>".join(
        f"<b>{literal(component.name)} {literal(_with(amount, component.unit))}</b>"
        for component, amount in pairs
    )


def _with(amount: object, unit: str) -> str:
    return amount if isinstance(amount, str) else f"{number(float(str(amount)))} {unit}".strip()
