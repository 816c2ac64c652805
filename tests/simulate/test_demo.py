import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import parse
from labloop.simulate.demo import demo_definition, to_concentrations, to_unit
from labloop.space.levels import Volumes, level_table
from labloop.wells import SHAPES


def test_every_formula_of_the_demo_can_be_dispensed():
    definition = parse(demo_definition())
    volumes = Volumes.of(definition.plate, definition.robot)
    tables = [level_table(component, volumes) for component in definition.components]
    for component, table in zip(definition.components, tables, strict=True):
        assert table.concentration[0] == 0.0
        assert table.concentration[-1] == component.high
        assert len(table) > 300
    fullest = sum(int(table.ticks.max()) for table in tables)
    assert fullest + volumes.minimum <= volumes.capacity


def test_the_control_is_a_formula_of_the_demo_within_its_ranges():
    definition = parse(demo_definition())
    assert set(definition.plate.controls) == set(definition.formulas)
    high = {component.name: component.high for component in definition.components}
    for name, amount in definition.formulas["commercial"].items():
        assert 0 < amount <= high[name]
    assert definition.plate.wells in SHAPES


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_concentrations_and_unit_rows_convert_back(row):
    low, high = [0.0, 1.0, 5.0], [60.0, 2.0, 5000.0]
    back = to_unit(to_concentrations([row], low, high), low, high)
    np.testing.assert_allclose(back, [row], atol=1e-12)
