"""What the correction of wells is worth: on simulated plates and on a lab's repeated controls.

    python -m benchmarks.noise --publish

simulates plates that differ by offset and gain, with an edge effect that two makers' plates showed
(Mansoury et al. 2021) and slopes, and compares the error of formulas' means, and the share of them
that the 90 % interval covers, before and after `noise.observe`. Where LABLOOP_REAL_TABLES names the
folder of real tables, the controls that cftx repeats on its plates follow: their coefficient of
variation raw, corrected, and corrected by the other controls alone. The tables go into
the benchmarks page, the figures into results/noise.csv and results/noise_controls.csv.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from benchmarks.noise_controls import controls_table, leave_one_out
from benchmarks.publish import PAGE, PUBLISHED, put_between_marks, write_text
from labloop.noise import Observed, Wells, observe
from labloop.plate.balance import EDGE_PROFILES, rings
from labloop.plate.layout import arrange
from labloop.wells import shape

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

SEEDS = 100
NOISE = 0.05
CONTROL_WELLS = 4
CONTROLS = 2
LEVEL, SPREAD = 10.0, 0.5  # formulas are log-normal
NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True)
class Round:
    """Formulas with replicates on so many plates, with two controls of four wells on each."""

    wells: int
    plates: int
    replicates: int
    layout: str = "labloop"

    def __str__(self) -> str:
        beside = ", side by side" if self.layout != "labloop" else ""
        return f"{self.plates} × {self.wells}, {self.replicates} each{beside}"


@dataclass(frozen=True)
class Effects:
    """What plates do to the values of their wells."""

    name: str
    offset: float = 0.0  # sd over plates
    gain: float = 0.0  # sd of its logarithm
    edge: int | None = None
    slope: float = 0.0
    mishaps: float = 0.0  # share of wells that read 0.1 to 3 times what they should


NONE = Effects("none")
PLATES = Effects("plates", offset=2.0, gain=0.2)
EDGE = Effects("edge", edge=0)
ALL = Effects("plates, edge, slope", offset=2.0, gain=0.2, edge=0, slope=0.1)
WORST = replace(ALL, name="the same, 2 % mishaps", mishaps=0.02)
MISHAPS = Effects("2 % mishaps", mishaps=0.02)
EVERY = (NONE, PLATES, EDGE, ALL, MISHAPS, WORST)

CASES = (
    *((Round(96, 4, 2), each) for each in EVERY),
    *((Round(96, 1, 2), each) for each in (NONE, EDGE)),
    *((Round(96, 4, 1), each) for each in (NONE, PLATES)),
    *((Round(96, 4, 3), each) for each in (NONE, WORST)),
    *((Round(96, 4, 4), each) for each in (NONE, WORST)),
    *((Round(96, 4, 2, "grouped"), each) for each in (NONE, PLATES, EDGE)),
    *((Round(384, 2, 2), each) for each in (NONE, ALL, WORST)),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and publish them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--publish", action="store_true", help="write page and results")
    options = parser.parse_args(arguments)
    found = Parallel(n_jobs=-1)(delayed(errors)(*case, options.seeds) for case in CASES)
    means = summarised(pd.DataFrame([row for rows in found for row in rows]))
    text = f"{simulated_table(means, options.seeds)}\n\n{speed_table()}"
    print(text)
    if options.publish:
        PUBLISHED.mkdir(exist_ok=True)
        write_text(PUBLISHED / "noise.csv", means.to_csv(index=False, float_format="%.4g"))
        put_between_marks(PAGE, "noise", text)
    folder = os.environ.get("LABLOOP_REAL_TABLES")
    if not folder:
        print("LABLOOP_REAL_TABLES is not set: the real controls are left out")
        return
    found = leave_one_out(Path(folder))
    print(controls_table(found))
    if options.publish:
        write_text(PUBLISHED / "noise_controls.csv", found.to_csv(index=False, float_format="%.4g"))
        put_between_marks(PAGE, "noise controls", controls_table(found))


# -- plates --------------------------------------------------------------------------------------


def simulated(
    wanted: Round, effects: Effects, seed: int, responses: int = 1
) -> tuple[Wells, Floats]:
    """Return measured wells, and the (formulas, responses) truth; controls come last."""
    rng = np.random.default_rng([seed, 7])
    rows, columns = shape(wanted.wells)
    formulas = (wanted.wells - CONTROLS * CONTROL_WELLS) * wanted.plates // wanted.replicates
    subject = _layout(wanted, formulas, seed)
    plate, well = np.divmod(np.arange(len(subject)), wanted.wells)
    row, column = np.divmod(well, columns)
    truth = LEVEL * np.exp(SPREAD * rng.normal(size=(formulas + CONTROLS, responses)))
    place = effects.slope * (row / (rows - 1) + column / (columns - 1) - 1)
    if effects.edge is not None:
        depth = np.minimum(rings(well, wanted.wells), 3)
        place = place - np.array([*EDGE_PROFILES[effects.edge], 0.0])[depth]
    values = truth[subject] * (1 + place[:, None])
    values = values * (1 + NOISE * rng.normal(size=values.shape))
    mishap = rng.random(values.shape) < effects.mishaps
    values = np.where(mishap, values * rng.uniform(0.1, 3.0, values.shape), values)
    plates = (wanted.plates, responses)
    gain = np.exp(effects.gain * rng.normal(size=plates))
    values = effects.offset * rng.normal(size=plates)[plate] + gain[plate] * values
    wells = Wells(
        values=values,
        statuses=np.full(values.shape, "ok"),
        limits=np.full(values.shape, np.nan),
        formulas=subject,
        plates=plate,
        rows=row,
        columns=column,
        shapes=np.tile([rows, columns], (wanted.plates, 1)),
    )
    return wells, truth


def _layout(wanted: Round, formulas: int, seed: int) -> Ints:
    """Return the number of the formula in each well, -1 in an empty one."""
    control = np.repeat(formulas + np.arange(CONTROLS), CONTROL_WELLS)
    if wanted.layout == "grouped":
        parts = np.array_split(np.repeat(np.arange(formulas), wanted.replicates), wanted.plates)
        return np.concatenate([each for part in parts for each in (part, control)])
    frame = arrange(
        list(range(formulas)),
        {f"control {k}": CONTROL_WELLS for k in range(CONTROLS)},
        wells=wanted.wells,
        replicates=wanted.replicates,
        plates=wanted.plates,
        seed=seed,
    )
    names = {f"control {k}": formulas + k for k in range(CONTROLS)}
    numbers = [names.get(name, name) for name in frame["formula"]]
    return np.array([-1 if name is None else name for name in numbers], dtype=np.int64)


# -- errors --------------------------------------------------------------------------------------


def errors(wanted: Round, effects: Effects, seeds: int) -> list[dict[str, object]]:
    """Return one row a seed and analysis: relative error of formulas and coverage."""
    rows: list[dict[str, object]] = []
    for seed in range(seeds):
        wells, truth = simulated(wanted, effects, seed)
        for analysis, found in (
            ("raw", observe(wells, plates=False, positions=False, outliers=False)),
            ("corrected", observe(wells)),
        ):
            rmse, covered = _scores(found, truth[: len(truth) - CONTROLS])
            rows.append({"round": str(wanted), "effects": effects.name, "analysis": analysis,
                         "seed": seed, "rmse": rmse, "covered": covered})  # fmt: skip
    return rows


def _scores(found: Observed, truth: Floats) -> tuple[float, float]:
    """Return relative error and coverage, less the offset and gain that all formulas share.

    Which plate's scale is the true one cannot be told from values.
    """
    rows = np.flatnonzero((found.formulas < len(truth)) & np.isfinite(found.means[:, 0]))
    truth = truth[found.formulas[rows], 0]
    design = np.column_stack([np.ones(len(truth)), truth]) / truth[:, None]
    means, errors = found.means[rows, 0], found.standard_errors[rows, 0]
    shared = np.linalg.lstsq(design, means / truth, rcond=None)[0]
    off = means - design @ shared * truth
    return (
        float(np.sqrt(np.mean((off / truth) ** 2))),
        float(np.mean(np.abs(off) <= NORMAL_90 * errors)),
    )


def summarised(found: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds, and the standard error of the error."""
    by = found.groupby(["round", "effects", "analysis"], sort=False)
    return by.agg(
        rmse=("rmse", "mean"), standard_error=("rmse", "sem"), covered=("covered", "mean")
    ).reset_index()


