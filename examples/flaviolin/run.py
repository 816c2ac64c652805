"""A real medium optimisation, from the lab's own files: flaviolin in Pseudomonas putida.

The lab ran two campaigns for the titre, C1 and C2 (Zournas et al. 2025, Commun Biol 8:630). Here C1
is the history and C2 the new campaign: its stocks, ranges and standard recipe are read from the
files that the lab put its robot up with, its first two rounds are adopted, and the third is
proposed and written for the Biomek. Then labloop chooses among the media that C2 really measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labloop import Campaign
from labloop.errors import LabloopError

RESPONSE = "OD340"  # absorbance at 340 nm, which stands for the titre of flaviolin
BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"
HOME = "https://github.com/JBEI/Flaviolin_media_opt_"
HELD = {"Glucose": 20.0, "CaCl2": 0.0}  # what C2 did not vary, though C1's last round did
PLATE = 12
SHUFFLES = 2000


def main() -> None:
    options = read_options()
    tables = Tables.find(options.tables)
    if tables is None:
        print(
            f"The lab's tables are not in {options.tables}: clone {HOME}C1 and {HOME}C2 into one "
            "folder and name it with --tables."
        )
        return
    out = options.out or Path(tempfile.mkdtemp(prefix="flaviolin-"))
    try:
        run_campaign(tables, out, options)
        replay(tables, options)
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


# -- the lab's files ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """The lab's files, in two clones or in one folder whose names have `__` for `/`."""

    c1: Path
    c2: Path
    flat: bool

    @classmethod
    def find(cls, folder: Path) -> Tables | None:
        """Return the files of a folder, None where they are not there."""
        clones = folder / "Flaviolin_media_opt_C1", folder / "Flaviolin_media_opt_C2"
        for raw in (folder / "flaviolin" / "raw", folder):
            if (raw / "C2__DBTL1-6.csv").is_file():
                return cls(raw, raw, flat=True)
        if (clones[0] / "data").is_dir() and (clones[1] / "DBTL1-6.csv").is_file():
            return cls(*clones, flat=False)
        return None

    def of_c1(self, name: str) -> Path:
        """Return a file of the first campaign by its name in the lab's repository."""
        return self.c1 / (f"data__{name.replace('/', '__')}" if self.flat else f"data/{name}")

    def of_c2(self) -> Path:
        """Return the table of all wells of the second campaign."""
        return self.c2 / ("C2__DBTL1-6.csv" if self.flat else "DBTL1-6.csv")


def history_of(tables: Tables) -> list[pd.DataFrame]:
    """Return the wells of C1: rounds 1 to 5 stand in one table, 6 and 7 in two files each."""
    wells = [pd.read_csv(tables.of_c1("DBTL1-5.csv"), index_col=0)]
    for number in (6, 7):
        media = pd.read_csv(tables.of_c1(f"DBTL{number}/media_descriptions.csv"))
        read = pd.read_excel(tables.of_c1(f"DBTL{number}/edd_OD340.xlsx"))
        # a line's name begins with its first well, as in C6_WA1_C1-R2; its replicates are alike
        read["Well"] = read["Line Name"].str.extract(r"_W([A-H]\d+)_", expand=False)
        measured = read.rename(columns={"Value": RESPONSE})[["Line Name", "Well", RESPONSE]]
        wells.append(measured.merge(media, on="Well", validate="many_to_one"))
    return [with_what_is_missing(table.drop(columns="Well", errors="ignore")) for table in wells]


def campaign_of(tables: Tables) -> pd.DataFrame:
    """Return the wells of C2; the first two letters of a line's name say the round."""
    wells = pd.read_csv(tables.of_c2(), index_col=0).drop(columns="condition")
    return with_what_is_missing(wells)


def with_what_is_missing(wells: pd.DataFrame) -> pd.DataFrame:
    """Add the components that a table leaves out: they were the same in all of its wells."""
    names = {column.split("[")[0] for column in wells}
    same = {"Kan": 0.05, "CaCl2": 0.0}
    return wells.assign(**{name: amount for name, amount in same.items() if name not in names})


# -- the definition ----------------------------------------------------------------------------


def definition_of(tables: Tables, candidates: int = 1_000_000) -> dict[str, Any]:
    """Return C2's definition from the stock plates, bounds and recipe that the lab set up with."""
    units, stocks = stocks_of(tables)
    bounds = bounds_of(tables)
    recipe = first_column(tables.of_c1("standard_recipe_concentrations_extended.csv"))
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


def stocks_of(tables: Tables) -> tuple[dict[str, str], dict[str, list[float]]]:
    """Return name → unit and name → stocks of what stands on the lab's three stock plates."""
    files = [
        tables.of_c1(f"24-well_stock_plate_{k}_extended.csv") for k in ("high", "low", "fresh")
    ]
    wells = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    wells = wells.dropna(subset="Concentration").drop_duplicates(["Component", "Concentration"])
    parts = wells["Component"].str.extract(r"(?P<name>.+)\[(?P<unit>.+)\]")
    units = dict(zip(parts["name"], parts["unit"], strict=True))
    by_name = wells.groupby(parts["name"], sort=False)["Concentration"]
    return units, {str(name): sorted(of, reverse=True) for name, of in by_name}


