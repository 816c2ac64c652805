"""From wells to one observation a formula: plates, places, mishaps, limits and replicates."""

from labloop.noise.means import Observations, observations
from labloop.noise.observed import Observed
from labloop.noise.observing import observe
from labloop.noise.wells import Wells

__all__ = ["Observations", "Observed", "Wells", "observations", "observe"]
