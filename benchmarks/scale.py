"""How the choice of a plate grows with the number of candidates, and with workers.

    python -m benchmarks.scale

measures a plate of 24 from 10⁵, 10⁶ and 10⁷ candidates (20 components, one response, 1200 rows of
history and 48 own ones, fit not counted), each in a process of its own with its peak memory, and
from 2·10⁷ candidates on one and two Dask workers of one thread each. Core-seconds are of all
threads together, and depend less than seconds on what else the computer does. `--candidates` and
`--workers` take other numbers, `--workers 0` none; `--own` leaves the history out, whose networks
and trees are most of the work.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.usage import peak_memory, processor_seconds

if TYPE_CHECKING:
    from labloop.definition import Definition
    from labloop.proposal.batch import Known
    from labloop.proposal.goals import Goals
    from labloop.space import FormulaSpace
    from labloop.surrogate import Surrogate

COMPONENTS, HISTORY, OWN, PLATE = 20, 1200, 48, 24
SIZES = (100_000, 1_000_000, 10_000_000)
SPREAD = 20_000_000
SCORING = "scoring candidates"


@dataclass(frozen=True)
class Cost:
    """What a plate took.

    Attributes:
        seconds, core_seconds: Of the whole choice.
        scoring: Seconds of it in which candidates were made and scored.
        before: MB that the process had held at most before it, the fit included.
        peak: MB that it had held at most after it.
        plate: Says whether two plates are the same.
    """

    seconds: float
    core_seconds: float
    scoring: float
    before: float
    peak: float
    plate: str

    @classmethod
    def parsed(cls, text: str) -> Cost:
        """Return what another process printed."""
        seconds, core_seconds, scoring, before, peak, plate = text.split()
        return cls(
            float(seconds), float(core_seconds), float(scoring), float(before), float(peak), plate
        )

    def __str__(self) -> str:
        numbers = (self.seconds, self.core_seconds, self.scoring, self.before, self.peak)
        return " ".join([*(f"{number:.3f}" for number in numbers), self.plate])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure plates of every size, then on workers, and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidates", nargs="*", type=int, default=SIZES, metavar="N")
    parser.add_argument("--workers", nargs="*", type=int, default=(1, 2), metavar="N")
    parser.add_argument("--spread", type=int, default=SPREAD, metavar="N", help="for the workers")
    parser.add_argument("--own", action="store_true", help="without history")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cluster", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        print(plate(options.alone, own=options.own, cluster=options.cluster))
        return
    print("| candidates | seconds | core-seconds | µs a candidate | peak memory, MB | of the fit |")
    print("|---|---|---|---|---|---|")
    for size in options.candidates:
        cost = alone(size, own=options.own)
        print(
            f"| {size:,} | {cost.seconds:.1f} | {cost.core_seconds:.1f} "
            f"| {1e6 * cost.core_seconds / size:.2f} | {cost.peak:.0f} | {cost.before:.0f} |",
            flush=True,
        )
    print(
        "\n| workers | seconds | of them scoring | times as fast | plate |\n|---|---|---|---|---|"
    )
    first = 0.0
    for workers in filter(None, options.workers):
        with cluster_of(workers) as address:
            cost = alone(options.spread, own=options.own, cluster=address)
        first = first or cost.scoring
        print(
            f"| {workers} | {cost.seconds:.1f} | {cost.scoring:.1f} | {first / cost.scoring:.2f} "
            f"| {cost.plate} |",
            flush=True,
        )


def alone(size: int, *, own: bool, cluster: str | None = None) -> Cost:
    """Choose a plate in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--alone", str(size)]
    command += ["--own"] * own + (["--cluster", cluster] if cluster else [])
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return Cost.parsed(run.stdout)


@contextmanager
def cluster_of(workers: int) -> Iterator[str]:
    """Start so many Dask workers, each a process with one thread, and give the address."""
    from distributed import LocalCluster

    # Else Dask's workers ask the system for the memory of every chunk anew.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**25))
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=60,
    ) as local:
        yield local.scheduler_address


def plate(size: int, *, own: bool, cluster: str | None) -> Cost:
    """Choose a plate and say what it took."""
    from labloop.parallel import workers
    from labloop.proposal.batch import choose

    definition = lab_definition(size)
    space, surrogate, goals, known = situation(definition, own=own)
    scoring: list[float] = []

    def watch(stage: str, done: int, total: int) -> None:
        if stage == SCORING:
            scoring[1:] = [time.perf_counter()]
            if not scoring:
                scoring.append(time.perf_counter())
        show(stage, done, total)

    with workers(cluster):
        before = peak_memory()
        started, cores = time.perf_counter(), processor_seconds()
        chosen = choose(
            space, surrogate, goals, known, definition.proposal, PLATE, 1, progress=watch
        )
        seconds, cores = time.perf_counter() - started, processor_seconds() - cores
    digest = hashlib.sha256(chosen.levels.tobytes() + chosen.acquisition.tobytes()).hexdigest()
    return Cost(seconds, cores, scoring[-1] - scoring[0], before, peak_memory(), digest[:12])


def show(stage: str, done: int, total: int) -> None:
    """Tell how far a long run is, on standard error."""
    if os.environ.get("LABLOOP_SHOW_PROGRESS"):
        print(f"{time.strftime('%H:%M:%S')} {stage} {done:,} of {total:,}", file=sys.stderr)


def situation(definition: Definition, *, own: bool) -> tuple[FormulaSpace, Surrogate, Goals, Known]:
    """Return a campaign after two plates: its space, surrogate, goals, and what is known."""
    from labloop.proposal.batch import Known
    from labloop.proposal.goals import Goals
    from labloop.simulate.virtual_lab import VirtualLab
    from labloop.space import FormulaSpace
    from labloop.surrogate import fit, pretrain

    family, rng = VirtualLab(COMPONENTS), np.random.default_rng(1)
    space = FormulaSpace.of(definition)
    pretrained = None
    if not own:
        X = space.encode(space.sample(HISTORY, rng))
        Y = np.log(family.source.measure(X, rng)[:, :1])
        pretrained = pretrain(X, Y, np.zeros(HISTORY, dtype=np.int64))
    levels = space.sample(OWN, rng)
    X = space.encode(levels)
    Y = np.log(family.line("moderate").measure(X, rng)[:, :1])
    none = np.empty((0, COMPONENTS))
    known = Known(space.concentrations(levels), Y[:, 0], none, none)
    return space, fit(pretrained, X, Y), Goals.of(definition.responses), known


def lab_definition(candidates: int) -> Definition:
    """Return a campaign of 20 components with one response to improve."""
    from labloop.definition import parse

    return parse({
        "name": "scale",
        "component": [
            {"name": f"c{k}", "unit": "mM", "low": 0.0, "high": 10.0} for k in range(COMPONENTS)
        ],
        "response": [{"name": "titre", "goal": "maximize"}],
        "proposal": {"candidates": candidates},
    })  # fmt: skip


if __name__ == "__main__":
    main()
