"""How fast a plate is, part by part, against BoTorch's fit and the processor's peak.

    python -m benchmarks.speed

measures pretraining (1200 rows × 50 components, 8 members), transfer (200 and 500 own rows × 50 × 4
responses, every expert), exact moments (a million candidates, 200 own rows), generation of a
million candidates, and the plate: 96 formulas from a million candidates with 500 own rows, fit
included. Each is done in a process of its own, with its peak memory. Core-seconds are of all
threads together, and depend less than seconds on what else the computer does. Seconds are also
given as multiples of the fit of BoTorch's SingleTaskGP on 200 × 50. `--small` takes an eighth of
all rows and candidates, for a quick look; `--only` names parts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labloop.definition import Definition
    from labloop.surrogate import Pretrained, Surrogate

COMPONENTS, RESPONSES, MEMBERS, PLATE = 50, 4, 8, 96
CANDIDATES = 1_000_000
SMALL = 8

Times = tuple[float, float]
"""Seconds and core-seconds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every part and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="an eighth of the rows")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART")
    parser.add_argument("--alone", choices=[PEAK, *PARTS], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    share = SMALL if options.small else 1
    if options.alone:
        work = {PEAK: matrix_peak, **PARTS}[options.alone]
        print(*work(share), peak_memory())
        return
    operations, _, _ = alone(PEAK, share)
    reference, _, _ = alone(REFERENCE, share)
    print("| part | seconds | core-seconds | × SingleTaskGP's fit | peak memory, MB | wanted |")
    print("|---|---|---|---|---|---|")
    for part in options.only or PARTS:
        seconds, cores, memory = alone(part, share)
        print(
            f"| {part} | {seconds:.1f} | {cores:.1f} | {seconds / reference:.1f} | {memory:.0f} "
            f"| {WANTED.get(part, '')} |",
            flush=True,
        )
    print(f"\nfp32 matrix peak {operations / 1e9:.0f} GFLOP/s{' (1/8 of all)' * options.small}")


def alone(part: str, share: int) -> tuple[float, float, float]:
    """Run a part in a process of its own: seconds (or operations a second), core-seconds, MB."""
    command = [sys.executable, "-m", "benchmarks.speed", "--alone", part]
    command += ["--small"] * (share > 1)
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    first, second, third = run.stdout.split()
    return float(first), float(second), float(third)


def matrix_peak(share: int) -> Times:
    """Return the operations a second of the best of several fp32 matrix products, and no time."""
    import torch

    size = 2048 if share == 1 else 1024
    a = torch.rand(size, size)
    best = min(timed(lambda: a @ a)[0] for _ in range(10))
    return 2.0 * size**3 / best, 0.0


def single_task_fit(share: int) -> Times:
    """Time the fit of BoTorch's SingleTaskGP with its defaults, on one response."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    X, Y = measured_rows(200 // share, "moderate")
    torch.manual_seed(0)
    model = SingleTaskGP(torch.as_tensor(X), torch.as_tensor(Y[:, :1]))
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    return timed(lambda: fit_gpytorch_mll(mll))


def pretraining(share: int) -> Times:
    """Time pretraining; a first one, of few rows, has loaded what it needs."""
    from labloop.surrogate import pretrain

    pretrained(SMALL * SMALL)
    X, Y = measured_rows(1200 // share, "source")
    source = np.zeros(len(X), dtype=np.int64)
    return timed(lambda: pretrain(X, Y, source, members=MEMBERS))


def transfer(rows: int) -> Callable[[int], Times]:
    """Return what times the fit of every expert to own rows."""

    def work(share: int) -> Times:
        before = pretrained(share)
        fitted(before, SMALL)  # has loaded what it needs
        return timed(lambda: fitted(before, rows // share))

    return work


def prediction(share: int) -> Times:
    """Time exact means and variances of all candidates; the peak memory includes them."""
    surrogate = fitted(pretrained(share), 200 // share)
    X = np.random.default_rng(0).random((CANDIDATES // share, COMPONENTS), dtype=np.float32)
    return timed(lambda: surrogate.mean_and_variance(X))


def generation(share: int) -> Times:
    """Time the permuted grid alone."""
    from labloop.proposal.grid import permuted_grid
    from labloop.space import FormulaSpace

    space = FormulaSpace.of(lab_definition(CANDIDATES))
    rng = np.random.default_rng(0)
    return timed(lambda: sum(len(c) for c in permuted_grid(space, 5, CANDIDATES // share, rng)))


def plate(share: int) -> Times:
    """Time a plate: fit, candidates, scores, refinement, choice; pretraining is done before."""
    from labloop.proposal.batch import Known, choose
    from labloop.proposal.goals import Goals
    from labloop.space import FormulaSpace

    definition = lab_definition(CANDIDATES // share)
    space, before = FormulaSpace.of(definition), pretrained(share)
    goals = Goals.of(definition.responses)
    fitted(before, SMALL)
    levels = space.sample(500 // share, np.random.default_rng(1))
    X = space.encode(levels)
    Y = answers(X, "moderate")
    none = np.empty((0, COMPONENTS))
    known = Known(space.concentrations(levels), Y.mean(axis=1), none, none)

    def whole() -> None:
        from labloop.surrogate import fit

        surrogate = fit(before, X, Y)
        chosen = choose(space, surrogate, goals, known, definition.proposal, PLATE, 1)
        if len(chosen.levels) != PLATE:
            raise RuntimeError(f"{len(chosen.levels)} formulas instead of {PLATE}")

    return timed(whole)


PEAK = "matrix peak"
REFERENCE = "SingleTaskGP fit, 200 rows, 1 response"
PARTS: dict[str, Callable[[int], Times]] = {
    REFERENCE: single_task_fit,
    "pretraining, 1200 rows, 8 members": pretraining,
    "transfer, 200 rows": transfer(200),
    "transfer, 500 rows": transfer(500),
    "exact moments, 1,000,000 formulas, 200 rows": prediction,
    "generation, 1,000,000 formulas": generation,
    "plate of 96 from 1,000,000 formulas, 500 rows": plate,
}
WANTED = {
    "pretraining, 1200 rows, 8 members": "4 s",
    "transfer, 200 rows": "6 s",
    "plate of 96 from 1,000,000 formulas, 500 rows": "30 s, 2000 MB",
}


def lab_definition(candidates: int) -> Definition:
    """Return a campaign of 50 components on 21 levels with four responses to improve."""
    from labloop.definition import parse

    levels = [5.0 * k for k in range(21)]
    return parse({
        "name": "speed",
        "component": [
            {"name": f"c{k}", "unit": "mM", "levels": levels} for k in range(COMPONENTS)
        ],
        "response": [{"name": f"r{j}", "goal": "maximize"} for j in range(RESPONSES)],
        "proposal": {"candidates": candidates},
    })  # fmt: skip


def pretrained(share: int) -> Pretrained:
    """Learn a source line's rows."""
    from labloop.surrogate import pretrain

    X, Y = measured_rows(1200 // share, "source")
    return pretrain(X, Y, np.zeros(len(X), dtype=np.int64), members=MEMBERS)


def fitted(before: Pretrained, rows: int) -> Surrogate:
    """Transfer to rows of another line."""
    from labloop.surrogate import fit

    return fit(before, *measured_rows(rows, "moderate"))


def measured_rows(rows: int, line: str) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded rows (n, 50) and log responses (n, 4) of a line of the virtual lab."""
    X = np.random.default_rng([rows, line == "source"]).random((rows, COMPONENTS))
    return X, answers(X, line)


def answers(X: np.ndarray, line: str) -> np.ndarray:
    """Return measured log responses (n, 4) of encoded rows (n, 50)."""
    from labloop.simulate.virtual_lab import VirtualLab

    family = VirtualLab(COMPONENTS, responses=RESPONSES)
    lab = family.source if line == "source" else family.line("moderate")
    return np.log(lab.measure(X, np.random.default_rng(len(X))))


def timed(work: Callable[[], object]) -> Times:
    """Return the seconds and core-seconds that something takes."""
    started, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cores


def peak_memory() -> float:
    """Return the most memory (MB) that this process held so far; NaN where that is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
