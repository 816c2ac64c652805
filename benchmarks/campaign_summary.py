"""Turn the records of whole campaigns into the tables of the benchmarks page.

    python -m benchmarks.campaign_summary results more-results [--publish]

reads `campaigns.csv` of each folder; of a campaign that is in several the last counts. Without
--publish the tables are only printed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.campaign_scores import (
    OURS,
    RIVALS,
    by_class,
    campaigns,
    mean_and_error,
    paired,
    published,
    scored,
)
from benchmarks.campaigns import FILE
from benchmarks.publish import PAGE, PUBLISHED, put_between_marks, write_text

ALONE = ("latin hypercube", "mixing", "permuted grid")
PLATES = (1, 2, 4, 6)
FOUND_AT = (1, 2, 4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and publish them when asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="folders with a campaigns.csv")
    parser.add_argument("--publish", action="store_true", help="write the tables into the docs")
    options = parser.parse_args(arguments)
    raw = pd.concat([pd.read_csv(folder / FILE) for folder in options.results], ignore_index=True)
    records = scored(raw)
    text = page(campaigns(records))
    print(text)
    if options.publish:
        PUBLISHED.mkdir(exist_ok=True)
        csv = published(records).to_csv(index=False, float_format="%.4g")
        write_text(PUBLISHED / FILE, csv)
        put_between_marks(PAGE, "campaigns", text)


def page(table: pd.DataFrame) -> str:
    """Return everything that stands between the marks."""
    classes = by_class(table)
    parts = [verdict(table)]
    for (kind, likeness), part in classes.groupby(["kind", "likeness"], sort=False):
        trials = int(part["trials"].max())
        parts += [f"### {str(kind).capitalize()}, {likeness} (trials: {trials})", class_table(part)]
    return "\n\n".join([*parts, "### Area of each trial", trial_table(table)])


# -- what is to be reached -----------------------------------------------------------------------


def verdict(table: pd.DataFrame) -> str:
    """Return what labloop should reach and whether it does, as a list; what did not run is left
    out."""
    lines = [*_rivals_by_class(table), *_named_comparisons(table), *_parts_alone(table)]
    ours = table[table["strategy"] == OURS]
    if len(ours):
        allowed, repeated = 100 * ours["allowed"].min(), int(ours["repeated"].sum())
        lines.append(
            f"- labloop's formulas that satisfy every constraint: {allowed:.0f} %; "
            f"repeated: {repeated}."
        )
    return "\n".join(lines)


def _rivals_by_class(table: pd.DataFrame) -> list[str]:
    lines = []
    table = table.assign(top=table.filter(regex=r"^found_5_[124]$").mean(axis=1))
    for (kind, likeness), part in table.groupby(["kind", "likeness"], sort=False):
        for column, what in (("area", "area"), ("top", "top 5 % found")):
            leads = {name: mean_and_error(paired(part, name, column)) for name in RIVALS}
            leads = {name: lead for name, lead in leads.items() if not math.isnan(lead[0])}
            if leads:
                name = min(leads, key=lambda name: leads[name][0])
                least, error = leads[name]
                lines.append(
                    f"- {str(kind).capitalize()}, {likeness}: {what} ahead of the best rival, "
                    f"{name}, by {_with_error(least, error)} ({_met(least > 0)})."
                )
    return lines


def _named_comparisons(table: pd.DataFrame) -> list[str]:
    related = table[(table["kind"] == "virtual lab") & (table["likeness"] == "related")]
    unrelated = table[table["likeness"] == "unrelated"]
    ten = table[table["trial"].str.startswith("lab-10-")]
    two = table[table["kind"] == "two responses"]
    lines = []
    lead, error = mean_and_error(paired(unrelated, "BayBE", "area"))
    if not math.isnan(lead):
        lines.append(
            "- Unrelated history, area less that of BayBE without history: "
            f"{_with_error(lead, error)} ({_met(lead >= -np.nan_to_num(error))}; wanted no worse "
            "than one standard error)."
        )
    comparisons = (
        (related, "SingleTaskGP", 1, 5, "Related lines, plate 1 less SingleTaskGP's plate 5"),
        (ten, "BayBE+task", 3, 3, "10 components, plate 3 less that of BayBE+task"),
        (two, "SingleTaskGP", 4, 4, "Two responses, hypervolume after 4 plates less qLogNEHVI's"),
    )
    for part, rival, plate, theirs, what in comparisons:
        lead, error = mean_and_error(_across(part, rival, plate, theirs))
        if not math.isnan(lead):
            lines.append(f"- {what}: {_with_error(lead, error)} ({_met(lead >= 0)}).")
    return lines


def _across(table: pd.DataFrame, rival: str, plate: int, theirs: int) -> pd.Series:
    """Return labloop's score after one plate less a rival's after another, by trial and seed."""
    moved = table.copy()
    names = [f"score_{plate}", f"score_{theirs}"]
    if not set(names) <= set(moved):
        return pd.Series(dtype=float)
    moved["compared"] = moved[names[1]].where(moved["strategy"] == rival, moved[names[0]])
    return paired(moved, rival, "compared")


def _parts_alone(table: pd.DataFrame) -> list[str]:
    lines = []
    for name in (*ALONE, "patent"):
        lead, error = mean_and_error(paired(table, name, "area"))
        if not math.isnan(lead):
            lines.append(
                f"- Area less that of {name}{' alone' if name in ALONE else ''}: "
                f"{_with_error(lead, error)} ({_met(lead > 0)})."
            )
    return lines


# -- tables --------------------------------------------------------------------------------------


def class_table(part: pd.DataFrame) -> str:
    """Return the strategies of one class as a Markdown table, the largest area first."""
    plates = [n for n in PLATES if _some(part, f"score_{n}")]
    found = [f"found_{share}" for share in (1, 5) if _some(part, f"found_{share}_1")]
    shares = " | ".join(f"top {name[-1]} % after {_slashed(FOUND_AT)}" for name in found)
    header = (
        f"| strategy | campaigns | area | labloop's lead | score after {_slashed(plates)} | "
        f"{shares}{' | ' if found else ''}s a plate | MB |"
    )
    lines = [header, "|---" * (header.count("|") - 1) + "|"]
    for row in _records(part.sort_values("area", ascending=False, kind="stable")):
        cells = [
            row["strategy"], f"{row['campaigns']:.0f}", _number(row["area"], 3),
            "" if row["strategy"] == OURS else _with_error(row["lead"], row["lead_error"]),
            _slashed([_number(row[f"score_{n}"], 2) for n in plates]),
            *(_slashed([_number(row[f"{name}_{n}"], 2) for n in FOUND_AT]) for name in found),
            _number(row["processor"], 1), _number(row["memory"], 0),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def trial_table(table: pd.DataFrame) -> str:
    """Return the mean area of every trial and strategy as a Markdown table."""
    wide = table.pivot_table("area", ["kind", "likeness", "trial"], "strategy", sort=False)
    names = sorted(map(str, wide), key=lambda name: (name != OURS, name))
    lines = [f"| trial | likeness | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for row in _records(wide.reset_index()):
        numbers = " | ".join(_number(row[name], 2) for name in names)
        lines.append(f"| {row['trial']} | {row['likeness']} | {numbers} |")
    return "\n".join(lines)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _some(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and bool(frame[column].notna().any())


def _slashed(values: Sequence[object]) -> str:
    return "/".join(str(value) for value in values)


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _with_error(value: float, error: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:+.3f}" if math.isnan(error) else f"{value:+.3f} ± {error:.3f}"


def _met(reached: bool) -> str:
    return "reached" if reached else "missed"


if __name__ == "__main__":
    main()
