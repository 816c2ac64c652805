from __future__ import annotations

import numpy as np
import pytest

from labloop.store import (
    Counts,
    Model,
    add_model,
    last_event,
    latest_model,
    model_by_id,
    read_counts,
)


def test_the_newest_model_of_a_kind_comes_out_as_it_went_in(store):
    with store.writing("pretrain") as writing:
        add_model(writing, "pretrained", b"old", {}, known_event=1)
    known = last_event(store)
    metadata = {"r2": {"titre": np.float64(0.5)}, "kept": np.array([0, 2])}
    with store.writing("pretrain") as writing:
        add_model(writing, "pretrained", bytes(range(256)), metadata, known_event=known)
        add_model(writing, "noise", b"", {}, known_event=known)
    newest = latest_model(store, "pretrained")
    assert newest == Model(
        2, "pretrained", bytes(range(256)), {"r2": {"titre": 0.5}, "kept": [0, 2]}, 2, 3
    )
    assert model_by_id(store, 2) == newest
    assert latest_model(store, "pretrained", up_to=known).weights == b"old"
    assert latest_model(store, "transferred") is None
    assert model_by_id(store, 9) is None


def test_a_model_without_strict_metadata_is_refused(store):
    with pytest.raises(ValueError, match="JSON compliant"), store.writing("pretrain") as writing:
        add_model(writing, "pretrained", b"", {"r2": float("nan")}, known_event=1)
    assert latest_model(store, "pretrained") is None


def test_counts_of_an_empty_and_of_a_full_campaign(store, steps):
    assert read_counts(store) == Counts({}, 1, 0, {}, None, {}, 1)
    steps.history(store)
    steps.model(store)
    steps.record(store, steps.propose(store))
    steps.propose(store)
    assert read_counts(store) == Counts(
        sources={"CHO-S": (2, 2)},
        own_formulas=6,
        own_measurements=4,
        rounds={"proposed": 1, "recorded": 1},
        last_round=2,
        models={"pretrained": 2},
        last_event=6,
    )
