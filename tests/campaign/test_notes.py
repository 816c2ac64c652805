"""Notes: kept as typed, told by the log, and of no consequence for what is proposed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop import Campaign
from labloop.campaign.notes import LONGEST, Note, checked_text
from labloop.errors import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def test_a_note_is_kept_as_typed_and_told_by_the_log(proposed, lab):
    proposed.note("  Säule 12\r\n\tvon Hand 🧪 \n", 1)
    proposed.note("a new lot of serum")
    first, second = lab.log(proposed)[-2:]
    assert proposed.notes() == (
        Note(first.sequence, first.at, first.who, 1, "Säule 12\n\tvon Hand 🧪"),
        Note(second.sequence, second.at, second.who, None, "a new lot of serum"),
    )
    assert proposed.notes(1) == proposed.notes()[:1]
    assert proposed.log()["words"].tolist()[-2:] == [
        "noted on round 1: Säule 12 von Hand 🧪",
        "noted: a new lot of serum",
    ]
    assert proposed.check_database().faults == ()


def test_what_cannot_be_noted(fresh, lab):
    before = lab.log(fresh)
    for text, number, sentence in (
        (" \n", None, "The note is empty; write what is to be remembered."),
        (
            "x" * (LONGEST + 1),
            None,
            "A note has at most 10,000 characters (got 10,001); shorten it, or write several.",
        ),
        ("a\udcffb", None, "Character 2 of the note is not text; write it again."),
        ("fine", 1, "there is no round 1; nothing was proposed yet"),
    ):
        with pytest.raises(RefusedError) as error:
            fresh.note(text, number)
        assert str(error.value) == sentence
    with pytest.raises(RefusedError, match="there is no round 1"):
        fresh.notes(1)
    fresh.note("x" * LONGEST, dry_run=True)
    assert lab.log(fresh) == before


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_text_that_is_taken_is_taken_again_unchanged(text):
    if text.strip():
        taken = checked_text(text)
        assert checked_text(taken) == taken
        assert "\r" not in taken
        assert taken.split() == text.split()


def test_notes_change_neither_the_next_command_nor_a_replay(proposed):
    before = proposed.status().next
    proposed.note("the robot was recalibrated", 1)
    proposed.note("another")
    assert proposed.status().next == before
    assert proposed.replay(1).same


def test_a_note_and_an_export_do_not_give_up_a_round_that_is_being_chosen(proposed, tmp_path):
    other = Campaign.open(proposed.folder)
    wrote = []

    def write_once(name, done, total):
        if name == "choosing the plate" and not wrote:
            wrote.append(other.note("the plate is on the robot", 1))
            other.export("manual", tmp_path, round=1)

    with other:
        round_ = proposed.propose(formulas=3, seed=2, progress=write_once)
    assert wrote
    assert proposed.log()["action"].tolist()[-3:] == ["note", "export", "propose"]
    assert [r.state for r in proposed.rounds()] == ["exported", "proposed"]
    assert proposed.replay(round_.number).same


def test_an_abandoned_round_is_news(proposed):
    from labloop.campaign.news import has_news

    known = proposed.store.rows("SELECT max(sequence) FROM event")[0][0]
    proposed.note("seen")
    assert not has_news(proposed.store, known)
    proposed.abandon(1)
    assert has_news(proposed.store, known)
