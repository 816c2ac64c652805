"""The campaign's progress: every round's formulas and the best measured so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import (
    HOVER,
    PANEL,
    base_layout,
    errors,
    hover_texts,
    literal,
    measured_points,
    named_once,
    on_axis,
    quiet_axes,
    side_by_side,
)
from labloop.report.numbers import number
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order, look, spoken

_BETWEEN = 36  # pixels between panels
_LEAD = 0.4  # how far before its round a new best is drawn


def progress(values: pd.DataFrame, shown: Sequence[Response], theme: Theme) -> go.Figure:
    """Return every round's formulas, measured or else predicted, and the best measured so far.

    One panel for each response that is shown. Measured means have their standard error,
    predictions of rounds that wait for results are hollow and have their 90 % interval. For the
    frame see `labloop.report.subjects`.
    """
    height = 70 + PANEL * len(shown)
    figure = make_subplots(
        rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=_BETWEEN / height
    )
    named: set[str] = set()
    for row, response in enumerate(shown, start=1):
        of_response = values[values["response"] == response.name]
        of_response = of_response.assign(x=side_by_side(of_response))
        for trace in _traces(of_response, response, theme):
            figure.add_trace(named_once(trace, named), row=row, col=1)
        if not math.isnan(response.bound):
            _bound_line(figure, row, response, theme)
        figure.update_yaxes(title_text=on_axis(response.title), row=row, col=1)
    figure.update_layout(base_layout(theme, height))
    quiet_axes(figure, theme)
    rounds = values["round"]
    figure.update_xaxes(
        tickvals=sorted(set(rounds[values["origin"] != "adopted"])),
        range=[rounds.min() - 0.6, rounds.max() + 0.6],
    )
    figure.update_xaxes(title_text="round", row=len(shown), col=1)
    return figure


def _traces(values: pd.DataFrame, response: Response, theme: Theme) -> list[go.Scatter]:
    traces = []
    for origin in in_order(set(values["origin"]) - {"control"}):
        rows = values[values["origin"] == origin]
        measured = rows[rows["measured"].notna()]
        waiting = rows[rows["measured"].isna() & rows["predicted"].notna() & rows["waits"]]
        if len(measured):
            traces.append(measured_points(measured, origin, response, theme))
        if len(waiting):
            traces.append(_waiting_points(waiting, origin, response, theme))
    controls = values[(values["origin"] == "control") & values["measured"].notna()]
    for control, rows in controls.groupby("formula", sort=False):
        traces.append(_control_line(rows, str(control), response, theme))
    line = best_so_far(values, response)
    if len(line):
        traces.append(
            go.Scatter(
                x=line.index, y=line, mode="lines", name="best so far", hoverinfo="skip",
                line={"color": theme.ink, "width": 2, "shape": "hv"},
            )
        )  # fmt: skip
    return traces


def _waiting_points(
    rows: pd.DataFrame, origin: str, response: Response, theme: Theme
) -> go.Scatter:
    predicted = rows["predicted"]
    return go.Scatter(
        x=rows["x"], y=predicted, mode="markers", name=literal(spoken(origin)),
        marker={"symbol": f"{look(origin).symbol}-open", "color": theme.colour(origin), "size": 8},
        error_y=errors(rows["high"] - predicted, predicted - rows["low"], colour=theme.unknown),
        customdata=hover_texts(rows, response), hovertemplate=HOVER,
    )  # fmt: skip


def _control_line(rows: pd.DataFrame, control: str, response: Response, theme: Theme) -> go.Scatter:
    return go.Scatter(
        x=rows["x"], y=rows["measured"], mode="lines+markers",
        name=f"{literal(control)} (control)",
        line={"color": theme.ink, "width": 1.5, "dash": "dot"},
        marker={
            "symbol": "diamond", "size": 10, "color": theme.paper,
            "line": {"color": theme.ink, "width": 2},
        },
        error_y=errors(rows["sem"], colour=theme.ink),
        customdata=hover_texts(rows, response), hovertemplate=HOVER,
    )  # fmt: skip


def best_so_far(values: pd.DataFrame, response: Response) -> pd.Series[float]:
    """Return the best measured value after each round, by where its line starts and ends.

    Formulas that were adopted between two rounds count as a round of their own. Controls do not
    count, nor formulas that miss a bound. Empty for a response that is not an objective.
    """
    rows = response.candidates(values)
    if not (response.is_objective and len(rows)):
        return pd.Series(dtype=float)
    rows = rows.assign(
        merit=response.merit(rows["measured"]),
        stage=rows["round"] + 0.5 * (rows["origin"] == "adopted"),
    )
    best = rows.sort_values(["stage", "merit"]).drop_duplicates("stage", keep="last")
    best = best[best["merit"] > best["merit"].shift(fill_value=-math.inf).cummax()]
    places, heights = (best["stage"] - _LEAD).tolist(), best["measured"].tolist()
    end = float(values["round"].max()) + 0.5
    return pd.Series([*heights, heights[-1]], index=[*places, end], dtype=float)


def _bound_line(figure: go.Figure, row: int, response: Response, theme: Theme) -> None:
    wanted = {"at_least": "at least", "at_most": "at most", "near": "wanted:"}[response.goal]
    text = f"{wanted} {number(response.bound)}"
    figure.add_hline(
        y=response.bound, row=row, col=1, line={"color": theme.quiet, "width": 1, "dash": "dash"},
        annotation={"text": text, "font": {"color": theme.quiet, "size": 12}},
        annotation_position="top left",
    )  # fmt: skip
