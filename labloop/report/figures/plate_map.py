"""Plates as they lie on the bench, each well in the colour of a value."""

from __future__ import annotations

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
_SCALE = "Viridis"
_EMPTY, _NO_VALUE, _VALUE = 0, 1, 2


def plate_map(wells: pd.DataFrame, plate_wells: int, measure: str, theme: Theme) -> go.Figure:
    """Return the plates below each other, on a common scale of colours.

    Args:
        wells: One row a well: `plate`, `well`, `role` (formula, control, empty), `label` (what is
            written into the well), `value` (NaN for none) and `hover` (lines of text).
        plate_wells: Wells of a plate.
        measure: What the colours mean, with its unit.
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
    for row, plate in enumerate(plates, start=1):
        of_plate = wells[wells["plate"] == plate]
        for trace in _layers(of_plate, plate_wells, theme):
            figure.add_trace(trace, row=row, col=1)
        for well in of_plate.loc[of_plate["role"] == "control", "well"]:
            _frame(figure, row, position(well, plate_wells), theme)
    figure.update_layout(base_layout(theme, whole))
    figure.update_layout(margin={"l": 32, "r": 8, "t": 58 if titles else 28, "b": 8})
    figure.update_layout(coloraxis=_colours(measure, height, theme))
    if titles:
        figure.update_annotations(xanchor="left", x=0, yshift=20, font_size=13)
    _grid_axes(figure, plate_wells, theme)
    return figure


def _colours(measure: str, height: int, theme: Theme) -> dict[str, Any]:
    title = {"text": literal(measure), "side": "right", "font": {"size": 13}}
    return {
        "colorscale": _SCALE,
        "colorbar": {
            "title": title, "thickness": 12, "outlinewidth": 0, "lenmode": "pixels",
            "len": min(height, 320), "tickfont": {"color": theme.quiet},
        },
    }  # fmt: skip


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
    """Return what lies on a plate: wells without a value below, those with one above."""
    at = np.array([position(well, plate_wells) for well in wells["well"]])
    value = wells["value"].to_numpy(dtype=float)
    kind = np.where(wells["role"] == "empty", _EMPTY, _NO_VALUE)
    kind = np.where(np.isnan(value), kind, _VALUE)
    hover = np.array([_lines(text) for text in wells["hover"]], dtype=object)
    label = np.array([literal(text) for text in wells["label"]], dtype=object)
    greys = {
        "colorscale": [[0.0, theme.empty], [1.0, theme.unknown]],
        "zmin": _EMPTY, "zmax": _NO_VALUE, "showscale": False,
    }  # fmt: skip
    layers = []
    for z, shown, colours in (
        (kind.astype(float), kind != _VALUE, greys),
        (value, kind == _VALUE, {"coloraxis": "coloraxis"}),
    ):
        if shown.any():
            layers.append(
                go.Heatmap(
                    z=_on_plate(np.where(shown, z, np.nan), at, plate_wells, np.nan),
                    text=_on_plate(np.where(shown, label, ""), at, plate_wells, ""),
                    customdata=_on_plate(hover, at, plate_wells, ""),
                    texttemplate="%{text}", hoverongaps=False, hovertemplate=HOVER,
                    xgap=2, ygap=2, **colours,
                )
            )  # fmt: skip
    return layers


def _on_plate(
    entries: npt.NDArray[Any], at: npt.NDArray[np.int64], plate_wells: int, nothing: object
) -> npt.NDArray[Any]:
    """Return one entry a well as the rows and columns of the plate."""
    grid = np.full(shape(plate_wells), nothing, dtype=entries.dtype)
    grid[at[:, 0], at[:, 1]] = entries
    return grid


def _lines(text: str) -> str:
    return "<br>".join(literal(line) for line in text.split("\n"))


def _frame(figure: go.Figure, row: int, well: tuple[int, int], theme: Theme) -> None:
    """Draw a frame of ink with one of paper inside, which shows on every colour."""
    down, across = well
    for colour, x, y in ((theme.paper, 0.465, 0.44), (theme.ink, 0.485, 0.48)):
        figure.add_shape(
            type="rect", row=row, col=1, x0=across - x, x1=across + x, y0=down - y, y1=down + y,
            line={"color": colour, "width": 2},
        )  # fmt: skip
