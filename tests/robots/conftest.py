"""Real rounds for every robot, and the programs of others that check what labloop writes for them.

Fixtures for every test of this folder (each returns a function):

- `round_of(kind, wells, **changes) -> RoundPlan`: a round made as `labloop propose` makes one. By
  default it fills one plate and has what makes exporters stumble: a control, replicates, an empty
  well, an inoculum, a component by hand, components with one stock and with two, names in several
  languages and with separators in them. `changes` are the arguments of `make_round`.
- `planned_volumes(plan) -> {(source plate, source well, plate, well): ticks}`: what the robot must
  do, to be compared EXACTLY with what an oracle reads back from the robot's file.
- `oracle(module)`: the imported module, or the test is skipped with a sentence. Modules may also
  use `pytest.importorskip`.

With LABLOOP_ROBOTS=1, as `make test-robots` sets it, a test of this folder that is skipped fails.
"""

import importlib
import os
from collections.abc import Generator

import numpy as np
import pytest

from labloop.definition import parse
from labloop.plate.planning import planned
from labloop.robots import ROBOTS
from labloop.space import FormulaSpace
from labloop.worklists import RoundPlan

NAMES = (
    "glucose",
    "葡萄糖酸钠",
    "L-谷氨酰胺",
    "гидролизат сои",
    "Nährstofflösung №7",
    "ビタミンB12",
    "NaCl",
    "trace metals; mix, new",
    'sodium "citrate"',
    "β-mercaptoethanol",
    "a name much longer than the thirty-two characters that a label holds",
    "a name much longer than the thirty-two characters that labels hold",
    "Ωμέγα-3",
    "חומצה",
    "MgSO4",
    "CaCl2·2H2O",
)
WELL_VOLUME_UL = {24: 1500.0, 48: 700.0, 96: 200.0, 384: 50.0, 1536: 6.0}


def make_round(
    kind,
    wells,
    *,
    components=12,
    formulas=None,
    replicates=2,
    controls=2,
    well_volume_ul=None,
    inoculum_share=0.1,
    by_hand=True,
    plate=(),
    robot=(),
    seed=0,
):
    """Return the RoundPlan of a round of random formulas.

    Args:
        kind: Of robot.
        wells: Of each plate.
        components: How many have stocks; every second one has two.
        formulas: How many there are; by default so many that one plate is full. More make more
            plates.
        replicates: Wells a formula.
        controls: Wells of the control on each plate.
        well_volume_ul: By default what suits the plate, 200 µL of 96 wells.
        inoculum_share: Of the well's volume, about.
        by_hand: Whether there is a component without stocks.
        plate: More keys of `[plate]`, a dict.
        robot: More keys of `[robot]`, a dict; `source_plate` and `place` are lists of dicts.
        seed: Of the formulas and the layout.
    """
    limits = ROBOTS[kind]
    robot = {"kind": kind} | dict(robot)
    minimum = robot.get("min_dispense_ul", limits.min_dispense_ul)
    increment = robot.get("increment_ul", limits.increment_ul)
    volume = well_volume_ul or WELL_VOLUME_UL[wells]
    inoculum = round(volume * inoculum_share / increment) * increment
    # At its highest concentration a component takes its fair share of the well, if the robot can.
    share = max(0.8 * (volume - inoculum) / components, 2 * minimum) / volume
    names = [NAMES[n] if n < len(NAMES) else f"component {n + 1}" for n in range(components)]
    listed = [
        {
            "name": name,
            "unit": "mM",
            "high": 10.0,
            "stocks": [10.0 / share, 2.0 / share][: 1 + n % 2],
        }
        for n, name in enumerate(names)
    ]
    if by_hand:
        listed.append({"name": "peptone by hand", "unit": "g/L", "high": 2.0, "step": 0.5})
    settings = {"wells": wells, "well_volume_ul": volume, "inoculum_ul": round(inoculum, 9)}
    settings |= {"diluent": "water", "replicates": replicates, "empty_wells": ["A1"]}
    settings |= {"controls": {"基础 medium": controls}} if controls else {}
    definition = parse(
        {
            "name": "round trip",
            "plate": settings | dict(plate),
            "robot": robot,
            "component": listed,
            "response": [{"name": "titre", "unit": "g/L"}],
            "formulas": {"基础 medium": {names[0]: 5.0}},
        }
    )
    space = FormulaSpace.of(definition)
    if formulas is None:
        formulas = (wells - 1 - controls) // replicates
    made = planned(definition, space, space.sample(formulas, np.random.default_rng(seed)), seed)
    units = {c.name: c.unit for c in definition.components}
    return RoundPlan(
        made.layout, made.recipes, made.dispenses, units, definition.plate, definition.robot
    )


@pytest.fixture(scope="session")
def round_of():
    """The function that makes rounds; see `make_round`."""
    return make_round


@pytest.fixture(scope="session")
def planned_volumes():
    """The function that sums a plan's ticks by (source plate, source well, plate, well)."""

    def volumes(plan):
        keys = ["source_plate", "source_well", "plate", "well"]
        return plan.dispenses.groupby(keys)["ticks"].sum().to_dict()

    return volumes


@pytest.fixture(scope="session")
def oracle():
    """The function that imports a program which others wrote, or skips the test."""

    def imported(module):
        try:
            return importlib.import_module(module)
        except ImportError:
            pytest.skip(f"{module} is not installed; `make test-robots` installs it")

    return imported


def _must_not_skip() -> bool:
    return os.environ.get("LABLOOP_ROBOTS") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator:
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator:
    return _failed_if_skipped((yield))


def _failed_if_skipped(report):
    if _must_not_skip() and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"LABLOOP_ROBOTS=1 wants every oracle: {report.longrepr}"
    return report
