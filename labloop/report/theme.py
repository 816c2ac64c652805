"""Colours of the figures, light and dark, and how the origins of formulas look.

The origins' colours are those of Okabe and Ito (2008, "Color Universal Design"), which readers with
any common colour blindness tell apart; each origin has a symbol of its own too, for print in grey.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'


@dataclass(frozen=True)
class Theme:
    """Colours of one way of showing a figure; backgrounds are the page's own.

    Attributes:
        name: `light` or `dark`.
        ink: Text and what is most important.
        quiet: Axis text and what is compared with.
        grid: Lines that only guide the eye.
        paper: The page's background, for rims of markers.
        empty: Wells that hold nothing.
        unknown: Wells without a value.
        middle: What is neither more nor less.
        origins: Colours of origins, in the order of `_ORIGINS`; the last for any other.
    """

    name: str
    ink: str
    quiet: str
    grid: str
    paper: str
    empty: str
    unknown: str
    middle: str
    origins: tuple[str, ...]

    def colour(self, origin: str) -> str:
        """Return the colour of an origin."""
        return self.origins[self.place(origin)]

    def faint(self, origin: str) -> str:
        """Return the colour of an origin for what should not stand out."""
        red, green, blue = bytes.fromhex(self.colour(origin)[1:])
        return f"rgba({red},{green},{blue},0.5)"

    def place(self, origin: str) -> int:
        """Return which of the colours is an origin's."""
        return min(_place(origin), len(self.origins) - 1)


LIGHT = Theme(
    name="light",
    ink="#1c2126",
    quiet="#5c6670",
    grid="#e4e7ea",
    paper="#ffffff",
    empty="#f3f4f6",
    unknown="#d5d9de",
    middle="#f6efdc",
    origins=("#0072b2", "#d98c00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#7a828a"),
)
DARK = Theme(
    name="dark",
    ink="#eceff2",
    quiet="#a3adb7",
    grid="#353b42",
    paper="#191d21",
    empty="#23282d",
    unknown="#434a52",
    middle="#3f3a2c",
    origins=("#56b4e9", "#e69f00", "#2fc39a", "#f08040", "#9ad4f5", "#dd9ac0", "#98a1aa"),
)
THEMES = (LIGHT, DARK)
_ROLES = ("ink", "quiet", "grid", "paper", "empty", "unknown", "middle")


def in_dark(value: Any) -> Any:
    """Return what a figure drawn in the light theme is in the dark one: JSON with other colours.

    Themes differ in colours alone, and each of them has one use, so none has to be drawn twice.
    """
    if isinstance(value, dict):
        return {key: in_dark(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [in_dark(inside) for inside in value]
    if not isinstance(value, str):
        return value
    faint = _FAINT.fullmatch(value)
    if faint is None:
        return _DARK_FOR.get(value, value)
    colour = "#{:02x}{:02x}{:02x}".format(*(int(part) for part in faint.groups()[:3]))
    red, green, blue = bytes.fromhex(_DARK_FOR.get(colour, colour)[1:])
    return f"rgba({red},{green},{blue},{faint[4]})"


_FAINT = re.compile(r"rgba\((\d{1,3}),(\d{1,3}),(\d{1,3}),([\d.]+)\)", re.ASCII)
_DARK_FOR = {
    **{getattr(LIGHT, role): getattr(DARK, role) for role in _ROLES},
    **dict(zip(LIGHT.origins, DARK.origins, strict=True)),
}


class Origin(NamedTuple):
    """How formulas of an origin are shown and what the origin means."""

    symbol: str
    meaning: str


_ORIGINS = {
    "latin_hypercube": Origin("circle", "spread evenly over the whole space, to explore it"),
    "mixing": Origin("square", "components of good formulas recombined"),
    "permuted_grid": Origin("diamond", "the most promising of many candidates on a grid"),
    "local_moves": Origin("triangle-up", "small steps away from the best formulas"),
    "candidate_list": Origin("hexagon", "chosen from the list that was handed in"),
    "exploration": Origin("cross", "whose results should teach most of the whole space"),
    "replicate": Origin("hourglass", "known formulas, measured again to be sure of them"),
    "adopted": Origin("x", "measured without having been proposed"),
}
_OTHER = Origin("star", "")


def _place(origin: str) -> int:
    names = list(_ORIGINS)
    return names.index(origin) if origin in names else len(names)


def look(origin: str) -> Origin:
    """Return how an origin is shown."""
    return _ORIGINS.get(origin, _OTHER)


def in_order(origins: set[str]) -> list[str]:
    """Return origins in the order of the legend."""
    return sorted(origins, key=lambda origin: (_place(origin), origin))


def spoken(origin: str) -> str:
    """Return an origin as a reader says it."""
    return origin.replace("_", " ")
