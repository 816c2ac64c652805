"""Hand problems over to the peers and score what they predicted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.gaussian import thinned_history
from benchmarks.models import Prediction
from benchmarks.problem import Problem
from benchmarks.problems import build, catalogue
from benchmarks.surrogate import KEYS, Record, present, scored

SIZES = (24, 50, 100)
SOURCE_ROWS = 100


def main(arguments: Sequence[str] | None = None) -> None:
    """Export or score."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("what", choices=["export", "score"])
    parser.add_argument("folder", type=Path, help="of the exchange; scores go beside it")
    every = list(catalogue())
    parser.add_argument("--problems", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    if options.what == "export":
        export(options.folder, options.problems, options.seeds)
    else:
        score(options.folder)


def export(folder: Path, names: Sequence[str], seeds: int) -> None:
    """Write each problem and seed as arrays that need nothing of ours to be read."""
    (folder / "problems").mkdir(parents=True, exist_ok=True)
    for problem in present(names):
        for seed in range(seeds):
            arrays = exported(build(problem.name, seed), seed)
            np.savez_compressed(folder / "problems" / f"{problem.name}={seed}.npz", **arrays)  # type: ignore[arg-type]
    print(folder / "problems")


def exported(problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """Return a problem's arrays: the pool, the order of own rows, sizes, the thinned history."""
    sizes = [size for size in problem.sizes if size in SIZES]
    arrays = {
        "X_pool": problem.X_pool,
        "Y_pool": problem.Y_pool,
        "sizes": np.array(sizes),
        "order": problem.order(seed),
    }
    for j in range(problem.Y_pool.shape[1]):
        X, z, task = thinned_history(problem, j, SOURCE_ROWS, seed)
        arrays |= {f"X_history_{j}": X, f"Y_history_{j}": z, f"task_{j}": task}
    return arrays


def score(folder: Path) -> None:
    """Score every prediction and write peers.csv beside the folder, as surrogate.csv is."""
    records: list[Record] = []
    for file in sorted((folder / "predictions").glob("*.npz")):
        name, seed = file.stem.rsplit("=", 1)
        problem = build(name, int(seed))
        with np.load(file, allow_pickle=False) as said:
            for key in said:
                size, model, what = key.split("|")
                if what != "mean":
                    continue
                seconds = float(said[f"{size}|{model}|seconds"])
                prediction = Prediction(model, said[key], said[f"{size}|{model}|sd"], seconds)
                records += scored(problem, int(size), int(seed), prediction)
    frame = pd.DataFrame(records).sort_values(KEYS, kind="stable")
    path = folder.parent / "peers.csv"
    frame.to_csv(path, index=False, float_format="%.6g")
    print(path)


if __name__ == "__main__":
    main()
