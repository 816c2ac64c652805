"""Learn from 1040 measured blends of one polymer, then find the best of another in few plates.

The measurements are those of the package `olymp`: blends of four materials of organic solar cells,
once with the polymer PCE10 and once with WF3, each 1040 times (Langner et al. 2020, Adv Mater
32:1907801). Only measured blends may be chosen, so that every plate has real results.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from labloop import Campaign

HERE = Path(__file__).resolve().parent
PARTS = ["polymer", "P3HT", "PCBM", "oIDTBR"]
RESPONSE = "degradation"
SHUFFLES = 2000

Choose = Callable[[int], list[list[int]]]


def main() -> None:
    options = read_options()
    folder = measurements_folder()
    if folder is None:
        print(
            "The measured blends are in the package olymp, which is not installed: "
            'get it with `pip install "labloop[blends]"`.'
        )
        return
    started = time.perf_counter()
    tables = {polymer: read_blends(folder, polymer) for polymer in ("PCE10", "WF3")}
    directions = [("PCE10", "WF3")] if options.quick else [("PCE10", "WF3"), ("WF3", "PCE10")]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        for source, target in directions:
            history, pool = tables[source], blends_to_choose_from(tables[source], tables[target])
            compare(Path(work) / source, source, target, history, pool, options)
    say(f"All of it took {time.perf_counter() - started:.0f} s.")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plates", type=int, default=4)
    parser.add_argument("--formulas", type=int, default=12, help="formulas on a plate")
    parser.add_argument("--quick", action="store_true", help="one seed, two plates, one direction")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.plates = 1, 2
    return options


def measurements_folder() -> Path | None:
    """Return the folder of olymp's tables; its modules are not imported."""
    found = importlib.util.find_spec("olympus")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "datasets"


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


def compare(
    work: Path,
    source: str,
    target: str,
    history: pd.DataFrame,
    pool: pd.DataFrame,
    options: argparse.Namespace,
) -> None:
    """Print the best blend after each plate, the mean over seeds, of each way of choosing."""
    plates, formulas = options.plates, options.formulas
    ways: dict[str, Choose] = {
        "labloop": lambda seed: with_labloop(
            work / str(seed), history, source, pool, plates, formulas, seed
        ),
        "SingleTaskGP, qLogEI": lambda seed: with_botorch(pool, plates, formulas, seed),
    }
    rows = {
        "random choice": by_chance(pool, plates, formulas),
        "best of the history": found(pool, by_history(history, pool, plates, formulas)),
    }
    for name, choose in ways.items():
        started = time.perf_counter()
        runs = [found(pool, choose(seed)) for seed in range(options.seeds)]
        rows[name] = np.mean(runs, axis=0)
        say(f"{source} → {target}: {name}, {time.perf_counter() - started:.0f} s")
    columns = [f"plate {number}" for number in range(1, plates + 1)]
    print(f"\nHistory {source}, {len(history)} measurements. Plates of {formulas} with {target},")
    print(f"among {len(pool)} blends, mean of {options.seeds} seeds.")
    least = f"least degradation found (of all: {pool[RESPONSE].min():.4f})"
    many = f"how many of the best {len(best_of(pool))} found"
    for number, (title, digits) in enumerate(((least, 4), (many, 1))):
        frame = pd.DataFrame({way: both[number] for way, both in rows.items()}, index=columns).T
        print(f"\n{title}\n{frame.to_string(float_format=f'{{:.{digits}f}}'.format)}", flush=True)


def with_labloop(
    folder: Path,
    history: pd.DataFrame,
    source: str,
    pool: pd.DataFrame,
    plates: int,
    formulas: int,
    seed: int,
) -> list[list[int]]:
    """Run a campaign and return the pool's rows on each of its plates."""
    chosen: list[list[int]] = []
    left = pool
    with Campaign.create(folder, HERE / "campaign.toml") as campaign:
        campaign.add_history(history, source=source)
        campaign.pretrain(folds=0, seed=seed)
        for plate in range(plates):
            proposed = campaign.propose(formulas, seed=100 * seed + plate, candidates=left[PARTS])
            rows = proposed.formulas["candidate"]
            results = pd.DataFrame(
                {"formula": rows.index, RESPONSE: pool.loc[rows, RESPONSE].array}
            )
            campaign.record(results, round=proposed.number)
            chosen.append(list(rows))
            left = left.drop(rows)
    shutil.rmtree(folder, ignore_errors=True)
    return chosen


def with_botorch(pool: pd.DataFrame, plates: int, formulas: int, seed: int) -> list[list[int]]:
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
    chosen = [np.random.default_rng(seed).permutation(len(pool))[:formulas].tolist()]
    for _ in range(1, plates):
        known = [row for plate in chosen for row in plate]
        model = SingleTaskGP(X[known], Y[known])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogExpectedImprovement(model, best_f=Y[known].max())
        left = torch.tensor([row for row in range(len(pool)) if row not in set(known)])
        picked, _ = optimize_acqf_discrete(
            acquisition, q=formulas, choices=X[left], max_batch_size=128, unique=True
        )
        rows = (picked[:, None, :] == X[left]).all(dim=-1).double().argmax(dim=1)
        chosen.append(left[rows].tolist())
    return chosen


def by_history(
    history: pd.DataFrame, pool: pd.DataFrame, plates: int, formulas: int
) -> list[list[int]]:
    """Take the blends in the order of how well they did with the other polymer."""
    measured = history.groupby(PARTS)[RESPONSE].mean()
    expected = measured.reindex(pd.MultiIndex.from_frame(pool[PARTS])).to_numpy()
    order = np.argsort(expected, kind="stable")
    return [order[k * formulas : (k + 1) * formulas].tolist() for k in range(plates)]


def by_chance(pool: pd.DataFrame, plates: int, formulas: int) -> np.ndarray:
    """Return the mean of `found` over many shuffles."""
    rng = np.random.default_rng(0)
    orders = (rng.permutation(len(pool))[: plates * formulas] for _ in range(SHUFFLES))
    return np.mean([found(pool, order.reshape(plates, -1)) for order in orders], axis=0)


def found(pool: pd.DataFrame, plates: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Return (2, plates): the least degradation after each plate, how many of the best found."""
    rows = np.array(plates)
    least = np.minimum.accumulate(pool[RESPONSE].to_numpy()[rows].min(axis=1))
    return np.stack([least, np.isin(rows, best_of(pool)).sum(axis=1).cumsum()])


def best_of(pool: pd.DataFrame) -> np.ndarray:
    """Return the rows of the best twentieth."""
    return pool[RESPONSE].nsmallest(len(pool) // 20).index.to_numpy()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
