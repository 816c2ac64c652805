"""What the next plate and the space may bring: for a round, in numbers and in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop.definition import Definition, Response
from labloop.proposal.advice import STEP, Prospects
from labloop.report.numbers import counted, enumerated, number, with_unit

if TYPE_CHECKING:
    from labloop.campaign.learning import Learned
    from labloop.proposal.candidates import Known
    from labloop.space.levels import LevelNumbers

_ADVICE = {
    "go on": "Going on is likely to pay.",
    "stop": "The best formula known is probably within 5 % of what the space holds: consider "
    "stopping, or wider ranges and other components.",
    "noise": "What is left to gain is less than two measurements differ by chance: more replicates "
    "would have to come first.",
    "patience": "{plate} alone is unlikely to pay; what is left would take several.",
}
_FEWEST = 2  # measured formulas from which a range can be told, where there is no history
_NONE_MEETS = (
    "Probably no formula here meets all bounds: consider other bounds, or wider ranges and other "
    "components."
)


def prospects_of(
    learned: Learned,
    known: Known,
    plate: LevelNumbers,
    listed: LevelNumbers | None,
    seed: int,
) -> Prospects | None:
    """Return what a plate and the space may bring; None where too little is known to say so."""
    if learned.surrogate is None or not len(known.measured):
        return None
    if learned.model is None and len(known.measured) < _FEWEST:
        return None
    from labloop.proposal.goals import Goals
    from labloop.proposal.prospects import prospects

    definition, own = learned.definition, learned.own
    wanted = [j for j, each in enumerate(definition.responses) if each.goal != "observe"]
    measured, _ = learned.scale.to_model(own.measured, own.standard_errors)
    return prospects(
        learned.space,
        learned.surrogate.subset_output(wanted),
        Goals.of([definition.responses[j] for j in wanted]),
        known,
        measured[:, wanted],
        learned.scale.log[wanted],
        learned.noise[wanted],
        plate,
        listed,
        seed,
    )


def sentences(
    prospects: Prospects | None, definition: Definition, plate: str = "this plate"
) -> tuple[str, ...]:
    """Return what the plate may bring, what the space, the noise, and what this advises.

    `plate` is what the plate is called.
    """
    if prospects is None:
        return ()
    objectives = [each for each in definition.responses if each.is_objective]
    return (
        _of_plate(prospects, objectives, plate),
        _of_space(prospects, objectives),
        _of_noise(prospects, objectives, definition.plate.replicates),
        _advised(prospects, plate),
    )


def _of_plate(prospects: Prospects, objectives: list[Response], plate: str) -> str:
    chance = likelihood(prospects.chance)
    if prospects.met < 0.5:
        met = likelihood(prospects.met)
        return (
            f"It is {met} likely that a known formula meets all bounds, and {chance} likely "
            f"that {plate} holds one that does, or a better one."
        )
    gain, low, high = (
        _amount(share, prospects, objectives[0])
        for share in (prospects.gain, prospects.gain_low, prospects.gain_high)
    )
    return (
        f"{_capital(plate)} is expected to {_wish(objectives)} by {gain} "
        f"(80 % interval {low} to {high}); it is {chance} likely to do so at all, "
        f"{likelihood(prospects.chance_of_step)} by {_step(prospects, objectives[0])} or more."
    )


def _of_space(prospects: Prospects, objectives: list[Response]) -> str:
    likely = likelihood(prospects.better)
    if prospects.met < 0.5:
        return f"As far as the model knows, it is {likely} likely that the space holds one at all."
    step, left = (
        _step(prospects, objectives[0]),
        _amount(prospects.potential, prospects, objectives[0]),
    )
    return (
        f"As far as the model knows, it is {likely} likely that the space holds a formula better "
        f"by {step} or more; the median of what is left to gain is {left}."
    )


def _of_noise(prospects: Prospects, objectives: list[Response], replicates: int) -> str:
    wells = counted(replicates, "well")
    each = [
        f"{response.name} by ±{_percent(share)}{' of its range' if of == 'range' else ''}"
        for response, share, of in zip(objectives, prospects.noise, prospects.noise_of, strict=True)
    ]
    return (
        f"Measured again in {wells}, a formula differs in {enumerated(each)} (one standard "
        "deviation)."
    )


def _advised(prospects: Prospects, plate: str) -> str:
    if prospects.met < 0.5 and prospects.advice == "stop":
        return _NONE_MEETS
    return _ADVICE[prospects.advice].format(plate=_capital(plate))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wish(objectives: list[Response]) -> str:
    if len(objectives) > 1:
        return "enlarge the hypervolume of the known formulas"
    response = objectives[0]
    if response.goal == "near":
        return f"bring the best {response.name} nearer to {number(response.bound or 0.0)}"
    return f"{'raise' if response.goal == 'maximize' else 'lower'} the best {response.name}"


def _amount(share: float, prospects: Prospects, response: Response) -> str:
    if prospects.measure == "range" and response.transform != "log":
        return with_unit(number(share * prospects.unit), response.unit)
    return _percent(share)


def _step(prospects: Prospects, response: Response) -> str:
    said = f"{100 * STEP:.0f} %"
    if prospects.measure != "range":
        return said
    of_range = f"{said} of the range of measured values"
    if response.transform == "log":
        return of_range
    return f"{_amount(STEP, prospects, response)} ({of_range})"


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if 0.0005 <= share < 0.0995 else 0}f} %"


def likelihood(probability: float) -> str:
    """Return a probability in words that promise no certainty."""
    if probability < 0.01:
        return "less than 1 %"
    return "more than 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def stored(prospects: Prospects | None) -> dict[str, Any] | None:
    """Return the numbers as JSON has them, six figures each, with the advice."""
    if prospects is None:
        return None
    plain = {name: _plain(value) for name, value in asdict(prospects).items()}
    return plain | {"advice": prospects.advice}


def of_stored(found: Mapping[str, Any] | None) -> Prospects | None:
    """Read what `stored` returned."""
    if found is None:
        return None
    values = {name: value for name, value in found.items() if name != "advice"}
    for name, value in values.items():
        if value is None:
            values[name] = float("nan")
        elif isinstance(value, list):
            values[name] = tuple(value)
    return Prospects(**values)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if np.isnan(value) else float(f"{value:.6g}")
    return value
