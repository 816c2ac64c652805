"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.definition import Plate, Robot

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """A round as it will be made.

    Attributes:
        layout: Frame of `plate.layout.arrange`.
        recipes: One row a formula (or control) and component: `formula`, `component`, `target` and
            `achieved` (concentrations in the component's unit, or the choice),
            `stock_concentration`, `ticks`.
        dispenses: Frame of `plate.dispensing.plan`, in the order in which they are made.
        units: Unit of each component, in the order of the definition.
        plate: The campaign's plate.
        robot: The campaign's robot.

    """

    layout: pd.DataFrame
    recipes: pd.DataFrame
    dispenses: pd.DataFrame
    units: Mapping[str, str]
    plate: Plate
    robot: Robot
