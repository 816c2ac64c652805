from __future__ import annotations

import json

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.campaign.left_out import MOST_STORED, of_stored, stored


def predictions(formulas: int, responses: int) -> pd.DataFrame:
    rng = np.random.default_rng(formulas)
    names = [f"r{j}" for j in range(responses)]
    count = formulas * responses
    return pd.DataFrame(
        {
            "source": np.tile(np.where(np.arange(formulas) % 3, "CHO", "HEK"), responses),
            "formula": np.tile(np.arange(1, formulas + 1), responses),
            "response": np.repeat(names, formulas),
            "measured": rng.normal(5.0, 2.0, count).round(3),
            "predicted": rng.normal(5.0, 2.0, count).round(3),
        }
    )


@given(formulas=st.integers(1, 30), responses=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_what_is_stored_reads_back(formulas, responses):
    frame = predictions(formulas, responses)
    kept = json.loads(json.dumps({"left_out": stored(frame)}))
    read, of = of_stored(kept)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert of == formulas


def test_of_many_formulas_the_same_choice_is_kept_whole():
    frame = predictions(MOST_STORED + 500, 4)
    kept = stored(frame)
    read, of = of_stored({"left_out": kept})
    assert of == MOST_STORED + 500
    assert read["formula"].nunique() == MOST_STORED
    assert (read.groupby("formula").size() == 4).all()
    assert stored(frame) == kept
    assert len(json.dumps(kept)) < 150_000


def test_a_model_of_before_has_none():
    read, of = of_stored({"scores": []})
    assert (len(read), of) == (0, 0)
    assert stored(pd.DataFrame()) is None
    assert len(of_stored({"left_out": None})[0]) == 0
