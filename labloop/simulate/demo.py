"""The demo's campaign: sixteen media components, two stocks each, on a Biomek.

Ranges are those of common basal media and supplements (DMEM/F-12, ITS, CHO feeds), widened. Each
component at its high takes at most 40 µL of its stronger stock in a well of 1000 µL, so that every
formula within the ranges fits the well, and the weaker stock reaches a four-hundredth of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Name, unit, high, the two stocks, concentration in the commercial control.
_COMPONENTS: tuple[tuple[str, str, float, tuple[float, float], float], ...] = (
    ("glucose", "mM", 60.0, (1500.0, 75.0), 25.0),
    ("galactose", "mM", 40.0, (1000.0, 50.0), 0.0),
    ("glutamine", "mM", 8.0, (200.0, 10.0), 4.0),
    ("asparagine", "mM", 10.0, (250.0, 12.5), 1.0),
    ("cysteine", "mM", 2.0, (50.0, 2.5), 0.4),
    ("pyruvate", "mM", 10.0, (250.0, 12.5), 1.0),
    ("choline chloride", "mM", 2.0, (50.0, 2.5), 0.1),
    ("ethanolamine", "uM", 200.0, (5000.0, 250.0), 20.0),
    ("putrescine", "uM", 20.0, (500.0, 25.0), 1.0),
    ("ferric citrate", "uM", 400.0, (10000.0, 500.0), 50.0),
    ("zinc sulfate", "uM", 40.0, (1000.0, 50.0), 3.0),
    ("copper sulfate", "uM", 4.0, (100.0, 5.0), 0.1),
    ("sodium selenite", "nM", 400.0, (10000.0, 500.0), 30.0),
    ("insulin", "mg/L", 20.0, (500.0, 25.0), 10.0),
    ("IGF-1", "ug/L", 100.0, (2500.0, 125.0), 0.0),
    ("poloxamer 188", "g/L", 2.0, (50.0, 2.5), 1.0),
)


def demo_definition() -> dict[str, Any]:
    """Return the demo's campaign as a dict in the shape of campaign.toml.

    Its responses are the first three of a `VirtualLab`, in order.
    """
    return {
        "name": "demo",
        "description": "A virtual CHO line: titre from sixteen media components",
        "plate": {
            "wells": 96,
            "well_volume_ul": 1000.0,
            "inoculum_ul": 100.0,
            "diluent": "basal medium",
            "replicates": 2,
            "controls": {"commercial": 4},
        },
        "robot": {
            "kind": "biomek",
            "min_dispense_ul": 2.0,
            "increment_ul": 0.1,
            "max_dispense_ul": 200.0,
        },
        "component": [
            {"name": name, "unit": unit, "low": 0.0, "high": high, "stocks": list(stocks)}
            for name, unit, high, stocks, _ in _COMPONENTS
        ],
        "response": [
            {"name": "titre", "unit": "g/L", "goal": "maximize", "transform": "log"},
            {"name": "viability", "unit": "%", "goal": "observe"},
            {"name": "density", "unit": "10^6/mL", "goal": "observe"},
        ],
        "proposal": {"formulas": 24, "candidates": 200_000},
        "formulas": {"commercial": {name: amount for name, *_, amount in _COMPONENTS if amount}},
    }


def to_unit(concentrations: npt.ArrayLike, low: Sequence[float], high: Sequence[float]) -> Floats:
    """Return concentrations (n, d) as the virtual lab's X: 0 at `low` (d,), 1 at `high` (d,)."""
    bottom, top = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return np.asarray((np.asarray(concentrations, dtype=np.float64) - bottom) / (top - bottom))


def to_concentrations(X: npt.ArrayLike, low: Sequence[float], high: Sequence[float]) -> Floats:
    """Return the virtual lab's X (n, d) as concentrations between `low` and `high` (d,)."""
    bottom, top = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return np.asarray(bottom + np.asarray(X, dtype=np.float64) * (top - bottom))
