"""Wells of several plates and what was made of them, as the sentences on plates need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from labloop.noise import Observed, Wells
from labloop.report.numbers import enumerated
from labloop.report.subjects import Response

Flags = npt.NDArray[np.bool_]

BEYOND: Final = 2.0
"""Standard errors from which on an effect is told."""

_LISTED: Final = 4  # plates that are named in one sentence


@dataclass(frozen=True, eq=False)
class PlateReadings:
    """What plates read.

    Attributes:
        wells: All wells.
        seen: What `labloop.noise.observe` made of them.
        names: What each plate is called, such as "plate 2 of round 3".
        shown: (plates,) those that are spoken of.
        responses: In the order of the wells' columns.
        controls: The formulas that are controls.
        switches: Whether `plates`, `positions` and `outliers` are corrected.
    """

    wells: Wells
    seen: Observed
    names: Sequence[str]
    shown: Flags
    responses: Sequence[Response]
    controls: Collection[int]
    switches: Mapping[str, bool]

    @cached_property
    def counts(self) -> Flags:
        """(n, responses) values that were measured of a formula, outliers among them."""
        return np.asarray(self.wells.measured & (self.wells.formulas >= 0)[:, None])

    def on(self, plate: int, j: int) -> Flags:
        """Return (n,) the wells of a plate whose value of a response counts."""
        used = self.counts[:, j] & ~self.seen.flagged[:, j]
        return np.asarray(used & (self.wells.plates == plate))


def named(names: Sequence[str]) -> str:
    """Return some plates by name, many by number."""
    return enumerated(names) if len(names) <= _LISTED else f"{len(names)} plates"


def sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return f"{words[0].upper()}{words[1:]}."
