"""From wells to one observation a formula: plates, places, mishaps, limits and replicates."""

from labloop.noise.means import Observations, observations
from labloop.noise.wells import Wells

__all__ = ["Observations", "Wells", "observations"]
