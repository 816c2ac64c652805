"""A proposed round into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.circumstances import circumstances
from labloop.campaign.knowledge import Floats, as_amounts
from labloop.campaign.learning import Learned
from labloop.campaign.proposing import Proposed
from labloop.campaign.prospecting import stored
from labloop.plate.planning import Planned
from labloop.store import Writing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rows:
    """What the store keeps of a round, in its order, formulas by their ids."""

    proposals: list[store.Proposal]
    predictions: list[store.Prediction]
    wells: list[store.Well]
    dispenses: list[store.Dispense]


def add_round(writing: Writing, proposed: Proposed, definition: int) -> int:
    """Store a proposed round, whole, and return its number."""
    learned, chosen = proposed.learned, proposed.chosen
    space, names = learned.space, learned.definition.component_names
    amounts = as_amounts(space.concentrations(chosen.levels), space.components)
    new = len(amounts) - len(proposed.repeated)
    ids = [*store.add_formulas(writing, names, amounts[:new]), *proposed.repeated]
    of_control = _control_formulas(writing, proposed, names)
    rows = rows_of(proposed, ids, of_control)
    return store.add_round(
        writing,
        seed=proposed.seed,
        settings=_settings(proposed),
        definition=definition,
        known_event=proposed.known_event,
        model=learned.model,
        proposals=rows.proposals,
        predictions=rows.predictions,
        wells=rows.wells,
        dispenses=rows.dispenses,
    )


def rows_of(proposed: Proposed, ids: Sequence[int], of_control: Mapping[str, int]) -> Rows:
    """Return a proposed round as rows of the store.

    Args:
        proposed: The round.
        ids: The ids of its formulas, in their order.
        of_control: The ids of its controls' formulas by their names.
    """
    learned, chosen, listed = proposed.learned, proposed.chosen, proposed.listed
    labels = [None] * len(ids) if listed is None else listed.labels_of(chosen.levels)
    return Rows(
        proposals=[
            store.Proposal(
                formula,
                str(chosen.origin[k]),
                None if np.isnan(chosen.acquisition[k]) else float(chosen.acquisition[k]),
                None if labels[k] is None else str(labels[k]),
            )
            for k, formula in enumerate(ids)
        ],
        predictions=_predictions(learned, learned.space.concentrations(chosen.levels), ids),
        wells=_wells(proposed.plates, ids, of_control),
        dispenses=_dispenses(proposed.plates, learned.definition.robot.increment_ul),
    )


def _settings(proposed: Proposed) -> dict[str, object]:
    """Return what a round was asked for, rests on, and says of itself, for JSON."""
    levels, listed = proposed.chosen.levels, proposed.listed
    settings: dict[str, object] = {"formulas": len(levels), "notes": list(proposed.notes)}
    settings |= proposed.explanation.stored() | {"prospects": stored(proposed.prospects)}
    settings["made_with"] = circumstances()
    if listed is not None:
        settings["labels"] = _kind_of(listed.labels_of(levels))
        settings["candidates"] = {"name": listed.name, "sha256": listed.sha256}
    return settings


def _wells(plates: Planned, ids: Sequence[int], of_control: Mapping[str, int]) -> list[store.Well]:
    return [
        store.Well(
            plate,
            well,
            role,
            _formula_in(role, formula, ids, of_control),
            None if role == "empty" else replicate,
        )
        for plate, well, role, formula, replicate in _rows(plates.layout)
    ]


def _dispenses(plates: Planned, increment_ul: float) -> list[store.Dispense]:
    return [
        store.Dispense(
            plate,
            well,
            stock,
            None if np.isnan(concentration) else concentration,
            source_plate,
            source_well,
            ticks,
            increment_ul,
        )
        for plate, stock, concentration, source_plate, source_well, well, ticks, _ in _rows(
            plates.dispenses
        )
    ]


def _kind_of(labels: Sequence[object]) -> str:
    """Return what the labels, stored as text, are to be read back as."""
    for kind, types in (("int", (int, np.integer)), ("float", (float, np.floating))):
        if all(isinstance(label, types) and not isinstance(label, bool) for label in labels):
            return kind
    return "text"


def _rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame.itertuples(index=False, name=None))


def _formula_in(
    role: str, formula: object, ids: Sequence[int], of_control: Mapping[str, int]
) -> int | None:
    if role == "empty":
        return None
    return of_control[str(formula)] if role == "control" else ids[int(str(formula))]


def control_amounts(proposed: Proposed) -> dict[str, list[object]]:
    """Return control → its achieved amounts, in the components' order."""
    recipes = proposed.plates.recipes
    of_controls = recipes[recipes["formula"].map(lambda f: isinstance(f, str))]
    return {
        str(name): list(recipe["achieved"])
        for name, recipe in of_controls.groupby("formula", sort=False)
    }


def _control_formulas(writing: Writing, proposed: Proposed, names: Sequence[str]) -> dict[str, int]:
    """Return control → formula id; a control keeps its id while its achieved amounts stay."""
    wanted = control_amounts(proposed)
    known = store.named_formulas(writing.store)
    formulas = store.campaign_formulas(writing.store, names)
    amounts = dict(zip(formulas.ids, formulas.rows, strict=True))
    ids = {
        name: known[name]
        for name, row in wanted.items()
        if name in known and [a or 0.0 for a in amounts[known[name]]] == [a or 0.0 for a in row]
    }
    new = [name for name in wanted if name not in ids]
    added = store.add_formulas(writing, names, [wanted[name] for name in new], names=new)
    return ids | dict(zip(new, added, strict=True))


def _predictions(
    learned: Learned, concentrations: Floats, ids: Sequence[int]
) -> list[store.Prediction]:
    if learned.surrogate is None:
        return []
    mean, sd, _ = learned.moments(concentrations)
    return [
        store.Prediction(formula, name, float(mean[k, j]), float(sd[k, j]))
        for k, formula in enumerate(ids)
        for j, name in enumerate(learned.definition.response_names)
    ]
