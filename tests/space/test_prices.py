"""What formulas cost."""

from __future__ import annotations

import numpy as np

from labloop.definition import Component
from labloop.space.prices import has_prices, prices


def test_a_formula_costs_its_concentrations_times_their_prices():
    components = [
        Component(name="a", unit="mM", price=0.5),
        Component(name="b", unit="mM"),
        Component(name="c", choices=("x", "y")),
        Component(name="d", unit="mM", price=2.0),
    ]
    assert has_prices(components)
    assert not has_prices(components[1:3])
    wanted = prices(components, np.array([[2.0, 9.0, 1.0, 0.25], [0.0, 9.0, 0.0, 0.0]]))
    np.testing.assert_allclose(wanted, [1.5, 0.0])
