"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.definition import DILUENT, Plate, Robot
from labloop.units import canonical

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

    def liquid_class(self, stock: str) -> str:
        """Return the robot's liquid class of a stock, empty where the campaign gives it none."""
        given = self.robot.liquid_classes
        usual = given.get("default", "")
        if stock == self.plate.diluent:
            return given.get(stock, given.get(DILUENT, usual))
        return given.get(stock, usual)

    def ascii_unit(self, stock: str) -> str:
        """Return the unit of a stock's concentrations for a file in ASCII; empty of the diluent."""
        unit = self.units.get(stock, "")
        return unit if unit.isascii() else canonical(unit)
