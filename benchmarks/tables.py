"""Problems from public tables of real formulas.

`LABLOOP_REAL_TABLES` names their folder; the benchmarks page says where each comes from. The wells
of a formula become one observation as in a campaign (`labloop.noise`).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.problem import Array, Problem, encoded
from labloop.noise import observations

BLEND_PARTS = ("polymer", "P3HT", "PCBM", "oIDTBR")
BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


class AbsentTableError(LookupError):
    """A table is not on this computer; the message says which and what to set."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Formulas with one observation each: `X` (n, d), `Y` (n, 1), `variance` (n, 1) of Y."""

    X: Array
    Y: Array
    variance: Array


def cell_free(reverse: bool, seed: int) -> Problem:
    """Return the yield of cell-free buffers: one lab's lysate to another's, or the reverse."""
    del seed
    wide = read("cellfree_two_labs", "cellfree_two_labs.csv")
    other = ("task", "round", "yield", "yield_std")
    components = [str(name) for name in wide if name not in other]
    second_lab = wide["task"] == "metis_lysate"
    # The first lab kept these three as they were and does not say where.
    wide = wide.fillna(wide.loc[second_lab, ["PEG", "DTT", "DNA"]].median())
    labs = [
        of_wells(three_wells(wide[rows], "yield", "yield_std"), components, "yield")
        for rows in (~second_lab, second_lab)
    ]
    first, second = labs[::-1] if reverse else labs
    name = "cellfree-metis-lab1" if reverse else "cellfree-lab1-metis"
    return of_two(name, "cell-free buffers", first, second)


def flaviolin(history: tuple[str, ...], campaign: str, seed: int) -> Problem:
    """Return flaviolin (OD340) in bacterial media, from earlier campaigns to a later one."""
    del seed
    wells = read("flaviolin", "flaviolin.csv")
    names = list(wells.columns)
    components = names[names.index("H3BO3") : names.index("Tricine") + 1]
    of = {
        name: of_wells(wells[wells["task"].str[:2] == name], components, "OD340")
        for name in (*history, campaign)
    }
    together = Measured(
        np.concatenate([of[name].X for name in history]),
        np.concatenate([of[name].Y for name in history]),
        np.concatenate([of[name].variance for name in history]),
    )
    source = np.repeat(np.arange(len(history)), [len(of[name].X) for name in history])
    name = f"flaviolin-{''.join(history)}-{campaign}".lower()
    return of_two(name, "bacterial media", together, of[campaign], source, logarithmic=True)


def malate_rounds(seed: int) -> Problem:
    """Return malate in yeast media, from the first round to the two later ones."""
    del seed
    wells = read("lipomyces_malate", "lipomyces_malate.csv")
    first = wells["round"] == 1
    response = "Malate Titer (g/L)"
    parts = [of_wells(wells[rows], yeast_components(wells), response) for rows in (first, ~first)]
    return of_two("lipomyces-rounds", "yeast media", *without_repeats(*parts))


def malate_from_mass(seed: int) -> Problem:
    """Return malate in half of the yeast media, from the dry mass in the other half."""
    wells = read("lipomyces_malate", "lipomyces_malate.csv")
    names = yeast_components(wells)
    mass, malate = (of_wells(wells, names, name) for name in ("DCW (g/L)", "Malate Titer (g/L)"))
    return of_two("lipomyces-mass-malate", "yeast media", *halves(mass, malate, seed))


def rna_rounds(seed: int) -> Problem:
    """Return cell-free mRNA, from the plates 0 to 4 to the later ones."""
    del seed
    rows = read("cftx", "cftx.csv")
    parts = [
        of_wells(one_row_a_well(rows[part], "MG"), rna_components(rows), "value")
        for part in (rows["round"] <= 4, rows["round"] > 4)
    ]
    return of_two("cftx-rounds", "cell-free mRNA", *without_repeats(*parts))


def rna_and_protein(first: str, second: str, seed: int) -> Problem:
    """Return `second` (MG mRNA, GFP protein) in half of the mixes, from `first` in the others."""
    rows = read("cftx", "cftx.csv")
    earlier, later = (
        of_wells(one_row_a_well(rows, name), rna_components(rows), "value")
        for name in (first, second)
    )
    name = f"cftx-{first}-{second}".lower()
    return of_two(name, "cell-free mRNA", *halves(earlier, later, seed))


def blends(first: str, second: str, seed: int) -> Problem:
    """Return the log degradation of blends with one polymer, from those with another."""
    del seed
    name = f"blends-{first}-{second}".lower()
    problem = of_two(name, "blends", *blend_tables(first, second))
    return replace(problem, maximize=False, logarithmic=True, feature_share=1.0)


def blend_tables(first: str, second: str) -> tuple[Measured, Measured]:
    """Return the log degradation of blends, shares of their four parts, with either polymer.

    As in examples/blends: 65 values that are the same number in both tables, and blends without
    the polymer, are left out of the second.
    """
    folder = importlib.util.find_spec("olympus")
    if folder is None or not folder.submodule_search_locations:
        raise AbsentTableError('the measured blends need `pip install "labloop[blends]"`')
    columns = [*BLEND_PARTS, "degradation"]
    tables = [
        pd.read_csv(
            Path(folder.submodule_search_locations[0])
            / "datasets" / f"dataset_photo_{name.lower()}" / "data.csv",
            header=None, names=columns,
        )
        for name in (first, second)
    ]  # fmt: skip
    copied = tables[0]["degradation"] == tables[1]["degradation"]
    tables[1] = tables[1][~copied & (tables[1]["polymer"] > 0)]
    earlier, later = (
        of_wells(table.assign(degradation=np.log(table["degradation"])), columns[:4], columns[4])
        for table in tables
    )
    return earlier, later


