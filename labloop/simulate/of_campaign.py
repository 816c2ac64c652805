"""From a campaign to a backtest: which lab stands for the new line, and what strategies find in it.

The campaign is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from labloop.definition import Definition, ProposalSettings, Response
from labloop.errors import RefusedError, did_you_mean
from labloop.parallel import workers
from labloop.proposal.goals import Goals
from labloop.proposal.wishes import has_wishes
from labloop.report.numbers import counted, number, with_unit
from labloop.simulate.anywhere import HISTORY, Virtual, emulated
from labloop.simulate.emulator import Emulator, fit_emulator
from labloop.simulate.replay import replay
from labloop.simulate.results import Past, Played, parted, wanted_responses
from labloop.simulate.runs import Plan, Same, TrialOf, run
from labloop.simulate.simulation import (
    Simulation,
    measures_of,
    outcome,
    rounds_frame,
    summary_of,
)
from labloop.simulate.strategies import STRATEGIES
from labloop.simulate.virtual_lab import LIKENESS, Likeness
from labloop.space import FormulaSpace
from labloop.store import Store

REAL = ("replay", "emulator")
VIRTUAL: tuple[Likeness, ...] = get_args(Likeness)
_CANDIDATES = 20_000
_POOR = 0.5  # R2 below which an emulator says little of the real line
_SHARE = 0.5  # of a pool, on all plates together

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Lab:
    """What answers, as the campaigns meet it.

    Attributes:
        trial_of: The trial of a seed.
        notes, warnings: Sentences on it.
        history: Whether anything is known before the first plate.
        pool: How many formulas there are to choose among; None for any.
    """

    trial_of: TrialOf
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    history: bool
    pool: int | None = None


def simulate(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    lab: str,
    source: str | None,
    strategies: Sequence[str] | None,
    rounds: int,
    formulas: int | None,
    seeds: int,
    jobs: int | None,
    cluster: str | None,
    progress: Progress,
) -> Simulation:
    """Return what strategies find on a campaign's own results; see `Campaign.simulate`."""
    _check_counts(rounds, formulas, seeds)
    names = _named(strategies)
    met = _lab(opened, definition, space, lab, source, progress)
    if strategies is None and not met.history:
        names.remove("without history")  # it would do what labloop does
    settings, more = _settings(definition.proposal, met, rounds, formulas)
    with workers(cluster, jobs if jobs is None else min(jobs, len(names) * seeds)):
        plan = Plan(met.trial_of, settings, rounds)
        records = run(plan, names, range(1, seeds + 1), progress)
    responses = wanted_responses(definition)
    frame = rounds_frame(records, responses)
    measures = measures_of(responses, frame)
    return Simulation(
        campaign=definition.name,
        lab=lab,
        rounds=frame,
        summary=summary_of(frame),
        measures=measures,
        notes=(*met.notes, *more, *_optimum(frame, responses)),
        warnings=met.warnings,
        outcome=outcome(frame, measures[0]),
    )


# -- the lab -------------------------------------------------------------------------------------


def _lab(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    lab: str,
    source: str | None,
    progress: Progress,
) -> Lab:
    if lab not in (*REAL, *VIRTUAL):
        known = ", ".join((*REAL, *VIRTUAL))
        hint = did_you_mean(lab, (*REAL, *VIRTUAL)) or "."
        raise RefusedError(f'There is no lab "{lab}"{hint} The labs are: {known}.')
    responses, nets = wanted_responses(definition), definition.surrogate
    if lab in VIRTUAL:
        if source is not None:
            raise RefusedError(
                "--source names results to play; it goes with --lab replay and --lab emulator."
            )
        return _virtual(Virtual(space, responses, nets, next(v for v in VIRTUAL if v == lab)))
    played, past = parted(opened, definition, source)
    goals = Goals.of(responses)
    if lab == "replay":
        trial = replay(space, goals, nets, played, past)
        assert trial.pool is not None
        pool = len(trial.pool)
        said = f"Replay: strategies choose among the {pool} measured formulas of {played.name}."
        notes = (said, *_left_out(played), _history_note(past))
        return Lab(Same(trial), notes, (), bool(len(past.Y)), pool)
    X = space.encode_concentrations(played.concentrations)
    noise = np.sqrt(played.well_variance / definition.plate.replicates)
    emulator = fit_emulator(
        X, played.Y, noise, lambda done, of: progress("fitting the emulator", done, of)
    )
    trial = emulated(space, goals, nets, emulator, past)
    notes = (
        f"Emulator: models of {counted(len(played.Y), 'formula')} of {played.name} answer for any "
        "formula.",
        *_left_out(played),
        *_models(emulator, definition, played),
        _history_note(past),
    )
    return Lab(Same(trial), notes, _doubts(emulator, definition), bool(len(past.Y)))


