"""The patent's own claims, measured: for labloop and for `transfer = "patent"`.

    python -m benchmarks.patent --out results

writes `patent.csv`, one row a problem, seed, claim and mode, and puts the table of medians into
the benchmarks page with --publish.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.metrics import scores
from benchmarks.models import MODELS, Learn
from benchmarks.problem import Array, Problem, Rows
from benchmarks.problems import build, catalogue
from benchmarks.publish import PAGE, put_between_marks
from benchmarks.surrogate import present
from labloop.surrogate import Pretrained, cross_validate, pretrain
from labloop.surrogate.scaling import least_and_range, own_scales
from labloop.surrogate.training import PLAIN, RESIDUAL, Recipe, bootstrap
from labloop.surrogate.tuning import PATENT, STAGED, Schedule, fine_tune, frozen_layers, levelled

ROWS = 100  # own rows at which transfer is measured, or the most that a problem has below
MODES = {"labloop": RESIDUAL, "patent": PLAIN}


@dataclass(frozen=True)
class Claim:
    """What the patent claims: `value`, reached where the measured is `above` it or not."""

    name: str
    claimed: str
    value: float
    above: bool


CLAIMS = (
    Claim("relative error after transfer", "under 15 %", 0.15, False),
    Claim("k-fold R2 of the pretrained net", "over 0.85", 0.85, True),
    Claim("k-fold MSE, responses scaled to 0 to 1", "under 0.1", 0.1, False),
    Claim("error that progressive unfreezing saves of full fine-tuning's", "12 %", 0.12, True),
    Claim("rows needed, of those that training from nothing needs", "1/20", 0.05, False),
    Claim("share of the true best 5 % among those picked", "89 %", 0.89, True),
)
ERROR, FOLD_R2, FOLD_MSE, UNFREEZING, NEEDED, PICKED = CLAIMS


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every claim and print where the results are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = list(catalogue())
    parser.add_argument("--problems", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--publish", action="store_true", help="write the table into the docs")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    records = []
    for problem in present(options.problems):
        for seed in range(options.seeds):
            print(f"{problem.name}, seed {seed}", file=sys.stderr, flush=True)
            records += list(measured(build(problem.name, seed), seed))
    frame = pd.DataFrame(records)
    options.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(options.out / "patent.csv", index=False, float_format="%.6g")
    if options.publish:
        put_between_marks(PAGE, "patent", table(frame))
    print(table(frame))


def measured(problem: Problem, seed: int) -> Iterator[dict[str, object]]:
    """Measure every claim of both modes on the first response of a problem."""
    for mode, recipe in MODES.items():
        found = {
            **cross_validated(problem, recipe, seed),
            **transferred(problem, MODELS[mode](problem, seed), recipe, seed),
            UNFREEZING: unfreezing_gain(problem, recipe, seed),
        }
        for claim, value in found.items():
            yield {
                "problem": problem.name, "seed": seed, "mode": mode,
                "claim": claim.name, "value": value,
            }  # fmt: skip


def cross_validated(problem: Problem, recipe: Recipe, seed: int) -> dict[Claim, float]:
    """Return R2 and MSE of ten folds of the history."""
    scores_of = cross_validate(
        problem.X_history, problem.Y_history, problem.source,
        component_of_column=problem.component_of_column,
        feature_share=problem.feature_share, recipe=recipe, folds=10, seed=seed,
    ).scores  # fmt: skip
    return {FOLD_R2: float(scores_of["r2"].iloc[0]), FOLD_MSE: float(scores_of["mse"].iloc[0])}


def transferred(problem: Problem, learn: Learn, recipe: Recipe, seed: int) -> dict[Claim, float]:
    """Return error and picks at `ROWS` own rows, and the rows that reach training from nothing."""
    sizes = problem.sizes
    curve = []
    for size in sizes:
        own = problem.own_rows(size, seed)
        said = learn(own)[0]
        of = scores(problem, own, said.mean, said.sd, 0)
        curve.append(of.r2)
        if size == at_most(sizes):
            error, picked = error_of(problem, own, said.mean), of.recall
    own = problem.own_rows(sizes[-1], seed)
    alone = from_nothing(problem, own, recipe, seed)
    wanted = scores(problem, own, alone, np.ones_like(alone), 0).r2
    return {ERROR: error, PICKED: picked, NEEDED: rows_needed(sizes, curve, wanted) / sizes[-1]}


def at_most(sizes: Sequence[int]) -> int:
    """Return the largest of the sizes up to `ROWS`."""
    return max(size for size in sizes if size <= ROWS)


def error_of(problem: Problem, own: Rows, mean: Array) -> float:
    """Return the relative error Σ|error| / Σ|value| in the units that the lab measures."""
    tested = problem.tested_rows(own)
    truth = problem.Y_pool if problem.Y_truth is None else problem.Y_truth
    back = np.exp if problem.logarithmic else np.asarray
    wanted, said = back(truth[tested, 0]), back(mean[tested, 0])
    return float(np.nansum(np.abs(said - wanted)) / np.nansum(np.abs(wanted)))


def from_nothing(problem: Problem, own: Rows, recipe: Recipe, seed: int) -> Array:
    """Return what the same nets predict (N, m) that learned from own rows alone."""
    X, Y, _ = problem.measured(own)
    nets = pretrain(X, Y, np.zeros(len(X), dtype=np.int64), recipe=recipe, seed=seed)
    return nets.predict(problem.X_pool)[0]


def rows_needed(sizes: Sequence[int], r2: Sequence[float], wanted: float) -> float:
    """Return the number of rows where a learning curve first reaches `wanted`.

    Straight lines between the sizes; infinite where it never does.
    """
    for number, (size, reached) in enumerate(zip(sizes, r2, strict=True)):
        if reached >= wanted:
            if number == 0:
                return float(size)
            before, lower = sizes[number - 1], r2[number - 1]
            return before + (size - before) * (wanted - lower) / (reached - lower)
    return float("inf")


def unfreezing_gain(problem: Problem, recipe: Recipe, seed: int) -> float:
    """Return which share of full fine-tuning's error progressive unfreezing saves.

    Full fine-tuning frees every layer at once, with the same rates, epochs and rows.
    """
    own = problem.own_rows(at_most(problem.sizes), seed)
    nets = pretrain(
        problem.X_history, problem.Y_history, problem.source,
        component_of_column=problem.component_of_column,
        feature_share=problem.feature_share, recipe=recipe, seed=seed,
    )  # fmt: skip
    schedule = STAGED if recipe.kind == "residual" else PATENT
    epochs = schedule.head_epochs + schedule.deep_epochs
    whole = replace(schedule, head_epochs=0, deep_epochs=epochs, stepwise=False)
    frozen = frozen_layers(len(own), nets.network.layers)
    progressive, full = (
        error_of(problem, own, tuned_mean(problem, nets, own, layers, each, seed))
        for layers, each in ((frozen, schedule), (0, whole))
    )
    return 1.0 - progressive / full


def tuned_mean(
    problem: Problem, nets: Pretrained, own: Rows, frozen: int, schedule: Schedule, seed: int
) -> Array:
    """Return the fine-tuned ensemble's mean (N, m), scaled as its mode scales responses."""
    X, Y, _ = problem.measured(own)
    network, plain = nets.network, nets.recipe.kind == "plain"
    if plain:
        level, scale, _ = least_and_range(Y)
        draws = torch.arange(len(X)).expand(network.members, -1)
    else:
        level, scale = own_scales(Y, nets.level.numpy(), nets.scale.numpy())
        draws = bootstrap(len(X), network.members, torch.Generator().manual_seed(seed))
    x, y = nets.scaled(torch.as_tensor(X)).float(), torch.as_tensor((Y - level) / scale)
    with torch.no_grad():
        ready = network if plain else levelled(network, network(x).mean(0).double(), y)
    tuned = fine_tune(
        ready,
        x,
        y.float(),
        draws,
        frozen=frozen,
        schedule=schedule,
        seed=seed,
    )
    with torch.no_grad():
        z = tuned(nets.scaled(torch.as_tensor(problem.X_pool)).float()).mean(0).double()
    return np.asarray(z.numpy() * scale + level)


def table(frame: pd.DataFrame) -> str:
    """Return claim, labloop and patent mode as Markdown: medians over problems, seeds averaged."""
    means = frame.groupby(["problem", "mode", "claim"], as_index=False)["value"].mean()
    count = means["problem"].nunique()
    lines = [
        f"Medians over {count} problems, and on how many of them the claim is reached:",
        "",
        "| claim | claimed | labloop | patent mode |",
        "|---|---|---|---|",
    ]
    for claim in CLAIMS:
        cells = []
        for mode in MODES:
            chosen = (means["claim"] == claim.name) & (means["mode"] == mode)
            values = means.loc[chosen, "value"]
            reached = values > claim.value if claim.above else values < claim.value
            middle = f"{values.median():.2f}" if np.isfinite(values.median()) else "never"
            cells.append(f"{middle} ({int(reached.sum())})")
        lines.append(f"| {claim.name} | {claim.claimed} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
