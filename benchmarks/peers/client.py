"""BayBE as a strategy: it is asked for plates in its own environment, over a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.continuous import equalities, makeable
from benchmarks.gaussian import thinned_history
from benchmarks.problem import Problem
from labloop.definition import ProposalSettings
from labloop.simulate.strategies import Strategy
from labloop.simulate.trial import Plate, Propose, SoFar, Trial

HERE = Path(__file__).resolve().parent
SOURCE_ROWS = 100  # of the history: the cost of a fit grows with their cube


class AbsentPeersError(LookupError):
    """The peers' environment is not there; the message says how to make it."""


class Peer:
    """A process that answers one JSON line with another; it ends with this object."""

    def __init__(self) -> None:
        command = [str(peers_python()), str(HERE / "propose.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        weakref.finalize(self, _end, self._process)

    def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer to a question; raises RuntimeError where the peer failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with code {self._process.wait()}")
        return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate()


def peers_python() -> Path:
    """Return the peers' interpreter: `LABLOOP_PEERS_PYTHON`, else that of .venv-peers."""
    folder = HERE.parents[1] / ".venv-peers"
    usual = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    path = Path(os.environ.get("LABLOOP_PEERS_PYTHON", usual))
    if not path.is_file():
        raise AbsentPeersError(f"{path} is absent; make it with `make .venv-peers/.ready`")
    return path


def baybe(*, with_history: bool) -> Strategy:
    """Return BayBE with its defaults; with the history, by a task parameter."""

    def strategy(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
        del settings
        peer = Peer()
        peer.ask(asked_at_first(trial, seed, with_history=with_history))

        def propose(so_far: SoFar, count: int, seed: int) -> Plate:
            values = trial.goals.values(torch.from_numpy(so_far.Y))[:, 0]
            left = None if so_far.left is None else trial.space.encode(so_far.left).tolist()
            answer = peer.ask(
                {
                    "seed": seed, "count": count, "left": left, "y": values.tolist(),
                    "X": trial.space.encode(so_far.levels).tolist(),
                }
            )  # fmt: skip
            if so_far.left is not None:
                levels = so_far.left[np.array(answer["rows"])]
            else:
                rng = np.random.default_rng(seed)
                levels = makeable(trial.space, np.array(answer["codes"]), rng)
            return Plate(levels, np.full(len(levels), "acquisition"))

        return propose

    return strategy


def asked_at_first(trial: Trial, seed: int, *, with_history: bool) -> dict[str, Any]:
    """Return what a campaign begins with: its space and some rows of the history."""
    columns = len(trial.space.component_of_column)
    start: dict[str, Any] = {
        "columns": columns,
        "levels": None,
        "equalities": [
            (which.tolist(), slopes.tolist(), right)
            for which, slopes, right in equalities(trial.space)
        ],
        "history": None,
    }
    if trial.pool is not None:
        codes = trial.space.encode(trial.pool)
        start["levels"] = [np.unique(column).tolist() for column in codes.T]
    if with_history:
        values = trial.goals.values(torch.from_numpy(trial.Y_history)).numpy()
        none = np.empty((0, columns))
        problem = Problem(
            trial.name, "", trial.X_history, values, trial.source, none, np.empty((0, 1))
        )
        X, z, source = thinned_history(problem, 0, SOURCE_ROWS, seed)
        start["history"] = {"X": X.tolist(), "z": z.tolist(), "source": source.tolist()}
    return start
