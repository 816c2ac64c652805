"""Numbers as people write them, without powers of ten."""

from __future__ import annotations

import math


def plain(value: float) -> str:
    """Return a number to four significant digits, larger ones whole, a dash for a missing value."""
    if math.isnan(value):
        return "–"
    if 1e4 <= abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.4g}"
