"""That a round comes out again, whatever happened since, and what is said where it does not."""

from __future__ import annotations

import json
import shutil
import sqlite3

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign, store
from labloop.errors import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def altered(campaign, statement, *parameters):
    """Change what labloop never changes, and open the campaign again."""
    campaign.close()
    connection = sqlite3.connect(campaign.folder / "campaign.db")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()
    return Campaign.open(campaign.folder)


def settings(campaign, number):
    return store.read_round(campaign.store, number).settings


def with_settings(campaign, **changes):
    """Give round 1 other settings; None takes one away."""
    kept = settings(campaign, 1) | changes
    text = json.dumps({key: value for key, value in kept.items() if value is not None})
    return altered(campaign, "UPDATE round SET settings = ? WHERE number = 1", text)


def shelf(seed=0, rows=60):
    X = np.random.default_rng(seed).integers(1, 10, (rows, 4)).astype(float)
    names = ["glucose", "glutamine", "iron", "zinc"]
    return pd.DataFrame(X, columns=names).drop_duplicates(ignore_index=True)


# -- what happens after a round -----------------------------------------------------------------


def record_more(campaign, lab):
    for one in campaign.rounds():
        if one.state in ("proposed", "exported"):
            campaign.record(lab.results(campaign, one.number, seed=one.number))


def record_own(campaign, lab):
    frame = lab.history(5, seed=len(lab.log(campaign)))
    campaign.record(frame)


def correct(campaign, lab):
    del lab
    known = store.campaign_measurements(campaign.store)
    with campaign.store.writing("record") as writing:
        store.add_corrections(
            writing, [store.Correction(m.id, 2 * (m.value or 1.0)) for m in known[:6]]
        )


def exclude(campaign, lab):
    del lab
    known = [m for m in store.campaign_measurements(campaign.store) if m.status == "ok"]
    with campaign.store.writing("exclude") as writing:
        store.add_corrections(
            writing, [store.Correction(m.id, m.value, "excluded", "spilt") for m in known[-4:]]
        )


def more_history(campaign, lab):
    campaign.add_history(lab.history(30, seed=len(lab.log(campaign))), source="CHO-DG44")


def pretrain(campaign, lab):
    del lab
    campaign.pretrain(folds=0, seed=5)


def propose(campaign, lab):
    del lab
    campaign.propose()


def abandon(campaign, lab):
    del lab
    for one in campaign.rounds():
        if one.state in ("proposed", "exported"):
            campaign.abandon(one.number)


def export(campaign, lab):
    del lab
    if campaign.round().state != "abandoned":
        campaign.export("biomek", campaign.folder / "out")


ACTIONS = [record_more, record_own, correct, exclude, more_history, pretrain, propose, abandon,
           export]  # fmt: skip


def edited(definition):
    """Return a campaign.toml with all that may be edited in the middle of a campaign."""
    definition["description"] = "quite another one"
    definition["component"] = [
        *definition["component"],
        {"name": "copper", "unit": "mM", "low": 0.0, "high": 1.0, "stocks": [50.0]},
    ]
    definition["component"][0] |= {"high": 8.0, "stocks": [150.0]}
    definition["robot"] = {"kind": "biomek", "increment_ul": 0.5, "min_dispense_ul": 2.0}
    definition["noise"] = {"plates": False, "positions": False, "outliers": False}
    definition["aliases"] = {"Glc": "glucose"}
    definition["plate"] |= {"replicates": 1, "empty_wells": ["B2"], "controls": {"rich": 3}}
    definition["formulas"] = {"rich": {"glucose": 7.0, "zinc": 1.0}}
    definition["proposal"] |= {"formulas": 9, "candidates": 500}
    definition["response"][0] |= {"goal": "minimize", "transform": "log"}
    definition["surrogate"] |= {"layers": 6}
    return definition


def assert_same(campaign, *numbers):
    for number in numbers:
        replayed = campaign.replay(number)
        assert replayed.same, (number, replayed.sentences)


