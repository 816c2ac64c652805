from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop import store
from labloop.campaign.left_out import of_stored
from labloop.campaign.pretraining import plain_is_ahead
from labloop.campaign.subject import PRETRAINED


def scored(r2: list[float], plain: list[float]) -> pd.DataFrame:
    index = pd.Index([f"r{number}" for number in range(len(r2))], name="response")
    return pd.DataFrame({"r2": r2, "plain_r2": plain}, index=index)


def test_networks_behind_a_forest_are_told_of():
    assert plain_is_ahead(scored([0.41, 0.9, 0.6], [0.77, 0.91, 0.2]), "staged") == (
        "The networks predict r0 no better than a plain random forest (R2 0.41 against 0.77); the "
        "forest among the experts carries this response, and more formulas of history would help "
        "the networks.",
    )


def test_the_patent_has_no_forest_to_carry_a_response():
    assert plain_is_ahead(scored([-0.2], [0.5]), "patent") == (
        "The networks predict r0 no better than a plain random forest (R2 -0.20 against 0.50); "
        'with transfer = "staged" a forest among the experts carries this response, and more '
        "formulas of history would help the networks.",
    )


def test_a_history_that_tells_nothing_of_a_response_is_told_of():
    assert plain_is_ahead(scored([-0.31, 0.1], [-0.08, -0.2]), "staged") == (
        "Neither the networks nor a plain random forest predict r0 from the history (R2 -0.31 and "
        "-0.08); predictions of it will rest on the campaign's own results.",
    )


@pytest.mark.parametrize(
    "scores", [pd.DataFrame(), scored([np.nan], [0.5]).drop(columns="plain_r2")]
)
def test_nothing_is_said_of_what_was_not_compared(scores):
    assert plain_is_ahead(scores, "staged") == ()


def test_what_is_not_defined_is_not_compared():
    assert plain_is_ahead(scored([np.nan, 0.5], [0.5, np.nan]), "staged") == ()


def test_sources_are_scored_by_name(fresh, lab):
    fresh.add_history(lab.history(40), source="CHO-S")
    fresh.add_history(lab.history(30, seed=7), source="HEK")
    report = fresh.pretrain(folds=2)
    table = report.scores_by_source
    assert list(table.columns) == ["source", "response", "r2", "plain_r2", "spearman", "rows"]
    assert table[["source", "response", "rows"]].to_numpy().tolist() == [
        ["CHO-S", "titre", 40], ["CHO-S", "viability", 40],
        ["HEK", "titre", 30], ["HEK", "viability", 30],
    ]  # fmt: skip
    assert (table["spearman"] > 0).all()
    assert report.folds == 2
    kept, of = of_stored(store.latest_model(fresh.store, PRETRAINED).metadata)
    assert of == kept["formula"].nunique() == 70
    pd.testing.assert_frame_equal(kept, report.left_out, check_dtype=False, rtol=1e-5)
    for response, rows in kept.groupby("response"):
        assert len(rows) == report.scores.loc[response, "rows"]
        ranks = [part["measured"].corr(part["predicted"], "spearman") for part in of_source(rows)]
        assert np.average(ranks, weights=[40, 30]) == pytest.approx(
            report.scores.loc[response, "spearman"], abs=1e-6
        )


def of_source(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows[rows["source"] == source] for source in ("CHO-S", "HEK")]


def test_the_ranking_names_components_and_says_how_sure_it_is(fresh, lab):
    fresh.add_history(lab.history(), source="CHO-S")
    report = fresh.pretrain(folds=0)
    assert list(report.ranking.columns) == [
        "information", "information_low", "information_high", "kept", "kept_share",
        *lab.responses,
    ]  # fmt: skip
    assert sorted(report.ranking.index) == lab.names
    assert report.ranking["kept_share"].between(0, 1).all()
    assert (len(report.scores), len(report.scores_by_source), report.warnings) == (0, 0, ())


def test_what_is_stored_survives_json(fresh, lab):
    import json

    frame = lab.history(40)
    frame.loc[:35, "viability"] = np.nan
    fresh.add_history(frame, source="CHO-S")
    fresh.add_history(lab.history(20, seed=3), source="HEK")
    _, metadata = fresh.pretrain(folds=2).stored()
    told = json.loads(json.dumps(metadata, allow_nan=False))
    assert [row["response"] for row in told["scores"]] == lab.responses
    assert told["scores_by_source"][1] == {
        "source": "CHO-S", "response": "viability", "r2": None, "plain_r2": None,
        "spearman": None, "rows": 4,
    }  # fmt: skip
