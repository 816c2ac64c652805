"""What a campaign has measured, parted into the line that is played and what is known before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labloop.campaign.knowledge import Observed, Scale, history, own, refuse_lost_meaning
from labloop.campaign.ranking import performers, ranks
from labloop.definition import Definition, Response
from labloop.errors import RefusedError, did_you_mean
from labloop.space.levels import Floats, Ints
from labloop.store import Store

FEWEST = 20
_OWN = -1


@dataclass(frozen=True, eq=False)
class Past:
    """What is known before the campaign that is played.

    Attributes:
        names: The sources.
        concentrations: (h, components), of choices their numbers.
        Y: (h, responses) on the model's scale, NaN where nothing or only a limit is known.
        source: (h,) which of `names` each row is of.
        performers: (k, components) concentrations of the best, best first.
    """

    names: tuple[str, ...]
    concentrations: Floats
    Y: Floats
    source: Ints
    performers: Floats


@dataclass(frozen=True, eq=False)
class Played:
    """The measured formulas that stand for the new line.

    Attributes:
        name: Whose they are, as part of a sentence.
        concentrations: (n, components), of choices their numbers.
        Y: (n, responses) on the model's scale, no value missing.
        well_variance: (responses,) typical variance of a single well on the model's scale, NaN
            where nothing was measured in replicate.
        left_out: How many measured formulas lack a value or contain an unknown choice.
    """

    name: str
    concentrations: Floats
    Y: Floats
    well_variance: Floats
    left_out: int


def wanted_responses(definition: Definition) -> tuple[Response, ...]:
    """Return the responses that decide what is good; those merely observed play no part."""
    return tuple(each for each in definition.responses if each.goal != "observe")


def parted(opened: Store, definition: Definition, source: str | None) -> tuple[Played, Past]:
    """Return the formulas of a source as the new line, and all others as its history.

    Args:
        opened: The campaign's store, which is only read.
        definition: The campaign's.
        source: The source; None for the campaign's own formulas where there are twenty, else for
            the largest source.

    Raises:
        RefusedError: There is no such source, or it has too few formulas.
    """
    refuse_lost_meaning(opened, definition)
    responses = wanted_responses(definition)
    asked = definition.model_copy(update={"responses": responses})
    mine, past = own(opened, asked), history(opened, asked)
    scale = Scale.of(responses, np.concatenate([past.means, mine.means]))
    number = _chosen(past, mine, source)
    played = _played(mine if number == _OWN else _of(past, number), past, number, scale)
    others = past.take(np.flatnonzero(past.source != number))
    if number == _OWN:
        mine = mine.take(np.empty(0, dtype=np.int64))
    return played, _before(others, mine, scale, definition, responses)


def _chosen(past: Observed, mine: Observed, source: str | None) -> int:
    """Return the number of the source that is played, -1 for the campaign's own formulas."""
    names = past.source_names
    if source is not None:
        if source not in names:
            known = ", ".join(names) or "none"
            raise RefusedError(
                f'There is no source "{source}" in the history (there is: {known})'
                f"{did_you_mean(source, names) or '.'}"
            )
        return names.index(source)
    if len(_usable(mine)) >= FEWEST or not names:
        return _OWN
    sizes = [len(_usable(_of(past, number))) for number in range(len(names))]
    return int(np.argmax(sizes)) if max(sizes) > len(_usable(mine)) else _OWN


def _of(past: Observed, number: int) -> Observed:
    return past.take(np.flatnonzero(past.source == number))


def _usable(known: Observed) -> Ints:
    """Return the rows of which every response was measured and every choice is known."""
    whole = np.isfinite(known.measured).all(axis=1) & (known.concentrations >= 0).all(axis=1)
    return np.flatnonzero(whole)


def _played(known: Observed, past: Observed, number: int, scale: Scale) -> Played:
    name = "the campaign's own" if number == _OWN else f"the source {past.source_names[number]}"
    rows = _usable(known)
    if len(rows) < FEWEST:
        raise RefusedError(
            f"A backtest on real results takes {FEWEST} formulas of which every response was "
            f"measured, and there {'is' if len(rows) == 1 else 'are'} {len(rows)} of {name}; name "
            "a larger source with --source, or take a virtual lab with --lab moderate."
        )
    kept = known.take(rows)
    Y, variance = scale.to_model(kept.measured, kept.standard_errors)
    return Played(name, kept.concentrations, Y, _typical(variance * kept.wells),
                  len(known) - len(rows))  # fmt: skip


def _typical(variance: Floats) -> Floats:
    """Return (responses,) medians of the variances that are known, NaN where none is."""
    known = [column[np.isfinite(column)] for column in variance.T]
    return np.array([float(np.median(each)) if len(each) else np.nan for each in known])


def _before(
    past: Observed,
    mine: Observed,
    scale: Scale,
    definition: Definition,
    responses: tuple[Response, ...],
) -> Past:
    """Return the history, the campaign's own formulas as one more source of it."""
    names = [past.source_names[number] for number in np.unique(past.source)]
    place = {number: k for k, number in enumerate(np.unique(past.source).tolist())}
    parts = [(past, np.array([place[number] for number in past.source.tolist()], dtype=np.int64))]
    if len(mine):
        parts.append((mine, np.full(len(mine), len(names), dtype=np.int64)))
        names.append("the campaign's own")
    some = [np.flatnonzero(np.isfinite(known.measured).any(axis=1)) for known, _ in parts]
    parts = [(known.take(rows), of[rows]) for (known, of), rows in zip(parts, some, strict=True)]
    concentrations = np.concatenate([known.concentrations for known, _ in parts])
    Y = np.concatenate([scale.to_model(k.measured, k.standard_errors)[0] for k, _ in parts])
    judged = definition.model_copy(update={"responses": responses})
    rank = np.concatenate([ranks(judged, known, of) for known, of in parts])
    return Past(
        tuple(names), concentrations, Y, np.concatenate([of for _, of in parts]),
        performers(concentrations, rank),
    )  # fmt: skip