# -- it comes out the same ----------------------------------------------------------------------


def test_a_round_comes_out_the_same_after_all_that_may_happen_later(recorded, lab):
    recorded.propose(seed=11)
    for action in (correct, record_own, exclude, export, record_more, more_history):
        action(recorded, lab)
    with lab.rewrite(recorded, edited(lab.definition())) as later:
        before = lab.log(later)
        for number in (1, 2):
            replayed = later.replay(number)
            assert replayed.same
            assert replayed.why == ()
            assert len(replayed.formulas) == len(replayed.wells) == len(replayed.predictions) == 0
        assert lab.log(later) == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_round_comes_out_the_same_after_any_later_actions(recorded, lab, seed):
    rng = np.random.default_rng(seed)
    campaign = recorded
    for _ in range(8):
        action = ACTIONS[rng.integers(len(ACTIONS))]
        if action is propose:  # the history must be learned as it is now
            pretrain(campaign, lab)
        action(campaign, lab)
    pretrain(campaign, lab)
    last = campaign.propose(seed=int(rng.integers(1000))).number
    for k in rng.permutation(len(ACTIONS)):
        if ACTIONS[k] is not propose:
            ACTIONS[k](campaign, lab)
    with lab.rewrite(campaign, edited(lab.definition())) as later:
        assert_same(later, *range(1, last + 1))


def test_a_round_from_before_anything_was_measured_comes_out_the_same(fresh, lab):
    fresh.propose(formulas=4)
    record_more(fresh, lab)
    fresh.propose(formulas=3)
    assert_same(fresh, 1, 2)
    replayed = fresh.replay(1)
    assert replayed.counts == {
        "formulas": 4,
        "wells": 10,
        "dispenses": len(fresh.round(1).dispenses),
    }
    assert replayed.sentences == (
        f"Round 1 comes out the same: 4 formulas, 10 wells, "
        f"{len(fresh.round(1).dispenses):,} dispenses.",
    )


def test_a_waiting_round_that_was_given_up_later_still_counts_as_on_its_way(fresh):
    fresh.propose(formulas=4)
    fresh.propose(formulas=4)
    fresh.abandon(1)
    assert_same(fresh, 2)


def test_a_named_formula_that_changed_later_is_the_one_of_then(fresh, lab):
    fresh.propose(formulas=4)
    definition = lab.definition(formulas={"commercial": {"glucose": 6.0}})
    with lab.rewrite(fresh, definition) as later:
        later.propose(formulas=4)
        assert_same(later, 1, 2)


# -- lists of candidates ------------------------------------------------------------------------


def test_a_round_from_a_list_is_replayed_with_the_same_list(fresh, tmp_path):
    path = tmp_path / "shelf.csv"
    shelf().to_csv(path, index=False)
    fresh.propose(formulas=5, candidates=path)
    assert settings(fresh, 1)["candidates"]["name"] == "shelf.csv"
    assert fresh.replay(1, path).same
    with pytest.raises(RefusedError) as without:
        fresh.replay(1)
    assert str(without.value) == (
        'Round 1 was chosen from those of "shelf.csv", which the campaign does not keep; give the '
        "same list with --candidates."
    )
    shelf(seed=1).to_csv(path, index=False)
    with pytest.raises(RefusedError) as another:
        fresh.replay(1, path)
    assert str(another.value) == (
        'These are not the candidates that round 1 was chosen from ("shelf.csv"): their names, '
        "concentrations or order differ; give the same list."
    )


def test_the_same_list_written_in_another_way_is_the_same_list(fresh, tmp_path):
    path = tmp_path / "shelf.csv"
    shelf().to_csv(path, index=False)
    fresh.propose(formulas=5, candidates=path)
    semicolons = tmp_path / "copied.csv"
    shelf()[["zinc", "iron", "glutamine", "glucose"]].to_csv(semicolons, index=False, sep=";")
    assert fresh.replay(1, semicolons).same


