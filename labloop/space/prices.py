"""What formulas cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labloop.definition import Component
from labloop.space.levels import Floats


def has_prices(components: Sequence[Component]) -> bool:
    """Return whether any component has a price."""
    return any(component.price is not None for component in components)


def prices(components: Sequence[Component], concentrations: Floats) -> Floats:
    """Return the (n,) prices of one well of each of (n, components) concentrations.

    A component without a price, and one with choices, counts as free.
    """
    each = [c.price if c.price is not None and c.choices is None else 0.0 for c in components]
    return np.asarray(concentrations @ np.array(each))
