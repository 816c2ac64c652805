"""The formulas of a plate, and how each came onto it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labloop.space.levels import Floats, Ints, LevelNumbers


@dataclass(frozen=True, eq=False)
class Chosen:
    """The formulas of a plate.

    Attributes:
        levels: (n, components) level numbers.
        origin: (n,) which strategy made each.
        acquisition: (n,) what each added to the expected improvement on the known formulas and on
            those before it, in the objective's unit on the model's scale (of several objectives in
            shares of the hypervolume); NaN where there is no surrogate, or a formula is repeated.
        repeated: (n,) number of the measured formula that each is, -1 for a new one.
    """

    levels: LevelNumbers
    origin: npt.NDArray[np.str_]
    acquisition: Floats
    repeated: Ints

    @classmethod
    def new(
        cls, levels: LevelNumbers, origin: npt.NDArray[np.str_] | str, acquisition: Floats | float
    ) -> Chosen:
        """Return new formulas; `origin` and `acquisition` are one for each or one for all."""
        n = len(levels)
        return cls(
            levels,
            np.full(n, origin) if isinstance(origin, str) else origin,
            np.full(n, acquisition) if isinstance(acquisition, float) else acquisition,
            np.full(n, -1),
        )

    def __len__(self) -> int:
        return len(self.levels)

    def then(self, more: Chosen) -> Chosen:
        """Return these formulas and then others."""
        return Chosen(
            np.concatenate([self.levels, more.levels]),
            np.concatenate([self.origin, more.origin]),
            np.concatenate([self.acquisition, more.acquisition]),
            np.concatenate([self.repeated, more.repeated]),
        )

    def first(self, count: int) -> Chosen:
        """Return the first formulas."""
        return Chosen(
            self.levels[:count], self.origin[:count],
            self.acquisition[:count], self.repeated[:count],
        )  # fmt: skip
