"""Means over seeds, and labloop beside the best of its rivals."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks.models import SIMPLE

SCORES = ["r2", "spearman", "nll", "coverage", "recall", "seconds"]
LEAST_R2 = -1.0  # a mean must not be ruled by one wrong level
BEHIND = 0.02
LEAST_COVERAGE = 0.75
COVERAGE = (0.85, 0.95)
ROUNDING = 0.005
OWN_ROWS_GP = "SingleTaskGP"


def summarised(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the means over seeds and responses, one row a problem, size and model.

    `raw` is what the benchmarks write. An R2 below −1 counts as −1. `seeds` counts those with a
    result, which may be fewer for a costly model; `labloop_r2` and `labloop_nll` are labloop's
    over the same seeds, since seeds differ more than models.
    """
    scored = raw[raw["r2"].notna()]
    scored = scored.assign(r2=scored["r2"].clip(lower=LEAST_R2))
    place = ["problem", "size", "seed"]
    seeds = scored.groupby(["family", *place, "model"], as_index=False)[SCORES].mean()
    ours = seeds.loc[seeds["model"] == "labloop", [*place, "r2", "nll"]]
    ours = ours.rename(columns={"r2": "labloop_r2", "nll": "labloop_nll"})
    paired = seeds.merge(ours, on=place, how="left")
    groups = paired.groupby(["problem", "family", "size", "model"], sort=True)
    means = groups[[*SCORES, "labloop_r2", "labloop_nll"]].mean()
    means["seeds"] = groups["seed"].nunique()
    return means.reset_index()


def compared(means: pd.DataFrame) -> pd.DataFrame:
    """Return labloop beside its rivals, one row a problem and size.

    Columns: `r2` of labloop, `best` simple model and its `best_r2`, `difference` to it over the
    seeds that both have, `coverage`, `nll`,
    `gp_nll` of the own-rows Gaussian process, `recall`, `expert` of the highest recall and
    `expert_recall`, and `missed`: the names of what labloop should reach here and does not.
    """
    records = [
        _beside(cell)
        for _, cell in means.groupby(["problem", "size"], sort=False)
        if (cell["model"] == "labloop").any()
    ]
    return pd.DataFrame(records)


def _beside(cell: pd.DataFrame) -> dict[str, Any]:
    problem, size = cell["problem"].iloc[0], int(cell["size"].iloc[0])
    cell = cell.set_index("model")
    ours = cell.loc["labloop"]
    simple = cell.loc[[name for name in SIMPLE if name in cell.index]]
    ahead = (simple["r2"] - simple["labloop_r2"]).dropna()
    experts = cell.loc[[name for name in cell.index if name.startswith("expert ")], "recall"]
    best = str(ahead.idxmax()) if len(ahead) else ""
    best_r2 = float(simple["r2"].get(best, math.nan))
    difference = -float(ahead.max()) if len(ahead) else math.nan
    expert = str(experts.idxmax()).removeprefix("expert ") if len(experts) else ""
    expert_recall = float(experts.max()) if len(experts) else math.nan
    gp_nll = float(cell["nll"].get(OWN_ROWS_GP, math.nan))
    worse = float((cell["labloop_nll"] - cell["nll"]).get(OWN_ROWS_GP, math.nan))
    missed = []
    if difference < -BEHIND:
        missed.append("R2")
    if ours["coverage"] < LEAST_COVERAGE:
        missed.append("coverage")
    if worse > ROUNDING:
        missed.append("NLL")
    return {
        "problem": problem, "size": size, "r2": ours["r2"], "best": best, "best_r2": best_r2,
        "difference": difference, "coverage": ours["coverage"], "nll": ours["nll"],
        "gp_nll": gp_nll, "recall": ours["recall"], "expert": expert,
        "expert_recall": expert_recall, "missed": ", ".join(missed),
    }  # fmt: skip


