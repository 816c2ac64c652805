"""Learn from 1040 measured blends of one polymer, then find the best of another in few plates.

The measurements are those of the package `olymp`: blends of four materials of organic solar cells,
once with the polymer PCE10 and once with WF3, each 1040 times (Langner et al. 2020, Adv Mater
32:1907801). Only measured blends may be chosen, so that every plate has real results.

What to copy for measured formulas of your own is `with_labloop`; the rest is what it is compared
with.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from labloop import Campaign

DEFINITION = Path(__file__).resolve().parent / "campaign.toml"
PARTS = ["polymer", "P3HT", "PCBM", "oIDTBR"]
RESPONSE = "degradation"
PLATE = 12  # blends on a plate
SHUFFLES = 2000


def main() -> None:
    options = read_options()
    folder = measurements_folder()
    if folder is None:
        print(
            "The measured blends are in the package olymp, which is not installed: "
            'get it with `pip install "labloop[blends]"`.'
        )
        return
    tables = {polymer: read_blends(folder, polymer) for polymer in ("PCE10", "WF3")}
    directions = [("PCE10", "WF3"), ("WF3", "PCE10")]
    for source, target in directions[:1] if options.quick else directions:
        history = tables[source]
        pool = blends_to_choose_from(history, tables[target])
        print(f"\nHistory {source}, {len(history)} measurements. Plates of {PLATE} with {target},")
        print(f"among {len(pool)} blends, mean of {options.seeds} seeds.", flush=True)
        compare(history, pool, options.seeds, options.plates)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plates", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="one seed, two plates, one direction")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.plates = 1, 2
    return options


# -- labloop -----------------------------------------------------------------------------------


def with_labloop(
    history: pd.DataFrame, pool: pd.DataFrame, plates: int, seed: int
) -> list[list[int]]:
    """Run a campaign that may only choose from the pool; return its rows plate by plate."""
    chosen: list[list[int]] = []
    left = pool[PARTS]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
        Campaign.create(Path(work) / "blends", DEFINITION) as campaign,
    ):
        campaign.add_history(history, source="the other polymer")
        campaign.pretrain(folds=0, seed=seed)
        for plate in range(plates):
            proposed = campaign.propose(PLATE, seed=100 * seed + plate, candidates=left)
            rows = proposed.formulas["candidate"]  # a label of `left` for each formula
            measured = pool.loc[rows, RESPONSE].array
            results = pd.DataFrame({"formula": rows.index, RESPONSE: measured})
            campaign.record(results, round=proposed.number)
            chosen.append(rows.tolist())
            left = left.drop(rows)
    return chosen


# -- the other ways ----------------------------------------------------------------------------


def with_botorch(pool: pd.DataFrame, plates: int, seed: int) -> list[list[int]]:
    """Do the same without history: a random plate, then BoTorch's defaults on its own rows."""
    import torch
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf_discrete
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    X = torch.tensor(pool[PARTS].to_numpy())
    Y = -torch.tensor(pool[[RESPONSE]].to_numpy()).log()
    chosen = [np.random.default_rng(seed).permutation(len(pool))[:PLATE].tolist()]
    for _ in range(1, plates):
        known = [row for plate in chosen for row in plate]
        model = SingleTaskGP(X[known], Y[known])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogExpectedImprovement(model, best_f=Y[known].max())
        left = torch.tensor([row for row in range(len(pool)) if row not in set(known)])
        picked, _ = optimize_acqf_discrete(
            acquisition, q=PLATE, choices=X[left], max_batch_size=128, unique=True
        )
        rows = (picked[:, None, :] == X[left]).all(dim=-1).double().argmax(dim=1)
        chosen.append(left[rows].tolist())
    return chosen


def by_history(history: pd.DataFrame, pool: pd.DataFrame, plates: int) -> list[list[int]]:
    """Take the blends in the order of how well they did with the other polymer."""
    measured = history.groupby(PARTS)[RESPONSE].mean()
    expected = measured.reindex(pd.MultiIndex.from_frame(pool[PARTS])).to_numpy()
    order = np.argsort(expected, kind="stable")
    return [order[k * PLATE : (k + 1) * PLATE].tolist() for k in range(plates)]


def by_chance(pool: pd.DataFrame, plates: int) -> np.ndarray:
    """Return the mean of `found` over many shuffles."""
    rng = np.random.default_rng(0)
    orders = (rng.permutation(len(pool))[: plates * PLATE] for _ in range(SHUFFLES))
    return np.mean([found(pool, order.reshape(plates, PLATE)) for order in orders], axis=0)


# -- the comparison ----------------------------------------------------------------------------


def compare(history: pd.DataFrame, pool: pd.DataFrame, seeds: int, plates: int) -> None:
    """Print what each way of choosing found after each plate, the mean over seeds."""

    def mean_of(way: str, choose: Callable[[int], list[list[int]]]) -> np.ndarray:
        started = time.perf_counter()
        mean = np.mean([found(pool, choose(seed)) for seed in range(seeds)], axis=0)
        print(f"{way}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        return mean

    labloop, botorch = "labloop", "SingleTaskGP, qLogEI"
    ways = {
        "random choice": by_chance(pool, plates),
        "best of the history": found(pool, by_history(history, pool, plates)),
        labloop: mean_of(labloop, lambda seed: with_labloop(history, pool, plates, seed)),
        botorch: mean_of(botorch, lambda seed: with_botorch(pool, plates, seed)),
    }
    columns = [f"plate {number}" for number in range(1, plates + 1)]
    least = f"least degradation found (of all: {pool[RESPONSE].min():.4f})"
    many = f"how many of the best {len(best_of(pool))} found"
    for k, (title, digits) in enumerate(((least, 4), (many, 1))):
        frame = pd.DataFrame({way: both[k] for way, both in ways.items()}, index=columns).T
        print(f"\n{title}\n{frame.to_string(float_format=f'{{:.{digits}f}}'.format)}", flush=True)


def found(pool: pd.DataFrame, chosen: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Return (2, plates): the least degradation after each plate, how many of the best found."""
    rows = np.array(chosen)
    least = np.minimum.accumulate(pool[RESPONSE].to_numpy()[rows].min(axis=1))
    return np.stack([least, np.isin(rows, best_of(pool)).sum(axis=1).cumsum()])


def best_of(pool: pd.DataFrame) -> np.ndarray:
    """Return the rows of the best twentieth."""
    return pool[RESPONSE].nsmallest(len(pool) // 20).index.to_numpy()


# -- the measurements --------------------------------------------------------------------------


def measurements_folder() -> Path | None:
    """Return the folder of olymp's tables; its modules are not imported."""
    package = importlib.util.find_spec("olympus")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "datasets"


def read_blends(folder: Path, polymer: str) -> pd.DataFrame:
    file = folder / f"dataset_photo_{polymer.lower()}" / "data.csv"
    return pd.read_csv(file, header=None, names=[*PARTS, RESPONSE])


def blends_to_choose_from(history: pd.DataFrame, target: pd.DataFrame) -> pd.DataFrame:
    """Return the target's blends that the history cannot simply give away, one row a blend.

    65 measurements are the same number to the last digit in both tables, and blends without the
    polymer are the same blends in both: neither can show what was learned.
    """
    copied = history[RESPONSE] == target[RESPONSE]
    news = target[~copied & (target["polymer"] > 0)]
    return news.groupby(PARTS, as_index=False)[RESPONSE].mean()


if __name__ == "__main__":
    main()
