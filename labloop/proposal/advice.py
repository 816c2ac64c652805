"""Numbers on what the next plate and the space may bring, and what they advise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

STEP = 0.05  # the improvement that counts as worth having
# A space that holds such an improvement with less than this probability is as good as searched.
UNLIKELY = 0.2
# A plate that brings one with less than this probability is unlikely to pay by itself.
UNLIKELY_TO_PAY = 0.1

Measure = Literal["ratio", "best", "range", "hypervolume"]
Advice = Literal["go on", "stop", "noise", "patience"]


@dataclass(frozen=True)
class Prospects:
    """What the next plate and the space may bring, as far as the surrogate knows.

    Improvements and noise are shares, 0.05 for 5 %: a `ratio` less one, where the response is
    modelled as its logarithm; of the `best` known value; of the `range` of measured values, where
    a share of the best would say nothing; of the `hypervolume` that the known formulas of several
    objectives dominate. Known formulas are those measured and those that wait for results.

    Attributes:
        measure: What improvements are shares of.
        unit: What a share of 1 is in the objective's unit; NaN of a ratio or a hypervolume.
        gain: Mean improvement of the plate's best formula on the best known one, at least 0.
        gain_low, gain_high: Ends of its 80 % interval.
        chance: Probability that the plate improves on the best known formula at all.
        chance_of_step: Probability that it does so by 5 % or more.
        better: Probability that the space holds an improvement of 5 % or more.
        potential: Median improvement of the best formula found in the space.
        met: Probability that a known formula meets all bounds. Below one half, `gain`, its ends
            and `potential` are NaN: there is nothing to improve on yet.
        noise: Standard deviation of a repeated measurement, for each objective.
        noise_of: What each of `noise` is a share of.
    """

    measure: Measure
    unit: float
    gain: float
    gain_low: float
    gain_high: float
    chance: float
    chance_of_step: float
    better: float
    potential: float
    met: float
    noise: tuple[float, ...]
    noise_of: tuple[Measure, ...]

    @property
    def visible(self) -> float:
        """The smallest improvement that shows between two measured formulas; NaN of several.

        The standard deviation of their difference, √2 times that of one.
        """
        return math.sqrt(2) * self.noise[0] if len(self.noise) == 1 else math.nan

    @property
    def advice(self) -> Advice:
        """Whether another plate pays.

        `stop` where the space holds an improvement of 5 % with a probability below 20 %; `noise`
        where the median improvement that is left is not `visible`; `patience` where the plate
        brings 5 % with a probability below 10 %, though the space holds it; else `go on`.
        """
        if self.better < UNLIKELY:
            return "stop"
        if self.potential < self.visible:  # False where either is not known
            return "noise"
        return "patience" if self.chance_of_step < UNLIKELY_TO_PAY else "go on"
