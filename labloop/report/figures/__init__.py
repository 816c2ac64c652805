"""Figures of a campaign: frames in, plotly figures out."""

from labloop.report.figures.curves import curves
from labloop.report.figures.parity import parity
from labloop.report.figures.plate_map import plate_map
from labloop.report.figures.progress import best_so_far, progress

__all__ = ["best_so_far", "curves", "parity", "plate_map", "progress"]
