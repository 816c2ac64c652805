"""Plain SVG, written by hand: shapes, axes and a page, in pixels from the upper left corner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from labloop.report.theme import FONT, LIGHT

INK, QUIET, GRID, PAPER = LIGHT.ink, LIGHT.quiet, LIGHT.grid, LIGHT.paper
BLUE, ORANGE, GREEN, RED = LIGHT.origins[:4]
SMALL, USUAL = 12, 13


@dataclass(frozen=True)
class Panel:
    """A rectangle of the page with axes: `x` and `y` are the least and the most that they show."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point stands on the page."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height


def page(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """Return a page of parts; readers that cannot see it are told the title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="{escape(FONT)}">'
        f"\n<title>{escape(title)}</title>\n"
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = USUAL,
    bold: bool = False,
    turned: bool = False,
) -> str:
    """Return text whose baseline begins, is centred or ends at a place."""
    more = ' font-weight="600"' if bold else ""
    more += f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}"{more}>{escape(words, quote=False)}</text>'
    )


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str,
    *,
    rim: str = "none",
    round_: int = 0,
) -> str:
    """Return a rectangle from its upper left corner."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'stroke="{rim}" rx="{round_}"/>'
    )


def line(
    points: Sequence[tuple[float, float]], colour: str, *, width: float = 1.0, dashed: bool = False
) -> str:
    """Return straight lines through places."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linejoin="round"{dash}/>'
    )


def mark(
    symbol: str, x: float, y: float, colour: str, *, size: float = 5.0, faint: bool = False
) -> str:
    """Return a marker: circle, square, diamond, triangle-up or cross; any other is a circle."""
    look = f'fill="{colour}" stroke="{PAPER}"' + (' fill-opacity="0.45"' if faint else "")
    if symbol == "cross":
        path = f"M{x - size:.1f} {y - size:.1f}L{x + size:.1f} {y + size:.1f}"
        path += f"M{x + size:.1f} {y - size:.1f}L{x - size:.1f} {y + size:.1f}"
        return f'<path d="{path}" stroke="{colour}" stroke-width="1.6" fill="none"/>'
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        "triangle-up": [(0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
    }.get(symbol)
    if corners is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" {look}/>'
    places = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners)
    return f'<polygon points="{places}" {look}/>'


def axes(
    panel: Panel,
    title: str,
    across: str,
    up: str,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
) -> list[str]:
    """Return a panel's grid, ticks (value, label) and titles."""
    bottom, right = panel.top + panel.height, panel.left + panel.width
    parts = [text(panel.left, panel.top - 12, title, bold=True)] if title else []
    for value, label in y_ticks:
        _, y = panel.at(panel.x[0], value)
        parts.append(line([(panel.left, y), (right, y)], GRID))
        parts.append(text(panel.left - 8, y + 4, label, anchor="end", colour=QUIET, size=SMALL))
    for value, label in x_ticks:
        x, _ = panel.at(value, panel.y[0])
        parts.append(line([(x, bottom), (x, bottom + 5)], QUIET))
        parts.append(text(x, bottom + 20, label, anchor="middle", colour=QUIET, size=SMALL))
    parts.append(line([(panel.left, bottom), (right, bottom)], QUIET))
    parts.append(text(panel.left + panel.width / 2, bottom + 40, across, anchor="middle"))
    if up:
        middle = panel.top + panel.height / 2
        parts.append(text(panel.left - 44, middle, up, anchor="middle", turned=True))
    return parts
