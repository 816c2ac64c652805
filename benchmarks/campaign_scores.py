"""How far each campaign got, plate by plate, and the means over classes of trials."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

OURS = "labloop"
RIVALS = ("SingleTaskGP", "BayBE", "BayBE+task")
CELL = ["trial", "seed"]
CAMPAIGN = ["kind", "likeness", *CELL, "strategy"]
USED = ["processor", "memory"]
FOUND = ["found_1", "found_5"]


def scored(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the records with `score`, from 0 for what is ordinary to 1 for the best there is.

    Among measured formulas it is the share of the way from the pool's median to its best, which a
    poor plate may leave below zero; where any formula can be made, the titre as a share of the
    optimum's; of two responses, the hypervolume as a share of the pool's or of the best known. A
    trial is of the class that its first seed is of. The last of several runs of a campaign counts.
    """
    frame = raw.drop_duplicates([*CELL, "strategy", "round"], keep="last").copy()
    way = (frame["best"] - frame["ordinary"]) / (frame["optimum"] - frame["ordinary"])
    ratio = np.exp(frame["best"] - frame["optimum"])
    volume = frame["hypervolume"] / frame["whole"]
    among = frame["found_5"].notna()
    frame["score"] = way.where(among, ratio).where(frame["whole"].isna(), volume)
    # Before any formula meets its bounds nothing is found.
    frame["score"] = frame["score"].fillna(0.0)
    first = frame.sort_values("seed", kind="stable").groupby("trial")["likeness"].first()
    return frame.assign(likeness=frame["trial"].map(first))


def campaigns(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row a campaign: `area`, and what it had after each plate.

    `area` is the mean score over the plates, `score_3` that after plate 3 and `found_5_3` the share
    of the top 5 % by then; `processor` in seconds is the median over plates from the second on,
    `first` what the first took with all learning, `memory` in MB the peak, `allowed` the least
    share of a plate that satisfies the constraints and `repeated` the sum of repeats.
    """
    whole = records.groupby(CAMPAIGN, sort=False)
    table = whole["score"].mean().rename("area").to_frame()
    for name in ("score", "regret", *FOUND):
        wide = records.pivot_table(name, CAMPAIGN, "round", dropna=False)
        wide.columns = pd.Index([f"{name}_{number}" for number in wide])
        table = table.join(wide)
    later = records[records["round"] > 1].groupby(CAMPAIGN)
    table["processor"] = later["processor"].median()
    table["first"] = records[records["round"] == 1].groupby(CAMPAIGN)["processor"].first()
    table["memory"] = whole["memory"].max()
    table["allowed"] = whole["allowed"].min()
    table["repeated"] = whole["repeated"].sum()
    return table.reset_index()


def paired(table: pd.DataFrame, strategy: str, column: str) -> pd.Series:
    """Return labloop's value less that of a strategy where both have one, by trial and seed."""
    ours = table[table["strategy"] == OURS].set_index(CELL)[column]
    theirs = table[table["strategy"] == strategy].set_index(CELL)[column]
    return (ours - theirs).dropna()


def mean_and_error(values: pd.Series) -> tuple[float, float]:
    """Return the mean over trials of (trial, seed) values, and its standard error.

    The error is that of the seeds: trials are what they are. It is NaN where there is one value.
    """
    if values.empty:
        return math.nan, math.nan
    trials = values.groupby(level="trial")
    count = trials.count()
    pooled = trials.var(ddof=1).fillna(values.var(ddof=1)) / count
    return float(trials.mean().mean()), float(np.sqrt(pooled.sum(skipna=False)) / len(count))


def by_class(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a kind, likeness and strategy: means over trials, and labloop's lead.

    `lead` and `lead_error` are labloop's area less the strategy's over the campaigns that both
    ran; `lead_5` and `lead_5_error` the same of the top 5 % found, averaged over plates 1, 2 and 4.
    """
    table = table.assign(top=table.filter(regex=r"^found_5_[124]$").mean(axis=1))
    rows = []
    for (kind, likeness), part in table.groupby(["kind", "likeness"], sort=False):
        for strategy, chosen in part.groupby("strategy", sort=False):
            means = chosen.groupby("trial").mean(numeric_only=True).mean()
            lead, error = mean_and_error(paired(part, str(strategy), "area"))
            top, top_error = mean_and_error(paired(part, str(strategy), "top"))
            rows.append(
                means.drop("seed").to_dict()
                | {
                    "kind": kind, "likeness": likeness, "strategy": strategy,
                    "trials": chosen["trial"].nunique(), "campaigns": len(chosen),
                    "lead": lead, "lead_error": error, "lead_5": top, "lead_5_error": top_error,
                    "memory": chosen["memory"].max(), "allowed": chosen["allowed"].min(),
                    "repeated": chosen["repeated"].sum(),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def published(records: pd.DataFrame) -> pd.DataFrame:
    """Return the means over seeds, one row a trial, strategy and plate."""
    place = ["kind", "likeness", "trial", "strategy", "round"]
    groups = records.groupby(place, sort=False)
    means = groups[["similarity", "score", "regret", *FOUND, "hypervolume", *USED]].mean()
    means.insert(0, "seeds", groups["seed"].nunique())
    means["score_error"] = groups["score"].sem()
    return means.reset_index()
