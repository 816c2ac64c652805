"""What the round's formulas are made of: every formula a line across all components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from labloop.report.figures.common import (
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

MOST_SHOWN = 20
"""Components that one figure shows."""
MOST_LINES = 120
"""Formulas of the round that one figure shows."""
_EARLIER = 200  # formulas of other rounds
_FEW = 40  # formulas that can be told apart by lines of full width
_WIDTH = 1.2  # pixels of a line
_ROW = 30  # pixels a component
_LABEL = 12  # characters of a choice
_CHOICES = 6  # that are named; of more the first and the last
_HOVER = "%{meta}<br><b>%{text}</b><extra></extra>"

Floats = npt.NDArray[np.float64]


def shown_first(components: Sequence[Component], importance: pd.DataFrame) -> list[Component]:
    """Return components by the most that any response depends on them; as given without.

    Args:
        components: All of them.
        importance: Frame by (response, component) with a column `importance`, or an empty one.
    """
    if not len(importance):
        return list(components)
    most = importance["importance"].groupby(level="component").max().to_dict()
    return sorted(components, key=lambda component: -most.get(component.name, 0.0))


def parallel(
    of_round: pd.DataFrame,
    places: pd.DataFrame,
    amounts: pd.DataFrame,
    shown: Sequence[Component],
    choices: Mapping[str, Sequence[str]],
    response: Response,
    theme: Theme,
) -> go.Figure:
    """Return a row a component, from the low end of its range to the high; each formula a line.

    The round's formulas are in their origins' colours, the first MOST_LINES in order of choice;
    other formulas are faint.

    Args:
        of_round: The round's rows of one response, in order of choice; see
            `labloop.report.subjects`.
        places: Frame by formula of the round's and of other formulas: place in a component's
            range, 0 to 1; NaN where there is none.
        amounts: Frame by formula: amounts in units, choices by name.
        shown: The components, from top to bottom, at least one.
        choices: Component → its choices in order.
        response: What is said of a formula under the pointer.
        theme: Colours.
    """
    drawn = of_round[:MOST_LINES]
    names = [component.name for component in shown]
    others = places.loc[~places.index.isin(drawn["formula"]), names][-_EARLIER:]
    traces = [_others(others, theme)] if len(others) else []
    named: set[str] = set()
    for origin in in_order(set(drawn["origin"])):
        rows = drawn[drawn["origin"] == origin]
        for formula, text in zip(rows["formula"], hover_texts(rows, response), strict=True):
            said = [_amount(c, amounts.loc[formula, c.name]) for c in shown]
            trace = _line(places.loc[formula, names], said, text, origin, theme)
            trace.line.width = _WIDTH if len(drawn) <= _FEW else _WIDTH / 2
            traces.append(named_once(trace, named))
    figure = go.Figure(traces)
    figure.update_layout(base_layout(theme, 96 + _ROW * (len(shown) + 1)))
    figure.update_layout(margin={"t": 56, "b": 12, "r": 24})
    quiet_axes(figure, theme)
    _rows(figure, shown, choices, theme)
    return figure


def _amount(component: Component, amount: float | str) -> str:
    said = number(amount)
    return f"{literal(component.name)}: {literal(with_unit(said, component.unit))}"


def _line(
    places: pd.Series[float], said: list[str], text: str, origin: str, theme: Theme
) -> go.Scatter:
    return go.Scatter(
        x=places.round(4).tolist(), y=list(range(len(places))), mode="lines+markers",
        name=literal(spoken(origin)), text=said, meta=text, hovertemplate=_HOVER,
        line={"color": theme.faint(origin), "width": _WIDTH},
        marker={"symbol": look(origin).symbol, "color": theme.colour(origin), "size": 6},
    )  # fmt: skip


def _others(places: pd.DataFrame, theme: Theme) -> go.Scatter:
    """Return all lines as one, with gaps between the formulas."""
    values = places.to_numpy(dtype=float)
    gap = np.full((len(values), 1), np.nan)
    rows = np.tile(np.arange(values.shape[1] + 1, dtype=float), len(values))
    return go.Scatter(
        x=np.hstack([values, gap]).round(4).reshape(-1), y=rows, mode="lines",
        name="other formulas", hoverinfo="skip", opacity=0.5,
        line={"color": theme.unknown, "width": 0.8},
    )  # fmt: skip


def _rows(
    figure: go.Figure,
    shown: Sequence[Component],
    choices: Mapping[str, Sequence[str]],
    theme: Theme,
) -> None:
    """Name the rows, and say below each what its ends, or its choices, are."""
    figure.update_layout(
        annotations=[
            {
                "x": place, "y": row, "yshift": -10, "text": literal(text), "xanchor": anchor,
                "showarrow": False, "font": {"size": 10.5, "color": theme.quiet},
            }
            for row, component in enumerate(shown)
            for place, text, anchor in _ends(component, choices)
        ]
    )  # fmt: skip
    figure.update_xaxes(range=[-0.02, 1.02], visible=False, fixedrange=True)
    figure.update_yaxes(
        range=[len(shown) - 0.4, -0.6], fixedrange=True, showline=False, ticks="",
        automargin=True, tickvals=list(range(len(shown))), tickfont={"color": theme.ink},
        ticktext=[literal(shortened(component.name)) for component in shown],
    )  # fmt: skip


def _ends(
    component: Component, choices: Mapping[str, Sequence[str]]
) -> list[tuple[float, str, str]]:
    """Return places, texts and how they are set: the ends of a range, or the choices."""
    names = choices.get(component.name)
    if names is None:
        high = with_unit(number(component.high), component.unit)
        return [(0.0, number(component.low), "left"), (1.0, high, "right")]
    last = len(names) - 1
    kept = range(len(names)) if len(names) <= _CHOICES else (0, last)
    anchors = {0: "left", last: "right" if last else "left"}
    return [
        (place / max(last, 1), shortened(names[place], _LABEL), anchors.get(place, "center"))
        for place in kept
    ]