def simulated_table(means: pd.DataFrame, seeds: int) -> str:
    """Return the table of simulated plates."""
    lines = [
        f"Relative error of formulas' means and coverage of their 90 % intervals, {seeds} seeds:",
        "",
        "| wells | effects | error, raw | error, corrected | covered, raw | covered, corrected |",
        "|---|---|---|---|---|---|",
    ]
    for (wanted, effects), part in means.groupby(["round", "effects"], sort=False):
        by = {row.analysis: row for row in part.itertuples()}
        raw, corrected = by["raw"], by["corrected"]
        lines.append(
            f"| {wanted} | {effects} | {raw.rmse:.3f} ± {raw.standard_error:.3f} "
            f"| {corrected.rmse:.3f} ± {corrected.standard_error:.3f} "
            f"| {raw.covered:.1%} | {corrected.covered:.1%} |"
        )
    return "\n".join(lines)


# -- speed ---------------------------------------------------------------------------------------


def speed_table() -> str:
    """Return seconds for one plate, and for 200 plates of four responses."""
    one, _ = simulated(Round(384, 1, 2), ALL, 0)
    many = _campaign(100)
    lines = ["| wells | responses | core-seconds |", "|---|---|---|"]
    for name, wells in (("1 × 384", one), ("200 × 384", many)):
        start = time.process_time()
        observe(wells)
        seconds = time.process_time() - start
        lines.append(f"| {name} | {np.shape(wells.values)[1]} | {seconds:.2f} |")
    return "\n".join(lines)


def _campaign(rounds: int) -> Wells:
    """Return so many rounds of two plates that have their controls in common."""
    parts = [simulated(Round(384, 2, 2), ALL, seed, responses=4) for seed in range(rounds)]
    own = len(parts[0][1]) - CONTROLS

    def formulas(wells: Wells, k: int) -> Ints:
        numbers = np.where(
            wells.formulas >= own, wells.formulas - own + own * rounds, wells.formulas + own * k
        )
        return np.where(wells.formulas < 0, -1, numbers)

    each = [wells for wells, _ in parts]
    return Wells(
        values=np.concatenate([wells.values for wells in each]),  # noqa: PD011
        statuses=np.concatenate([wells.statuses for wells in each]),
        limits=np.concatenate([wells.limits for wells in each]),
        formulas=np.concatenate([formulas(wells, k) for k, wells in enumerate(each)]),
        plates=np.concatenate([wells.plates + 2 * k for k, wells in enumerate(each)]),
        rows=np.concatenate([wells.rows for wells in each]),
        columns=np.concatenate([wells.columns for wells in each]),
        shapes=np.concatenate([wells.shapes for wells in each]),
    )


if __name__ == "__main__":
    main()