def _virtual(virtual: Virtual) -> Lab:
    alike = {"related": "closely related", "moderate": "moderately related"}
    likeness = virtual.likeness
    note = (
        f"Virtual lab: nothing of it was measured. Each seed is another pair of lines, "
        f"{alike.get(likeness, likeness)} (rank correlation about {LIKENESS[likeness]:.2f}); "
        f"{HISTORY} random formulas of one are the history, the other is the new line. A typical "
        "formula gives 1; where a response has a bound or a reference, values lie around it."
    )
    return Lab(virtual, (note,), (), True)


def _left_out(played: Played) -> tuple[str, ...]:
    if not played.left_out:
        return ()
    return (
        f"Left out: {counted(played.left_out, 'formula')} of {played.name} without a value of "
        "every response, or with a choice that the campaign does not have.",
    )


def _history_note(past: Past) -> str:
    if not len(past.Y):
        return "There is no history beside it."
    return f"History: {counted(len(past.Y), 'formula')} of {', '.join(past.names)}."


def _models(emulator: Emulator, definition: Definition, played: Played) -> tuple[str, ...]:
    told = []
    for j, response in enumerate(wanted_responses(definition)):
        error = emulator.noise[j]
        said = with_unit(number(error), response.unit)
        if response.transform == "log":
            said = f"{100 * error:.2g} %"
        why = "as its replicates do" if np.isfinite(played.well_variance[j]) else (
            "as the model finds, for nothing was measured in replicate"
        )  # fmt: skip
        told.append(
            f"{response.name} is answered by {emulator.kinds[j]}, cross-validated R2 "
            f"{emulator.r2[j]:.2f}; a measurement errs by {said}, {why}."
        )
    return tuple(told)


def _doubts(emulator: Emulator, definition: Definition) -> tuple[str, ...]:
    told = []
    for response, r2 in zip(wanted_responses(definition), emulator.r2, strict=True):
        if not r2 >= _POOR:
            told.append(
                f"The emulator knows {response.name} poorly (R2 {r2:.2f}): what strategies find in "
                "it says little of the real line; a replay asks nothing of a model."
            )
    return tuple(told)


def _optimum(frame: pd.DataFrame, responses: Sequence[Response]) -> tuple[str, ...]:
    """Return the best that could have been found, where there is one objective."""
    optima = frame.groupby("seed")["optimum"].first().dropna()
    if not len(optima):
        return ()
    only = next(each for each in responses if each.is_objective)
    title = f"distance of {only.name} from its target" if only.goal == "near" else only.name
    value = with_unit(number(float(optima.mean())), only.unit)
    mean = "" if optima.min() == optima.max() else ", mean over the seeds"
    return (f"The best {title} that there was to find, as far as is known: {value}{mean}.",)


# -- strategies, plates, seeds -------------------------------------------------------------------


def _named(strategies: Sequence[str] | None) -> list[str]:
    if strategies is None:
        return list(STRATEGIES)
    for name in strategies:
        if name not in STRATEGIES:
            hint = did_you_mean(name, STRATEGIES) or "."
            raise RefusedError(
                f'There is no strategy "{name}"{hint} The strategies are: {", ".join(STRATEGIES)}.'
            )
    return list(dict.fromkeys(strategies))


def _settings(
    settings: ProposalSettings, lab: Lab, rounds: int, formulas: int | None
) -> tuple[ProposalSettings, tuple[str, ...]]:
    """Return the plates' settings: small enough for the pool, and quick enough for many plates."""
    candidates = min(settings.candidates, _CANDIDATES)
    count = formulas or settings.formulas
    if lab.pool is None:
        said = f"Plates of {counted(count, 'formula')}, chosen from {candidates:,} candidates."
    else:
        most = lab.pool // rounds
        if not most:
            raise RefusedError(
                f"{rounds} rounds are more than the {lab.pool} formulas to choose among; ask for "
                "fewer rounds."
            )
        if count > most and formulas is not None:
            raise RefusedError(
                f"{counted(rounds, 'round')} of {formulas} formulas are more than the {lab.pool} "
                f"to choose among; ask for --formulas {max(1, int(_SHARE * most))} or fewer rounds."
            )
        if formulas is None:
            count = max(1, min(count, int(_SHARE * most)))
        said = f"Plates of {counted(count, 'formula')}."
    changes = {"formulas": count, "candidates": candidates}
    settings, notes = _wished(settings.model_copy(update=changes), lab)
    return settings, (said, *notes)


def _wished(settings: ProposalSettings, lab: Lab) -> tuple[ProposalSettings, tuple[str, ...]]:
    """Return the settings with the wishes for whole plates that the lab can grant."""
    if not has_wishes(settings):
        return settings, ()
    if lab.pool is None:
        return settings, (
            "Only labloop and without history keep to shared and most_stocks; the other "
            "strategies choose freely.",
        )
    free = settings.model_copy(update={"shared": (), "most_stocks": None})
    return free, ("shared and most_stocks are left out: measured formulas are what they are.",)


def _check_counts(rounds: int, formulas: int | None, seeds: int) -> None:
    for what, count in (("rounds", rounds), ("formulas", formulas), ("seeds", seeds)):
        if count is not None and count < 1:
            raise RefusedError(f"The number of {what} is 1 or more (got {count}).")
