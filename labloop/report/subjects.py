"""What a page speaks of: components, and responses with what is wanted of them.

Functions of this room work on a frame of values, a row a formula (or a control on one round's
plates) and response:

    round       number of the round; of an adopted formula, the last round before it, 0 for none
    formula     what the formula is called
    origin      which strategy made it; `adopted`, `control`
    response    name of the response
    predicted   mean that was predicted before the plate was made, NaN for none
    sd          standard deviation of that prediction, measurement noise included
    low, high   ends of its 90 % interval
    measured    mean of the measured wells, NaN for none
    sem         standard error of that mean, NaN where not known
    wells       number of those wells
    meets       whether the formula's measured values meet all bounds
    waits       whether its round still waits for results
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from labloop.report.numbers import number, titled, with_unit

_OBJECTIVES = ("maximize", "minimize", "near")


class Component(NamedTuple):
    """A component and the ends of its range."""

    name: str
    unit: str
    low: float
    high: float

    @property
    def title(self) -> str:
        """Its name with its unit."""
        return titled(self.name, self.unit)


class Response(NamedTuple):
    """A response; `bound` is that of its goal, NaN for a goal without one.

    `reference` is what counts as no use of an objective, NaN where nobody said; `log` whether it is
    modelled as its logarithm.
    """

    name: str
    unit: str
    goal: str
    bound: float
    reference: float = float("nan")
    log: bool = False

    @property
    def title(self) -> str:
        """Its name with its unit."""
        return titled(self.name, self.unit)

    @property
    def is_objective(self) -> bool:
        """Whether it is to be made better."""
        return self.goal in _OBJECTIVES

    @property
    def wish(self) -> str:
        """What is wanted of it."""
        bound = with_unit(number(self.bound), self.unit)
        return {
            "maximize": f"maximize {self.name}",
            "minimize": f"minimize {self.name}",
            "near": f"{self.name} near {bound}",
            "at_least": f"{self.name} at least {bound}",
            "at_most": f"{self.name} at most {bound}",
        }.get(self.goal, f"observe {self.name}")

    def merit(self, measured: pd.Series[float]) -> pd.Series[float]:
        """Return how good values of an objective are: bigger is better."""
        if self.goal == "near":
            return -(measured - self.bound).abs()
        return -measured if self.goal == "minimize" else measured

    def candidates(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that may be the best by this response.

        Controls do not count, nor formulas that miss a bound or have no measured value.
        """
        counts = values["measured"].notna() & values["meets"] & (values["origin"] != "control")
        return values[counts & (values["response"] == self.name)]

    def leader(self, values: pd.DataFrame) -> dict[Any, Any] | None:
        """Return the row of the best measured formula by this objective, None without any."""
        rows = self.candidates(values)
        if not len(rows):
            return None
        place = int(self.merit(rows["measured"]).to_numpy().argmax())
        return rows.to_dict("records")[place]


def first_objective(responses: Iterable[Response]) -> Response:
    """Return the response that pictures and tables go by where they show only one."""
    return next(response for response in responses if response.is_objective)
