"""A real medium optimisation, from the lab's own files: flaviolin in Pseudomonas putida.

The lab ran two campaigns for the titre, C1 and C2 (Zournas et al. 2025, Commun Biol 8:630). Here C1
is the history and C2 the new campaign: its stocks, ranges and standard recipe are read from the
files that the lab put its robot up with, its first two rounds are adopted, and the next round is
proposed and written for the Biomek. Then labloop chooses among the media that C2 really measured.

What to copy for a campaign of your own stands in `run_campaign`; `replay` shows how to try labloop
on formulas that are measured already. The rest reads this lab's files.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labloop import Campaign
from labloop.errors import LabloopError

RESPONSE = "OD340"  # absorbance at 340 nm, which stands for the titre of flaviolin
NOT_COMPONENTS = ("Line Name", "OD600")
HELD = {"Glucose": 20.0, "CaCl2": 0.0}  # what C2 did not vary, though C1's last round did
HOME = "https://github.com/JBEI/Flaviolin_media_opt_"
BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"
PLATE = 12  # media on a plate of the replay
BEST = 10
SHUFFLES = 2000


def main() -> None:
    options = read_options()
    needed = [lab_file(options.tables, name) for name in ("C1/data/DBTL1-5.csv", "C2/DBTL1-6.csv")]
    if not all(file.is_file() for file in needed):
        print(
            f"The lab's tables are not in {options.tables}: clone {HOME}C1 and {HOME}C2 into one "
            "folder and name it with --tables."
        )
        return
    out = options.out or Path(tempfile.mkdtemp(prefix="flaviolin-"))
    try:
        run_campaign(options.tables, out, options.folds, options.candidates)
        replay(options.tables, options.seeds, options.plates)
    except LabloopError as error:
        sys.exit(f"labloop: {error}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("LABLOOP_REAL_TABLES", BESIDE_THE_CHECKOUT))
    parser.add_argument("--tables", type=Path, default=default, help="folder of the lab's files")
    parser.add_argument("--out", type=Path, help="where the campaign goes; a new temporary folder")
    parser.add_argument("--seeds", type=int, default=5, help="of the replay")
    parser.add_argument("--plates", type=int, default=4, help="of the replay")
    parser.add_argument("--quick", action="store_true", help="few folds and candidates, one seed")
    options = parser.parse_args()
    options.folds, options.candidates = 10, 1_000_000
    if options.quick:
        options.folds, options.candidates, options.seeds, options.plates = 2, 20_000, 1, 2
    return options


# -- the campaign ------------------------------------------------------------------------------


def run_campaign(tables: Path, out: Path, folds: int, candidates: int) -> None:
    """Learn the history, adopt the first rounds, propose the next, write it for the robot."""
    wells = campaign_wells(tables)
    first_rounds = wells[wells["Line Name"].str[:2].isin(["C1", "C2"])]
    with Campaign.create(out / "C2", definition_of(tables, candidates)) as campaign:
        varied = sum(component.varies for component in campaign.definition.components)
        print(f"{len(campaign.definition.components)} components, {varied} of them varied.")

        add_history(campaign, tables)
        report = campaign.pretrain(folds=folds)
        print(f"History C1: {report.rows} media. Cross-validated, {folds} folds:")
        print(report.scores.to_string(float_format="{:.2f}".format))

        adopted = campaign.record(first_rounds, ignore=["Line Name"])
        print(f"\nRounds 1 and 2 of C2: {adopted.measurements} wells of {adopted.formulas} media.")

        proposed = campaign.propose(seed=1)
        print(f"\nRound {proposed.number}: {len(proposed.formulas)} media, best expected first")
        shown = ["NaCl", "K2HPO4", "FeSO4", f"{RESPONSE}_mean", f"{RESPONSE}_sd", "origin"]
        ranked = proposed.formulas.sort_values(f"{RESPONSE}_mean", ascending=False)
        print(ranked[shown].head(5).to_string(float_format="{:.3g}".format))
        print("\n".join(proposed.notes))
        print(f"Best medium measured so far: {campaign.best(1)[f'{RESPONSE}_mean'].iloc[0]:.3f}")

        print("\nFor the bench:")
        for path in campaign.export("biomek", out / "round"):
            print(f"  {path}")


def add_history(campaign: Campaign, tables: Path) -> None:
    for wells in history_wells(tables):
        ignore = [name for name in NOT_COMPONENTS if name in wells]
        campaign.add_history(wells, source="C1", ignore=ignore)


# -- the replay --------------------------------------------------------------------------------


def replay(tables: Path, seeds: int, plates: int) -> None:
    """Choose plates among C2's measured media and print what was found, against random choice."""
    wells = campaign_wells(tables).drop(columns=["Line Name", "Condition"])
    media = [name for name in wells if name != RESPONSE]
    pool = wells.groupby(media, as_index=False)[RESPONSE].mean()
    ways = {"random choice": by_chance(pool, plates)}
    for way, with_history in (("labloop, no history", False), ("labloop, history C1", True)):
        started = time.perf_counter()
        runs = [choose(tables, pool, wells, with_history, seed, plates) for seed in range(seeds)]
        ways[way] = np.mean([found(pool, chosen) for chosen in runs], axis=0)
        print(f"{way}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"\nReplay: plates of {PLATE} among the {len(pool)} media that C2 measured, mean of")
    print(f"{seeds} seeds; the best of all has {RESPONSE} {pool[RESPONSE].max():.2f}.")
    columns = [f"plate {number}" for number in range(1, plates + 1)]
    for k, title in enumerate((f"best {RESPONSE} found", f"how many of the best {BEST} found")):
        frame = pd.DataFrame({way: both[k] for way, both in ways.items()}, index=columns).T
        print(f"\n{title}\n{frame.to_string(float_format='{:.2f}'.format)}")


def choose(
    tables: Path,
    pool: pd.DataFrame,
    wells: pd.DataFrame,
    with_history: bool,
    seed: int,
    plates: int,
) -> list[list[int]]:
    """Run a campaign that may only choose from the pool; return its rows plate by plate."""
    chosen: list[list[int]] = []
    left = pool.drop(columns=RESPONSE)
    row_of_medium = pool.drop(columns=RESPONSE).reset_index(names="row")
    rows_of_wells = wells.merge(row_of_medium)[["row", RESPONSE]]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
        Campaign.create(Path(work) / "replay", definition_of(tables)) as campaign,
    ):
        if with_history:
            add_history(campaign, tables)
            campaign.pretrain(folds=0, seed=seed)
        for plate in range(plates):
            proposed = campaign.propose(PLATE, seed=100 * seed + plate, candidates=left)
            rows = proposed.formulas["candidate"].rename("row")  # a label of `left` a formula
            measured = rows.rename_axis("formula").reset_index().merge(rows_of_wells)
            campaign.record(measured[["formula", RESPONSE]], round=proposed.number)
            chosen.append(rows.tolist())
            left = left.drop(rows)
    return chosen


