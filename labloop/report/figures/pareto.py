"""Several objectives: the formulas by pairs of them, the front, and the hypervolume by round."""

from __future__ import annotations

import itertools
import math
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
    on_axis,
    quiet_axes,
)
from labloop.report.numbers import plus_minus, with_unit
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order, look, spoken

_PANEL = 330  # height in pixels
_BETWEEN = 64
_PAIRS = 5  # with the hypervolume, six panels


def pareto(
    formulas: pd.DataFrame,
    waiting: pd.DataFrame,
    volumes: pd.DataFrame,
    objectives: Sequence[Response],
    theme: Theme,
) -> go.Figure:
    """Return a panel for each pair of objectives, and one of the hypervolume after each round.

    Of many objectives the first five pairs are shown.

    Args:
        formulas: Measured formulas as `labloop.report.front.complete` has them, with `front`:
            whether no other surpasses the formula.
        waiting: The same columns of formulas that wait for results, the means as predicted and
            `<k>_low` and `<k>_high` instead of `<k>_sem`.
        volumes: `round`, `volume` and `sd`; see `labloop.report.front.hypervolumes`.
        objectives: What the columns are of.
        theme: Colours.
    """
    pairs = list(itertools.combinations(range(len(objectives)), 2))[:_PAIRS]
    down = math.ceil((len(pairs) + 1) / 2)
    height = 132 + (_PANEL + _BETWEEN) * down
    figure = make_subplots(
        rows=down, cols=2, horizontal_spacing=0.12, vertical_spacing=_BETWEEN / height
    )
    named: set[str] = set()
    for panel, (x, y) in enumerate(pairs):
        place = {"row": panel // 2 + 1, "col": panel % 2 + 1}
        for trace in _of_pair(formulas, waiting, x, y, objectives, theme):
            figure.add_trace(named_once(trace, named), **place)
        figure.update_xaxes(title_text=on_axis(objectives[x].title), **place)
        figure.update_yaxes(title_text=on_axis(objectives[y].title), **place)
    place = {"row": len(pairs) // 2 + 1, "col": len(pairs) % 2 + 1}
    figure.add_trace(_volume_line(volumes, theme), **place)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(margin_t=84)  # room for a legend of several lines
    quiet_axes(figure, theme)
    rounds = volumes["round"].tolist()
    figure.update_xaxes(title_text="round", tickvals=rounds[:: max(1, len(rounds) // 8)], **place)
    figure.update_yaxes(title_text="hypervolume", rangemode="tozero", **place)
    return figure


def _of_pair(
    formulas: pd.DataFrame,
    waiting: pd.DataFrame,
    x: int,
    y: int,
    objectives: Sequence[Response],
    theme: Theme,
) -> list[go.Scatter]:
    traces = []
    missed = formulas[~formulas["meets"]]
    if len(missed):
        traces.append(
            go.Scatter(
                x=missed[f"{x}"], y=missed[f"{y}"], mode="markers", name="misses a bound",
                marker={"color": theme.quiet, "size": 6, "opacity": 0.35},
                customdata=_said(missed, objectives), hovertemplate=HOVER,
            )
        )  # fmt: skip
    ringed = formulas[formulas["front"]]
    if len(ringed):
        front = ringed.sort_values([f"{x}", f"{y}"])
        traces.append(
            go.Scatter(
                x=front[f"{x}"], y=front[f"{y}"], name="Pareto front",
                mode="lines+markers" if len(objectives) == 2 else "markers", hoverinfo="skip",
                line={"color": theme.ink, "width": 1.5, "dash": "dot"},
                marker={"symbol": "circle-open", "size": 15, "color": theme.ink,
                        "line": {"width": 1.5}},
            )
        )  # fmt: skip
    for origin in in_order(set(formulas["origin"]) | set(waiting["origin"])):
        met = formulas[(formulas["origin"] == origin) & formulas["meets"]]
        if len(met):
            traces.append(_points(met, origin, x, y, objectives, theme))
        expected = waiting[waiting["origin"] == origin]
        if len(expected):
            traces.append(_hollow(expected, origin, x, y, objectives, theme))
    return traces


def _points(
    rows: pd.DataFrame, origin: str, x: int, y: int, objectives: Sequence[Response], theme: Theme
) -> go.Scatter:
    colour = theme.faint(origin)
    return go.Scatter(
        x=rows[f"{x}"], y=rows[f"{y}"], mode="markers", name=literal(spoken(origin)),
        marker={"symbol": look(origin).symbol, "color": theme.colour(origin), "size": 8,
                "line": {"color": theme.paper, "width": 0.75}},
        error_x=errors(rows[f"{x}_sem"], colour=colour),
        error_y=errors(rows[f"{y}_sem"], colour=colour),
        customdata=_said(rows, objectives), hovertemplate=HOVER,
    )  # fmt: skip


def _hollow(
    rows: pd.DataFrame, origin: str, x: int, y: int, objectives: Sequence[Response], theme: Theme
) -> go.Scatter:
    def bars(k: int) -> dict[str, object]:
        middle = rows[f"{k}"]
        return errors(rows[f"{k}_high"] - middle, middle - rows[f"{k}_low"], colour=theme.unknown)

    return go.Scatter(
        x=rows[f"{x}"], y=rows[f"{y}"], mode="markers",
        name=f"{literal(spoken(origin))}, predicted",
        marker={"symbol": f"{look(origin).symbol}-open", "color": theme.colour(origin), "size": 8},
        error_x=bars(x), error_y=bars(y),
        customdata=_said(rows, objectives), hovertemplate=HOVER,
    )  # fmt: skip


def _said(rows: pd.DataFrame, objectives: Sequence[Response]) -> list[str]:
    texts = []
    for row in rows.to_dict("records"):
        lines = [f"<b>formula {row['formula']}</b>, {literal(spoken(row['origin']))}"]
        lines[0] += f", round {row['round']}"
        for k, objective in enumerate(objectives):
            if f"{k}_low" in row:
                ends = f"{plus_minus(row[f'{k}_low'], math.nan)} to "
                ends += plus_minus(row[f"{k}_high"], math.nan)
                said = f"predicted {plus_minus(row[f'{k}'], math.nan)} ({ends})"
            else:
                said = plus_minus(row[f"{k}"], row[f"{k}_sem"])
            lines.append(literal(f"{objective.name}: {with_unit(said, objective.unit)}"))
        if not row["meets"]:
            lines.append("misses a bound")
        texts.append("<br>".join(lines))
    return texts


def _volume_line(volumes: pd.DataFrame, theme: Theme) -> go.Scatter:
    texts = [
        f"<b>after round {row['round']:.0f}</b><br>hypervolume "
        f"{plus_minus(row['volume'], row['sd'])}"
        for row in volumes.to_dict("records")
    ]
    return go.Scatter(
        x=volumes["round"], y=volumes["volume"], mode="lines+markers", name="hypervolume",
        line={"color": theme.ink, "width": 2}, marker={"size": 8}, showlegend=False,
        error_y=errors(volumes["sd"], colour=theme.quiet),
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip
