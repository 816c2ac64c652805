"""Every model answers with a mean and a spread for each row of the pool and response."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.models import MODELS
from benchmarks.problem import Problem
from benchmarks.problems import build

WITHOUT_OWN_ROWS = {"labloop", "patent", "forest+source"}


@pytest.fixture(scope="module")
def problem() -> Problem:
    whole = build("yesno-moderate", 0)
    return replace(
        whole, X_history=whole.X_history[:80], Y_history=whole.Y_history[:80],
        source=whole.source[:80], X_pool=whole.X_pool[:90], Y_pool=whole.Y_pool[:90],
        Y_truth=None, Y_pool_var=np.full((90, 1), 1e-3),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("model", list(MODELS))
def test_models_answer_for_the_whole_pool(problem: Problem, model: str) -> None:
    learn = MODELS[model](problem, 0)
    for size in (0, 24):
        predictions = learn(problem.own_rows(size, 0))
        if size == 0 and model not in WITHOUT_OWN_ROWS:
            assert predictions == []
            continue
        assert predictions[0].model == model
        assert len({each.model for each in predictions}) == len(predictions)
        for each in predictions:
            assert each.mean.shape == each.sd.shape == (90, 1)
            assert np.isfinite(each.mean).all()
            assert (each.sd > 0).all()


@pytest.mark.slow
def test_labloop_comes_with_its_experts_from_one_fit(problem: Problem) -> None:
    predictions = MODELS["labloop"](problem, 0)(problem.own_rows(24, 0))
    assert [each.model for each in predictions][:2] == ["labloop", "expert own_rows"]
    assert [np.isnan(each.seconds) for each in predictions] == [False] + [True] * (
        len(predictions) - 1
    )
