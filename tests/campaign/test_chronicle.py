"""What happened, in words, and whether the log is whole."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from labloop import Campaign, store
from labloop.campaign.chronicle import in_words
from labloop.errors import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def event(action, **detail):
    return store.Event(1, "2026-01-31T12:00:00.000+00:00", "anna", action, detail, "0" * 64)


@pytest.mark.parametrize(
    ("action", "detail", "words"),
    [
        ("create", {"schema": 2}, "made the campaign"),
        (
            "upgrade",
            {"schema_from": 1, "schema_to": 2},
            "upgraded the database from schema 1 to 2",
        ),
        (
            "history",
            {"source": "CHO-S", "measurements": 140, "files": [{"name": "a.csv"}]},
            "imported 140 measurements of CHO-S from a.csv",
        ),
        (
            "record",
            {"round": 2, "measurements": 192, "files": [{"name": "plate2.csv"}]},
            "recorded 192 measurements of round 2 from plate2.csv",
        ),
        (
            "record",
            {"round": 2, "corrections": 1, "reason": "wrong gain"},
            "recorded 1 correction of round 2: wrong gain",
        ),
        (
            "record",
            {"measurements": 12, "formulas": 6},
            "recorded 12 measurements of 6 new formulas",
        ),
        (
            "exclude",
            {"round": 2, "corrections": 2, "reason": "spilt"},
            "excluded 2 measurements of round 2: spilt",
        ),
        ("propose", {"round": 2, "formulas": 24}, "proposed round 2"),
        ("export", {"round": 2, "kind": "echo525"}, "wrote the files of round 2 for echo525"),
        ("abandon", {"round": 2}, "gave up round 2"),
        ("note", {"round": 2, "text": "a\n\tb"}, "noted on round 2: a b"),
        ("note", {"round": None, "text": "x" * 200}, f"noted: {'x' * 200}"),
        ("note", {"round": None, "text": "x" * 201}, f"noted: {'x' * 199}…"),
        ("of a newer labloop", {"round": 2}, "of a newer labloop: round 2"),
    ],
)
def test_words(action, detail, words):
    assert in_words(event(action, **detail)) == words


def test_what_a_terminal_would_obey_is_not_shown():
    said = in_words(event("record", measurements=1, files=[{"name": "a\x1b[2Jb\n.csv"}]))
    assert said == "recorded 1 measurement from a\ufffd[2Jb\ufffd.csv"


def test_the_log_is_a_frame(fresh):
    fresh.propose(formulas=3)
    frame = fresh.log()
    assert frame.index.tolist() == [1, 2]
    assert frame["words"].tolist() == ["made the campaign", "proposed round 1"]
    assert str(frame["at"].dt.tz) == "UTC"
    assert frame["hash"].tolist() == [e.hash for e in store.read_events(fresh.store)]


def test_an_altered_log_is_refused_and_found_by_the_check(fresh):
    connection = fresh.store.connection
    connection.execute("DROP TRIGGER event_no_update")
    connection.execute("UPDATE event SET who = 'somebody'")
    fault = "event 1 was altered after it was written"
    with pytest.raises(RefusedError) as refused:
        fresh.log()
    assert str(refused.value) == (
        f"The log is not whole: {fault}. Put a backup in the place of campaign.db."
    )
    found = fresh.check_database()
    assert found.faults == (fault,)
    assert found.sentence == (f"The database is not sound; put a backup in its place. {fault}.")


def test_a_backup_in_the_place_of_the_database_goes_on_from_there(fresh, tmp_path):
    fresh.propose(formulas=3)
    copy = tmp_path / "copy.db"
    fresh.backup(copy)
    shown, then = fresh.round(1).formulas, fresh.log()
    fresh.propose(formulas=3)
    fresh.close()
    (fresh.folder / "campaign.db").write_bytes(b"lost")
    shutil.copy(copy, fresh.folder / "campaign.db")
    with Campaign.open(fresh.folder) as restored:
        pd.testing.assert_frame_equal(restored.log(), then)
        pd.testing.assert_frame_equal(restored.round().formulas, shown)
        assert restored.check_database().faults == ()
        assert restored.replay(1).same
        assert restored.propose(formulas=3).number == 2
