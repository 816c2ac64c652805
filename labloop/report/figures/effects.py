"""What a component does to a response, with what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import (
    HOVER,
    base_layout,
    hover_texts,
    literal,
    named_once,
    quiet_axes,
    shortened,
)
from labloop.report.numbers import number, with_unit
from labloop.report.subjects import Component, Response
from labloop.report.theme import Theme, in_order, look, spoken

_ACROSS = 3  # panels side by side
_PANEL = 250  # pixels
_TITLE, _UPRIGHT = 34, 26  # characters of a title below and beside a panel
_FAR_APART = 8.0  # times the least value that the greatest must be for an axis of powers
_ROOM = 2.0  # heights of the bands above and below them, at most
_EVEN = 3.0  # how many times the widest gap between amounts may be the narrowest
_AVERAGE = "average effect, with its 90 % interval"
_JITTER = 0.16  # of the distance between two choices


class Panel(NamedTuple):
    """What one panel shows: a component's effect on a response.

    `curve` has `amount`, `mean`, `low`, `high`; `points` are rows of the frame of values with the
    component's `amount` in the measured formula.
    """

    response: Response
    component: Component
    curve: pd.DataFrame
    points: pd.DataFrame


def effects(panels: Sequence[Panel], theme: Theme) -> go.Figure:
    """Return the curves with their 90 % bands over the measured formulas, three in a row.

    Panels of a response follow each other and share their range; each response begins a row.
    """
    places = _places([panel.response.name for panel in panels])
    down = max(row for row, _ in places)
    height = 90 + _PANEL * down
    figure = make_subplots(
        rows=down,
        cols=_ACROSS,
        horizontal_spacing=0.06,
        vertical_spacing=min(62 / height, 1 / down),
    )
    named: set[str] = set()
    heights = {
        name: _Heights.of([panel for panel in panels if panel.response.name == name])
        for name in dict.fromkeys(panel.response.name for panel in panels)
    }
    for panel, (row, col) in zip(panels, places, strict=True):
        axis = _Axis.of(panel.curve)
        for trace in _points(panel, axis, theme):
            figure.add_trace(named_once(trace, named), row=row, col=col)
        if not axis.of_choices:
            figure.add_trace(_band(panel.curve, axis, theme), row=row, col=col)
        figure.add_trace(named_once(_curve(panel, axis, theme), named), row=row, col=col)
        title = literal(shortened(panel.component.title, _TITLE))
        figure.update_xaxes(title_text=title, row=row, col=col, **axis.settings(panel.component))
        figure.update_yaxes(row=row, col=col, **heights[panel.response.name].settings)
        if col == 1:
            figure.update_yaxes(
                title_text=literal(shortened(panel.response.title, _UPRIGHT)), row=row, col=col
            )
        else:
            figure.update_yaxes(showticklabels=False, row=row, col=col)
    figure.update_layout(base_layout(theme, height))
    figure.update_layout(margin={"t": 64}, legend={"traceorder": "normal"})
    quiet_axes(figure, theme)
    figure.update_xaxes(title_standoff=6)
    return figure


def _places(responses: Sequence[str]) -> list[tuple[int, int]]:
    """Return (row, column) of panels, those of a response together."""
    places: list[tuple[int, int]] = []
    for k, name in enumerate(responses):
        if not k:
            places.append((1, 1))
            continue
        row, col = places[-1]
        fresh = name != responses[k - 1] or col == _ACROSS
        places.append((row + 1, 1) if fresh else (row, col + 1))
    return places


class _Heights(NamedTuple):
    """How a response's axis goes: by powers of ten or evenly, and between which ends."""

    powers: bool
    low: float
    high: float

    @classmethod
    def of(cls, panels: Sequence[Panel]) -> _Heights:
        """Return an axis that holds the bands, and of the measured values as many as it can.

        By powers of ten where everything is above zero and far apart. Where formulas were made so
        much better than the average that the bands would be lost, it ends before them.
        """
        bands = np.concatenate([p.curve[["low", "high"]].to_numpy(float).ravel() for p in panels])
        points = np.concatenate([p.points["measured"].to_numpy(float) for p in panels])
        bands, points = bands[np.isfinite(bands)], points[np.isfinite(points)]
        every = np.concatenate([bands, points])
        powers = bool(every.min() > 0 and every.max() > _FAR_APART * every.min())
        if powers:
            bands, every = np.log10(bands), np.log10(every)
        room = max(float(np.ptp(bands)), 1e-9 * max(abs(float(every.max())), 1e-300)) * _ROOM
        low = max(float(every.min()), float(bands.min()) - room)
        high = min(float(every.max()), float(bands.max()) + room)
        air = 0.05 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(powers, low - air, high + air)

    @property
    def settings(self) -> dict[str, object]:
        """What plotly is told of it."""
        if not self.powers:
            return {"range": [self.low, self.high]}
        # of a range within two powers of ten, all of plotly's ticks would be written
        steps = [
            m * 10.0**e
            for e in range(-12, 13)
            for m in ((1, 2, 5) if self.high - self.low < 2 else (1,))
        ]
        shown = [step for step in steps if 10**self.low <= step <= 10**self.high]
        return {
            "type": "log",
            "range": [self.low, self.high],
            "tickvals": shown,
            "ticktext": [f"{step:.4g}" for step in shown],
        }


