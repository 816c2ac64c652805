"""What a backtest found: a row a strategy, seed and round, and what that says of the strategies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from labloop.definition import Response
from labloop.report.numbers import counted, enumerated, number, plus_minus, titled
from labloop.simulate.backtest import Record

_SURE = 0.05
_FEWEST_SEEDS = 3
_ALIKE = 1e-12


@dataclass(frozen=True)
class Measure:
    """What strategies are compared by.

    Attributes:
        column: Of the frame of rounds.
        title: What it is, with its unit.
        sign: 1 where more is better, -1 where less is.
    """

    column: str
    title: str
    sign: int = 1


@dataclass(frozen=True, eq=False)
class Simulation:
    """A backtest of strategies on whole campaigns.

    Attributes:
        campaign: The campaign's name.
        lab: `replay`, `emulator`, `related`, `moderate` or `unrelated`.
        rounds: Frame, a row a `strategy`, `seed` and `round`: `formulas` measured so far, `best`
            true value among them (of a response that is to come near a target, the distance from
            it; NaN before all bounds are met, or with several objectives), `optimum`, the best
            that the lab can give as far as it is known, `found_1` and `found_5`, the shares of the
            best 1 % and 5 % of the formulas to choose among that were found (NaN where any may be
            chosen), `hypervolume` (NaN with one objective), `seconds` that the proposal took.
        summary: Frame, a row a `strategy` and `round`: means over seeds of `formulas`, `best`,
            `found_5` and `hypervolume`, their standard errors `<column>_sem`, and `seeds`.
        measures: What strategies are compared by, the one that decides first.
        notes: Sentences on the lab and the campaigns.
        warnings: Sentences on what makes the results doubtful.
        outcome: Sentences on which strategy was best, and how sure that is.
    """

    campaign: str
    lab: str
    rounds: pd.DataFrame
    summary: pd.DataFrame
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    outcome: tuple[str, ...]

    @property
    def strategies(self) -> list[str]:
        """The strategies, in the order asked for."""
        return list(dict.fromkeys(self.rounds["strategy"]))

    def table(self, measure: Measure) -> pd.DataFrame:
        """Return a row a strategy and a column a round: mean ± standard error, as text."""
        rows = self.summary.to_dict("records")
        cells = {
            (row["strategy"], row["round"]): plus_minus(
                row[measure.column], row[f"{measure.column}_sem"]
            )
            for row in rows
        }
        frame = pd.DataFrame({"strategy": self.strategies})
        for n in sorted(set(self.summary["round"])):
            frame[f"round {n}"] = [cells[name, n] for name in self.strategies]
        return frame

    def report(self, out: str | Path) -> Path:
        """Write a page with the figure and the tables, one HTML file that opens anywhere.

        Raises:
            RefusedError: The file cannot be written.
        """
        from labloop.report.backtest_page import BacktestPage, to_html
        from labloop.report.figures.curves import Panel
        from labloop.worklists import write_files

        page = BacktestPage(
            campaign=self.campaign,
            lab=self.lab,
            seeds=counted(self.rounds["seed"].nunique(), "seed"),
            strategies=self.strategies,
            panels=[Panel(measure.column, measure.title) for measure in self.measures],
            summary=self.summary,
            outcome=self.outcome,
            notes=self.notes,
            warnings=self.warnings,
        )
        out = Path(out)
        return write_files(out.parent, {out.name: to_html(page).encode("utf-8")})[0]


def rounds_frame(records: Sequence[Record], responses: Sequence[Response]) -> pd.DataFrame:
    """Return the records of campaigns as the frame of rounds; see `Simulation`."""
    frame = pd.DataFrame(list(records))
    objective = [each for each in responses if each.is_objective]
    natural = [
        _natural(objective[0], frame[name].to_numpy(dtype=float)) if len(objective) == 1
        else np.full(len(frame), np.nan)
        for name in ("best", "optimum")
    ]  # fmt: skip
    frame["best"], frame["optimum"] = natural
    columns = ["strategy", "seed", "round", "formulas", "best", "optimum", "found_1", "found_5",
               "hypervolume", "seconds"]  # fmt: skip
    return frame[columns]


def _natural(response: Response, value: np.ndarray) -> np.ndarray:
    """Return objective values, bigger is better, in the response's unit.

    What is to come near a target becomes its distance; of a logarithm that is a factor.
    """
    signed = value if response.goal == "maximize" else -value
    return np.exp(signed) if response.transform == "log" else signed


def measures_of(responses: Sequence[Response], frame: pd.DataFrame) -> tuple[Measure, ...]:
    """Return what strategies are compared by, the one that decides first."""
    objectives = [each for each in responses if each.is_objective]
    if len(objectives) > 1:
        names = enumerated([each.name for each in objectives])
        return (Measure("hypervolume", f"hypervolume of {names}"),)
    only = objectives[0]
    title = f"best {titled(only.name, only.unit)}"
    if only.goal == "near":
        unit = "factor" if only.transform == "log" else only.unit
        title = titled(f"least distance of {only.name} from its target", unit)
    best = Measure("best", title, 1 if only.goal == "maximize" else -1)
    if frame["found_5"].notna().any():
        return (Measure("found_5", "share of the best 5 % found"), best)
    return (best,)


def summary_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds with their standard errors; see `Simulation`."""
    columns = ["best", "found_5", "hypervolume"]
    grouped = frame.groupby(["strategy", "round"], sort=False)
    summary = grouped.agg(
        formulas=("formulas", "mean"),
        seeds=("seed", "size"),
        **{name: (name, "mean") for name in columns},
        **{f"{name}_sem": (name, "sem") for name in columns},
    )
    return summary.reset_index()