def test_a_list_is_refused_for_a_round_that_had_none(proposed):
    with pytest.raises(RefusedError) as refused:
        proposed.replay(1, shelf())
    assert str(refused.value) == ("Round 1 was not chosen from a list; leave the candidates out.")


# -- older rounds, and what differs -------------------------------------------------------------


def test_a_round_of_an_older_labloop_is_replayed_as_well_as_can_be(fresh):
    fresh.propose(formulas=5, candidates=shelf())
    with with_settings(fresh, candidates=None, made_with=None, formulas=None) as older:
        assert older.replay(1, shelf()).same
        with pytest.raises(RefusedError, match="Round 1 was chosen from a list, which"):
            older.replay(1)


def test_another_seed_gives_other_formulas_and_the_versions_are_named(fresh):
    fresh.propose(formulas=4, seed=1)
    noted = settings(fresh, 1)["made_with"]
    noted["programs"]["torch"] = "1.0.0"
    noted["computer"]["processor"] = "abacus"
    with (
        with_settings(fresh, made_with=noted) as one,
        altered(one, "UPDATE round SET seed = 2 WHERE number = 1") as other,
    ):
        replayed = other.replay(1)
        assert not replayed.same
        assert set(replayed.missing) <= set(other.round(1).formulas.index)
        assert replayed.new == tuple(f"new {k + 1}" for k in range(len(replayed.new)))
        assert len(replayed.missing) == len(replayed.new) > 0
        assert len(replayed.wells) > 0
        assert replayed.dispenses > 0
        first, *why = replayed.sentences
        assert first.startswith("Round 1 (4 formulas, 10 wells, ")
        assert why[0].startswith("It was proposed with torch 1.0.0 (here ")
        assert "on abacus" in why[1]


def test_a_prediction_that_differs_is_told_apart_from_another_plate(recorded):
    recorded.propose(formulas=4, seed=1)
    first = recorded.round(2).formulas.index[0]
    with altered(
        recorded,
        "UPDATE prediction SET mean = mean * (1 + 1e-9) WHERE round = 2 AND formula = ? "
        "AND response = 1",
        int(first),
    ) as other:
        replayed = other.replay(2)
        assert replayed.same_plate
        assert not replayed.same
        assert replayed.predictions["formula"].tolist() == [first]
        assert replayed.predictions["difference"].iloc[0] == pytest.approx(1e-9, rel=1e-3)
        assert (
            "comes out on the same plate, but with 1 prediction that differ"
            in (replayed.sentences[0])
        )


def test_a_network_that_is_gone_is_named(proposed):
    with (
        altered(proposed, "UPDATE round SET model = NULL") as other,
        altered(other, "DELETE FROM model") as without,
    ):
        altered(without, "UPDATE round SET model = 1").close()
        with Campaign.open(without.folder) as lost, pytest.raises(RefusedError) as refused:
            lost.replay(1)
    assert str(refused.value) == (
        "The network that round 1 rests on is no longer in campaign.db, so the round cannot be "
        "proposed again; replay it in a backup that has it."
    )


def test_a_round_that_is_not_there(fresh):
    with pytest.raises(RefusedError, match="there is no round 3; nothing was proposed yet"):
        fresh.replay(3)


@pytest.mark.slow
def test_a_copy_of_the_folder_replays_too(recorded, tmp_path):
    recorded.propose(seed=4)
    recorded.close()
    with Campaign.open(shutil.copytree(recorded.folder, tmp_path / "copy")) as copy:
        assert_same(copy, 1, 2)


@pytest.mark.slow
def test_a_round_of_another_number_of_threads_comes_out_the_same(recorded):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        recorded.propose(seed=4)
        torch.set_num_threads(1)
        assert_same(recorded, 1, 2)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_every_round_of_the_demo_comes_out_the_same(tmp_path):
    from labloop.simulate.demo_run import run_demo

    run_demo(tmp_path, 2, 1, lambda _: None, lambda *_: None)
    with Campaign.open(tmp_path / "demo") as campaign:
        assert_same(campaign, 1, 2)
