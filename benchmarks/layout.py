"""What a layout is worth: the error of formulas' means where plates have an edge and a slope.

    python -m benchmarks.layout --publish

gives wells two published edge effects (Mansoury et al. 2021), each alone and with a slope of 10 %
down the rows and 10 % along the columns, and 5 % noise or none. Plates of a round differ by 10 %.
It compares formulas whose replicates stand side by side (grouped), at random, and as
`plate.layout.arrange` places them, by the root mean square error of the formulas' means less what
all of them share: of the plain means, and after plates, rings and columns are fitted along with
the formulas. The table of means over seeds with their standard errors goes into the benchmarks
page, the figures into results/layout.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.publish import PAGE, PUBLISHED, put_between_marks, write_text
from labloop.plate.balance import EDGE_PROFILES, rings
from labloop.plate.layout import arrange
from labloop.wells import shape

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

SEEDS = 100
NOISE = 0.05
SLOPE = 0.1
PLATE = 0.1  # by which two plates differ


@dataclass(frozen=True)
class Round:
    """Formulas with replicates, and control wells on each of so many plates."""

    wells: int
    formulas: int
    replicates: int
    controls: int
    plates: int = 1

    def __str__(self) -> str:
        plates = f"{self.plates} × {self.wells}" if self.plates > 1 else f"{self.wells}"
        return f"{plates}: {self.formulas} × {self.replicates}"


ROUNDS = (
    Round(96, 28, 3, 12),
    Round(384, 116, 3, 36),
    Round(1536, 500, 3, 36),
    Round(96, 56, 3, 12, plates=2),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and publish them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--publish", action="store_true", help="write page and results")
    options = parser.parse_args(arguments)
    found = pd.DataFrame([row for wanted in ROUNDS for row in errors(wanted, options.seeds)])
    means = summarised(found)
    text = tables(means, options.seeds)
    print(text)
    if options.publish:
        PUBLISHED.mkdir(exist_ok=True)
        write_text(PUBLISHED / "layout.csv", means.to_csv(index=False, float_format="%.4g"))
        put_between_marks(PAGE, "layouts", text)


def errors(wanted: Round, seeds: int) -> Iterator[dict[str, object]]:
    """Yield one row a seed, layout, effect, noise and analysis: the error of the formulas."""
    for seed in range(seeds):
        noise = np.random.default_rng([seed, 1]).normal(0, NOISE, wanted.plates * wanted.wells)
        effects = dict(_effects(wanted))
        responses = {(name, sd): effects[name] + sd / NOISE * noise
                     for name in effects for sd in (0.0, NOISE)}  # fmt: skip
        Y = np.column_stack(list(responses.values()))
        for name, layout in LAYOUTS.items():
            subject = layout(wanted, seed)
            for analysis, means in (
                ("plain", plain_means(subject, Y)),
                ("fitted", fitted_means(subject, Y, wanted)),
            ):
                of_formulas = means[: wanted.formulas]
                rmse = of_formulas.std(axis=0)
                for (effect, sd), value in zip(responses, rmse, strict=True):
                    yield {"round": str(wanted), "effect": effect, "noise": sd, "layout": name,
                           "analysis": analysis, "seed": seed, "rmse": value}  # fmt: skip


# -- what the wells do ---------------------------------------------------------------------------


def _effects(wanted: Round) -> Iterator[tuple[str, Floats]]:
    """Yield name and (plates × wells) relative effect on each well."""
    rows, columns = shape(wanted.wells)
    row, column = np.divmod(np.arange(wanted.wells), columns)
    depth = np.minimum(rings(np.arange(wanted.wells), wanted.wells), 3)
    slope = SLOPE * (row / (rows - 1) + column / (columns - 1))
    plate = PLATE * np.repeat(np.arange(wanted.plates), wanted.wells)
    for profile in EDGE_PROFILES:
        loss = -np.array([*profile, 0.0])[depth]
        edge = f"−{100 * profile[0]:.0f} %"
        yield edge, np.tile(loss, wanted.plates) + plate
        yield f"{edge}, slope", np.tile(loss + slope, wanted.plates) + plate


# -- layouts: the subject of every well; controls come after the formulas ------------------------


def _grouped(wanted: Round, seed: int) -> Ints:
    """Return replicates side by side along the rows, plate after plate, controls last."""
    del seed
    of_formulas = np.repeat(np.arange(wanted.formulas), wanted.replicates)
    control = np.full(wanted.controls, wanted.formulas)
    parts = np.split(of_formulas, wanted.plates)
    return np.concatenate([each for part in parts for each in (part, control)])


def _random(wanted: Round, seed: int) -> Ints:
    """Return the same wells shuffled over all plates."""
    return np.random.default_rng([seed, 2]).permutation(_grouped(wanted, seed))


def _ours(wanted: Round, seed: int) -> Ints:
    frame = arrange(
        list(range(wanted.formulas)),
        {"control": wanted.controls},
        wells=wanted.wells,
        replicates=wanted.replicates,
        plates=wanted.plates,
        seed=seed,
    )
    return frame["formula"].replace("control", wanted.formulas).to_numpy(dtype=np.int64)


LAYOUTS: dict[str, Callable[[Round, int], Ints]] = {
    "grouped": _grouped,
    "random": _random,
    "labloop": _ours,
}

# -- analyses ------------------------------------------------------------------------------------


def plain_means(subject: Ints, Y: Floats) -> Floats:
    """Return (subjects, responses) means of (wells, responses)."""
    sums = np.zeros((int(subject.max()) + 1, Y.shape[1]))
    np.add.at(sums, subject, Y)
    return np.asarray(sums / np.bincount(subject)[:, None])


def fitted_means(subject: Ints, Y: Floats, wanted: Round) -> Floats:
    """Return the subjects' part of a least-squares fit of subjects, plates, rings and columns."""
    place = np.arange(len(subject)) % wanted.wells
    depth = np.minimum(rings(place, wanted.wells), 3)
    _, columns = shape(wanted.wells)
    nuisance = np.column_stack([
        np.eye(wanted.plates)[np.arange(len(subject)) // wanted.wells],
        np.eye(4)[depth],
        np.eye(columns)[place % columns],
    ])  # fmt: skip
    within = nuisance - plain_means(subject, nuisance)[subject]
    slopes = np.linalg.lstsq(within, Y - plain_means(subject, Y)[subject], rcond=None)[0]
    return plain_means(subject, Y - nuisance @ slopes)


# -- tables --------------------------------------------------------------------------------------


def summarised(found: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over the seeds."""
    keys = ["round", "effect", "noise", "layout", "analysis"]
    by = found.groupby(keys, sort=False)["rmse"]
    return by.agg(rmse="mean", standard_error="sem").reset_index()


def tables(means: pd.DataFrame, seeds: int) -> str:
    """Return one Markdown table with noise and one without."""
    parts = []
    for noise in (NOISE, 0.0):
        some = means[means["noise"] == noise]
        head = [f"{layout}, {analysis}" for analysis in ("plain", "fitted") for layout in LAYOUTS]
        lines = [f"| wells | edge | {' | '.join(head)} |", "|---" * (len(head) + 2) + "|"]
        for (wanted, effect), rows in some.groupby(["round", "effect"], sort=False):
            value = rows.set_index(["analysis", "layout"])
            cells = [
                _figure(*value.loc[(analysis, layout), ["rmse", "standard_error"]])
                for analysis in ("plain", "fitted")
                for layout in LAYOUTS
            ]
            lines.append(f"| {wanted} | {effect} | {' | '.join(cells)} |")
        what = f"with {100 * noise:.0f} % noise a well" if noise else "without noise"
        parts.append(f"Error {what}, {seeds} seeds:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _figure(mean: float, error: float) -> str:
    return f"{mean:.3f} ± {error:.4f}"


if __name__ == "__main__":
    main()
