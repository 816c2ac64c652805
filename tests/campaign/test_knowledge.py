"""What the store knows as arrays, and the scale on which the surrogate sees it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop.campaign.knowledge import Scale, as_amounts, as_concentrations, history, own
from labloop.definition import Component, Response

PLAIN = Response(name="viability")
LOG = Response(name="titre", transform="log")
NUTRIENT = Component(name="glucose", unit="mM", high=10.0)
PROTEIN = Component(name="protein", choices=("soy", "wheat"))


def test_own_formulas_are_one_observation_each(recorded, lab):
    seen = own(recorded.store, recorded.definition)
    results = lab.results(recorded, 1)
    layout = recorded.round(1).layout.merge(results, on=["plate", "well"])
    assert len(seen) == 7
    assert (seen.source == -1).all()
    assert (seen.wells == 2).all()
    by_formula = layout.groupby(layout["formula"].astype(str))[lab.responses].mean()
    shown = recorded.round(1).formulas.index.astype(str)
    means = dict(zip(seen.ids.astype(str), seen.means, strict=True))
    for formula in shown:
        assert means[formula] == pytest.approx(by_formula.loc[formula].to_numpy())
    assert np.isfinite(seen.standard_errors).all()


@pytest.mark.parametrize(
    ("failed", "least", "most"),
    [("<1.0", 0.0, 3.0), (">9.0", 7.0, 10.0), ("<LOD", None, None)],
    ids=["below", "above", "LOD"],
)
def test_a_replicate_out_of_range_counts_for_more_than_its_limit(fresh, lab, failed, least, most):
    table = lab.history(1).drop(columns=lab.responses)
    table = table.loc[[0, 0]].assign(titre=pd.Series([5.0, failed], dtype=object).to_numpy())
    fresh.record(table.reset_index(drop=True))
    seen = own(fresh.store, fresh.definition)
    if least is None:
        assert len(seen) == 0
    else:
        assert least < seen.means[0, 0] < most  # 3 and 7 are the means with the limits as values
        assert seen.wells[0, 0] == 2


@pytest.mark.parametrize(
    ("wells", "limit", "side"),
    [
        (["<1.0", "<3.0"], 2.0, -1),
        ([">9.0"], 9.0, 1),
        (["<1.0", "<LOD"], None, 0),
        (["<1.0", ">9.0"], None, 0),
    ],
    ids=["below", "above", "a limit unknown", "both sides"],
)
def test_a_formula_out_of_range_is_known_by_its_limit(fresh, lab, wells, limit, side):
    table = lab.history(3, seed=2).drop(columns=lab.responses)
    rows = [0] * len(wells) + [1, 1, 2, 2]
    titre = pd.Series([*wells, 5.0, 6.0, 2.0, 3.0], dtype=object).to_numpy()
    fresh.record(table.loc[rows].assign(titre=titre).reset_index(drop=True))
    seen = own(fresh.store, fresh.definition)
    assert len(seen) == (3 if limit else 2)
    out = seen.censored[:, 0] != 0
    assert out.sum() == (1 if limit else 0)
    assert (seen.censored[:, 1:] == 0).all()
    assert np.isfinite(seen.measured[~out, 0]).all()
    if limit:
        assert seen.means[out, 0].tolist() == [limit]
        assert seen.censored[out, 0].tolist() == [side]
        assert seen.wells[out, 0].tolist() == [len(wells)]
        assert np.isnan(seen.measured[out, 0]).all()
        # As precise as as many measured wells: both formulas in range have two.
        usual = seen.standard_errors[~out, 0][0] * np.sqrt(2 / len(wells))
        assert seen.standard_errors[out, 0] == pytest.approx(usual)


def test_history_is_known_by_its_source_and_as_of_an_event(recorded, lab):
    definition = recorded.definition
    recorded.add_history(lab.history(5, seed=4), source="HEK")
    seen = history(recorded.store, definition)
    assert np.bincount(seen.source).tolist() == [70, 5]
    assert seen.concentrations[:70] == pytest.approx(lab.history()[lab.names].to_numpy())
    assert len(history(recorded.store, definition, 2)) == 70
    assert len(history(recorded.store, definition, 1)) == 0
    assert len(own(recorded.store, definition, 4)) == 0


def test_choices_are_numbers_and_none_of_them_is_no_choice():
    rows = [[1.5, "wheat"], [None, "soy"], [0.0, None], [2.0, "maize"]]
    matrix = as_concentrations(rows, [NUTRIENT, PROTEIN])
    assert matrix.tolist() == [[1.5, 1.0], [0.0, 0.0], [0.0, -1.0], [2.0, -1.0]]
    assert as_amounts(matrix[:2], [NUTRIENT, PROTEIN]) == [[1.5, "wheat"], [0.0, "soy"]]


def test_a_logarithm_takes_what_is_not_above_zero_for_half_the_smallest():
    means = np.array([[4.0, -2.0], [0.0, 0.0], [np.nan, np.nan], [0.5, 1.0]])
    scale = Scale.of([LOG, PLAIN], means)
    model, variance = scale.to_model(means, np.full((4, 2), 0.1))
    assert model[:, 0] == pytest.approx(np.log([4.0, 0.25, np.nan, 0.5]), nan_ok=True)
    assert model[:, 1] == pytest.approx(means[:, 1], nan_ok=True)
    assert variance[:, 1] == pytest.approx(0.01)
    assert variance[[0, 1, 3], 0] == pytest.approx([0.025**2, 0.4**2, 0.2**2])


def test_logarithms_come_back_as_median_and_half_of_the_central_68_percent():
    scale = Scale.of([LOG, PLAIN], np.ones((1, 2)))
    mean, variance = np.array([[0.3, 0.3]]), np.array([[0.2, 0.2]])
    natural, sd = scale.to_natural(mean, variance)
    draws = np.random.default_rng(0).normal(0.3, np.sqrt(0.2), 400_000)
    low, high = np.quantile(np.exp(draws), [0.15866, 0.84134])
    assert natural[0] == pytest.approx([np.median(np.exp(draws)), 0.3], rel=0.01)
    assert sd[0] == pytest.approx([(high - low) / 2, np.sqrt(0.2)], rel=0.01)
    assert scale.medians(mean)[0] == pytest.approx([np.exp(0.3), 0.3])


def test_a_scale_of_nothing_measured_is_harmless():
    scale = Scale.of([LOG, PLAIN], np.empty((0, 2)))
    model, variance = scale.to_model(np.empty((0, 2)), np.empty((0, 2)))
    assert model.shape == variance.shape == (0, 2)