REAL: dict[str, Callable[[int], Problem]] = {
    "cellfree-lab1-metis": lambda seed: cell_free(False, seed),
    "cellfree-metis-lab1": lambda seed: cell_free(True, seed),
    "flaviolin-c1-c2": lambda seed: flaviolin(("C1",), "C2", seed),
    "flaviolin-c1-c3": lambda seed: flaviolin(("C1",), "C3", seed),
    "flaviolin-c2-c3": lambda seed: flaviolin(("C2",), "C3", seed),
    "flaviolin-c1c2-c3": lambda seed: flaviolin(("C1", "C2"), "C3", seed),
    "lipomyces-rounds": malate_rounds,
    "lipomyces-mass-malate": malate_from_mass,
    "cftx-rounds": rna_rounds,
    "cftx-mg-gfp": lambda seed: rna_and_protein("MG", "GFP", seed),
    "cftx-gfp-mg": lambda seed: rna_and_protein("GFP", "MG", seed),
    "blends-pce10-wf3": lambda seed: blends("PCE10", "WF3", seed),
    "blends-wf3-pce10": lambda seed: blends("WF3", "PCE10", seed),
}
"""Name → problem of a seed; raises AbsentTableError where the table is not there."""


# -- from wells to problems ----------------------------------------------------------------------


def read(folder: str, name: str) -> pd.DataFrame:
    """Return a table of the folder of real tables."""
    tables = Path(os.environ.get("LABLOOP_REAL_TABLES", BESIDE_THE_CHECKOUT))
    path = tables / folder / name
    if not path.is_file():
        raise AbsentTableError(f"{path} is absent; set LABLOOP_REAL_TABLES to the tables' folder")
    return pd.read_csv(path)


def of_wells(wells: pd.DataFrame, components: list[str], response: str) -> Measured:
    """Return one observation a formula; a variance is NaN where nothing is in replicate."""
    wells = wells.dropna(subset=response)
    concentrations = wells[components].to_numpy(np.float64)
    X, formula = np.unique(concentrations.round(9), axis=0, return_inverse=True)
    seen = observations(wells[[response]].to_numpy(np.float64), formula.reshape(-1))
    return Measured(X, seen.means, seen.standard_errors**2)


def of_two(
    name: str, family: str, history: Measured, pool: Measured, source: object = None, *,
    logarithmic: bool = False,
) -> Problem:  # fmt: skip
    """Return the problem of a history and a pool; components that never vary are left out.

    `logarithmic` is about the encoding of concentrations.
    """
    X, X_pool = encoded(history.X, pool.X, logarithmic=logarithmic)
    varies = np.ptp(np.concatenate([X, X_pool]), axis=0) > 0
    known = np.isfinite(pool.variance).any() and bool((pool.variance > 0).any())
    return Problem(
        name, family, X[:, varies], history.Y,
        np.zeros(len(X), np.int64) if source is None else np.asarray(source, np.int64),
        X_pool[:, varies], pool.Y, pool.variance if known else None,
    )  # fmt: skip


def without_repeats(history: Measured, pool: Measured) -> tuple[Measured, Measured]:
    """Leave formulas that the history measured out of the pool: they would be given away."""
    earlier = {tuple(row) for row in history.X.tolist()}
    new = np.array([tuple(row) not in earlier for row in pool.X.tolist()])
    return history, Measured(pool.X[new], pool.Y[new], pool.variance[new])


def halves(first: Measured, second: Measured, seed: int) -> tuple[Measured, Measured]:
    """Give the formulas to two halves by chance: `first` of the one, `second` of the other."""
    formulas = np.unique(np.concatenate([first.X, second.X]), axis=0)
    chosen = np.random.default_rng([seed, 40]).permutation(len(formulas))[: len(formulas) // 2]
    half = {tuple(row) for row in formulas[chosen].tolist()}
    mine = np.array([tuple(row) in half for row in first.X.tolist()])
    other = np.array([tuple(row) not in half for row in second.X.tolist()])
    return (
        Measured(first.X[mine], first.Y[mine], first.variance[mine]),
        Measured(second.X[other], second.Y[other], second.variance[other]),
    )


def three_wells(rows: pd.DataFrame, mean: str, sd: str) -> pd.DataFrame:
    """Return three wells for each row, of the mean and the standard deviation that it states."""
    return pd.concat([rows.assign(**{mean: rows[mean] + k * rows[sd]}) for k in (-1.0, 0.0, 1.0)])


def one_row_a_well(rows: pd.DataFrame, response: str) -> pd.DataFrame:
    """Return one row a well with its `value`, from columns <response>_yield_1, _2 and on."""
    wells = [name for name in rows if str(name).startswith(f"{response}_yield_")]
    wells = [name for name in wells if str(name).rsplit("_", 1)[1].isdigit()]
    return rows.melt(id_vars=rna_components(rows), value_vars=wells)


def rna_components(rows: pd.DataFrame) -> list[str]:
    """Return the components: the columns up to DNA."""
    return [str(name) for name in rows.columns[2 : list(rows.columns).index("DNA") + 1]]


def yeast_components(wells: pd.DataFrame) -> list[str]:
    """Return the components: the columns from the first salt to the last vitamin."""
    names = list(wells.columns)
    return names[names.index("KH2PO4") : names.index("nicotinic acid") + 1]
