"""What a round says of the history and of the components, and that it is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop.campaign.explaining import Explanation, importance_sentences
from labloop.errors import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

NUMBERS = ["importance", "low", "high", "rank"]


def importances(values):
    """Return a frame of response → component → importance, each ± 0.1."""
    rows = [
        (response, component, value, max(value - 0.1, 0.0), value + 0.1, rank)
        for response, components in values.items()
        for rank, (component, value) in enumerate(components.items(), start=1)
    ]
    frame = pd.DataFrame(rows, columns=["response", "component", *NUMBERS])
    return frame.set_index(["response", "component"])


@pytest.mark.parametrize(
    ("components", "said"),
    [
        (
            {"glucose": 0.41, "iron": 0.2, "zinc": 0.111, "biotin": 0.1},
            "titre depends most on glucose (0.41, 0.31–0.51), iron (0.20, 0.10–0.30) and "
            "zinc (0.11, 0.01–0.21).",
        ),
        (
            {"glucose": 0.41, "iron": 0.2, "zinc": 0.004},
            "titre depends most on glucose (0.41, 0.31–0.51) and iron (0.20, 0.10–0.30).",
        ),
        (
            {"glucose": 0.9, "iron": 0.0},
            "titre depends most on glucose (0.90, 0.80–1.00).",
        ),
        ({"glucose": 0.0, "iron": 0.0}, "titre is not known to depend on any component."),
    ],
)
def test_the_sentence_names_the_few_that_matter(components, said):
    assert importance_sentences(importances({"titre": components})) == (said,)


def test_each_response_has_its_sentence_in_its_place():
    said = importance_sentences(importances({"z": {"iron": 0.5}, "a": {"zinc": 0.6}}))
    assert [each.partition(" ")[0] for each in said] == ["z", "a"]
    assert importance_sentences(Explanation.of_stored({}).importance) == ()


def test_what_is_stored_comes_back():
    trust = pd.DataFrame(
        {"b": [0.5, np.nan], "weight_own_rows": [0.25, 1.0], "text": ["so", "not so"]},
        index=pd.Index(["titre", "density"], name="response"),
    )
    before = Explanation(trust, importances({"titre": {"iron": 0.5, "zinc": 0.25}}))
    after = Explanation.of_stored(before.stored())
    pd.testing.assert_frame_equal(after.trust, before.trust)
    pd.testing.assert_frame_equal(after.importance, before.importance)
    assert after.sentences == before.sentences
    assert after.sentences[:2] == ("titre: so", "density: not so")


def test_a_round_keeps_the_numbers_behind_its_notes(recorded, lab):
    shown = recorded.propose(seed=2)
    assert shown.trust.index.tolist() == lab.responses
    assert (shown.trust["b_sd_after"] <= shown.trust["b_sd"]).all()
    assert shown.trust["sd_cut"].between(0, 1).all()
    for name, text in shown.trust["text"].items():
        assert f"{name}: {text}" in shown.notes
    part = shown.importance.loc["viability"]
    assert sorted(part.index) == sorted(lab.names)
    assert part["rank"].tolist() == [1, 2, 3, 4]
    assert part["importance"].is_monotonic_decreasing
    assert (part["low"] <= part["importance"]).all()
    assert (part["importance"] <= part["high"]).all()
    assert part.index[0] == "iron"
    assert shown.notes[-2:] == importance_sentences(shown.importance)
    stored = recorded.round(shown.number)
    pd.testing.assert_frame_equal(stored.trust, shown.trust)
    pd.testing.assert_frame_equal(stored.importance, shown.importance)
    now = recorded.importance()  # what was measured is what it was when the round was chosen
    pd.testing.assert_frame_equal(now, shown.importance, rtol=1e-4, atol=1e-6)


def test_among_a_users_candidates_only_what_differs_among_them_matters(recorded, lab):
    listed = lab.history(12, seed=6)[lab.names].assign(iron=5.0)
    shown = recorded.propose(formulas=3, seed=1, candidates=listed)
    iron = shown.importance.xs("iron", level="component")
    assert (iron[["importance", "low", "high"]] == 0).all(axis=None)
    assert (shown.importance["importance"] > 0).any()


def test_before_anything_is_known_there_is_nothing_to_explain(fresh):
    shown = fresh.propose(seed=1)
    assert shown.trust.empty
    assert shown.importance.empty
    assert shown.importance.columns.tolist() == NUMBERS
    with pytest.raises(RefusedError, match=r"^There is nothing to predict from yet"):
        fresh.importance()


def test_pretraining_says_what_the_history_depends_on(fresh, lab):
    fresh.add_history(lab.history()[[*lab.names, "viability"]], source="CHO-S")
    pretraining = fresh.pretrain(folds=0)
    assert pretraining.importance.index.unique("response").tolist() == ["viability"]
    assert pretraining.importance.index[0] == ("viability", "iron")
    assert pretraining.notes == importance_sentences(pretraining.importance)
    assert len(pretraining.notes) == 1
