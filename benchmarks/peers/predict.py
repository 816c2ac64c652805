"""Predict exported problems with BayBE; runs in the peers' environment, without labloop.

    .venv-peers/bin/python benchmarks/peers/predict.py FOLDER

For each problem.npz in FOLDER/problems writes FOLDER/predictions/problem.npz; those that are there
are kept, so that a run can be taken up again.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TARGET = "response"
TASK = "line"
OURS = "campaign"


def main() -> None:
    """Predict every problem that has no predictions yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    (options.folder / "predictions").mkdir(exist_ok=True)
    files = sorted((options.folder / "problems").glob("*.npz"))
    left = [file for file in files if not answer_to(file).is_file()]
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        done = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
            delayed(predict_problem)(file) for file in left
        )
        for number, name in enumerate(done, start=1):
            print(f"{number} of {len(left)}: {name}", file=sys.stderr, flush=True)


def answer_to(file: Path) -> Path:
    """Return where a problem's predictions go."""
    return file.parent.parent / "predictions" / file.name


def predict_problem(file: Path) -> str:
    """Predict one problem at all its sizes and write the moments: size-model-mean and so on."""
    # Imported before the clock starts.
    import baybe.surrogates  # noqa: F401
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    answers: dict[str, Any] = {}
    with np.load(file, allow_pickle=False) as exported:
        problem = dict(exported)
    for size in problem["sizes"].tolist():
        own = problem["order"][:size]
        for model, with_history in (("BayBE", False), ("BayBE+task", True)):
            started = time.perf_counter()
            each = [
                predict(problem, own, response, with_history)
                for response in range(problem["Y_pool"].shape[1])
            ]
            answers[f"{size}|{model}|mean"] = np.stack([mean for mean, _ in each], axis=1)
            answers[f"{size}|{model}|sd"] = np.stack([sd for _, sd in each], axis=1)
            answers[f"{size}|{model}|seconds"] = time.perf_counter() - started
    part = answer_to(file).with_suffix(".part")
    with part.open("wb") as out:
        np.savez_compressed(out, **answers)
    part.replace(answer_to(file))
    return file.stem


def predict(
    problem: dict[str, Any], own: Any, response: int, with_history: bool
) -> tuple[Any, Any]:
    """Return mean (N,) and sd (N,) of a new measurement at the pool, by BayBE's default GP.

    With the history its rows are other tasks of a TaskParameter, each standardised by itself.
    """
    import torch
    from baybe.parameters import NumericalContinuousParameter, TaskParameter
    from baybe.searchspace import SearchSpace
    from baybe.surrogates import GaussianProcessSurrogate
    from baybe.targets import NumericalTarget

    X, y = problem["X_pool"][own], problem["Y_pool"][own, response]
    X, y = X[~np.isnan(y)], y[~np.isnan(y)]
    level, scale = y.mean(), max(float(y.std(ddof=1)), 1e-12)
    columns = [f"x{number}" for number in range(X.shape[1])]
    used = np.ones(len(columns), bool) if with_history else np.ptp(problem["X_pool"], axis=0) > 0
    rows = frame(X, columns).assign(**{TARGET: (y - level) / scale, TASK: OURS})
    pool = frame(problem["X_pool"], columns).assign(**{TASK: OURS})
    names = [name for name, use in zip(columns, used, strict=True) if use]
    parameters: list[Any] = [NumericalContinuousParameter(name, (0.0, 1.0)) for name in names]
    if with_history:
        lines = [f"source {number}" for number in problem[f"task_{response}"]]
        earlier = frame(problem[f"X_history_{response}"], columns)
        z = problem[f"Y_history_{response}"]
        rows = pd.concat([rows, earlier.assign(**{TARGET: z, TASK: lines})], ignore_index=True)
        tasks = [OURS, *sorted(set(lines))]
        parameters.append(TaskParameter(TASK, values=tasks, active_values=[OURS]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        space = SearchSpace.from_product(parameters)
        surrogate = GaussianProcessSurrogate()
        surrogate.fit(space, NumericalTarget(TARGET).to_objective(), rows)
        encoded = space.transform(pool, allow_extra=True).to_numpy(np.float64)
        with torch.no_grad():
            posterior = surrogate.to_botorch().posterior(
                torch.as_tensor(encoded), observation_noise=True
            )
            mean = posterior.mean[:, 0].numpy()
            sd = posterior.variance[:, 0].sqrt().numpy()
    return mean * scale + level, sd * scale


def frame(X: Any, columns: list[str]) -> pd.DataFrame:
    """Return rows as a frame."""
    return pd.DataFrame(X, columns=columns)


if __name__ == "__main__":
    main()
