"""Where formulas lie: a map of all of them by the two directions in which they differ most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from labloop.report.figures.common import (
    HOVER,
    base_layout,
    hover_texts,
    literal,
    named_once,
    quiet_axes,
)
from labloop.report.subjects import Response
from labloop.report.theme import Theme, in_order, look, spoken

_HEIGHT = 520
_FEW = 400  # marks that do not hide one another
_ROUNDED = 4  # decimals of a place, of ranges of length 1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axes:
    """The two directions in which formulas differ most.

    Attributes:
        places: Frame `x`, `y` by formula.
        shares: Of the variance of all formulas, what lies along each of the two.
        loadings: Frame of columns `x`, `y` by input: the directions, of length 1 each.
    """

    places: pd.DataFrame
    shares: tuple[float, float]
    loadings: pd.DataFrame


def two_axes(encoded: pd.DataFrame) -> Axes | None:
    """Return the first two principal components of formulas, in units of the inputs' ranges.

    What lies beyond a range (0 to 1) counts as its end: one formula far outside must not rule the
    map. The largest loading of an axis is positive, so that the same formulas always make the same
    map. None where the formulas do not differ.

    Args:
        encoded: A row a formula, a column an input, 0 to 1 within the campaign's range.
    """
    inside = encoded.to_numpy(dtype=float).clip(0.0, 1.0)
    if not inside.size:
        return None
    centred = inside - inside.mean(axis=0)
    variances, vectors = np.linalg.eigh(centred.T @ centred)
    total = float(variances.clip(0.0).sum())
    if total <= 1e-12:
        return None
    first = np.zeros((encoded.shape[1], 2))
    kept = min(2, encoded.shape[1])
    first[:, :kept] = vectors[:, ::-1][:, :kept]
    shares = (*(variances[::-1][:kept].clip(0.0) / total).tolist(), 0.0)
    ends = np.take_along_axis(first, np.abs(first).argmax(axis=0)[None], axis=0)
    first *= np.where(ends < 0, -1.0, 1.0)
    # adding zero turns a negative zero into the usual one
    places = (centred @ first).round(_ROUNDED) + 0.0
    names = ["x", "y"]
    return Axes(
        pd.DataFrame(places, index=encoded.index, columns=names),
        (float(shares[0]), float(shares[1])),
        pd.DataFrame(first, index=encoded.columns, columns=names),
    )


def map_of_formulas(
    axes: Axes,
    sources: Mapping[int, str],
    of_round: pd.DataFrame,
    others: pd.DataFrame,
    response: Response,
    theme: Theme,
) -> go.Figure:
    """Return the map: the round's formulas as their origins look, history and earlier ones faint.

    Args:
        axes: Where all lie.
        sources: Formula → source, of the history's.
        of_round: The round's rows of one response; see `labloop.report.subjects`.
        others: The same of other rounds' and adopted formulas.
        response: The response that is said under the pointer.
        theme: Colours.
    """
    figure = go.Figure()
    past = axes.places[axes.places.index.isin(list(sources))]
    if len(past):
        figure.add_trace(_history(past, sources, theme))
    if len(others):
        figure.add_trace(_others(others, axes, response, theme))
    named: set[str] = set()
    for origin in in_order(set(of_round["origin"])):
        trace = _of_origin(of_round[of_round["origin"] == origin], origin, axes, response, theme)
        figure.add_trace(named_once(trace, named))
    figure.update_layout(base_layout(theme, _HEIGHT))
    figure.update_layout(margin={"t": 84})
    quiet_axes(figure, theme)
    for axis, ordinal, share in zip(("x", "y"), ("first", "second"), axes.shares, strict=True):
        title = f"{ordinal} axis ({share:.0%} of the differences)"
        figure.update_layout({f"{axis}axis": {"title": {"text": title}}})
    return figure


def _history(past: pd.DataFrame, sources: Mapping[int, str], theme: Theme) -> go.Scatter:
    names = list(dict.fromkeys(sources[formula] for formula in past.index))
    texts = {name: f"history: {literal(name)}" for name in names}
    return go.Scatter(
        x=past["x"], y=past["y"], mode="markers", name="history",
        marker={"color": theme.unknown, "size": 4.5, "opacity": 0.75},
        customdata=[texts[sources[formula]] for formula in past.index], hovertemplate=HOVER,
    )  # fmt: skip


def _others(rows: pd.DataFrame, axes: Axes, response: Response, theme: Theme) -> go.Scatter:
    at = axes.places.loc[rows["formula"].tolist()]
    when = np.where(rows["origin"] == "adopted", "no round", "round " + rows["round"].astype(str))
    texts = [
        f"{text}<br>{which}"
        for text, which in zip(hover_texts(rows, response), when.tolist(), strict=True)
    ]
    return go.Scatter(
        x=at["x"], y=at["y"], mode="markers", name="other formulas",
        marker={
            "symbol": "circle-open", "color": theme.quiet, "size": 6.5,
            "opacity": 0.8 if len(rows) <= _FEW else 0.35, "line": {"width": 1.1},
        },
        customdata=texts, hovertemplate=HOVER,
    )  # fmt: skip


def _of_origin(
    rows: pd.DataFrame, origin: str, axes: Axes, response: Response, theme: Theme
) -> go.Scatter:
    at = axes.places.loc[rows["formula"].tolist()]
    return go.Scatter(
        x=at["x"], y=at["y"], mode="markers", name=literal(spoken(origin)),
        marker={
            "symbol": look(origin).symbol, "color": theme.colour(origin), "size": 10,
            "line": {"color": theme.paper, "width": 1},
        },
        customdata=hover_texts(rows, response), hovertemplate=HOVER,
    )  # fmt: skip