def outcome(frame: pd.DataFrame, measure: Measure) -> tuple[str, ...]:
    """Return which strategy was best after the last round and on the way, and which may be as good.

    Strategies are compared seed by seed: within a seed they meet the same lab. A strategy that
    differs from the best by less than chance would (t-test on the differences, 5 %) may be as good.
    """
    last = frame[frame["round"] == frame["round"].max()]
    of_seed = {name: rows.set_index("seed")[measure.column]
               for name, rows in last.groupby("strategy", sort=False)}  # fmt: skip
    values = measure.sign * pd.DataFrame(of_seed)
    told = _never_met(last, measure)
    if values.isna().all(axis=None):
        return told
    values = values.fillna(values.min(axis=None))  # nothing that meets the bounds: as the worst
    means = values.mean()
    best = str(means.idxmax())
    first = [str(name) for name in means.index[means[best] - means < _ALIKE]]
    after = counted(int(frame["round"].max()), "round")
    shown = _mean(measure.sign * values[best])
    if len(first) > 1:
        stood = "shared the lead:"
    else:
        stood = "stood at" if len(means) == 1 else "was ahead:"
    told = (
        f"After {after} {enumerated(first)} {stood} {measure.title} {shown}.",
        *_along_the_way(frame, measure, best),
        *told,
    )
    if len(means) == 1:
        return told
    if len(values) < _FEWEST_SEEDS:
        return (*told, f"With {counted(len(values), 'seed')} chance cannot be ruled out; run "
                f"{_FEWEST_SEEDS} or more.")  # fmt: skip
    worse: list[str] = []
    open_: list[str] = []
    for name in values.columns:
        if name == best:
            continue
        difference = values[best] - values[name]
        said = f"{name} ({_mean(difference)} behind)"
        (worse if _is_sure(difference) else open_).append(said)
    if worse:
        told += (f"More than chance apart from it, seed by seed: {', '.join(worse)}.",)
    if open_:
        told += (f"May be as good, by {len(values)} seeds: {', '.join(open_)}.",)
    return told


def _along_the_way(frame: pd.DataFrame, measure: Measure, best: str) -> tuple[str, ...]:
    """Return which strategy had the best mean over all rounds, if it is not the best at the end."""
    values = measure.sign * frame.set_index("strategy")[measure.column]
    values = values.fillna(values.min())
    means = values.groupby(level="strategy", sort=False).mean()
    ahead = str(means.idxmax())
    if ahead == best or means[ahead] - means[best] < _ALIKE:
        return ()
    pair = [number(measure.sign * float(means[name])) for name in (ahead, best)]
    return (
        f"On average over the rounds {ahead} was ahead: {measure.title} {pair[0]}, {best} "
        f"{pair[1]}.",
    )


def _never_met(last: pd.DataFrame, measure: Measure) -> tuple[str, ...]:
    missing = last[last[measure.column].isna()]
    counts = missing.groupby("strategy", sort=False).size()
    seeds = last["seed"].nunique()
    if not len(counts):
        return ()
    listed = ", ".join(f"{name} in {count} of {seeds} seeds" for name, count in counts.items())
    return (f"Found no formula that meets all bounds: {listed}.",)


def _is_sure(difference: pd.Series[float]) -> bool:
    """Whether paired differences are more than chance; all alike is sure, unless all zero."""
    from scipy.stats import ttest_1samp

    if math.isclose(float(difference.std()), 0.0, abs_tol=_ALIKE):
        return abs(float(difference.mean())) > _ALIKE
    return bool(ttest_1samp(difference, 0.0).pvalue < _SURE)


def _mean(values: pd.Series[float]) -> str:
    shown = values.to_numpy(dtype=float)
    error = float(shown.std(ddof=1)) / math.sqrt(len(shown)) if len(shown) > 1 else math.nan
    return plus_minus(float(shown.mean()), error)
