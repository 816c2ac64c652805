"""Predict real and simulated formulas from a history and few own rows: labloop and its rivals.

    python -m benchmarks.surrogate --out results

writes `surrogate.csv` there, one row a problem, size, seed, model and response; progress goes to
standard error. `python -m benchmarks.publish results` makes the table of the benchmarks page of it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from benchmarks.metrics import Scores, scores
from benchmarks.models import MODELS, Prediction
from benchmarks.plan import Cell, planned
from benchmarks.problem import SIZES, Problem
from benchmarks.problems import AbsentTableError, build, catalogue

KEYS = ["problem", "family", "size", "seed", "model", "response"]
Record = dict[str, str | float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    options = read_options(arguments)
    first = list(present(options.problems))
    available = 60.0 * options.minutes * options.jobs
    cells, dropped = planned(first, options.models, options.sizes, options.seeds, available)
    for cell in dropped:
        note(f"left out to fit {options.minutes:g} minutes: {describe(cell)}")
    options.out.mkdir(parents=True, exist_ok=True)
    records = run_all(cells, options.jobs)
    frame = pd.DataFrame(records).sort_values(KEYS, kind="stable")
    frame.to_csv(options.out / "surrogate.csv", index=False, float_format="%.6g")
    failures = frame[frame["failure"] != ""]
    for row in failures.itertuples():
        note(f"FAILED: {row.problem} {row.model} at {row.size}, seed {row.seed}: {row.failure}")
    print(options.out / "surrogate.csv")
    if len(failures):
        sys.exit(1)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = list(catalogue())
    parser.add_argument("--problems", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of one thread each")
    parser.add_argument("--minutes", type=float, default=40.0, help="costly cells are left out")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser.parse_args(arguments)


def present(names: Sequence[str]) -> Iterator[Problem]:
    """Build the problems of seed 0, and say which tables are absent."""
    for name in names:
        try:
            yield build(name, 0)
        except AbsentTableError as absent:
            note(f"{name} left out: {absent}")


def run_all(cells: Sequence[Cell], jobs: int) -> list[Record]:
    """Run every cell for its seeds, the longest tasks first, so that the workers end alike."""
    from joblib import Parallel, delayed, parallel_config

    of: dict[tuple[str, int], list[Cell]] = defaultdict(list)
    for cell in cells:
        for seed in range(cell.seeds):
            of[cell.problem, seed].append(cell)
    order = sorted(of, key=lambda each: (-sum(cell.seconds for cell in of[each]), each))
    tasks = [delayed(run)(name, seed, of[name, seed]) for name, seed in order]
    records: list[Record] = []
    started = time.perf_counter()
    with parallel_config(backend="loky", inner_max_num_threads=1):
        done = Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
        for number, part in enumerate(done, start=1):
            records += part
            minutes = (time.perf_counter() - started) / 60
            what = f"{part[0]['problem']}, seed {part[0]['seed']}" if part else "nothing"
            note(f"{number} of {len(tasks)} after {minutes:.1f} min: {what}")
    return records


def run(name: str, seed: int, cells: Sequence[Cell]) -> list[Record]:
    """Run all cells of one problem and seed: every model is prepared once."""
    import torch

    torch.set_num_threads(1)
    problem = build(name, seed)
    records: list[Record] = []
    for model in dict.fromkeys(cell.model for cell in cells):
        sizes = [cell.size for cell in cells if cell.model == model]
        records += run_model(problem, model, seed, sizes)
    return records


def run_model(problem: Problem, model: str, seed: int, sizes: Sequence[int]) -> list[Record]:
    """Run one model at all its sizes; where it fails, a record says how."""
    records: list[Record] = []
    size = -1
    try:
        learn = MODELS[model](problem, seed)
        for size in sizes:
            own = problem.own_rows(size, seed)
            for prediction in learn(own):
                records += scored(problem, size, seed, prediction)
    except Exception as failure:  # noqa: BLE001 - one rival's failure must not cost the others
        text = f"{type(failure).__name__}: {failure}"
        records.append(record(problem, size, seed, model, 0, failure=text))
    return records


def scored(problem: Problem, size: int, seed: int, prediction: Prediction) -> list[Record]:
    """Return one record a response."""
    own = problem.own_rows(size, seed)
    return [
        record(
            problem, size, seed, prediction.model, response,
            scores(problem, own, prediction.mean, prediction.sd, response),
            prediction.seconds, prediction.prepare_seconds,
        )
        for response in range(problem.Y_pool.shape[1])
    ]  # fmt: skip


def record(
    problem: Problem, size: int, seed: int, model: str, response: int,
    of: Scores | None = None, seconds: float = math.nan, prepare_seconds: float = math.nan,
    *, failure: str = "",
) -> Record:  # fmt: skip
    """Return one row of the results."""
    every = asdict(of) if of is not None else dict.fromkeys(Scores.__annotations__, math.nan)
    return {
        "problem": problem.name, "family": problem.family, "size": size, "seed": seed,
        "model": model, "response": response, **every,
        "seconds": seconds, "prepare_seconds": prepare_seconds, "failure": failure,
    }  # fmt: skip


def describe(cell: Cell) -> str:
    """Return a cell in words."""
    return f"{cell.model} at {cell.size} own rows of {cell.problem}, {cell.seconds:.0f} s a seed"


def note(text: str) -> None:
    """Tell of progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
