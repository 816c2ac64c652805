"""The transfer as a scheme: what of the network is trained when."""

from __future__ import annotations

from docs.figures.drawing import BLUE, GRID, INK, ORANGE, QUIET, SMALL, page, rect, text
from labloop.surrogate.tuning import frozen_layers

_LAYERS = 8
_WIDE, _HIGH, _GAP = 46, 30, 8
_LEFT, _TOP = 262, 78
_PALE = "#d6e6f2"


def staged_transfer() -> str:
    """Return the stages of the transfer, a row each, with the layers that they train."""
    few, many = frozen_layers(24, _LAYERS), frozen_layers(500, _LAYERS)
    whole = range(_LAYERS)
    rows = [
        ("Pretraining", "thousands of formulas of earlier lines", set(whole),
         "all layers, from scratch"),
        ("0  zero-shot", "no own formulas yet", set(), "level and scale as in the history"),
        ("1  output layer", "own formulas", {_LAYERS - 1}, "solved exactly, with its uncertainty"),
        ("2  fine-tuning", "24 own formulas", set(whole) - set(range(few)),
         f"{few} layers frozen, the rest released in turn"),
        ("", "500 own formulas and more", set(whole) - set(range(many)), f"{many} layers frozen"),
    ]  # fmt: skip
    parts = [
        text(_LEFT, 34, "input side", colour=QUIET, size=SMALL),
        text(_x(_LAYERS), 34, "output", colour=QUIET, size=SMALL, anchor="end"),
    ]
    for number in whole:
        words = "head" if number == _LAYERS - 1 else f"{number + 1}"
        parts.append(text(_x(number) + _WIDE / 2, 58, words, anchor="middle", size=SMALL))
    for at, (name, when, trained, how) in enumerate(rows):
        y = _TOP + at * (_HIGH + 22)
        parts.append(text(16, y + 13, name, bold=True))
        parts.append(text(16, y + 30, when, colour=QUIET, size=SMALL))
        for number in whole:
            fill = _fill(number in trained, at)
            parts.append(rect(_x(number), y, _WIDE, _HIGH, fill, rim=GRID, round_=4))
        parts.append(text(_x(_LAYERS) + 14, y + 20, how, size=SMALL))
    y = _TOP + len(rows) * (_HIGH + 22) + 6
    for at, (fill, words) in enumerate(
        ((BLUE, "learned from the history"), (_PALE, "kept as learned from the history"),
         (ORANGE, "learned from own formulas, pulled towards the history"))
    ):  # fmt: skip
        x = (16, 216, 462)[at]
        parts.append(rect(x, y, 16, 16, fill, rim=GRID, round_=3))
        parts.append(text(x + 24, y + 13, words, size=SMALL, colour=INK))
    return page(1000, y + 34, "Which layers of the network are trained at each stage", parts)


def _x(layer: int) -> float:
    return _LEFT + layer * (_WIDE + _GAP)


def _fill(trained: bool, row: int) -> str:
    if not trained:
        return _PALE
    return BLUE if row == 0 else ORANGE
