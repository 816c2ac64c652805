"""Time BayBE's choice of a plate of 96 from a table of candidates; runs in the peers' environment.

    .venv-peers/bin/python benchmarks/peers/plate.py --candidates 10000 100000 1000000

Each size is a process of its own with its own time limit (seconds) and, on Linux, a limit of
address space (GB). Candidates are formulas of 50 components on 5 levels, as `benchmarks/speed.py`
has them; 500 of them were measured, in one response: BayBE's cheapest case, as several responses
cost it a model each. Prints a line for each size: seconds to make the search space, to recommend,
and the peak memory, or how it failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np
import pandas as pd

COMPONENTS, LEVELS, MEASURED, PLATE = 50, 5, 500, 96


def main() -> None:
    """Run every size in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidates", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=int, default=600, help="time limit of a size")
    parser.add_argument("--memory", type=float, default=12.0, help="limit of address space, GB")
    parser.add_argument("--plate", type=int, default=PLATE)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        recommend(options.candidates[0], options.plate, options.memory)
        return
    for candidates in options.candidates:
        command = [sys.executable, __file__, "--alone", "--candidates", str(candidates)]
        command += ["--memory", str(options.memory), "--plate", str(options.plate)]
        print(f"{candidates} candidates:", flush=True)
        try:
            run = subprocess.run(
                command, check=False, timeout=options.seconds, stderr=subprocess.PIPE,
                encoding="utf-8",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            print(f"  not done after {options.seconds} s", flush=True)
            continue
        if run.returncode:
            said = (run.stderr or "").strip().splitlines() or ["nothing"]
            print(f"  failed with code {run.returncode}: {said[-1]}", flush=True)


def recommend(candidates: int, plate: int, memory: float) -> None:
    """Make the search space, add measurements, recommend a plate; print times and memory."""
    import resource

    if sys.platform == "linux":
        limit = int(memory * 1e9)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    from baybe import Campaign
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget

    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(COMPONENTS)]
    levels = rng.integers(LEVELS, size=(candidates, COMPONENTS)) / (LEVELS - 1)
    table = pd.DataFrame(levels, columns=names).drop_duplicates(ignore_index=True)
    rows = table.sample(min(MEASURED, len(table) // 2), random_state=0)
    saturating = rows / (rows + rng.uniform(0.1, 1.0, COMPONENTS))
    value = saturating.to_numpy() @ rng.normal(size=COMPONENTS)
    rows = rows.assign(titre=value + 0.1 * rng.normal(size=len(rows)))

    started = time.perf_counter()
    space = SearchSpace.from_dataframe(table, parameters=parameters(names))
    say("search space", started)
    started = time.perf_counter()
    campaign = Campaign(space, NumericalTarget("titre").to_objective())
    campaign.add_measurements(rows)
    say("measurements", started)
    started = time.perf_counter()
    recommended = campaign.recommend(plate)
    say(f"recommending {len(recommended)}", started)


def parameters(names: list[str]) -> list[object]:
    """Return BayBE's parameters of the components."""
    from baybe.parameters import NumericalDiscreteParameter

    values = np.arange(LEVELS) / (LEVELS - 1)
    return [NumericalDiscreteParameter(name, values=values) for name in names]


def say(what: str, started: float) -> None:
    """Print how long something took and the peak memory so far."""
    import resource

    unit = 1.0 if sys.platform == "darwin" else 1024.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(f"  {what}: {time.perf_counter() - started:.1f} s, peak {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