def by_chance(pool: pd.DataFrame, plates: int) -> np.ndarray:
    """Return the mean of `found` over many shuffles."""
    rng = np.random.default_rng(0)
    orders = (rng.permutation(len(pool))[: plates * PLATE] for _ in range(SHUFFLES))
    return np.mean([found(pool, order.reshape(plates, PLATE)) for order in orders], axis=0)


def found(pool: pd.DataFrame, chosen: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Return (2, plates): after each plate the best response, how many of the best are found."""
    rows = np.array(chosen)
    top = pool[RESPONSE].nlargest(BEST).index
    best = np.maximum.accumulate(pool[RESPONSE].to_numpy()[rows].max(axis=1))
    return np.stack([best, np.isin(rows, top).sum(axis=1).cumsum()])


# -- the lab's files ---------------------------------------------------------------------------


def lab_file(tables: Path, name: str) -> Path:
    """Return a file of the lab's repositories, cloned or kept in one folder with `__` for `/`."""
    flat = tables / "flaviolin" / "raw" / name.removeprefix("C1/").replace("/", "__")
    return flat if flat.is_file() else tables / f"Flaviolin_media_opt_{name}"


def history_wells(tables: Path) -> list[pd.DataFrame]:
    """Return the wells of C1: rounds 1 to 5 stand in one table, 6 and 7 in two files each."""
    wells = [pd.read_csv(lab_file(tables, "C1/data/DBTL1-5.csv"), index_col=0)]
    for number in (6, 7):
        media = pd.read_csv(lab_file(tables, f"C1/data/DBTL{number}/media_descriptions.csv"))
        read = pd.read_excel(lab_file(tables, f"C1/data/DBTL{number}/edd_OD340.xlsx"))
        # a line's name begins with its first well, as in C6_WA1_C1-R2; its replicates are alike
        read["Well"] = read["Line Name"].str.extract(r"_W([A-H]\d+)_", expand=False)
        measured = read.rename(columns={"Value": RESPONSE})[["Line Name", "Well", RESPONSE]]
        wells.append(measured.merge(media, on="Well", validate="many_to_one"))
    return [with_what_is_missing(table.drop(columns="Well", errors="ignore")) for table in wells]


def campaign_wells(tables: Path) -> pd.DataFrame:
    """Return the wells of C2; the first two letters of a line's name say the round."""
    wells = pd.read_csv(lab_file(tables, "C2/DBTL1-6.csv"), index_col=0)
    return with_what_is_missing(wells.drop(columns="condition"))


def with_what_is_missing(wells: pd.DataFrame) -> pd.DataFrame:
    """Add the components that a table leaves out: they were the same in all of its wells."""
    names = {column.split("[")[0] for column in wells}
    same = {"Kan": 0.05, "CaCl2": 0.0}
    return wells.assign(**{name: amount for name, amount in same.items() if name not in names})


def definition_of(tables: Path, candidates: int = 1_000_000) -> dict[str, Any]:
    """Return C2's definition from the stock plates, bounds and recipe that the lab set up with.

    A dictionary with the keys of a campaign.toml; most campaigns write that file by hand.
    """
    units, stocks = stocks_of(tables)
    bounds = bounds_of(tables)
    recipe = first_column(lab_file(tables, "C1/data/standard_recipe_concentrations_extended.csv"))
    components = []
    for name, unit in units.items():
        component: dict[str, Any] = {"name": name, "unit": unit, "stocks": stocks[name]}
        low, high = bounds[name]
        if name in HELD or low == high:
            component["fixed"] = HELD.get(name, low)
        else:
            component |= {"low": low, "high": high, "scale": "log"}  # they span decades
        components.append(component)
    standard = {name: float(recipe[name]) for name in units} | HELD
    return {
        "name": "flaviolin-C2",
        "description": "Flaviolin from P. putida, second campaign",
        "plate": {
            "wells": 48,
            "well_volume_ul": 1500.0,
            "inoculum_ul": 15.0,
            "replicates": 3,
            "controls": {"standard": 3},
        },
        "robot": {"kind": "biomek", "min_dispense_ul": 5.0, "dead_volume_ul": 50.0},
        "component": components,
        "response": [{"name": RESPONSE, "goal": "maximize"}],
        "formulas": {"standard": standard},
        "proposal": {"formulas": 15, "candidates": candidates},
    }


def stocks_of(tables: Path) -> tuple[dict[str, str], dict[str, list[float]]]:
    """Return name → unit and name → stocks of what stands on the lab's three stock plates."""
    plates = [f"24-well_stock_plate_{kind}_extended.csv" for kind in ("high", "low", "fresh")]
    files = [lab_file(tables, f"C1/data/{plate}") for plate in plates]
    wells = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    wells = wells.dropna(subset="Concentration").drop_duplicates(["Component", "Concentration"])
    parts = wells["Component"].str.extract(r"(?P<name>.+)\[(?P<unit>.+)\]")
    units = dict(zip(parts["name"], parts["unit"], strict=True))
    by_name = wells.groupby(parts["name"], sort=False)["Concentration"]
    return units, {str(name): sorted(of, reverse=True) for name, of in by_name}


def bounds_of(tables: Path) -> dict[str, tuple[float, float]]:
    """Return name → low and high: the lab's bounds of either time, whichever reach further."""
    files = ["Putida_media_bounds_units.csv", "Putida_media_bounds_extended.csv"]
    both = pd.concat([pd.read_csv(lab_file(tables, f"C1/data/{file}")) for file in files])
    ends = both.groupby(both["Variable"].str.split("[").str[0]).agg({"Min": "min", "Max": "max"})
    return {str(row.Index): (row.Min, row.Max) for row in ends.itertuples()}


def first_column(file: Path) -> dict[str, float]:
    table = pd.read_csv(file)
    return dict(zip(table.iloc[:, 0].str.split("[").str[0], table.iloc[:, 1], strict=True))


if __name__ == "__main__":
    main()
