"""The calls that a user's scripts rely on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign
from labloop.definition import parse
from labloop.errors import RefusedError
from labloop.store import read_events, read_proposals

# gpytorch's dependency linear_operator still uses it
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def test_create_takes_a_definition_a_dict_or_a_path(tmp_path, lab):
    path = tmp_path / "like.toml"
    path.write_text(parse(lab.definition()).to_toml(), encoding="utf-8")
    made = []
    for k, definition in enumerate([lab.definition(), parse(lab.definition()), path, str(path)]):
        with Campaign.create(tmp_path / f"campaign-{k}", definition) as campaign:
            made.append(campaign.definition)
            assert sorted(p.name for p in campaign.folder.iterdir()) == [
                "campaign.db",
                "campaign.toml",
            ]
            assert [event.action for event in read_events(campaign.store)] == ["create"]
        with Campaign.open(tmp_path / f"campaign-{k}") as again:
            assert again.definition == made[-1]
    assert made.count(made[0]) == 4


def test_a_folder_with_a_definition_alone_is_a_new_campaign(tmp_path, lab):
    text = parse(lab.definition()).to_toml()
    (tmp_path / "campaign.toml").write_text(text, encoding="utf-8")
    with Campaign.open(tmp_path) as campaign:
        assert campaign.status().counts.last_event == 1


def test_add_history_takes_a_frame_or_a_file(fresh, lab, tmp_path):
    frame = lab.history(10)
    path = tmp_path / "earlier.csv"
    lab.history(5, seed=9).to_csv(path, index=False)
    first = fresh.add_history(frame, source="CHO-S")
    assert (first.source, first.round, first.formulas, first.measurements) == (
        "frame",
        None,
        10,
        20,
    )
    assert fresh.add_history(path, source="HEK").source == "earlier.csv"
    assert fresh.status().counts.sources == {"CHO-S": (10, 20), "HEK": (5, 10)}


def test_replicates_in_a_history_are_one_formula(fresh, lab):
    frame = lab.history(4)
    taken = fresh.add_history(pd.concat([frame, frame.assign(titre=1.0)]), source="CHO-S")
    assert (taken.formulas, taken.measurements) == (4, 16)
    more = fresh.add_history(frame.assign(titre=2.0), source="CHO-S")
    assert (more.formulas, more.measurements) == (0, 8)
    other = fresh.add_history(frame.assign(titre=3.0), source="HEK")
    assert other.formulas == 4


def test_pretrain_scores_each_response_by_cross_validation(fresh, lab):
    fresh.add_history(lab.history(), source="CHO-S")
    stages = []
    report = fresh.pretrain(folds=2, progress=lambda stage, done, total: stages.append(stage))
    assert list(report.scores.columns) == [
        "r2", "plain_r2", "mse", "relative_error", "spearman", "rows",
    ]  # fmt: skip
    assert list(report.scores.index) == lab.responses
    assert report.scores.index.name == "response"
    assert np.isfinite(report.scores.to_numpy()).all()
    assert report.scores.loc["titre", "spearman"] > 0.5
    assert (report.rows, report.sources) == (70, 1)
    assert sorted(report.ranking.index) == lab.names
    assert list(dict.fromkeys(stages)) == ["cross-validating", "pretraining"]


def test_propose_returns_the_round_as_it_is_stored(pretrained, lab):
    shown = pretrained.propose(formulas=4, seed=1)
    predicted = [f"{name}_{kind}" for name in lab.responses for kind in ("mean", "sd")]
    assert list(shown.formulas.columns) == [*lab.names, "origin", *predicted, "acquisition"]
    assert shown.formulas.index.name == "formula"
    assert (shown.number, shown.seed, shown.state, len(shown.formulas)) == (1, 1, "proposed", 4)
    assert np.isfinite(shown.formulas[predicted].to_numpy()).all()
    assert (shown.formulas[["titre_sd", "viability_sd"]].to_numpy() > 0).all()
    assert (shown.formulas["acquisition"] >= 0).all()
    again = pretrained.round(1)
    for part in ("formulas", "controls", "layout", "dispenses"):
        pd.testing.assert_frame_equal(getattr(shown, part), getattr(again, part))
    assert again.notes == shown.notes


def test_the_layout_seats_every_formula_and_control(proposed):
    shown = proposed.round()
    layout = shown.layout
    assert list(layout.columns) == ["plate", "well", "role", "formula", "replicate"]
    assert len(layout) == 96
    seats = layout[layout["role"] == "formula"].groupby("formula")["replicate"].apply(sorted)
    assert seats.to_dict() == {formula: [1, 2] for formula in shown.formulas.index}
    controls = layout[layout["role"] == "control"]
    assert controls["formula"].tolist() == ["commercial", "commercial"]
    empty = layout[layout["role"] == "empty"]
    assert "A1" in set(empty["well"])
    assert empty["formula"].isna().all()


def test_the_dispenses_make_the_formulas_that_are_shown(proposed, lab):
    shown = proposed.round()
    dispenses = shown.dispenses
    assert list(dispenses.columns) == [
        "plate",
        "stock",
        "stock_concentration",
        "source_plate",
        "source_well",
        "well",
        "ticks",
        "volume_ul",
    ]
    poured = dispenses.groupby("well")["volume_ul"].sum()
    assert poured.to_numpy() == pytest.approx(np.full(14, 180.0))
    amount = dispenses["volume_ul"] * dispenses["stock_concentration"] / 200.0
    amount = dispenses.assign(amount=amount)
    made = amount.pivot_table("amount", "well", "stock", aggfunc="sum", fill_value=0.0)
    filled = shown.layout[shown.layout["role"] != "empty"].set_index("well")
    wanted = pd.concat([shown.formulas[lab.names], shown.controls]).loc[filled["formula"]]
    assert made.loc[filled.index, lab.names].to_numpy() == pytest.approx(wanted.to_numpy())


def test_a_control_is_shown_by_its_name(proposed):
    controls = proposed.round().controls
    assert controls.index.tolist() == ["commercial"]
    assert controls.loc["commercial"].to_dict() == {
        "glucose": 5.0,
        "glutamine": 0.0,
        "iron": 2.0,
        "zinc": 0.0,
    }


def test_a_bench_sheet_can_be_had_of_any_robots_round(proposed, tmp_path):
    paths = proposed.export("manual", tmp_path / "out", round=1)
    assert [path.name for path in paths[-2:]] == [
        "small-round-1-bench-list.csv",
        "small-round-1-bench-sheet.html",
    ]
    assert "<h1>small, round 1</h1>" in paths[-1].read_text(encoding="utf-8")


def test_export_writes_the_files_and_moves_the_round_on(proposed, tmp_path):
    paths = proposed.export("biomek", tmp_path / "out", round=1)
    assert [path.name for path in paths] == [
        f"small-round-1-{name}"
        for name in (
            "plate-map.csv",
            "plate-grid.csv",
            "plate-map.toml",
            "deck-list.csv",
            "biomek.csv",
            "biomek-deck.csv",
        )
    ]
    assert all(path.is_file() for path in paths)
    assert proposed.round(1).state == "exported"
    contents = [path.read_bytes() for path in paths]
    again = proposed.export("biomek", str(tmp_path / "again"))
    assert [path.read_bytes() for path in again] == contents


def test_record_by_well(proposed, lab):
    taken = proposed.record(lab.results(proposed, 1), round=1)
    assert (taken.round, taken.formulas, taken.measurements) == (1, 0, 28)
    assert (taken.without_value, taken.absent, taken.ignored) == (0, (), ())
    assert proposed.round(1).state == "recorded"
    assert len(proposed.best(20)) == 7


def test_record_by_well_leaves_empty_wells_of_a_reader_alone(proposed, lab):
    results = lab.results(proposed, 1)
    every = proposed.round(1).layout[["plate", "well"]].merge(results, how="left")
    assert len(every) == 96
    taken = proposed.record(every)
    assert (taken.measurements, taken.without_value) == (28, 0)


def test_record_by_formula(proposed, lab):
    shown = proposed.round(1)
    made = pd.concat([shown.formulas[lab.names], shown.controls])
    results = pd.DataFrame({"formula": made.index})
    results[lab.responses] = lab.measure(made)
    taken = proposed.record(results)
    assert (taken.round, taken.measurements, taken.absent) == (1, 14, ())
    best = proposed.best(7)
    assert best["titre_wells"].tolist() == [1] * 7


def test_record_by_composition_adopts_formulas_of_the_labs_own(proposed, lab):
    mine = lab.history(12, seed=5)
    taken = proposed.record(mine)
    assert (taken.round, taken.formulas, taken.measurements) == (None, 12, 24)
    assert proposed.round(1).state == "proposed"
    best = proposed.best(12)
    assert best["round"].isna().all()
    assert best["origin"].isna().all()
    assert best["titre_mean"].tolist() == sorted(mine["titre"], reverse=True)


def test_a_formula_measured_again_by_its_composition_stays_one(recorded, lab):
    shown = recorded.round(1).formulas
    again = shown[lab.names].reset_index(drop=True)
    again[lab.responses] = lab.measure(again)
    taken = recorded.record(again)
    assert (taken.formulas, taken.measurements) == (0, 12)
    shown = recorded.wells()
    left_out = ((shown["response"] == "titre") & (shown["status"] == "outlier")).sum()
    assert recorded.best(20)["titre_wells"].sum() + left_out == 7 * 2 + 6


def test_predict_returns_means_and_both_deviations(recorded, lab):
    frame = lab.history(8, seed=3)[lab.names].set_axis(list("abcdefgh"), axis=0)
    predicted = recorded.predict(frame)
    assert list(predicted.columns) == [
        f"{name}_{kind}" for name in lab.responses for kind in ("mean", "sd", "sem")
    ]
    assert predicted.index.tolist() == list("abcdefgh")
    assert np.isfinite(predicted.to_numpy()).all()
    for name in lab.responses:
        assert (predicted[f"{name}_sem"] > 0).all()
        assert (predicted[f"{name}_sd"] >= predicted[f"{name}_sem"]).all()
    assert predicted["viability_mean"].between(40, 120).all()
    pd.testing.assert_frame_equal(recorded.predict(frame), predicted)


def test_predict_takes_what_labloop_returned_and_files(recorded, lab, tmp_path):
    best = recorded.best(3)
    predicted = recorded.predict(best)
    assert predicted.index.tolist() == best.index.tolist()
    path = tmp_path / "formulas.csv"
    best[lab.names].to_csv(path, index=False)
    of_file = recorded.predict(path)
    assert of_file.index.tolist() == [2, 3, 4]
    assert of_file.to_numpy() == pytest.approx(predicted.to_numpy())
    shown = recorded.round(1).formulas
    assert recorded.predict(shown).index.tolist() == shown.index.tolist()


def test_best_lists_the_best_first_with_their_uncertainty(recorded, lab):
    best = recorded.best(3)
    told = [f"{name}_{kind}" for name in lab.responses for kind in ("mean", "sem", "wells")]
    assert list(best.columns) == [*lab.names, "round", "origin", *told]
    assert best["titre_mean"].is_monotonic_decreasing
    assert (best["titre_sem"] > 0).all()
    assert (best["titre_wells"] == 2).all()
    every = recorded.best(100)
    assert len(every) == 7
    pd.testing.assert_frame_equal(every.head(3), best)
    origin = {p.formula: p.origin for p in read_proposals(recorded.store, 1)}
    mine = every[every["round"].notna()]
    assert mine["origin"].to_dict() == origin
    assert (mine["round"] == 1).all()


def test_best_leaves_out_what_has_no_value_of_the_objective(proposed, lab):
    results = lab.results(proposed, 1)
    results.loc[results["well"] == results["well"][0], "titre"] = np.nan
    proposed.record(results)
    assert np.isfinite(proposed.best(100)["titre_mean"]).all()


def test_best_never_shows_a_limit_as_a_measured_value(proposed, lab):
    results = lab.results(proposed, 1).astype({"titre": object, "viability": object})
    layout = proposed.round(1).layout
    formula = layout.loc[layout["role"] != "empty", "formula"].astype(str)
    best, worst, other = proposed.round(1).formulas.index.astype(str)[:3]
    results.loc[(formula == best).to_numpy(), "titre"] = ">1000"
    results.loc[(formula == worst).to_numpy(), "titre"] = "<2000"
    results.loc[(formula == other).to_numpy(), "viability"] = ">90"
    proposed.record(results)
    shown = proposed.best(100).set_axis(proposed.best(100).index.astype(str), axis=0)
    assert shown.index[0] == best
    assert worst not in shown.index
    assert np.isnan(shown.loc[best, "titre_mean"])
    assert np.isnan(shown.loc[best, "titre_sem"])
    assert shown["titre_limit"].dropna().to_dict() == {best: ">1000"}
    assert shown["viability_limit"].dropna().to_dict() == {other: ">90"}
    assert shown["titre_mean"].drop(best).notna().all()


def test_a_new_campaign_has_nothing_best_and_predicts_nothing(fresh, lab):
    assert fresh.best().empty
    with pytest.raises(RefusedError) as error:
        fresh.predict(lab.history(2))
    assert str(error.value) == (
        "There is nothing to predict from yet; record results with `labloop record`, or import "
        "earlier ones with `labloop history` and learn them with `labloop pretrain`."
    )


def test_backup_is_a_campaign_database_of_its_own(recorded, tmp_path):
    recorded.backup(tmp_path / "copy.db")
    (tmp_path / "other").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "other" / "campaign.db")
    text = (recorded.folder / "campaign.toml").read_text(encoding="utf-8")
    (tmp_path / "other" / "campaign.toml").write_text(text, encoding="utf-8")
    with Campaign.open(tmp_path / "other") as other:
        pd.testing.assert_frame_equal(other.best(), recorded.best())


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_has_a_range(fresh, seed):
    message = rf"^A seed is a whole number from 0 to 4294967295 \(got {seed}\)\.$"
    with pytest.raises(RefusedError, match=message):
        fresh.propose(seed=seed)
    with pytest.raises(RefusedError, match=message):
        fresh.pretrain(seed=seed)
