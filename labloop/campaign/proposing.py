"""One round: from what is known to a plate ready for the robot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labloop import store
from labloop.campaign.candidates import Listed, read_candidates
from labloop.campaign.explaining import Explanation, explain
from labloop.campaign.knowledge import Ints, Observed, as_concentrations
from labloop.campaign.learning import Learned, learn, merits
from labloop.campaign.prospecting import prospects_of, sentences
from labloop.campaign.ranking import performers, ranks
from labloop.campaign.repeating import repeat_notes, repeatable
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.plate.planning import Planned, planned
from labloop.proposal.advice import Prospects
from labloop.report.numbers import counted
from labloop.space import FormulaSpace
from labloop.space.levels import LevelNumbers
from labloop.space.prices import has_prices, prices
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from labloop.proposal.batch import Chosen, Known

Progress = Callable[[str, int, int], None]
MOST_FORMULAS = 4096


@dataclass(frozen=True, eq=False)
class Proposed:
    """A round that was chosen and planned but not stored; its formulas are numbered from 0.

    `repeated` are the ids of the formulas at the end of the plate that are measured again.
    """

    seed: int
    known_event: int
    learned: Learned
    chosen: Chosen
    repeated: tuple[int, ...]
    listed: Listed | None
    plates: Planned
    explanation: Explanation
    prospects: Prospects | None
    notes: tuple[str, ...]


def propose(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    known_event: int,
    formulas: int | None,
    seed: int | None,
    candidates: pd.DataFrame | str | Path | None,
    progress: Progress,
) -> Proposed:
    """Choose, lay out and plan the next round from what was known after an event."""
    count = definition.proposal.formulas if formulas is None else formulas
    if not 1 <= count <= MOST_FORMULAS:
        raise RefusedError(f"A round has 1 to {MOST_FORMULAS} formulas (got {count}).")
    seed = next_number(opened, known_event) if seed is None else seed
    listed = read_candidates(definition, space, candidates, seed)
    among = None if listed is None else listed.levels
    learned = learn(opened, definition, space, known_event, progress)
    known = known_of(opened, learned, known_event)
    chosen = choose_for(learned, known, count, seed, among, progress)
    if len(chosen.levels) < count:
        raise _too_few(len(chosen.levels), count, definition)
    repeated = _repeated(learned, chosen)
    explanation = explain(learned.surrogate, definition, space, chosen.levels, among)
    prospects = prospects_of(learned, known, chosen.levels, among, seed)
    return Proposed(
        seed=seed,
        known_event=known_event,
        learned=learned,
        chosen=chosen,
        repeated=repeated,
        listed=listed,
        plates=planned(definition, space, chosen.levels, seed),
        explanation=explanation,
        prospects=prospects,
        notes=(
            *_notes(learned, chosen),
            *repeat_notes(repeated, definition.plate.replicates),
            *_price_notes(definition, space, chosen.levels),
            *sentences(prospects, definition),
            *explanation.sentences,
        ),
    )


def _too_few(found: int, count: int, definition: Definition) -> RefusedError:
    from labloop.proposal.wishes import has_wishes

    wishes = has_wishes(definition.proposal)
    wider = "ease shared and most_stocks under [proposal]" if wishes else "widen the candidates"
    return RefusedError(
        f"Only {found} of {count} formulas are new; ask for fewer with --formulas, or {wider}."
    )


def choose_for(
    learned: Learned,
    known: Known,
    count: int,
    seed: int,
    listed: LevelNumbers | None,
    progress: Progress,
) -> Chosen:
    """Choose a plate of `count` formulas by all that was learned, or from those that are listed."""
    from labloop.proposal.batch import choose
    from labloop.proposal.goals import Goals

    definition, space = learned.definition, learned.space
    wanted = _wanted(definition)
    surrogate = learned.surrogate
    return choose(
        space,
        None if surrogate is None else surrogate.subset_output(wanted),
        Goals.of([definition.responses[j] for j in wanted]),
        known,
        definition.proposal,
        count,
        seed,
        listed,
        progress,
    )


def known_of(opened: Store, learned: Learned, known_event: int) -> Known:
    """Return what a plate is chosen by besides the surrogate."""
    from labloop.proposal.batch import Known

    definition, space = learned.definition, learned.space
    formulas = store.campaign_formulas(opened, definition.component_names, up_to=known_event)
    row_of = dict(zip(formulas.ids, formulas.rows, strict=True))
    known, past = learned.own.take(_possible(learned)), learned.history
    waiting = _without_value(opened, learned.own, known_event)
    waiting += _half_measured(opened, definition, known, known_event)
    utility = merits(definition, known)
    return Known(
        measured=known.concentrations,
        utility=utility,
        pending=as_concentrations([row_of[formula] for formula in waiting], space.components),
        performers=performers(past.concentrations, ranks(definition, past, past.source)),
        repeatable=repeatable(
            opened, learned, known.ids, np.isfinite(utility), _wanted(definition), known_event
        ),
    )


def _possible(learned: Learned) -> Ints:
    """Return the rows of the campaign's measured formulas of which every choice is known."""
    return np.flatnonzero((learned.own.concentrations >= 0).all(axis=1))


