"""Volumes in ticks, whole increments of a robot: exact, by the decimals that people write.

Floats that look whole need not be: 0.3 / 0.1 is a little less than 3, and 3 * 0.1 more than 0.3.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor


def exact(volume_ul: float) -> Fraction:
    """Return a volume in µL as the decimal number of 12 digits that was meant by it."""
    return Fraction(f"{volume_ul:.12g}")


def most_ticks(volume_ul: float | Fraction, increment_ul: float) -> int:
    """Return how many whole increments a volume holds."""
    return floor(_exactly(volume_ul) / exact(increment_ul))


def least_ticks(volume_ul: float | Fraction, increment_ul: float) -> int:
    """Return how many whole increments it takes to reach a volume."""
    return ceil(_exactly(volume_ul) / exact(increment_ul))


def is_multiple(volume_ul: float, step_ul: float) -> bool:
    """Whether a volume is a whole number, one or more, of steps."""
    steps = exact(volume_ul) / exact(step_ul)
    return steps >= 1 and steps.denominator == 1


def _exactly(volume_ul: float | Fraction) -> Fraction:
    return volume_ul if isinstance(volume_ul, Fraction) else exact(volume_ul)
