"""An earlier round proposed again from what was known then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labloop import store
from labloop.campaign.circumstances import differences, threads_of
from labloop.campaign.comparing import Replayed, compared
from labloop.campaign.knowledge import as_amounts
from labloop.campaign.proposing import Proposed, propose
from labloop.campaign.rounds import control_names, definition_of
from labloop.campaign.storing import Rows, control_amounts, rows_of
from labloop.campaign.subject import PRETRAINED, subject_of
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.space import FormulaSpace
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int], None]


def replay(
    opened: Store,
    number: int,
    candidates: pd.DataFrame | str | Path | None,
    progress: Progress,
) -> Replayed:
    """Propose a round again from what was known after its `known_event`, and compare.

    Nothing that came later is read: neither results, corrections, history, networks and rounds nor
    the campaign.toml of today.

    Raises:
        RefusedError: There is no such round; it was chosen from candidates that are not given, or
            are others; or the network that it rests on is gone or was trained otherwise.
    """
    stored = store.read_round(opened, number)
    definition = definition_of(opened, stored)
    space = FormulaSpace.of(definition)
    _refuse_lost_network(opened, stored, definition, space)
    _refuse_candidates(opened, stored, candidates is not None)
    asked = int(stored.settings.get("formulas") or len(store.read_proposals(opened, number)))
    with threads_of(stored.settings.get("made_with")):
        proposed = propose(
            opened, definition, space, stored.known_event, asked, stored.seed, candidates, progress
        )
        _refuse_other_list(stored, proposed)
        again = rows_of(proposed, *_ids(opened, number, proposed))
    was = Rows(
        store.read_proposals(opened, number),
        store.read_predictions(opened, number),
        [well._replace(id=None) for well in store.read_layout(opened, number)],
        store.read_dispenses(opened, number),
    )
    controls = {formula: name for name, formula in control_names(opened, number).items()}
    return compared(number, was, again, controls, _why(stored, proposed))


def _refuse_lost_network(
    opened: Store, stored: store.Round, definition: Definition, space: FormulaSpace
) -> None:
    if stored.model is None:
        return
    kept = store.model_by_id(opened, stored.model)
    if kept is None:
        raise RefusedError(
            f"The network that round {stored.number} rests on is no longer in campaign.db, so the "
            "round cannot be proposed again; replay it in a backup that has it."
        )
    if kept.kind != PRETRAINED or kept.metadata.get("subject") != subject_of(definition, space):
        raise RefusedError(
            f"The network that round {stored.number} rests on was trained by another version of "
            "labloop, with settings that this one does not have; replay the round with that one."
        )


def _refuse_candidates(opened: Store, stored: store.Round, given: bool) -> None:
    """Refuse a list of candidates too many or too few."""
    noted = stored.settings.get("candidates")
    chosen = any(p.candidate is not None for p in store.read_proposals(opened, stored.number))
    if given and not (noted or chosen):
        raise RefusedError(
            f"Round {stored.number} was not chosen from a list; leave the candidates out."
        )
    if not given and (noted or chosen):
        which = f'those of "{noted["name"]}"' if noted and noted["name"] else "a list"
        raise RefusedError(
            f"Round {stored.number} was chosen from {which}, which the campaign does not keep; "
            "give the same list with --candidates."
        )


def _refuse_other_list(stored: store.Round, proposed: Proposed) -> None:
    noted = stored.settings.get("candidates")
    if noted and proposed.listed is not None and noted["sha256"] != proposed.listed.sha256:
        name = f' ("{noted["name"]}")' if noted["name"] else ""
        raise RefusedError(
            f"These are not the candidates that round {stored.number} was chosen from{name}: their "
            "names, concentrations or order differ; give the same list."
        )


def _ids(opened: Store, number: int, proposed: Proposed) -> tuple[list[int], dict[str, int]]:
    """Return the ids of formulas and controls: those of the round's where they are the same ones.

    Other formulas get −1, −2 …, other controls numbers below those.
    """
    space = proposed.learned.space
    known = store.campaign_formulas(opened, space.names)
    amounts = dict(zip(known.ids, map(_as_key, known.rows), strict=True))
    ids = {amounts[p.formula]: p.formula for p in store.read_proposals(opened, number)}
    rows = as_amounts(space.concentrations(proposed.chosen.levels), space.components)
    new = len(rows) - len(proposed.repeated)
    formulas = [ids.get(_as_key(row), -(k + 1)) for k, row in enumerate(rows[:new])]
    controls = control_names(opened, number)
    of_control = {
        name: controls[name]
        if name in controls and amounts[controls[name]] == _as_key(row)
        else -(len(rows) + 1 + k)
        for k, (name, row) in enumerate(control_amounts(proposed).items())
    }
    return [*formulas, *proposed.repeated], of_control


def _as_key(row: Sequence[object]) -> tuple[object, ...]:
    return tuple(amount or 0.0 for amount in row)


def _why(stored: store.Round, proposed: Proposed) -> tuple[str, ...]:
    said = differences(stored.settings.get("made_with"))
    if proposed.learned.model != stored.model:
        said.insert(0, "It rests on another network than then: campaign.db was altered.")
    return tuple(said) or (
        "The programs and the computer are those of then: either labloop itself was edited, or "
        "campaign.db was altered; see `labloop check`.",
    )
