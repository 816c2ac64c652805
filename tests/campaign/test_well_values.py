"""What `Campaign.wells` shows: raw values, statuses with reasons, corrected values."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from labloop import Campaign, store
from labloop.campaign.measured import seen_wells
from labloop.cli import main
from labloop.errors import RefusedError
from labloop.noise import observe


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


def test_wells_ends_with_what_the_plates_did(two_plates, lab):
    two_plates.record(read_by(lab, two_plates, 1.4))
    folder = str(two_plates.folder)
    two_plates.close()
    shown = CliRunner().invoke(main, ["wells", folder, "--round", "1", "--json"])
    assert shown.exit_code == 0
    rows = json.loads(shown.stdout)
    assert {row["plate"] for row in rows} == {"1", "2"}
    assert list(rows[0]) == [
        "round", "plate", "well", "formula", "response", "value", "status", "reason", "corrected",
    ]  # fmt: skip
    assert re.search(
        r"Plate 2 of round 1 reads titre \S+ ± \S+ % higher and viability \S+ ± \S+ % higher "
        r"than plate 1 of round 1 \(from 1 control and 12 formulas on several plates\); "
        r"corrected\.",
        shown.stderr,
    )


def test_the_labs_own_plates_stand_beside_those_of_rounds_and_history_does_not(recorded, lab):
    table = lab.history(2, seed=9)
    contents = table[lab.names].assign(well=["A1", "B1"])
    recorded.record(table[lab.responses].assign(well=["A1", "B1"]), map=contents, plate="P7")
    every, of_round = recorded.wells(), recorded.wells(1)
    own = every[every["round"].isna()]
    assert own[["plate", "well"]].drop_duplicates().to_numpy().tolist() == [
        ["P7", "A1"],
        ["P7", "B1"],
    ]
    assert own["value"].tolist() == table[lab.responses].to_numpy().reshape(-1).tolist()
    assert len(every) == len(of_round) + 4
    (said,) = every.attrs["plates"]
    assert said.startswith("No formula stands on two plates, so plates could not be compared;")
    assert of_round.attrs["plates"] == [said]


def test_blanks_change_nothing_of_what_formulas_are(two_plates, lab):
    results = read_by(lab, two_plates, 1.4)
    two_plates.record(results)
    seen = seen_wells(two_plates.store, two_plates.definition)
    wells = seen.found.wells
    blank = replace(
        wells,
        values=np.concatenate([wells.values, np.full((30, 2), 1e-3)]),
        statuses=np.concatenate([wells.statuses, np.full((30, 2), "ok", dtype="U11")]),
        limits=np.concatenate([wells.limits, np.full((30, 2), np.nan)]),
        formulas=np.append(wells.formulas, np.full(30, -1)),
        plates=np.append(wells.plates, np.zeros(30, dtype=np.int64)),
        rows=np.append(wells.rows, np.zeros(30, dtype=np.int64)),
        columns=np.append(wells.columns, np.arange(30) % 12),
    )
    again = observe(blank)
    assert again.means == pytest.approx(seen.observed.means, rel=1e-9)
    assert again.corrected[:-30] == pytest.approx(seen.observed.corrected, rel=1e-9)


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


def test_wells_stand_in_the_order_of_the_plate_also_after_a_correction(recorded, lab):
    before = recorded.wells(1)
    places = [(well[0], int(well[1:])) for well in before["well"]]
    assert places == sorted(places)
    assert before["response"].tolist() == lab.responses * (len(before) // 2)
    one = lab.results(recorded, 1).head(1).assign(titre=7.5)
    recorded.record(one, round=1, correct=True)
    assert recorded.wells(1)["well"].tolist() == before["well"].tolist()


def test_what_was_recorded_by_formula_is_shown_with_its_round(proposed):
    formulas = proposed.round(1).formulas.index.tolist()
    results = proposed.round(1).formulas.assign(titre=1.5).rename_axis("formula").reset_index()
    proposed.record(results[["formula", "titre"]])
    assert proposed.wells(1)["round"].tolist() == [1] * len(formulas)
