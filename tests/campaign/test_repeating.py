"""A known formula that is measured again keeps its id, and its wells count together."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from labloop import Campaign, store
from labloop.campaign.repeating import repeat_notes
from labloop.campaign.reporting import round_page
from labloop.campaign.standing import standing

PROPOSAL = {"formulas": 8, "candidates": 1000, "repeats": 0.5}
SEED = 3


def noisy(lab, campaign, number, seed):
    """Return results of a round that differ by a third from well to well."""
    frame = lab.results(campaign, number, seed=None)
    rng = np.random.default_rng(seed)
    frame["titre"] *= np.exp(0.35 * rng.standard_normal(len(frame)))
    return frame


@pytest.fixture(scope="module")
def _repeating(tmp_path_factory, lab):
    folder = tmp_path_factory.mktemp("repeating") / "small"
    with Campaign.create(folder, lab.definition(proposal=PROPOSAL)) as campaign:
        campaign.propose(seed=1)
        campaign.record(noisy(lab, campaign, 1, seed=SEED))
        campaign.propose(seed=2)
    return folder


@pytest.fixture
def repeating(_repeating, tmp_path):
    """A campaign of which one round was measured, and the next repeats some of it."""
    with Campaign.open(shutil.copytree(_repeating, tmp_path / "small")) as campaign:
        yield campaign


def repeated_in(round_):
    return round_.formulas.index[round_.formulas["origin"] == "replicate"].tolist()


def test_a_repeated_formula_is_the_one_that_was_measured(repeating):
    first, second = repeating.round(1), repeating.round(2)
    again = repeated_in(second)
    assert 1 <= len(again) <= 4
    assert set(again) <= set(first.formulas.index)
    assert len(second.formulas) == 8
    assert second.formulas.index.is_unique
    names = repeating.space.names
    np.testing.assert_array_equal(
        second.formulas.loc[again, names], first.formulas.loc[again, names]
    )
    wells = second.layout[second.layout["formula"].isin(again)]
    assert len(wells) == 2 * len(again)
    assert set(wells["role"]) == {"formula"}
    assert repeat_notes(again, 2)[0] in second.notes
    assert second.formulas.loc[again, "titre_sd"].gt(0).all()
    assert second.formulas.loc[again, "acquisition"].isna().all()


def test_results_of_both_rounds_count_together(repeating, lab):
    again = repeated_in(repeating.round(2))
    before = repeating.best(99).loc[again]
    assert (before["titre_wells"] == 2).all()
    repeating.record(noisy(lab, repeating, 2, seed=4))
    after = repeating.best(99).loc[again]
    assert (after["titre_wells"] == 4).all()
    assert (after["round"] == 1).all()
    assert (after["origin"] == before["origin"]).all()
    values = {
        formula: [
            m.value
            for m in store.campaign_measurements(repeating.store)
            if m.formula == formula and m.response == "titre"
        ]
        for formula in again
    }
    for formula, wells in values.items():
        assert after.loc[formula, "titre_mean"] == pytest.approx(np.mean(wells))


def test_what_is_measured_again_already_is_not_repeated_once_more(repeating):
    again = repeated_in(repeating.round(2))
    assert repeating.status().pending == 8
    third = repeating.propose(seed=3)
    assert not set(repeated_in(third)) & set(again)
    assert not set(third.formulas.index) & set(repeating.round(2).formulas.index)


def test_the_page_shows_a_repeat_as_waiting_until_it_is_measured(repeating, lab, tmp_path):
    again = repeated_in(repeating.round(2))
    now = standing(repeating.store, repeating.definition, repeating.folder)

    def repeats():
        values = round_page(repeating.store, 2, now).all_values
        return values[(values["origin"] == "replicate") & (values["response"] == "titre")]

    assert repeats()["formula"].tolist() == again
    assert repeats()["measured"].isna().all()
    assert (repeats()["wells"] == 0).all()
    page = repeating.report(tmp_path / "before.html", round=2).read_text(encoding="utf-8")
    assert "known formulas, measured again to be sure of them" in page
    repeating.record(noisy(lab, repeating, 2, seed=4))
    assert (repeats()["wells"] == 4).all()
    assert repeats()["measured"].notna().all()
    repeating.report(tmp_path / "after.html", round=2)


def test_a_round_with_repeats_is_proposed_the_same_again(repeating, lab):
    here = repeating.round(2)
    repeating.abandon(2)
    once_more = repeating.propose(seed=2)
    assert repeated_in(once_more) == repeated_in(here)
    columns = [*repeating.space.names, "origin"]
    np.testing.assert_array_equal(here.formulas[columns], once_more.formulas[columns])


def test_the_note_names_wells_and_formulas():
    assert repeat_notes([], 2) == []
    assert repeat_notes([12], 1) == [
        "1 well repeats formula 12: measurements are so noisy that to know whether it is as good "
        "as it looks is worth more than 1 more new formula."
    ]
    assert repeat_notes([12, 7, 3], 2) == [
        "6 wells repeat formulas 12, 7 and 3: measurements are so noisy that to know whether they "
        "are as good as they look is worth more than 3 more new formulas."
    ]