class _Axis(NamedTuple):
    """Where amounts stand: as numbers, or evenly in the order of the curve's amounts."""

    amounts: list[float | str]
    even: bool

    @classmethod
    def of(cls, curve: pd.DataFrame) -> _Axis:
        amounts = curve["amount"].tolist()
        if any(isinstance(amount, str) for amount in amounts):
            return cls(amounts, True)
        gaps = np.diff(np.asarray(amounts, dtype=float))
        return cls(amounts, bool(len(gaps) and gaps.max() > _EVEN * gaps.min()))

    @property
    def of_choices(self) -> bool:
        return any(isinstance(amount, str) for amount in self.amounts)

    def at(self, amounts: pd.Series[float]) -> np.ndarray:
        """Return where amounts stand, NaN for those of none of the choices."""
        if self.of_choices:
            place = {name: float(k) for k, name in enumerate(self.amounts)}
            return np.array([place.get(str(amount), math.nan) for amount in amounts])
        values = amounts.to_numpy(dtype=float)
        if not self.even:
            return values
        known = np.asarray(self.amounts, dtype=float)
        return np.interp(values, known, np.arange(len(known)), left=np.nan, right=np.nan)

    def settings(self, component: Component) -> dict[str, object]:
        """Return the range and the ticks of the axis."""
        last = len(self.amounts) - 1
        if not self.even:
            air = 0.04 * (component.high - component.low) or 1.0
            return {"range": [component.low - air, component.high + air], "nticks": 5}
        if self.of_choices:
            shown = list(range(last + 1))
        else:
            shown = sorted({round(k * last / 4) for k in range(5)})
        return {
            "range": [-0.5, last + 0.5] if self.of_choices else [-0.04 * last, 1.04 * last],
            "tickvals": shown,
            "ticktext": [literal(shortened(_short(self.amounts[k]), 12)) for k in shown],
        }


def _short(amount: float | str) -> str:
    return amount if isinstance(amount, str) else f"{amount:.3g}"


def _points(panel: Panel, axis: _Axis, theme: Theme) -> list[go.Scatter]:
    """Return the measured formulas, in the colours of their origins."""
    traces = []
    rows = panel.points[panel.points["measured"].notna()]
    places = axis.at(rows["amount"])
    if axis.of_choices:
        places = places + _JITTER * np.sin(12.9898 * np.arange(len(places)))
    rows = rows.assign(x=places)
    for origin in in_order(set(rows["origin"])):
        of_origin = rows[(rows["origin"] == origin) & rows["x"].notna()]
        if not len(of_origin):
            continue
        hover = hover_texts(of_origin, panel.response)
        texts = [
            f"{text}<br>{_said(panel.component, amount)}"
            for text, amount in zip(hover, of_origin["amount"].tolist(), strict=True)
        ]
        traces.append(
            go.Scatter(
                x=of_origin["x"], y=of_origin["measured"], mode="markers",
                name=literal(spoken(origin)),
                marker={
                    "symbol": look(origin).symbol, "color": theme.colour(origin), "size": 6,
                    "opacity": 0.6,
                },
                customdata=texts, hovertemplate=HOVER,
            )
        )  # fmt: skip
    return traces


def _band(curve: pd.DataFrame, axis: _Axis, theme: Theme) -> go.Scatter:
    x = axis.at(curve["amount"])
    red, green, blue = bytes.fromhex(theme.ink[1:])
    return go.Scatter(
        x=[*x, *x[::-1]], y=[*curve["high"], *curve["low"][::-1]], fill="toself", mode="lines",
        fillcolor=f"rgba({red},{green},{blue},0.2)", line={"width": 0}, hoverinfo="skip",
        showlegend=False, legendgroup=_AVERAGE,
    )  # fmt: skip


def _curve(panel: Panel, axis: _Axis, theme: Theme) -> go.Scatter:
    """Return the line; of choices, marks with bars."""
    curve, component = panel.curve, panel.component
    mean, low, high = (curve[name] for name in ("mean", "low", "high"))
    texts = [
        f"<b>{_said(component, amount)}</b><br>{literal(panel.response.title)}, on average<br>"
        f"{number(m)} ({number(a)} to {number(b)})"
        for amount, m, a, b in zip(curve["amount"].tolist(), mean, low, high, strict=True)
    ]
    trace = go.Scatter(
        x=axis.at(curve["amount"]), y=mean, name=_AVERAGE, customdata=texts, hovertemplate=HOVER,
        mode="lines", line={"color": theme.ink, "width": 2.5},
    )  # fmt: skip
    if axis.of_choices:
        trace.update(
            mode="markers", marker={"color": theme.ink, "size": 9, "symbol": "square"},
            error_y={
                "array": high - mean, "arrayminus": mean - low, "color": theme.ink,
                "thickness": 2, "width": 6,
            },
        )  # fmt: skip
    return trace


def _said(component: Component, amount: float | str) -> str:
    """Return a component and its amount, as plotly shows it."""
    unit = "" if isinstance(amount, str) else component.unit
    return literal(f"{component.name} {with_unit(number(amount), unit)}")
