"""Propose plates with BayBE; runs in the peers' environment, without labloop.

Reads JSON lines from standard input and answers each with one on standard output: first the space
(`client.asked_at_first`), then what was measured before each plate. Formulas are rows of numbers
from 0 to 1, and more is better.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

TARGET = "response"
TASK = "line"
OURS = "campaign"

Propose = Callable[[dict[str, Any]], dict[str, Any]]


def main() -> None:
    """Answer until standard input ends."""
    import torch

    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may come between the lines
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    propose = proposer(json.loads(sys.stdin.readline()))
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(propose(json.loads(line))), file=answers, flush=True)


def proposer(start: dict[str, Any]) -> Propose:
    """Return the function from what was measured to the next plate."""
    from baybe.constraints import ContinuousLinearConstraint
    from baybe.parameters import (
        NumericalContinuousParameter,
        NumericalDiscreteParameter,
        TaskParameter,
    )
    from baybe.recommenders import TwoPhaseMetaRecommender
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget
    from baybe.utils.random import set_random_seed

    listed, history = start["levels"], start["history"]
    every = [f"x{number}" for number in range(start["columns"])]
    parameters: list[Any] = [NumericalContinuousParameter(name, (0.0, 1.0)) for name in every]
    if listed:  # BayBE refuses a parameter with one value
        both = [(name, values) for name, values in zip(every, listed, strict=True)]
        parameters = [
            NumericalDiscreteParameter(n, values) for n, values in both if len(values) > 1
        ]
    names = [parameter.name for parameter in parameters]
    earlier: list[pd.DataFrame] = []
    if history:
        lines = [f"source {number}" for number in history["source"]]
        rows = frame(history["X"], every)[names]
        earlier = [rows.assign(**{TARGET: history["z"], TASK: lines})]
        tasks = [OURS, *sorted(set(lines))]
        parameters.append(TaskParameter(TASK, values=tasks, active_values=[OURS]))
    constraints = [
        ContinuousLinearConstraint([every[j] for j in which], "=", slopes, right)
        for which, slopes, right in start["equalities"]
    ]
    objective = NumericalTarget(TARGET).to_objective()
    space = None if listed else SearchSpace.from_product(parameters, constraints)

    def propose(so_far: dict[str, Any]) -> dict[str, Any]:
        set_random_seed(so_far["seed"])
        marks = {TASK: OURS} if history else {}
        y = np.array(so_far["y"])
        measured = list(earlier)
        if len(y):  # each line is standardised by itself: a source may have another level and scale
            z = (y - y.mean()) / max(float(y.std(ddof=1)), 1e-12)
            measured.append(frame(so_far["X"], every)[names].assign(**{TARGET: z}, **marks))
        among = space
        if among is None:
            left = frame(so_far["left"], every)[names].assign(**marks)
            among = SearchSpace.from_dataframe(left, parameters)
        picked = TwoPhaseMetaRecommender().recommend(
            so_far["count"], among, objective,
            pd.concat(measured, ignore_index=True) if measured else None,
        )  # fmt: skip
        if space is not None:
            return {"codes": picked[names].to_numpy(float).tolist()}
        return {"rows": [int(row) for row in picked.index]}

    return propose


def frame(X: Any, columns: list[str]) -> pd.DataFrame:
    """Return rows as a frame."""
    return pd.DataFrame(np.array(X, dtype=float).reshape(-1, len(columns)), columns=columns)


if __name__ == "__main__":
    main()
