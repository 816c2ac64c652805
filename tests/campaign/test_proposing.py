"""Which formulas a round has, and that the same question gets the same answer."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign, store
from labloop.errors import RefusedError, RejectedError
from labloop.proposal import batch

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

NEAR = 0.02


def distances(lab, some, others):
    """Return the largest difference in any component, in shares of the range."""
    one, other = (frame[lab.names].to_numpy(float) / 10 for frame in (some, others))
    return np.abs(one[:, None] - other[None]).max(axis=2)


def frames(shown):
    return [shown.formulas, shown.controls, shown.layout, shown.dispenses]


def same(one, other):
    try:
        for mine, yours in zip(frames(one), frames(other), strict=True):
            pd.testing.assert_frame_equal(mine, yours, check_exact=True)
    except AssertionError:
        return False
    return one.notes == other.notes


def test_the_same_seed_gives_the_same_plate_on_copies_byte_for_byte(recorded, tmp_path):
    recorded.close()
    plates, files = [], []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        folder = shutil.copytree(recorded.folder, tmp_path / name / "small")
        with Campaign.open(folder) as copy:
            plates.append(copy.propose(seed=seed))
            paths = copy.export("biomek", tmp_path / name / "out")
            files.append({path.name: path.read_bytes() for path in paths})
    assert same(plates[0], plates[1])
    assert files[0] == files[1]
    assert files[0].keys() == files[2].keys()
    assert not same(plates[0], plates[2])
    assert files[0] != files[2]


@pytest.mark.slow
def test_the_plate_does_not_depend_on_what_was_looked_at_before(recorded, lab, tmp_path):
    recorded.close()
    folder = shutil.copytree(recorded.folder, tmp_path / "copy" / "small")
    with Campaign.open(folder) as copy:
        expected = copy.propose(seed=5)
    with Campaign.open(recorded.folder) as campaign:
        campaign.best()
        campaign.check()
        campaign.predict(lab.history(3))
        campaign.propose(seed=9, dry_run=True)
        assert same(campaign.propose(seed=5), expected)


@pytest.mark.slow
def test_a_cluster_chooses_the_same_plate(recorded):
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    here = recorded.propose(seed=5, dry_run=True)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=60,
    ) as local:
        there = recorded.propose(seed=5, dry_run=True, cluster=local.scheduler_address)
    assert same(here, there)


def test_without_a_seed_the_rounds_number_is_the_seed(fresh):
    fresh.propose(seed=9)
    default = fresh.propose(dry_run=True)
    assert default.seed == 2
    assert same(default, fresh.propose(seed=2))


@pytest.mark.slow
def test_a_rehearsal_returns_the_round_and_stores_nothing(recorded, lab):
    before = lab.log(recorded)
    shown = recorded.propose(seed=5, dry_run=True)
    assert (shown.number, len(shown.formulas)) == (2, 6)
    assert lab.log(recorded) == before
    assert len(recorded.rounds()) == 1
    assert same(recorded.propose(seed=5), shown)


def test_without_anything_known_the_plate_fills_the_space(fresh, lab):
    shown = fresh.propose(seed=1)
    assert shown.formulas["origin"].tolist() == ["latin_hypercube"] * 6
    assert shown.formulas[["titre_mean", "titre_sd", "acquisition"]].isna().all(axis=None)
    assert shown.notes[1] == "Nothing was measured yet: the plate fills the space evenly."
    quantiles = np.sort(shown.formulas[lab.names].to_numpy(float) / 10, axis=0)
    assert (np.floor(quantiles * 6 - 1e-9).clip(0) == np.arange(6)[:, None]).mean() > 0.8


def test_the_first_plate_follows_the_history_in_part(proposed):
    origins = proposed.round(1).formulas["origin"]
    assert 1 <= (origins == "latin_hypercube").sum() < len(origins)
    assert proposed.round(1).formulas["titre_mean"].notna().all()
    stored = store.read_round(proposed.store, 1)
    model = store.latest_model(proposed.store, "pretrained")
    assert model is not None
    assert (stored.model, stored.known_event) == (model.id, 3)


def test_a_round_knows_the_rows_it_rests_on(recorded):
    shown = recorded.propose(seed=2)
    assert shown.notes[1] == (
        "Predictions rest on 7 measured formulas of this campaign and 70 of the history."
    )


def test_pending_and_measured_formulas_do_not_come_again(recorded, lab):
    plates = [recorded.round(1)]
    plates += [recorded.propose(seed=seed) for seed in (1, 1)]
    every = pd.concat([plate.formulas for plate in plates])
    apart = distances(lab, every, every)
    assert (apart[~np.eye(len(every), dtype=bool)] >= NEAR).all()
    controls = distances(lab, every, recorded.round(1).controls)
    assert (controls >= NEAR).all()


def test_what_waits_in_a_round_that_is_recorded_in_part_does_not_come_again(proposed, lab):
    shown = proposed.round(1)
    first = shown.layout.loc[shown.layout["formula"] == shown.formulas.index[0], "well"]
    results = lab.results(proposed, 1)
    proposed.record(results[results["well"].isin(first)])
    again = proposed.propose(
        formulas=1, seed=1, candidates=shown.formulas[lab.names].assign(zinc=[5.0, *[10.0] * 5])
    )
    assert len(again.formulas) == 1
    with pytest.raises(RefusedError, match=r"^Only 0 of 1 formulas are new"):
        proposed.propose(formulas=1, seed=1, candidates=shown.formulas[lab.names])


def test_an_abandoned_plate_was_never_made_and_may_come_again(proposed, lab):
    formulas = proposed.round(1).formulas[lab.names]
    proposed.abandon(1)
    again = proposed.propose(seed=1, candidates=formulas)
    assert sorted(again.formulas["candidate"]) == formulas.index.tolist()


def test_formulas_stay_in_their_range_and_are_those_that_are_dispensed(recorded, lab):
    shown = recorded.propose(seed=2)
    amounts = shown.formulas[lab.names].to_numpy(float)
    assert (amounts >= 0).all()
    assert (amounts <= 10).all()
    levels = recorded.space.nearest(amounts)
    assert (recorded.space.concentrations(levels) == amounts).all()


def test_adopted_rows_count(fresh, lab):
    mine = lab.history(25, seed=4)
    fresh.record(mine)
    shown = fresh.propose(seed=1)
    assert shown.notes[1] == "Predictions rest on 25 measured formulas of this campaign."
    assert (distances(lab, shown.formulas, mine) >= NEAR).all()
    assert shown.formulas["acquisition"].notna().sum() >= 5
    assert shown.formulas["titre_mean"].max() > mine["titre"].median()


def test_one_formula_alone_promises_nothing(fresh, lab):
    fresh.record(lab.history(1, seed=4))
    shown = fresh.propose(seed=1)
    assert shown.notes[1] == "Predictions rest on 1 measured formula of this campaign."
    assert shown.prospects is None


# -- the user's own candidates ------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [[f"blend {k}" for k in range(12)], list(range(100, 112)), [k / 4 for k in range(12)]],
    ids=["text", "int", "float"],
)
def test_the_users_candidates_are_the_only_ones(recorded, lab, labels):
    listed = lab.history(12, seed=6).set_axis(labels, axis=0)
    shown = recorded.propose(formulas=4, seed=1, candidates=listed[lab.names])
    chosen = shown.formulas["candidate"].tolist()
    assert len(set(chosen)) == 4
    assert set(chosen) <= set(labels)
    assert {type(label) for label in chosen} == {type(labels[0])}
    assert shown.formulas["origin"].tolist() == ["candidate_list"] * 4
    wanted = listed.loc[chosen, lab.names].to_numpy()
    assert shown.formulas[lab.names].to_numpy(float) == pytest.approx(wanted, abs=0.2)
    again = recorded.round(2).formulas["candidate"]
    pd.testing.assert_series_equal(again, shown.formulas["candidate"])


def test_candidates_of_a_file_are_named_by_their_rows(recorded, lab, tmp_path):
    path = tmp_path / "blends.csv"
    lab.history(8, seed=6)[lab.names].to_csv(path, index=False)
    shown = recorded.propose(formulas=8, seed=1, candidates=path)
    assert sorted(shown.formulas["candidate"]) == list(range(2, 10))


def test_candidates_run_out(recorded, lab):
    listed = lab.history(6, seed=6)[lab.names]
    recorded.propose(formulas=4, seed=1, candidates=listed)
    before = lab.log(recorded)
    with pytest.raises(RefusedError) as error:
        recorded.propose(formulas=3, seed=2, candidates=listed)
    assert str(error.value) == (
        "Only 2 of 3 formulas are new; ask for fewer with --formulas, or widen the candidates."
    )
    assert lab.log(recorded) == before
    recorded.propose(formulas=2, seed=2, candidates=listed)
    with pytest.raises(RefusedError, match=r"^Only 0 of 1 formulas are new"):
        recorded.propose(formulas=1, seed=2, candidates=listed)


def test_wishes_that_leave_too_few_formulas_are_named(tmp_path, lab):
    few = [
        {"name": "glucose", "unit": "mM", "high": 1.0},
        {"name": "zinc", "unit": "mM", "levels": [0, 1]},
    ]
    definition = lab.definition(
        component=few, proposal={"shared": ["glucose"]}, plate={}, formulas={}
    )
    campaign = Campaign.create(tmp_path / "few", definition)
    with campaign, pytest.raises(RefusedError) as error:
        campaign.propose(formulas=3)
    assert str(error.value) == (
        "Only 2 of 3 formulas are new; ask for fewer with --formulas, or ease shared and "
        "most_stocks under [proposal]."
    )


def test_candidates_out_of_range_or_against_a_constraint(tmp_path, lab):
    limit = [{"total": {"glucose": 1.0, "zinc": 1.0}, "at_most": 12.0}]
    listed = pd.DataFrame([[1, 1, 1, 1], [8, 0, 0, 8], [1, 1, 30, 1]], columns=lab.names)
    listed.index = pd.Index(["fine", "rich", "rusty"])
    with Campaign.create(tmp_path / "limited", lab.definition(constraint=limit)) as campaign:
        with pytest.raises(RejectedError) as error:
            campaign.propose(formulas=1, candidates=listed)
        assert str(error.value) == (
            "2 of 3 candidates were rejected; nothing was changed:\n"
            "  - candidate rich: it breaks glucose + zinc ≤ 12; leave it out or change it\n"
            "  - candidate rusty: its iron is out of reach of the range, the levels or the stocks; "
            "leave it out or change it"
        )
        assert campaign.propose(formulas=1, candidates=listed.head(1)).number == 1


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -3, 4097])
def test_a_round_has_a_size(fresh, lab, count):
    before = lab.log(fresh)
    with pytest.raises(RefusedError) as error:
        fresh.propose(formulas=count)
    assert str(error.value) == f"A round has 1 to 4096 formulas (got {count})."
    assert lab.log(fresh) == before


def test_history_has_to_be_learned_first(fresh, lab):
    fresh.add_history(lab.history(20), source="CHO-S")
    before = lab.log(fresh)
    for call in (fresh.propose, lambda: fresh.predict(lab.history(2))):
        with pytest.raises(RefusedError) as error:
            call()
        assert str(error.value) == (
            "The history has not been learned; run `labloop pretrain` first."
        )
    assert lab.log(fresh) == before


def test_history_that_grew_has_to_be_learned_again(pretrained, lab):
    pretrained.add_history(lab.history(20, seed=7), source="HEK")
    with pytest.raises(RefusedError) as error:
        pretrained.propose()
    assert str(error.value) == (
        "The history has grown since it was learned; run `labloop pretrain` first."
    )


def test_nothing_to_pretrain_on(fresh, lab):
    before = lab.log(fresh)
    with pytest.raises(RefusedError) as error:
        fresh.pretrain()
    assert str(error.value) == (
        "There is no history to learn from; import earlier results with `labloop history`, or go "
        "straight to `labloop propose`."
    )
    with pytest.raises(RefusedError) as error:
        fresh.pretrain(folds=1)
    assert str(error.value) == "Cross-validation takes 2 folds or more, or 0 for none (got 1)."
    assert lab.log(fresh) == before


def test_more_formulas_than_a_plate_holds_take_several(fresh):
    shown = fresh.propose(formulas=60, seed=1)
    assert sorted(set(shown.layout["plate"])) == [1, 2]
    controls = shown.layout[shown.layout["role"] == "control"]
    assert controls.groupby("plate").size().to_dict() == {1: 2, 2: 2}


def test_a_plate_all_out_of_range_is_learned_from_and_improved_on(proposed, lab):
    results = lab.results(proposed, 1).assign(titre="<0.5")
    proposed.record(results)
    known = proposed.round(1).formulas[lab.names]
    assert len(proposed.propose(seed=2).formulas) == 6
    predicted = proposed.predict(known)
    assert np.isfinite(predicted.to_numpy()).all()
    assert predicted["titre_mean"].mean() < 1.0
    assert proposed.best().empty


def test_formulas_whose_titre_is_to_come_are_pending_though_they_are_learned_from(
    proposed, lab, monkeypatch
):
    seen = []
    choose = batch.choose

    def looked_at(space, surrogate, goals, known, *rest):
        seen.append((len(known.pending), len(known.measured)))
        return choose(space, surrogate, goals, known, *rest)

    monkeypatch.setattr(batch, "choose", looked_at)
    results = lab.results(proposed, 1)
    proposed.propose(seed=2, dry_run=True)
    proposed.record(results.drop(columns="titre"))
    proposed.propose(seed=2, dry_run=True)
    proposed.record(results.drop(columns="viability"), round=1)
    proposed.propose(seed=2, dry_run=True)
    # six formulas and the control; the control is never pending once anything is known of it
    assert seen == [(7, 0), (6, 7), (0, 7)]
