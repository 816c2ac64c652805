from __future__ import annotations

import numpy as np
import pytest
import torch

from labloop.errors import RefusedError
from labloop.surrogate import pretraining
from labloop.surrogate.pretraining import pretrain
from labloop.surrogate.training import Recipe
from labloop.surrogate.validation import cross_validate

QUICK = Recipe(epochs=2)


def test_same_arguments_same_blob(lines):
    arguments = {"layers": 3, "members": 2, "recipe": QUICK, "seed": 4}
    one = pretrain(lines.X, lines.Y, lines.source, **arguments)
    two = pretrain(lines.X, lines.Y, lines.source, **arguments)
    assert one.to_blob() == two.to_blob()


def test_sources_at_other_levels_teach_the_same(lines):
    arguments = {"layers": 3, "members": 2, "recipe": QUICK}
    shifted = np.where(lines.source[:, None] == 1, lines.Y / 1000.0 - 5.0, lines.Y)
    one = pretrain(lines.X, lines.Y, lines.source, **arguments).network
    two = pretrain(lines.X, shifted, lines.source, **arguments).network
    assert torch.allclose(one.head, two.head, atol=1e-3)


def test_empty_history_is_refused():
    with pytest.raises(RefusedError) as caught:
        pretrain(np.ones((2, 3)), np.full((2, 1), np.nan), np.zeros(2, int))
    assert str(caught.value) == (
        "The history has no measured response; import results to pretrain on."
    )


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_any_number_of_rows_gives_finite_predictions(lines, rows):
    net = pretrain(
        lines.X[:rows], lines.Y[:rows], lines.source[:rows], layers=3, members=2, recipe=QUICK
    )
    for array in net.predict(lines.own_x):
        assert np.isfinite(array).all()


def test_ranking_names_every_component_once(pretrained):
    ranking = pretrained.ranking()
    assert sorted(ranking.index) == list(range(6))
    assert not ranking.loc[5, "kept"]  # it never varies


def test_limits_are_learned_from_and_left_out_of_the_scores(lines):
    censored = np.zeros(lines.Y.shape, dtype=int)
    censored[::3] = -1
    settings = {"layers": 3, "members": 2, "recipe": QUICK, "censored": censored}
    nets = pretrain(lines.X, lines.Y, lines.source, **settings)
    without = pretrain(lines.X, lines.Y, lines.source, layers=3, members=2, recipe=QUICK)
    assert not torch.equal(nets.network.head, without.network.head)
    validation = cross_validate(lines.X, lines.Y, lines.source, folds=3, **settings)
    measured = ~np.isnan(np.where(censored == 0, lines.Y, np.nan))
    assert validation.scores["rows"].tolist() == measured.sum(axis=0).tolist()
    assert np.isfinite(validation.predicted).all()


def test_features_of_a_long_history_are_standardised_over_all_of_it(monkeypatch):
    monkeypatch.setattr(pretraining, "FEATURE_ROWS", 20)
    X = np.repeat([[0.2], [0.8]], 100, axis=0)  # by source: a source's first rows say nothing
    nets = pretrain(X, X, np.repeat([0, 1], 100), layers=3, members=2, recipe=QUICK)
    assert (nets.feature_scale > 1e-3).any()
