"""Campaigns of which only a part is known: no replicates, no values of one response, or of some."""

from __future__ import annotations

import numpy as np
import pytest

from labloop import Campaign

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


@pytest.fixture
def single(lab, tmp_path):
    """A campaign without any replicate: no standard error is known."""
    plate = lab.definition()["plate"] | {"replicates": 1, "controls": {}}
    proposal = {"formulas": 12, "candidates": 500}
    definition = lab.definition(plate=plate, proposal=proposal)
    with Campaign.create(tmp_path / "single", definition) as campaign:
        campaign.propose(seed=1)
        yield campaign


def works(campaign, lab, out):
    """Propose, predict and report; return what is predicted of a few formulas."""
    assert len(campaign.propose(seed=2, dry_run=True).formulas) == 12
    assert campaign.report(out).stat().st_size > 0
    return campaign.predict(lab.history(20, seed=5)[lab.names])


@pytest.mark.slow
def test_without_replicates_the_noise_is_learned_from_the_formulas(single, lab, tmp_path):
    single.record(lab.results(single, 1))
    best = single.best(12)
    assert best["titre_sem"].isna().all()
    assert (best["titre_wells"] == 1).all()
    predicted = works(single, lab, tmp_path / "r.html")
    spread = float(best["titre_mean"].std())
    noise = np.sqrt(predicted["titre_sd"] ** 2 - predicted["titre_sem"] ** 2)
    assert (noise > 0.02 * spread).all()
    assert (noise < 1.5 * spread).all()


def test_a_response_that_is_wholly_pending_leaves_the_others_as_they_are(single, lab, tmp_path):
    single.record(lab.results(single, 1).drop(columns="viability"))
    best = single.best(12)
    assert len(best) == 12
    assert best["viability_mean"].isna().all()
    assert (best["viability_wells"] == 0).all()
    predicted = works(single, lab, tmp_path / "r.html")
    truth = lab.measure(lab.history(20, seed=5)[lab.names].to_numpy())[:, 0]
    assert np.corrcoef(predicted["titre_mean"], truth)[0, 1] > 0.3
    shown = single.wells(1)
    assert set(shown["response"]) == {"titre"}
    assert shown.attrs["plates"] == []


@pytest.mark.slow
def test_formulas_without_one_response_count_for_the_other(single, lab, tmp_path):
    results = lab.results(single, 1)
    results.loc[results.index % 3 == 0, "titre"] = np.nan
    single.record(results)
    best = single.best(12)
    assert len(best) == 8
    assert best["viability_mean"].notna().all()
    works(single, lab, tmp_path / "r.html")
    assert np.isfinite(single.wells(1).query("response == 'viability'")["corrected"]).all()
