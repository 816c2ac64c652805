"""How many of the best formulas the screen of a long stream lets pass.

    python -m benchmarks.screening --problems lab-20-moderate yesno-moderate --rows 200

For each problem and goal the exact score of many grid formulas is compared with what the screen,
which learned from the first 16,384, lets pass of the others: the share of all that pass, and of
the best (as many as 512 of a million, and twice and eight times as many).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.problem import Array, Problem
from benchmarks.problems import build, catalogue

FORMULAS = 98_304
KEPT, OF = 512, 1_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each problem."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = list(catalogue())
    parser.add_argument("--problems", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--rows", type=int, default=200, help="own rows, at most")
    parser.add_argument("--formulas", type=int, default=FORMULAS)
    options = parser.parse_args(arguments)
    print("| problem | own rows | pass | of the best | of twice | of eight times as many |")
    print("|---|---|---|---|---|---|")
    for name in options.problems:
        problem = build(name, 0)
        rows = max(size for size in problem.sizes if size <= options.rows)
        shares = passed(problem, rows, options.formulas)
        figures = " | ".join(f"{share:.3f}" for share in shares)
        print(f"| {name} | {rows} | {figures if shares else 'no screen'} |", flush=True)


def passed(problem: Problem, rows: int, formulas: int) -> list[float]:
    """Return the share that passes of all, and of the best; nothing where there is no screen."""
    from labloop.proposal.screening import PILOT, learned_screen

    X, score = scored(problem, rows, formulas)
    screen = learned_screen(X[:PILOT], score[:PILOT], KEPT, OF)
    if screen is None:
        return []
    passes = screen.passes(X[PILOT:])
    order = np.argsort(-score[PILOT:], kind="stable")
    best = max(KEPT * len(X) // OF, 1)
    return [passes.mean(), *(passes[order[: best * more]].mean() for more in (1, 2, 8))]


def scored(problem: Problem, rows: int, formulas: int) -> tuple[Array, Array]:
    """Return distinct grid formulas in random order and their exact expected improvement."""
    import torch

    from labloop.definition import parse
    from labloop.proposal.acquisition import moments_of, score_of
    from labloop.proposal.goals import Goals
    from labloop.surrogate import fit, pretrain

    own = problem.order(0)[:rows]
    before = pretrain(problem.X_history, problem.Y_history, problem.source)
    surrogate = fit(before, problem.X_pool[own], problem.Y_pool[own], varying=problem.varying)
    steps = np.array([min(len(np.unique(column)), 5) - 1 for column in problem.X_pool.T])
    rng = np.random.default_rng(0)
    X = rng.integers(steps + 1, size=(formulas, len(steps))) / np.maximum(steps, 1)
    X = np.unique(np.where(problem.varying, X, problem.X_pool[0]), axis=0)
    rng.shuffle(X)
    goal = "maximize" if problem.maximize else "minimize"
    others = [{"name": f"r{j}", "goal": "observe"} for j in range(1, problem.Y_pool.shape[1])]
    component = {"name": "c", "unit": "mM", "levels": [0.0, 1.0]}
    response = [{"name": "r0", "goal": goal}, *others]
    goals = Goals.of(parse({"name": "x", "component": [component], "response": response}).responses)
    known = moments_of(surrogate, problem.X_pool[own])
    score = score_of(goals, known, torch.Generator().manual_seed(0))
    parts = np.array_split(X, max(len(X) // 8192, 1))
    return X, np.concatenate([score(moments_of(surrogate, part)).numpy() for part in parts])


if __name__ == "__main__":
    main()