def bounds_of(tables: Tables) -> dict[str, tuple[float, float]]:
    """Return name → low and high: the lab's bounds of either time, whichever reach further."""
    files = ["Putida_media_bounds_units.csv", "Putida_media_bounds_extended.csv"]
    both = pd.concat([pd.read_csv(tables.of_c1(file)) for file in files])
    ends = both.groupby(both["Variable"].str.split("[").str[0]).agg({"Min": "min", "Max": "max"})
    return {str(row.Index): (row.Min, row.Max) for row in ends.itertuples()}


def first_column(file: Path) -> dict[str, float]:
    table = pd.read_csv(file)
    return dict(zip(table.iloc[:, 0].str.split("[").str[0], table.iloc[:, 1], strict=True))


# -- the campaign ------------------------------------------------------------------------------


def run_campaign(tables: Tables, out: Path, options: argparse.Namespace) -> None:
    """Import, pretrain, adopt the first rounds, propose, export."""
    wells = campaign_of(tables)
    rounds = wells["Line Name"].str[:2]
    first = wells[rounds.isin(["C1", "C2"])]
    definition = definition_of(tables, options.candidates)
    with Campaign.create(out / "C2", definition) as campaign:
        varied = sum(component.varies for component in campaign.definition.components)
        print(f"{len(campaign.definition.components)} components, {varied} of them varied.")
        learn_history(campaign, tables, options.folds)
        adopted = campaign.record(first, ignore=["Line Name"])
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


def learn_history(campaign: Campaign, tables: Tables, folds: int) -> None:
    for table in history_of(tables):
        ignore = [name for name in ("Line Name", "OD600") if name in table]
        campaign.add_history(table, source="C1", ignore=ignore)
    report = campaign.pretrain(folds=folds)
    print(f"History C1: {report.rows} media. Cross-validated, {folds} folds:")
    print(report.scores.to_string(float_format="{:.2f}".format))


# -- the replay --------------------------------------------------------------------------------


def replay(tables: Tables, options: argparse.Namespace) -> None:
    """Choose plates among C2's measured media and print what was found, against random choice."""
    wells = campaign_of(tables)
    media = [name for name in wells if name not in ("Line Name", "Condition", RESPONSE)]
    pool = wells.groupby(media, as_index=False)[RESPONSE].mean()
    top = pool.index.isin(pool[RESPONSE].nlargest(10).index)
    number_of = wells.merge(pool.reset_index()[[*media, "index"]], on=media)["index"]
    measured = pd.DataFrame({"medium": number_of.array, RESPONSE: wells[RESPONSE].array})
    ways: dict[str, np.ndarray] = {"random choice": by_chance(pool, top, options.plates)}
    for name, with_history in (("labloop, no history", False), ("labloop, history C1", True)):
        started = time.perf_counter()
        runs = []
        for seed in range(options.seeds):
            plates = choose(tables, pool[media], measured, with_history, seed, options.plates)
            runs.append(found(pool, top, np.concatenate(plates)))
        ways[name] = np.mean(runs, axis=0)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    columns = [f"plate {k}" for k in range(1, options.plates + 1)]
    titles = (f"best {RESPONSE} found", "how many of the ten best found")
    print(f"\nReplay: plates of {PLATE} among the {len(pool)} media that C2 measured, mean of")
    print(f"{options.seeds} seeds; the best of all has {RESPONSE} {pool[RESPONSE].max():.2f}.")
    for k, title in enumerate(titles):
        frame = pd.DataFrame({name: values[k] for name, values in ways.items()}, index=columns).T
        print(f"\n{title}\n{frame.to_string(float_format='{:.2f}'.format)}")


def choose(
    tables: Tables,
    pool: pd.DataFrame,
    measured: pd.DataFrame,
    with_history: bool,
    seed: int,
    plates: int,
) -> list[np.ndarray]:
    """Run a campaign that may only choose from the pool; return its rows plate by plate."""
    chosen: list[np.ndarray] = []
    left = pool
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
        Campaign.create(Path(work) / "replay", definition_of(tables)) as campaign,
    ):
        if with_history:
            for table in history_of(tables):
                ignore = [name for name in ("Line Name", "OD600") if name in table]
                campaign.add_history(table, source="C1", ignore=ignore)
            campaign.pretrain(folds=0, seed=seed)
        for plate in range(plates):
            proposed = campaign.propose(PLATE, seed=100 * seed + plate, candidates=left)
            rows = proposed.formulas["candidate"]
            formula_of = pd.Series(rows.index, index=rows)
            wells = measured[measured["medium"].isin(rows)]
            results = wells.assign(formula=wells["medium"].map(formula_of)).drop(columns="medium")
            campaign.record(results, round=proposed.number)
            chosen.append(rows.to_numpy())
            left = left.drop(rows)
    return chosen


def by_chance(pool: pd.DataFrame, top: np.ndarray, plates: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    orders = (rng.permutation(len(pool))[: plates * PLATE] for _ in range(SHUFFLES))
    return np.mean([found(pool, top, order) for order in orders], axis=0)


def found(pool: pd.DataFrame, top: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return (2, plates): after each plate the best response and how many of the top are found."""
    best = np.maximum.accumulate(pool[RESPONSE].to_numpy()[order])
    hits = np.cumsum(top[order])
    return np.stack([best, hits])[:, PLATE - 1 :: PLATE]


if __name__ == "__main__":
    main()
