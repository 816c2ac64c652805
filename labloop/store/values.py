"""Plain values for SQLite: it would store a numpy scalar as bytes and a NaN as NULL."""

from __future__ import annotations

from math import isfinite
from typing import Any

NOW = 2**63 - 1  # later than every event


def plain(value: Any) -> Any:
    """Return a numpy scalar as a Python number, anything else as it is."""
    return value.item() if hasattr(value, "item") else value


def number(value: Any, what: str) -> float | None:
    """Return a finite float, or None for None; raises ValueError for anything else."""
    value = plain(value)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"{what} must be a finite number or None (got {value!r})")
    return float(value)


def whole(value: Any, what: str) -> int:
    """Return an int; raises ValueError for anything that is not a whole number."""
    value = plain(value)
    if not isinstance(value, int):
        raise ValueError(f"{what} must be a whole number (got {value!r})")  # noqa: TRY004
    return value
