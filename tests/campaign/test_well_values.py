"""What `Campaign.wells` shows: raw values, statuses with reasons, corrected values."""

from __future__ import annotations

import numpy as np
import pytest

from labloop import Campaign, store
from labloop.errors import RefusedError


def test_every_measured_value_is_shown_as_it_was_recorded(recorded, lab):
    results = lab.results(recorded, 1)
    shown = recorded.wells(1)
    assert len(shown) == len(results) * len(lab.responses)
    for name in lab.responses:
        of = shown[shown["response"] == name].set_index("well")["value"]
        assert of.to_dict() == results.set_index("well")[name].to_dict()
    assert set(shown["status"]) == {"ok"}
    assert shown["reason"].isna().all()
    assert np.isfinite(shown["corrected"]).all()
    assert "commercial" in set(shown["formula"])
    assert recorded.wells().equals(shown)


def test_no_such_round(recorded):
    with pytest.raises(RefusedError, match="there is no round 7"):
        recorded.wells(7)


@pytest.fixture
def two_plates(lab, tmp_path):
    """A campaign whose round stands on two plates, a replicate of each formula on either."""
    plate = lab.definition()["plate"] | {"plates": 2, "replicates": 4}
    proposal = {"formulas": 12, "candidates": 500}
    definition = lab.definition(plate=plate, proposal=proposal)
    with Campaign.create(tmp_path / "two", definition) as campaign:
        campaign.propose(seed=1)
        yield campaign


def read_by(lab, campaign, plate_reads):
    """Return results of round 1 whose second plate reads `plate_reads` times too much."""
    results = lab.results(campaign, 1)
    results.loc[results["plate"] == 2, lab.responses] *= plate_reads
    return results


def error_of(campaign, lab):
    """Return the mean relative error of the formulas' means, against the noiseless truth."""
    best = campaign.best(100)
    truth = lab.measure(best[lab.names].to_numpy())
    found = best[[f"{name}_mean" for name in lab.responses]].to_numpy()
    level = (found / truth).mean(axis=0)  # plates tell no common level
    return float(np.abs(found / truth / level - 1).mean())


def test_a_plate_that_reads_too_much_is_corrected_by_what_both_plates_hold(two_plates, lab):
    results = read_by(lab, two_plates, 1.4)
    half = results[(results["plate"] == 1) | (results.index % 2 == 0)]  # unequal shares of plates
    two_plates.record(half)
    corrected = error_of(two_plates, lab)
    shown = two_plates.wells(1)
    stored = {(m.plate, m.well, m.response): m.value for m in stored_of(two_plates)}
    told = half.set_index(["plate", "well"])
    assert stored == {
        (plate, well, name): told.loc[(plate, well), name]
        for plate, well in told.index
        for name in lab.responses
    }
    ratio = shown.groupby("plate")[["value", "corrected"]].mean()
    assert ratio.loc["2", "value"] / ratio.loc["1", "value"] > 1.25
    definition = lab.definition() | {"noise": {"plates": False}}
    definition |= {"plate": definition["plate"] | {"plates": 2, "replicates": 4}}
    with lab.rewrite(two_plates, definition) as raw:
        assert corrected < 0.5 * error_of(raw, lab)
        untouched = raw.wells(1)
    assert untouched["value"].equals(shown["value"])


def stored_of(campaign):
    return store.campaign_measurements(campaign.store)


def test_a_well_far_from_its_replicates_is_shown_with_the_reason_and_does_not_count(
    two_plates, lab
):
    results = lab.results(two_plates, 1)
    layout = two_plates.round(1).layout
    formula = layout.loc[layout["role"] == "formula", "formula"].iloc[0]
    own = layout[layout["formula"] == formula].iloc[0]
    bad = (results["plate"] == own["plate"]) & (results["well"] == own["well"])
    results.loc[bad, "titre"] *= 3
    two_plates.record(results)
    shown = two_plates.wells(1)
    flagged = shown[shown["status"] == "outlier"]
    assert flagged[["plate", "well", "response"]].to_numpy().tolist() == [
        [str(own["plate"]), own["well"], "titre"]
    ]
    assert flagged["value"].tolist() == results.loc[bad, "titre"].tolist()
    assert flagged["reason"].str.fullmatch(r"outlier: \d+\.\d sd from its replicates").all()
    best = two_plates.best(100)
    assert best.loc[int(formula), "titre_wells"] == 3
    truth = lab.measure(best.loc[[int(formula)], lab.names].to_numpy())[0, 0]
    assert best.loc[int(formula), "titre_mean"] == pytest.approx(truth, rel=0.1)
