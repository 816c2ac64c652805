"""Numbers as a reader wants them: as many digits as their uncertainty leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labloop.plain import plain


def number(value: float | str) -> str:
    """Return a number to four significant digits, a name as it is, a dash for a missing value."""
    return value if isinstance(value, str) else plain(value)


def plus_minus(value: float, spread: float) -> str:
    """Return `value ± spread`, the spread to two significant digits and the value as far.

    A spread that is not known is left out; a missing value is a dash.
    """
    if math.isnan(value) or math.isnan(spread):
        return number(value)
    if not 0.0 < spread < 1e9 or abs(value) >= 1e9 or spread < 1e-9:
        return f"{number(value)} ± {number(spread)}"
    decimals = max(0, 1 - math.floor(math.log10(spread)))
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}"


def with_unit(text: str, unit: str) -> str:
    """Return a text followed by its unit, if it has one."""
    return f"{text} {unit}" if unit else text


def titled(name: str, unit: str) -> str:
    """Return a name with its unit in brackets, if it has one."""
    return f"{name} ({unit})" if unit else name


def counted(count: int, word: str) -> str:
    """Return `1 well`, `2 wells`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def enumerated(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
