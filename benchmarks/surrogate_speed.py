"""How fast the surrogate is, against BoTorch's fit and the processor's peak on the same computer.

    python -m benchmarks.surrogate_speed

measures pretraining (1200 rows × 50 components, 8 members), transfer (200 own rows × 50 × 4
responses, every expert) and prediction (a million candidates × 50 × 4) with its peak memory; each
in a process of its own. Seconds are also given as multiples of the two yardsticks: the fit of
BoTorch's SingleTaskGP on 200 × 50, and 10¹² operations at the rate of the best fp32 matrix product.
`--small` takes an eighth of all rows, for a quick look.
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
    from labloop.surrogate import Pretrained

COMPONENTS, RESPONSES, MEMBERS = 50, 4, 8
SMALL = 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every part and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="an eighth of the rows")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    share = SMALL if options.small else 1
    if options.part:
        print(*PARTS[options.part](share))
        return
    print(
        "| part | seconds | × SingleTaskGP's fit | share of fp32 peak | peak memory, MB | wanted |"
    )
    print("|---|---|---|---|---|---|")
    peak, _ = alone("matrix peak", share)
    reference, _ = alone("SingleTaskGP fit, 200 × 50", share)
    for part in PARTS:
        if part == "matrix peak":
            continue
        seconds, memory = alone(part, share)
        ratio, products = seconds / reference, seconds * peak / 1e12
        print(
            f"| {part} | {seconds:.2f} | {ratio:.2f} | {products:.2f} | {memory:.0f} "
            f"| {WANTED.get(part, '')} |",
            flush=True,
        )
    print(f"\nfp32 matrix peak {peak / 1e9:.0f} GFLOP/s{' (1/8 of all rows)' * options.small}")


def alone(part: str, share: int) -> tuple[float, float]:
    """Run a part in a process of its own: seconds (or operations a second) and MB."""
    command = [sys.executable, "-m", "benchmarks.surrogate_speed", "--part", part]
    command += ["--small"] * (share > 1)
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    first, second = run.stdout.split()
    return float(first), float(second)


def matrix_peak(share: int) -> tuple[float, float]:
    """Return the operations a second of the best of several fp32 matrix products."""
    import torch

    size = 2048 if share == 1 else 1024
    a = torch.rand(size, size)
    best = min(timed(lambda: a @ a) for _ in range(10))
    return 2.0 * size**3 / best, peak_memory()


def single_task_fit(share: int) -> tuple[float, float]:
    """Time the fit of BoTorch's SingleTaskGP with its defaults, on one response."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    X, Y = measured_rows(200 // share, "moderate")
    torch.manual_seed(0)
    model = SingleTaskGP(torch.as_tensor(X), torch.as_tensor(Y[:, :1]))
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    seconds = timed(lambda: fit_gpytorch_mll(mll))
    return seconds, peak_memory()


def pretraining(share: int) -> tuple[float, float]:
    """Time pretraining; a first one, of few rows, has loaded what it needs."""
    from labloop.surrogate import pretrain

    pretrained(SMALL * SMALL)
    X, Y = measured_rows(1200 // share, "source")
    source = np.zeros(len(X), dtype=np.int64)
    return timed(lambda: pretrain(X, Y, source, members=MEMBERS)), peak_memory()


def transfer(share: int) -> tuple[float, float]:
    """Time the fit of every expert."""
    from labloop.surrogate import fit

    before = pretrained(share)
    X, Y = measured_rows(200 // share, "moderate")
    return timed(lambda: fit(before, X, Y)), peak_memory()


def prediction(share: int) -> tuple[float, float]:
    """Time means and variances of a million candidates; the peak memory includes them."""
    from labloop.surrogate import fit

    surrogate = fit(pretrained(share), *measured_rows(200 // share, "moderate"))
    X = np.random.default_rng(0).random((1_000_000 // share, COMPONENTS), dtype=np.float32)
    return timed(lambda: surrogate.mean_and_variance(X)), peak_memory()


PARTS: dict[str, Callable[[int], tuple[float, float]]] = {
    "matrix peak": matrix_peak,
    "SingleTaskGP fit, 200 × 50": single_task_fit,
    "pretraining, 1200 × 50, 8 members": pretraining,
    "transfer, 200 × 50 × 4 responses": transfer,
    "prediction, 1,000,000 × 50 × 4 responses": prediction,
}
WANTED = {
    "pretraining, 1200 × 50, 8 members": "4 s",
    "transfer, 200 × 50 × 4 responses": "6 s",
    "prediction, 1,000,000 × 50 × 4 responses": "8 s, 1500 MB",
}


def pretrained(share: int) -> Pretrained:
    """Learn a source line's rows."""
    from labloop.surrogate import pretrain

    X, Y = measured_rows(1200 // share, "source")
    return pretrain(X, Y, np.zeros(len(X), dtype=np.int64), members=MEMBERS)


def measured_rows(rows: int, line: str) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded rows (n, 50) and log responses (n, 4) of a line of the virtual lab."""
    from labloop.simulate.virtual_lab import VirtualLab

    family = VirtualLab(COMPONENTS, responses=RESPONSES)
    lab = family.source if line == "source" else family.line("moderate")
    rng = np.random.default_rng([rows, line == "source"])
    X = rng.random((rows, COMPONENTS))
    return X, np.log(lab.measure(X, rng))


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
