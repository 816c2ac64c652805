"""What the pictures of a campaign's way show, gathered from the store without the surrogate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labloop import store
from labloop.campaign.explaining import Explanation
from labloop.campaign.knowledge import as_concentrations
from labloop.campaign.left_out import of_stored
from labloop.campaign.subject import PRETRAINED
from labloop.definition import Definition
from labloop.report.journey import Journey
from labloop.space import FormulaSpace
from labloop.store import Store

MOST_HISTORY = 3000
"""Formulas of the history that a map shows."""


def journey_of(opened: Store, definition: Definition, number: int) -> Journey:
    """Return what `labloop.report.journey.journey_pictures` shows of a round.

    Quick: torch is not imported, and no measurement is read.

    Args:
        opened: The campaign's store.
        definition: The definition that the round was proposed with; see `rounds.definition_of`.
        number: The round.
    """
    stored = store.read_round(opened, number)
    own = store.campaign_formulas(opened, definition.component_names)
    past = _some(store.history_formulas(opened, definition.component_names))
    metadata = _metadata(opened, stored.model)
    left_out, of = of_stored(metadata)
    return Journey(
        amounts=_amounts(own, definition),
        choices={c.name: tuple(c.choices) for c in definition.components if c.choices},
        encoded=_encoded(own, past, definition),
        sources=pd.Series(past.sources, index=past.ids, dtype=object),
        importance=Explanation.of_stored(stored.settings).importance,
        trust=_trust(opened),
        scores=_scores(metadata),
        left_out=left_out,
        left_out_of=of,
    )


def history_learned(opened: Store) -> Journey:
    """Return of a journey how well the history was learned last: its `scores` and `left_out`."""
    model = store.latest_model(opened, PRETRAINED)
    metadata = {} if model is None else model.metadata
    left_out, of = of_stored(metadata)
    return Journey(pd.DataFrame(), scores=_scores(metadata), left_out=left_out, left_out_of=of)


def _some(found: store.Formulas) -> store.Formulas:
    """Return at most MOST_HISTORY formulas, always the same ones of the same."""
    kept = np.random.default_rng(0).permutation(len(found.ids))[:MOST_HISTORY]
    kept.sort()
    return store.Formulas(
        ids=[found.ids[k] for k in kept],
        sources=[found.sources[k] for k in kept],
        names=[found.names[k] for k in kept],
        rows=[found.rows[k] for k in kept],
    )


def _amounts(own: store.Formulas, definition: Definition) -> pd.DataFrame:
    """Return amounts by formula; what a formula has none of is zero of it, NaN of a choice."""
    columns = {}
    for j, component in enumerate(definition.components):
        nothing = float("nan") if component.choices else 0.0
        columns[component.name] = [nothing if row[j] is None else row[j] for row in own.rows]
    return pd.DataFrame(columns, index=own.ids)


def _encoded(own: store.Formulas, past: store.Formulas, definition: Definition) -> pd.DataFrame:
    space = FormulaSpace.of(definition)
    concentrations = as_concentrations([*own.rows, *past.rows], definition.components)
    names = [
        name
        for c in definition.components
        for name in ([f"{c.name} = {choice}" for choice in c.choices] if c.choices else [c.name])
    ]
    return pd.DataFrame(
        space.encode_concentrations(concentrations), index=[*own.ids, *past.ids], columns=names
    )


def _trust(opened: Store) -> pd.DataFrame:
    """Return what the rounds said of the history as they were proposed, abandoned ones too."""
    parts = [
        Explanation.of_stored(each.settings).trust.reset_index().assign(round=each.number)
        for each in store.read_rounds(opened)
    ]
    columns = ["round", "response", "b", "b_sd", "history_share", "text"]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _metadata(opened: Store, model: int | None) -> dict[str, object]:
    found = None if model is None else store.model_by_id(opened, model)
    return {} if found is None else found.metadata


def _scores(metadata: dict[str, object]) -> pd.DataFrame:
    records = metadata.get("scores")
    if not isinstance(records, list) or not records:
        return pd.DataFrame()
    return pd.DataFrame(records).set_index("response").astype(float)
