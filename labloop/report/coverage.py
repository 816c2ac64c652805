"""Whether intervals hold what they promise: how many measured means lie within them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

PROMISED = 0.9  # of the intervals of predictions
TO_END = 1.6448536269514722  # standard deviations from the middle of such an interval to its ends


def compared(values: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have an interval and a measured mean, with `inside` and `error`.

    `inside` is whether the mean lies within the 90 % interval, `error` how far it is from the
    prediction in standard deviations: ±1.645 at the interval's ends, also where these are not
    alike. For the frame see `labloop.report.subjects`.
    """
    rows = values.dropna(subset=["predicted", "low", "high", "measured"])
    off = rows["measured"] - rows["predicted"]
    above, below = rows["high"] - rows["predicted"], rows["predicted"] - rows["low"]
    width = above.where(off >= 0, below)
    error = (off / width.where(width > 0) * TO_END).astype(float)
    return rows.assign(inside=rows["measured"].between(rows["low"], rows["high"]), error=error)


def share_between(inside: int, count: int, steps: float = TO_END) -> tuple[float, float]:
    """Return the ends of the interval of a share of which `inside` of `count` are known.

    The score interval of Wilson (1927, J. Am. Stat. Assoc. 22:209), of 90 % unless more or fewer
    standard deviations are asked for.
    """
    share, of = inside / count, steps**2 / count
    middle = (share + of / 2) / (1 + of)
    half = math.sqrt(of * (share * (1 - share) + of / 4)) / (1 + of)
    return max(0.0, middle - half), min(1.0, middle + half)


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `round`, `inside`, `count`, `share`, `low`, `high` of what `compared` returned."""
    found = rows.groupby("round")["inside"].agg(["sum", "count"]).reset_index()
    ends = [
        share_between(inside, count)
        for inside, count in found[["sum", "count"]].to_numpy(dtype=int).tolist()
    ]
    return pd.DataFrame(
        {
            "round": found["round"],
            "inside": found["sum"].astype(int),
            "count": found["count"],
            "share": found["sum"] / found["count"],
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
        }
    )


def verdict(rows: pd.DataFrame) -> str:
    """Return whether the intervals of `compared` rows are as wide as they should be, in words."""
    inside = int(rows["inside"].sum())
    low, high = share_between(inside, len(rows))
    if high < PROMISED:
        return "the intervals promise too much: trust them less"
    if low > PROMISED:
        return "the intervals are wider than they need be"
    few = high - low > 0.2
    return "too few to tell whether the intervals are right" if few else "the intervals are honest"


def drift(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the mean of the standardised errors and its standard error; NaN of fewer than 2."""
    errors = rows["error"].dropna().to_numpy(dtype=float)
    if len(errors) < 2:
        return math.nan, math.nan
    return float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(len(errors)))
