"""How long a large round takes from its formulas to the files of every robot.

    python -m benchmarks.worklists

plans a round on one plate of 384 wells, 30 components (every second one with two stocks), two
replicates and 12 control wells, for each kind of robot within its own limits, and writes its files
in memory. Planning is layout, recipes, dispenses and source wells; the files are the checks, the
plate maps, the deck list and the robot's own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.publish import PAGE, put_between_marks
from labloop.definition import Definition, parse
from labloop.errors import RefusedError
from labloop.plate.planning import planned
from labloop.robots import ROBOTS
from labloop.space import FormulaSpace
from labloop.worklists import WORKLISTS, RoundPlan, round_files

WELLS, COMPONENTS, REPLICATES, CONTROLS = 384, 30, 2, 12
WELL_UL, ECHO_WELL_UL = 100.0, 50.0
INOCULUM_SHARE = 0.1
SHARE = 0.8  # of a well that the components take at most, where the robot's minimum allows it


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each robot and their sum, and publish them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(WORKLISTS), metavar="KIND")
    parser.add_argument("--publish", action="store_true", help="write the benchmarks page")
    options = parser.parse_args(arguments)
    measured("manual")  # imports and caches are not a robot's
    lines = [
        "| robot | dispenses | planning, core-s | files, core-s | both, s | kB |",
        "|---|---|---|---|---|---|",
    ]
    sums = np.zeros(3)
    for kind in options.only or WORKLISTS:
        dispenses, times, size = measured(kind)
        sums += times
        lines.append(f"| `{kind}` | {dispenses} | {_cells(times)} | {size} |")
    lines.append(f"| together | | {_cells(sums)} | |")
    print("\n".join(lines))
    if options.publish:
        put_between_marks(PAGE, "worklists", "\n".join(lines))


def _cells(times: Sequence[float] | npt.NDArray[np.float64]) -> str:
    return " | ".join(f"{seconds:.2f}" for seconds in times)


def measured(kind: str) -> tuple[int, tuple[float, float, float], str]:
    """Return number of dispenses; core-seconds to plan and to write, seconds of both; and kB.

    A robot that cannot have the round says why instead of the kB.
    """
    definition = definition_for(kind)
    space = FormulaSpace.of(definition)
    count = (WELLS - CONTROLS) // REPLICATES
    formulas = space.sample(count, np.random.default_rng(0))
    start, cores = time.perf_counter(), time.process_time()
    made = planned(definition, space, formulas, seed=0)
    middle = time.process_time()
    units = {component.name: component.unit for component in definition.components}
    plan = RoundPlan(
        made.layout, made.recipes, made.dispenses, units, definition.plate, definition.robot
    )
    try:
        files = round_files(kind, plan, stem="round")
        size = f"{sum(map(len, files.values())) / 1000:.0f}"
    except RefusedError as refusal:
        size = str(refusal)
    end = time.process_time()
    times = (middle - cores, end - middle, time.perf_counter() - start)
    return len(made.dispenses), times, size


def definition_for(kind: str) -> Definition:
    """Return the campaign for a kind of robot, with highs that it can dispense."""
    well = ECHO_WELL_UL if kind.startswith("echo") else WELL_UL
    inoculum = INOCULUM_SHARE * well
    fair = SHARE * (well - inoculum) / COMPONENTS
    share = max(fair, 2 * ROBOTS[kind].min_dispense_ul) / well
    return parse(
        {
            "name": "large",
            "plate": {
                "wells": WELLS,
                "well_volume_ul": well,
                "inoculum_ul": inoculum,
                "replicates": REPLICATES,
                "controls": {"standard": CONTROLS},
            },
            "robot": {"kind": kind},
            "component": [
                {
                    "name": f"component {number}",
                    "unit": "mM",
                    "high": 10.0,
                    "stocks": [10.0 / share, 1.0 / share][: 1 + number % 2],
                }
                for number in range(COMPONENTS)
            ],
            "response": [{"name": "titre"}],
            "formulas": {"standard": {"component 0": 5.0, "component 1": 5.0}},
        }
    )


if __name__ == "__main__":
    main()
