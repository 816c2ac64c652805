"""Backtests of a campaign: from its results to frames and sentences, with nothing stored."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign
from labloop.errors import RefusedError
from labloop.simulate import anywhere, emulator

from .conftest import TITRE, VIABILITY, definition, results

QUICK = ["latin hypercube", "mixing", "random"]
YIELD = {**VIABILITY, "goal": "minimize"}
del YIELD["bound"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(anywhere, "HISTORY", 40)
    monkeypatch.setattr(anywhere, "_SAMPLED", 500)
    monkeypatch.setattr(anywhere, "_GENERATIONS", 2)
    monkeypatch.setattr(emulator, "_TREES", 10)


def stored(campaign):
    return hashlib.sha256((campaign.folder / "campaign.db").read_bytes()).hexdigest()


def run(campaign, lab, strategies=QUICK, **given):
    return campaign.simulate(lab, strategies=strategies, **{"rounds": 2, "seeds": 2} | given)


def known(frame):
    return frame.drop(columns="seconds")


def test_a_replay_finds_more_with_every_round_and_stores_nothing(campaign_of):
    campaign = campaign_of(a=40, b=25)
    before = stored(campaign)
    told = []
    simulation = run(campaign, "replay", progress=lambda *step: told.append(step))
    assert stored(campaign) == before
    assert told[-1] == ("campaigns", 6, 6)
    frame = simulation.rounds
    assert len(frame) == 3 * 2 * 2
    assert (frame.groupby(["strategy", "seed"])["found_5"].diff().dropna() >= 0).all()
    assert (frame["best"].dropna() <= frame["optimum"].iloc[0] + 1e-12).all()
    assert simulation.notes[:3] == (
        "Replay: strategies choose among the 40 measured formulas of the source A.",
        "History: 25 formulas of B.",
        "Plates of 6 formulas.",
    )


def test_plates_of_a_replay_leave_half_of_the_formulas(campaign_of):
    simulation = run(campaign_of(own=24), "replay", rounds=4, seeds=1)
    assert "Plates of 3 formulas." in simulation.notes
    assert "There is no history beside it." in simulation.notes


def test_plates_that_need_more_than_there_is_are_refused(campaign_of):
    with pytest.raises(RefusedError) as error:
        run(campaign_of(own=24), "replay", rounds=4, formulas=10)
    assert str(error.value) == (
        "4 rounds of 10 formulas are more than the 24 to choose among; ask for --formulas 3 or "
        "fewer rounds."
    )


def test_an_emulator_answers_any_formula_and_says_how_good_it_is(campaign_of):
    simulation = run(campaign_of(own=40, a=25), "emulator")
    assert simulation.rounds["found_5"].isna().all()
    assert [measure.column for measure in simulation.measures] == ["best"]
    assert "models of 40 formulas of the campaign's own answer" in simulation.notes[0]
    assert "titre is answered by a Gaussian process, cross-validated R2 0.9" in simulation.notes[1]
    assert "%, as its replicates do." in simulation.notes[1]


def test_a_poor_emulator_is_warned_of(campaign_of):
    campaign = campaign_of(responses=(TITRE,))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((30, 3)) * 5, columns=["glucose", "iron", "zinc"])
    frame["zinc"], frame["flour"] = frame["zinc"].round(), "soy"
    campaign.record(frame.assign(titre=1 + rng.random(30)))
    (warning,) = run(campaign, "emulator", seeds=1).warnings
    assert warning.startswith("The emulator knows titre poorly (R2 ")
    assert warning.endswith(
        "): what strategies find in it says little of the real line; a replay asks nothing of a "
        "model."
    )


def test_a_virtual_lab_needs_no_results(campaign_of):
    simulation = run(campaign_of(), "related")
    assert simulation.lab == "related"
    assert simulation.rounds["optimum"].notna().all()
    assert (simulation.rounds["best"].dropna() > 0).all()


@pytest.mark.parametrize("lab", ["replay", "emulator", "unrelated"])
def test_several_objectives_are_scored_by_hypervolume(campaign_of, lab):
    simulation = run(campaign_of(own=30, responses=(TITRE, YIELD)), lab, seeds=1)
    frame = simulation.rounds
    assert [measure.column for measure in simulation.measures] == ["hypervolume"]
    assert frame["best"].isna().all()
    assert (frame.groupby("strategy")["hypervolume"].diff().dropna() >= 0).all()
    assert (frame["hypervolume"] >= 0).all()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_every_strategy_runs_and_the_loop_with_history_first(campaign_of):
    campaign = campaign_of(a=40, b=25)
    simulation = campaign.simulate("replay", rounds=2, formulas=4, seeds=1)
    assert simulation.strategies == [
        "labloop", "without history", "latin hypercube", "mixing", "permuted grid", "patent",
        "random",
    ]  # fmt: skip
    assert (simulation.rounds["formulas"] == 4 * simulation.rounds["round"]).all()


def test_without_any_history_the_strategy_that_forgets_it_is_left_out(campaign_of, monkeypatch):
    from labloop.simulate import of_campaign

    few = {name: of_campaign.STRATEGIES[name] for name in (*QUICK, "without history")}
    monkeypatch.setattr(of_campaign, "STRATEGIES", few)
    assert run(campaign_of(own=30), "replay", None, seeds=1).strategies == QUICK


def test_the_same_seeds_give_the_same_results(campaign_of):
    campaign = campaign_of(a=40)
    first, second = (run(campaign, "emulator").rounds for _ in range(2))
    pd.testing.assert_frame_equal(known(first), known(second))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_results_do_not_depend_on_the_number_of_jobs(campaign_of):
    campaign = campaign_of(a=40, b=25)
    strategies = ["labloop", "random"]
    here, there = (run(campaign, "emulator", strategies, jobs=jobs).rounds for jobs in (None, 2))
    pd.testing.assert_frame_equal(known(here), known(there))


def test_wishes_for_the_whole_plate_are_kept_to_where_any_formula_can_be_made(tmp_path):
    wish = {"formulas": 6, "candidates": 500, "shared": ["glucose"]}
    with Campaign.create(tmp_path / "wishing", definition(proposal=wish)) as campaign:
        campaign.record(results(24, 3))
        replayed = run(campaign, "replay", ["labloop"], rounds=1, seeds=1)
        assert "shared and most_stocks are left out: measured formulas are what they are." in (
            replayed.notes
        )
        emulated = run(campaign, "emulator", ["labloop"], rounds=1, seeds=1)
        assert (
            "Only labloop and without history keep to shared and most_stocks; the other "
            "strategies choose freely."
        ) in emulated.notes


def test_an_interrupted_backtest_leaves_everything_as_it_was(campaign_of):
    campaign = campaign_of(a=40)
    before = stored(campaign)

    def interrupted(stage, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(campaign, "replay", progress=interrupted)
    assert stored(campaign) == before
    assert len(run(campaign, "replay").rounds) == 12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"lab": "emulate"},
            'There is no lab "emulate"; did you mean "emulator"? The labs are: replay, emulator, '
            "related, moderate, unrelated.",
        ),
        (
            {"lab": "moderate", "source": "A"},
            "--source names results to play; it goes with --lab replay and --lab emulator.",
        ),
        (
            {"lab": "replay", "strategies": ["latin-hypercube"]},
            'There is no strategy "latin-hypercube"; did you mean "latin hypercube"? The '
            "strategies are: labloop, without history, latin hypercube, mixing, permuted grid, "
            "patent, random.",
        ),
        (
            {"lab": "replay", "rounds": 26},
            "26 rounds are more than the 25 formulas to choose among; ask for fewer rounds.",
        ),
        (
            {"lab": "replay", "rounds": 2, "formulas": 13},
            "2 rounds of 13 formulas are more than the 25 to choose among; ask for --formulas 6 or "
            "fewer rounds.",
        ),
        ({"lab": "replay", "rounds": 0}, "The number of rounds is 1 or more (got 0)."),
        ({"lab": "replay", "seeds": 0}, "The number of seeds is 1 or more (got 0)."),
    ],
)
def test_mistakes_are_told(campaign_of, given, message):
    with pytest.raises(RefusedError) as error:
        campaign_of(a=25).simulate(**given)
    assert str(error.value) == message
