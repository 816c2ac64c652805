"""Plates as they lie on the bench, each well in the colour of a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from labloop.report.figures.common import HOVER, base_layout, literal
from labloop.report.theme import Theme
from labloop.wells import position, row_name, shape

_CELL = {24: 60, 48: 52, 96: 42, 384: 25, 1536: 17}  # height in pixels
_BETWEEN = 70  # pixels between plates
_EMPTY, _NO_VALUE = 0, 1


@dataclass(frozen=True)
class Scale:
    """What the colours of wells mean.

    Attributes:
        measure: In words, with the unit.
        ends: Values that have the outermost colours; None for those that there are. Wells beyond
            them have the colours of the ends.
        diverges: Whether colours lead to two sides, away from zero.
        kinds: Of values that are the numbers of kinds: what each is called, and its colour.
    """

    measure: str
    ends: tuple[float, float] | None = None
    diverges: bool = False
    kinds: tuple[tuple[str, Callable[[Theme], str]], ...] = ()


def plate_map(wells: pd.DataFrame, plate_wells: int, scale: Scale, theme: Theme) -> go.Figure:
    """Return the plates below each other, on a common scale of colours.

    Args:
        wells: One row a well: `plate`, `well`, `role` (formula, control, empty), `label` (what is
            written into the well), `value` (NaN for none) and `hover` (lines of text).
        plate_wells: Wells of a plate.
        scale: What the colours mean.
        theme: Colours.
    """
    plates = sorted(set(wells["plate"]))
    titles = [f"plate {plate}" for plate in plates] if len(plates) > 1 else None
    rows, _ = shape(plate_wells)
    height = _CELL[plate_wells] * rows
    whole = len(plates) * (height + _BETWEEN)
    figure = make_subplots(
        rows=len(plates), cols=1, subplot_titles=titles, vertical_spacing=_BETWEEN / whole
    )
    frames = []
    for row, plate in enumerate(plates, start=1):
        of_plate = wells[wells["plate"] == plate]
        for trace in _layers(of_plate, plate_wells, theme):
            figure.add_trace(trace, row=row, col=1)
        for well in of_plate.loc[of_plate["role"] == "control", "well"]:
            frames += _frame(row, position(well, plate_wells), theme)
    figure.update_layout(base_layout(theme, whole), shapes=frames)
    figure.update_layout(margin={"l": 32, "r": 8, "t": 58 if titles else 28, "b": 8})
    if titles:
        figure.update_annotations(xanchor="left", x=0, yshift=20, font_size=13)
    _grid_axes(figure, plate_wells, theme)
    return recolour(figure, wells, plate_wells, scale, theme)


def recolour(
    figure: go.Figure, wells: pd.DataFrame, plate_wells: int, scale: Scale, theme: Theme
) -> go.Figure:
    """Give a `plate_map` of the same wells other values and another scale, and return it.

    Much quicker than drawing it anew, and wells are asked about many things.
    """
    for place, plate in enumerate(sorted(set(wells["plate"]))):
        of_plate = wells[wells["plate"] == plate]
        at = _places(of_plate, plate_wells)
        value = of_plate["value"].to_numpy(dtype=np.float32)
        label = np.array([literal(text) for text in of_plate["label"]], dtype=object)
        below, above = figure.data[2 * place : 2 * place + 2]
        above.z = _on_plate(value, at, plate_wells, np.nan)
        for layer, shown in ((below, np.isnan(value)), (above, ~np.isnan(value))):
            layer.text = _on_plate(np.where(shown, label, ""), at, plate_wells, "")
    figure.layout.coloraxis = _colours(scale, _CELL[plate_wells] * shape(plate_wells)[0], theme)
    return figure


def _colours(scale: Scale, height: int, theme: Theme) -> dict[str, Any]:
    title = {"text": literal(scale.measure), "side": "right", "font": {"size": 13}}
    bar: dict[str, Any] = {
        "title": title, "thickness": 12, "outlinewidth": 0, "lenmode": "pixels",
        "len": min(height, 320), "tickfont": {"color": theme.quiet},
    }  # fmt: skip
    if scale.kinds:
        count = len(scale.kinds)
        steps = [[(k + end) / count, colour(theme)] for k, (_, colour) in enumerate(scale.kinds)
                 for end in (0, 1)]  # fmt: skip
        names = [literal(name) for name, _ in scale.kinds]
        bar |= {"tickvals": list(range(count)), "ticktext": names, "ticks": "", "title": None}
        return {"colorscale": steps, "cmin": -0.5, "cmax": count - 0.5, "colorbar": bar}
    colours: object = "Viridis"
    if scale.diverges:
        colours = [[0.0, theme.origins[0]], [0.5, theme.middle], [1.0, theme.origins[3]]]
    ends = {} if scale.ends is None else {"cmin": scale.ends[0], "cmax": scale.ends[1]}
    return {"colorscale": colours, "colorbar": bar, **ends}


def _grid_axes(figure: go.Figure, plate_wells: int, theme: Theme) -> None:
    rows, columns = shape(plate_wells)
    both: dict[str, Any] = {
        "showgrid": False, "zeroline": False, "showline": False, "ticks": "", "fixedrange": True,
        "tickfont": {"color": theme.quiet, "size": 12 if plate_wells < 1536 else 10},
    }  # fmt: skip
    figure.update_xaxes(
        side="top", tickvals=list(range(columns)), range=[-0.5, columns - 0.5], tickangle=0,
        ticktext=[str(column + 1) for column in range(columns)], **both,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(rows)), range=[rows - 0.5, -0.5],
        ticktext=[row_name(row) for row in range(rows)], **both,
    )  # fmt: skip


def _layers(wells: pd.DataFrame, plate_wells: int, theme: Theme) -> list[go.Heatmap]:
    """Return what lies on a plate: all wells in grey, which speak, and above them the values."""
    kind = np.where(wells["role"] == "empty", _EMPTY, _NO_VALUE).astype(np.float32)
    hover = np.array([_lines(text) for text in wells["hover"]], dtype=object)
    at = _places(wells, plate_wells)
    both: dict[str, Any] = {
        "texttemplate": "%{text}", "hoverongaps": False, "xgap": 2, "ygap": 2,
    }  # fmt: skip
    below = go.Heatmap(
        z=_on_plate(kind, at, plate_wells, np.nan),
        customdata=_on_plate(hover, at, plate_wells, ""), hovertemplate=HOVER,
        colorscale=[[0.0, theme.empty], [1.0, theme.unknown]],
        zmin=_EMPTY, zmax=_NO_VALUE, showscale=False, **both,
    )  # fmt: skip
    return [below, go.Heatmap(coloraxis="coloraxis", hoverinfo="skip", **both)]


def _places(wells: pd.DataFrame, plate_wells: int) -> npt.NDArray[np.int64]:
    """Return (n, 2) rows and columns of wells."""
    return np.array([position(well, plate_wells) for well in wells["well"]], dtype=np.int64)


def _on_plate(
    entries: npt.NDArray[Any], at: npt.NDArray[np.int64], plate_wells: int, nothing: object
) -> npt.NDArray[Any]:
    """Return one entry a well as the rows and columns of the plate."""
    grid = np.full(shape(plate_wells), nothing, dtype=entries.dtype)
    grid[at[:, 0], at[:, 1]] = entries
    return grid


def _lines(text: str) -> str:
    return "<br>".join(literal(line) for line in text.split("\n"))


def _frame(row: int, well: tuple[int, int], theme: Theme) -> list[dict[str, Any]]:
    """Return a frame of ink with one of paper inside, which shows on every colour."""
    down, across = well
    axis = "" if row == 1 else str(row)
    return [
        {
            "type": "rect", "xref": f"x{axis}", "yref": f"y{axis}", "x0": across - x,
            "x1": across + x, "y0": down - y, "y1": down + y, "line": {"color": colour, "width": 2},
        }
        for colour, x, y in ((theme.paper, 0.465, 0.44), (theme.ink, 0.485, 0.48))
    ]  # fmt: skip
