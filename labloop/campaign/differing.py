"""What sets formulas apart, said in sentences; for the frames see `Campaign.compare`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from labloop.definition import Component, Definition
from labloop.report.numbers import counted, enumerated, number, plus_minus, with_unit

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 6
_SAME = 1e-9  # amounts nearer than this share of each other are alike


def differences(
    amounts: pd.DataFrame, responses: pd.DataFrame, definition: Definition
) -> tuple[str, ...]:
    """Return what sets the first formula apart from each of the others."""
    labels = list(dict.fromkeys(responses.index.get_level_values("formula")))
    rows = amounts.iloc[:, 1:].to_numpy(dtype=object).T
    values = responses.to_dict("index")
    said = []
    for other, theirs in zip(labels[1:], rows[1:], strict=True):
        said.append(_composition(labels[0], rows[0], other, theirs, definition.components))
        for response in definition.responses:
            ours = values[labels[0], response.name]
            pair = _called(labels[0]), ours, _called(other), values[other, response.name]
            said.append(_response(response.name, response.unit, *pair))
    return tuple(said)


def _called(label: Any) -> str:
    return f"formula {label}" if isinstance(label, int) else str(label)


def _upper(text: str, label: Any) -> str:
    """Return a text that begins with a formula as the beginning of a sentence."""
    return f"F{text[1:]}" if isinstance(label, int) else text


def _composition(
    first: Any, ours: Any, other: Any, theirs: Any, components: tuple[Component, ...]
) -> str:
    """Return what the first formula has more and less of than another, the most telling first."""
    apart = [
        (_share(component, a, b), component, a, b)
        for component, a, b in zip(components, ours, theirs, strict=True)
        if not _alike(a, b)
    ]
    one, two = _called(first), _called(other)
    if not apart:
        return _upper(f"{one} and {two} are made alike.", first)
    apart.sort(key=lambda each: -each[0])
    shown = apart[:_MOST_NAMED]
    parts = []
    for word in ("more", "less"):
        named = [
            f"{c.name} ({with_unit(f'{number(a)} against {number(b)}', c.unit)})"
            for _, c, a, b in shown
            if c.choices is None and (a > b) == (word == "more")
        ]
        parts += [f"{word} {enumerated(named)}"] if named else []
    named = [f"{a or 'no'} {c.name} for {b or 'none'}" for _, c, a, b in shown if c.choices]
    parts += [enumerated(named)] if named else []
    said = f"{one} against {two}: {'; '.join(parts)}"
    left = len(apart) - len(shown)
    said += f"; and {counted(left, 'smaller difference')}" if left else ""
    return _upper(f"{said}.", first)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_SAME, abs_tol=1e-12)
    return bool(a == b)


def _share(component: Component, a: Any, b: Any) -> float:
    """Return how far apart two amounts are, as a share of the component's range."""
    if component.choices is not None:
        return 1.0
    low, high = component.ends
    return abs(a - b) / (high - low) if high > low else 1.0


def _response(
    name: str, unit: str, one: str, ours: dict[Any, Any], two: str, theirs: dict[Any, Any]
) -> str:
    texts = [_known(row, unit) for row in (ours, theirs)]
    if not any(texts):
        return f"{name}: neither {one} nor {two} is measured{_predicted(ours, theirs, unit)}."
    if not all(texts):
        (known, missing) = (one, two) if texts[0] else (two, one)
        return (
            f"{name}: {texts[0] or texts[1]} of {known}; {missing} is not measured"
            f"{_predicted(ours, theirs, unit)}."
        )
    said = f"{name}: {texts[0]} of {one} against {texts[1]} of {two}"
    gap = abs(ours["measured"] - theirs["measured"])
    if math.isnan(gap):
        return f"{said}."
    error = math.hypot(ours["sem"], theirs["sem"])
    if not error > 0:
        return f"{said}: the difference is {number(gap)}, its error is not known."
    return (
        f"{said}: the difference {plus_minus(gap, error)} is {gap / error:.1f} of its standard "
        f"errors, which chance alone {_chance(gap / error)}."
    )


def _known(row: dict[Any, Any], unit: str) -> str:
    """Return what was measured, nothing for nothing."""
    if isinstance(row["limit"], str):
        side = "below" if row["limit"].startswith("<") else "above"
        return with_unit(f"{side} {row['limit'][1:]}", unit)
    if math.isnan(row["measured"]):
        return ""
    return with_unit(plus_minus(row["measured"], row["sem"]), unit)


def _predicted(ours: dict[Any, Any], theirs: dict[Any, Any], unit: str) -> str:
    """Return what was predicted of both, nothing where it was not of both."""
    rows = (ours, theirs)
    if any(math.isnan(row["predicted"]) for row in rows):
        return ""
    texts = [plus_minus(row["predicted"], row["sd"]) for row in rows]
    return f"; predicted were {with_unit(f'{texts[0]} against {texts[1]}', unit)}"


def _chance(steps: float) -> str:
    """Return how easily chance alone makes a difference of so many standard errors.

    Of a normal value 1 in 20 lies beyond two of them, 1 in 370 beyond three.
    """
    return "may make" if steps < 2 else "seldom makes" if steps < 3 else "hardly makes"
