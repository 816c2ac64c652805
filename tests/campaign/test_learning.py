from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.campaign.learning import OneStage


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5))
@settings(deadline=None)
def test_work_that_counts_several_times_is_one_stage(totals):
    shown = []
    stage = OneStage("transferring", lambda *each: shown.append(each))
    for total in totals:
        for done in range(1, total + 1):
            stage.step(done, total)
    stage.end()
    assert shown == sorted(shown)
    assert shown.count(("transferring", 100, 100)) == 1
    assert shown[-1] == ("transferring", 100, 100)
    assert {name for name, _, _ in shown} == {"transferring"}


def test_transfer_is_shown_once_and_only_advances(recorded):
    shown = []
    recorded.propose(seed=1, progress=lambda *each: shown.append(each))
    transferring = [(done, total) for stage, done, total in shown if stage == "transferring"]
    assert transferring == sorted(transferring)
    assert transferring.count((100, 100)) == 1