def _repeated(learned: Learned, chosen: Chosen) -> tuple[int, ...]:
    """Return the ids of the formulas that are measured again, which end the plate."""
    known = learned.own.ids[_possible(learned)]
    return tuple(known[chosen.repeated[chosen.repeated >= 0]].tolist())


def _wanted(definition: Definition) -> list[int]:
    """Return the numbers of the responses that the choice of formulas asks for."""
    return [j for j, each in enumerate(definition.responses) if each.goal != "observe"]


def _without_value(opened: Store, known: Observed, known_event: int) -> list[int]:
    """Return the formulas that may not come again although the surrogate learns nothing of them.

    They wait for their results, were measured without a value (out of range, missing), or are
    controls.
    """
    measured = store.campaign_measurements(opened, up_to=known_event)
    formulas = {m.formula for m in measured if m.formula is not None}
    formulas |= set(store.named_formulas(opened, up_to=known_event).values())
    formulas |= _proposed(opened, known_event)
    return sorted(formulas - set(known.ids.tolist()))


def _half_measured(
    opened: Store, definition: Definition, known: Observed, known_event: int
) -> list[int]:
    """Return the measured formulas of rounds of which a response that is wanted is still to come.

    The surrogate learns from what is known of them, and what they will show counts as pending.
    """
    proposed = _proposed(opened, known_event)
    half = np.isnan(known.means[:, _wanted(definition)]).any(axis=1)
    return [formula for formula in known.ids[half].tolist() if formula in proposed]


def _proposed(opened: Store, known_event: int) -> set[int]:
    """Return the formulas of all rounds that were not given up."""
    return {
        proposal.formula
        for earlier in store.read_rounds(opened, up_to=known_event)
        if earlier.state != "abandoned"
        for proposal in store.read_proposals(opened, earlier.number)
    }


def next_number(opened: Store, known_event: int) -> int:
    """Return the number that a round proposed after an event gets."""
    known = store.read_rounds(opened, up_to=known_event)
    return known[-1].number + 1 if known else 1


def _notes(learned: Learned, chosen: Chosen) -> tuple[str, ...]:
    """Return how the plate was chosen, in sentences."""
    origins = Counter(chosen.origin.tolist())
    made = ", ".join(f"{count} by {origin.replace('_', ' ')}" for origin, count in origins.items())
    rows = len(learned.own)
    if learned.surrogate is None:
        return (f"{made}.", "Nothing was measured yet: the plate fills the space evenly.")
    basis = f"{counted(rows, 'measured formula')} of this campaign"
    if learned.model is not None:
        basis += f" and {len(learned.history)} of the history"
    return (f"{made}.", f"Predictions rest on {basis}.")


def _price_notes(definition: Definition, space: FormulaSpace, levels: LevelNumbers) -> list[str]:
    """Return a sentence on what the plate's components cost, where that is known."""
    if not has_prices(space.components):
        return []
    each = prices(space.components, space.concentrations(levels))
    wells = definition.plate.replicates
    return [
        f"The components of its formulas cost {wells * each.sum():.4g}, "
        f"{each.min():.3g} to {each.max():.3g} a well."
    ]
