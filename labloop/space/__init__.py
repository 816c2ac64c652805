"""The formulas that a campaign can make, as rows of level numbers."""

from labloop.space.formula_space import FormulaSpace
from labloop.space.levels import LevelTable

__all__ = ["FormulaSpace", "LevelTable"]
