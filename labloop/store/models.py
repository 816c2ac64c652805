"""Trained models as weights and JSON metadata; what is in them is the surrogate's business."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labloop.store.database import Store, Writing
from labloop.store.events import to_json
from labloop.store.values import NOW, whole


@dataclass(frozen=True)
class Model:
    """A trained model; `weights` is safetensors, `known_event` the last that it was trained on."""

    id: int
    kind: str
    weights: bytes
    metadata: dict[str, Any]
    known_event: int
    event: int


def add_model(
    writing: Writing, kind: str, weights: bytes, metadata: Mapping[str, Any], *, known_event: int
) -> int:
    """Store a model and return its id; `known_event` is the last event that it was trained on."""
    writing.detail["model"] = kind
    row = (kind, weights, to_json(metadata), whole(known_event, "known_event"), writing.event)
    return writing.insert_numbered("model", "kind, weights, metadata, known_event, event", [row])[0]


def latest_model(store: Store, kind: str, *, up_to: int = NOW) -> Model | None:
    """Return the newest model of a kind that was there after the event `up_to`."""
    return _read(store, "kind = ? AND event <= ? ORDER BY id DESC LIMIT 1", (kind, up_to))


def model_by_id(store: Store, model: int) -> Model | None:
    """Return the model that a round (its `model`) was proposed with; None if it is gone."""
    return _read(store, "id = ?", (model,))


def _read(store: Store, where: str, parameters: tuple[object, ...]) -> Model | None:
    rows = store.rows(
        f"SELECT id, kind, weights, metadata, known_event, event FROM model WHERE {where}",
        parameters,
    )
    if not rows:
        return None
    number, kind, weights, metadata, known_event, event = rows[0]
    known = json.loads(metadata)
    # whoever has the file can write other JSON there: that is of no campaign's subject
    known = known if isinstance(known, dict) else {}
    return Model(number, kind, weights, known, known_event, event)
