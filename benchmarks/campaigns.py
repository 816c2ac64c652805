"""Whole campaigns of labloop and of its rivals, on virtual labs and among measured formulas.

    python -m benchmarks.campaigns --out results

adds to `campaigns.csv` there one row a trial, strategy, seed and plate as each campaign ends;
campaigns that are there already are not run again. `python -m benchmarks.campaign_summary results`
makes the tables of the benchmarks page of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.campaign_rivals import RIVALS
from benchmarks.case import Case
from benchmarks.problems import AbsentTableError
from benchmarks.trials import case, trials
from benchmarks.usage import peak_memory, processor_seconds, reset_peak
from labloop.definition import ProposalSettings
from labloop.simulate.backtest import Record, campaign
from labloop.simulate.strategies import STRATEGIES, Strategy
from labloop.simulate.trial import Plate, Propose, SoFar, Trial

EVERY: dict[str, Strategy] = {**STRATEGIES, **RIVALS}
CANDIDATES = 100_000
COSTLY_SEEDS = 3
FILE = "campaigns.csv"
Task = tuple[int, str, str]
"""(seed, trial, strategy), in the order in which they run."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not there yet."""
    options = read_options(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / FILE
    done = finished(file)
    tasks = [
        (seed, trial, strategy)
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for trial in options.trials
        for strategy in options.strategies
        if (seed, trial, strategy) not in done and affordable(seed, trial, strategy)
    ]
    failures = run_all(tasks, options, file)
    print(file)
    if failures:
        sys.exit(1)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = list(trials())
    parser.add_argument("--trials", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--strategies", nargs="+", default=list(EVERY), choices=list(EVERY))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, help="plates of a campaign, else the trial's own")
    parser.add_argument("--candidates", type=int, default=CANDIDATES, help="labloop's, a plate")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of one thread each")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser.parse_args(arguments)


def affordable(seed: int, trial: str, strategy: str) -> bool:
    """Return whether a campaign is run at all: BayBE takes minutes a plate.

    It runs on few seeds, not with more than 20 components (10 with a task parameter) and not on two
    responses.
    """
    if not strategy.startswith("BayBE"):
        return True
    labs = ("lab-10-",) if strategy == "BayBE+task" else ("lab-10-", "lab-20-")
    return seed < COSTLY_SEEDS and trial.startswith((*labs, "replay-", "mixture-"))


def finished(file: Path) -> set[Task]:
    """Return the campaigns that a file has; they are added to it whole."""
    if not file.is_file():
        return set()
    keys = pd.read_csv(file)[["seed", "trial", "strategy"]].drop_duplicates()
    return {(int(seed), str(trial), str(strategy)) for seed, trial, strategy in keys.to_numpy()}


def run_all(tasks: Sequence[Task], options: argparse.Namespace, file: Path) -> int:
    """Run campaigns, adding each to the file as it ends; return how many failed."""
    from joblib import Parallel, delayed, parallel_config

    failures, started = 0, time.perf_counter()
    with parallel_config(backend="loky", inner_max_num_threads=1):
        done = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
            delayed(run)(*task, options.rounds, options.candidates) for task in tasks
        )
        for number, (task, records, failure) in enumerate(done, start=1):
            seed, trial, strategy = task
            minutes = (time.perf_counter() - started) / 60
            what = f"{trial}, {strategy}, seed {seed}{': ' if failure else ''}{failure}"
            note(f"{number} of {len(tasks)} after {minutes:.1f} min: {what}")
            failures += bool(failure)
            if records:
                added(file, pd.DataFrame(records))
    return failures


def added(file: Path, frame: pd.DataFrame) -> None:
    """Add rows to a table; raises ValueError for other columns than it has."""
    if file.is_file():
        columns = pd.read_csv(file, nrows=0).columns.tolist()
        if set(columns) != set(frame.columns):
            raise ValueError(f"{file} has other columns than this version writes; move it away.")
        frame = frame[columns]
    frame.to_csv(file, mode="a", header=not file.is_file(), index=False, float_format="%.6g")


def run(
    seed: int, name: str, strategy: str, rounds: int | None, candidates: int
) -> tuple[Task, list[Record], str]:
    """Run one campaign; return its records, and how it failed or nothing."""
    import torch

    torch.set_num_threads(1)
    task = (seed, name, strategy)
    try:
        each = case(name, seed)
        settings = ProposalSettings(formulas=each.formulas, candidates=candidates)
        used: list[Record] = []
        watched = watching(EVERY[strategy], used)
        records = campaign(each.trial, strategy, watched, settings, rounds or each.rounds, seed)
    except AbsentTableError as absent:
        return task, [], f"left out: {absent}"
    except Exception as failure:  # noqa: BLE001 - one rival's failure must not cost the others
        return task, [], f"FAILED: {type(failure).__name__}: {failure}"
    every = [described(each, record) | more for record, more in zip(records, used, strict=True)]
    return task, every, ""


def watching(strategy: Strategy, used: list[Record]) -> Strategy:
    """Return the strategy; adds to `used` what each proposal takes, the first what learning did.

    `processor` is in seconds, `memory` the peak in MB, `allowed` the share of formulas that satisfy
    every constraint and `repeated` how many stood on an earlier plate or twice on this.
    """

    def prepare(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
        reset_peak()
        before = processor_seconds()
        propose = strategy(trial, settings, seed)

        def watched(so_far: SoFar, count: int, seed: int) -> Plate:
            nonlocal before
            plate = propose(so_far, count, seed)
            together = np.concatenate([so_far.levels, plate.levels])
            repeated = len(together) - len(np.unique(together, axis=0))
            used.append(
                {
                    "processor": processor_seconds() - before, "memory": peak_memory(),
                    "allowed": float(trial.space.satisfied(plate.levels).mean()),
                    "repeated": repeated,
                }
            )  # fmt: skip
            reset_peak()
            before = processor_seconds()
            return plate

        return watched

    return prepare


def described(of: Case, record: Record) -> Record:
    """Return a record with what it takes to compare it with those of other trials."""
    return record | {
        "kind": of.kind, "likeness": of.likeness, "similarity": of.similarity,
        "optimum": of.trial.optimum, "ordinary": of.ordinary, "whole": of.whole,
        "logarithmic": float(of.trial.logarithmic),
    }  # fmt: skip


def note(text: str) -> None:
    """Say something about the run that is not among its results."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