def verdict(cells: pd.DataFrame, means: pd.DataFrame) -> str:
    """Return what labloop should reach and whether it does, as a list."""
    rivals = cells["best_r2"].notna()
    against = cells["gp_nll"].notna()
    misses = {name: int(cells["missed"].str.contains(name).sum()) for name in ("R2", "NLL")}
    # Before own rows the level of a line is a guess: no interval around a guess is calibrated.
    learned = cells[cells["size"] > 0]
    least = learned.sort_values("coverage", kind="stable").iloc[0]
    coverage = float(learned["coverage"].mean())
    guessed = cells[cells["size"] == 0].sort_values("coverage", kind="stable")
    recalls = means[means["model"].str.startswith("expert ") | (means["model"] == "labloop")]
    recall = recalls.groupby("model")["recall"].mean().sort_values(ascending=False)
    experts = recall.drop("labloop", errors="ignore")
    ours = float(recall.get("labloop", math.nan))
    lines = [
        f"- R2 at least that of the best simple model less {BEHIND}: "
        f"{int(rivals.sum()) - misses['R2']} of {int(rivals.sum())} "
        f"(mean difference {_sign(cells['difference'].mean())}).",
        f"- 90 % intervals cover {100 * coverage:.0f} % on average "
        f"({_met(COVERAGE[0] <= coverage <= COVERAGE[1])}; wanted 85 to 95), least "
        f"{100 * least['coverage']:.0f} % on {least['problem']} at {least['size']} rows "
        f"({_met(least['coverage'] >= LEAST_COVERAGE)}; wanted 75){_before(guessed)}.",
        f"- NLL no worse than {OWN_ROWS_GP}'s: {int(against.sum()) - misses['NLL']} "
        f"of {int(against.sum())}.",
    ]
    if len(experts):
        name = str(experts.index[0]).removeprefix("expert ")
        lines.append(
            f"- Share of the top 5 % found, mean of all: {ours:.3f}; best single expert, "
            f"{name}, {experts.iloc[0]:.3f} ({_met(ours > experts.iloc[0])})."
        )
    return "\n".join(lines)


def _before(guessed: pd.DataFrame) -> str:
    """Return the clause on intervals before own rows, of cells in the order of their coverage."""
    if guessed.empty:
        return ""
    return (
        f"; before own rows, at the history's level, {100 * guessed['coverage'].mean():.0f} %, "
        f"least {100 * guessed['coverage'].iloc[0]:.0f} % on {guessed['problem'].iloc[0]}"
    )


def average_table(means: pd.DataFrame) -> str:
    """Return each model's means over the problems and sizes where every model has a result.

    Models that history alone gives no prediction (size 0) are compared from 24 rows on; models
    that ran on less than half of the problems and sizes are left out.
    """
    some = means[means["size"] > 0]
    count = some.groupby("model").size()
    usual = count[count >= 0.5 * count.max()].index
    wide = some[some["model"].isin(usual)].groupby(["problem", "size"])["model"].nunique()
    common = wide[wide == len(usual)].index
    places = pd.MultiIndex.from_frame(some[["problem", "size"]])
    rows = some[some["model"].isin(usual) & places.isin(common)]
    table = rows.groupby("model", as_index=False)[SCORES].mean().sort_values("r2", ascending=False)
    lines = [
        f"Means over the {len(common)} problems and sizes (24 own rows on) that all of these ran:",
        "",
        "| model | R2 | Spearman | NLL | coverage | top 5 % | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in _records(table):
        numbers = " | ".join(f"{row[score]:.2f}" for score in SCORES[:-1])
        seconds = "" if math.isnan(row["seconds"]) else f"{row['seconds']:.1f}"
        lines.append(f"| {row['model']} | {numbers} | {seconds} |")
    return "\n".join(lines)


def cell_table(cells: pd.DataFrame) -> str:
    """Return the comparison of every problem and size as a Markdown table."""
    lines = [
        "| problem | own rows | R2 | best simple model | difference | coverage | NLL (GP's) "
        "| top 5 % (best expert's) | missed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in _records(cells):
        rival = f"{row['best_r2']:.2f} {row['best']}" if row["best"] else ""
        gp = "" if math.isnan(row["gp_nll"]) else f" ({row['gp_nll']:.2f})"
        expert = f" ({row['expert_recall']:.2f} {row['expert']})" if row["expert"] else ""
        lines.append(
            f"| {row['problem']} | {row['size']} | {row['r2']:.2f} | {rival} "
            f"| {_sign(row['difference'])} | {row['coverage']:.2f} | {row['nll']:.2f}{gp} "
            f"| {row['recall']:.2f}{expert} | {row['missed']} |"
        )
    return "\n".join(lines)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _sign(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.2f}"


def _met(reached: bool) -> str:
    return "reached" if reached else "missed"
