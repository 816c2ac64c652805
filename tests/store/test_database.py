from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from labloop.errors import BusyError, RefusedError
from labloop.store import (
    backup,
    check_store,
    create_store,
    last_event,
    open_store,
    read_counts,
    read_events,
    read_rounds,
    schema,
)


def contents(store):
    return list(store.connection.iterdump())


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(path):
    with pytest.raises(RefusedError) as caught:
        open_store(path)
    return str(caught.value)


def test_a_new_store_is_sound_and_marked_as_ours(store, tmp_path):
    assert check_store(store) == []
    assert store.rows("PRAGMA application_id") == [(schema.APPLICATION_ID,)]
    assert store.rows("PRAGMA user_version") == [(schema.newest_version(),)]
    assert store.rows("PRAGMA journal_mode") == [("delete",)]
    assert store.rows("PRAGMA foreign_keys") == [(1,)]
    assert files(tmp_path) == ["campaign.db"]


def test_every_table_of_ours_is_strict_and_only_models_can_be_deleted(store):
    tables = store.rows(
        "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main' "
        "AND name NOT LIKE 'sqlite%' AND name <> '_sqlite_migrations'"
    )
    assert all(strict for _, strict in tables)
    guarded = {table for (table,) in store.rows("SELECT tbl_name FROM sqlite_schema WHERE "
                                                "name LIKE '%_no_delete'")}  # fmt: skip
    assert {table for table, _ in tables} - guarded == {"model"}


def test_create_refuses_an_existing_file_and_leaves_it(tmp_path):
    path = tmp_path / "campaign.db"
    path.write_bytes(b"precious")
    with pytest.raises(RefusedError) as caught:
        create_store(path)
    assert str(caught.value) == f'"{path}" exists already; it was left as it is'
    assert path.read_bytes() == b"precious"


def test_create_that_fails_leaves_nothing(tmp_path):
    def first(writing):
        raise RuntimeError("the definition could not be written")

    with pytest.raises(RuntimeError):
        create_store(tmp_path / "campaign.db", first)
    assert files(tmp_path) == []


def test_create_in_a_folder_that_is_not_there(tmp_path):
    path = tmp_path / "nowhere" / "campaign.db"
    with pytest.raises(RefusedError) as caught:
        create_store(path)
    assert str(caught.value) == (
        f'"{path}" or the journal beside it cannot be opened, so nothing was changed; '
        "check that its folder is there and allows writing"
    )


def test_create_works_where_the_file_system_has_no_links(tmp_path, monkeypatch, steps):
    def link(source, target):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", link)
    with create_store(tmp_path / "campaign.db", steps.first) as store:
        assert check_store(store) == []
    assert files(tmp_path) == ["campaign.db"]


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "campaign.db"
    with pytest.raises(RefusedError):
        create_store(path, lambda writing: path.write_bytes(b"precious"))
    assert path.read_bytes() == b"precious"
    assert files(tmp_path) == ["campaign.db"]


def test_a_missing_file_is_refused_and_not_made(tmp_path):
    path = tmp_path / "campaign.db"
    assert refusal(path) == (
        f'there is no "{path}"; check the name, or make a new campaign with `labloop init`'
    )
    assert files(tmp_path) == []


def test_every_truncated_file_is_refused_and_untouched(store, steps, tmp_path):
    steps.history(store)
    store.close()
    whole = store.path.read_bytes()
    path = tmp_path / "cut.db"
    for length in {0, 1, 15, 16, 50, 99, 100, 511, *range(4096, len(whole), 4096), len(whole) - 1}:
        path.write_bytes(whole[:length])
        assert refusal(path).startswith(f'"{path}" is damaged or cut short'), length
        assert path.read_bytes() == whole[:length]


@pytest.mark.parametrize("text", [b"name,titre\n", b"PK\x03\x04" + b"\x00" * 200])
def test_another_kind_of_file_is_refused_and_untouched(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    assert refusal(path) == f'"{path}" is not a campaign of labloop; it was left as it is'
    assert path.read_bytes() == text


def test_the_database_of_another_program_is_refused_and_untouched(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE event (sequence)")
    other.commit()
    other.close()
    before = path.read_bytes()
    assert refusal(path) == f'"{path}" is not a campaign of labloop; it was left as it is'
    assert path.read_bytes() == before


def test_a_newer_database_is_refused_and_untouched(store):
    store.connection.execute("PRAGMA user_version = 99")
    store.close()
    before = store.path.read_bytes()
    assert refusal(store.path) == (
        f'"{store.path}" was written by a newer labloop (schema 99; this one knows schema '
        f"{schema.newest_version()}); upgrade labloop to open it"
    )
    assert store.path.read_bytes() == before


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path).startswith(f'"{tmp_path}" cannot be read (')


def test_a_database_that_was_switched_to_wal_is_switched_back(store):
    store.connection.execute("PRAGMA journal_mode = WAL")
    store.close()
    with open_store(store.path) as reopened:
        assert reopened.rows("PRAGMA journal_mode") == [("delete",)]
        assert check_store(reopened) == []


def test_a_writer_that_waits_too_long_is_told_so(store, steps):
    with open_store(store.path, timeout=0.05) as other:
        before = contents(other)
        with store.writing("slow"):
            assert contents(other) == before, "readers go on while another program prepares a write"
            with pytest.raises(BusyError) as caught:
                steps.history(other)
        assert str(caught.value) == (
            f'another program is writing to "{store.path}"; try again when it has finished'
        )
        steps.history(other)
        assert read_counts(other).sources == {"CHO-S": (2, 2)}


def test_a_reader_in_the_way_of_a_commit_leaves_the_old_state(store, steps):
    with open_store(store.path, timeout=0.05) as other:
        other.connection.execute("BEGIN")
        before = contents(other)
        with pytest.raises(BusyError):
            steps.history(store)
        other.connection.execute("COMMIT")
        assert contents(other) == before
        steps.history(store)


def test_a_full_disk_is_told_and_changes_nothing(store):
    before = contents(store)
    pages = store.rows("PRAGMA page_count")[0][0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RefusedError) as caught, store.writing("pretrain") as writing:
        writing.insert(
            "model", "kind, weights, metadata, known_event, event",
            [("pretrained", bytes(100_000), "{}", 1, writing.event)],
        )  # fmt: skip
    assert str(caught.value) == (
        f'the disk is full, so nothing was written to "{store.path}"; make room and try again'
    )
    assert contents(store) == before
    assert check_store(store) == []


def test_a_read_only_database_is_told_and_changes_nothing(store, steps):
    before = contents(store)
    store.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(RefusedError) as caught:
        steps.history(store)
    assert str(caught.value) == (
        f'"{store.path}" is read-only, so nothing was changed; '
        "allow writing to the file and to its folder"
    )
    assert contents(store) == before


def test_an_error_in_the_step_rolls_everything_back(store, steps):
    before = contents(store)

    def interrupted():
        with store.writing("history") as writing:
            writing.insert("source", "name, event", [("CHO-S", writing.event)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert contents(store) == before
    assert steps.propose(store) == 1


def test_every_write_leaves_one_event(store, steps):
    steps.history(store)
    steps.abandon(store, steps.propose(store))
    number = steps.propose(store)
    steps.export(store, number)
    steps.record(store, number)
    assert [(e.sequence, e.action) for e in read_events(store)] == list(
        enumerate(
            ["create", "history", "propose", "abandon", "propose", "export", "record"], start=1
        )
    )
    assert read_events(store)[-1].detail == {
        "files": [{"name": "results.csv", "sha256": b"2results.csv".hex().zfill(64)}],
        "round": 2,
        "formulas": 1,
        "measurements": 4,
    }


def test_a_copied_file_is_the_campaign(store, steps, tmp_path):
    steps.record(store, steps.propose(store))
    shutil.copy(store.path, tmp_path / "copy.db")
    with open_store(tmp_path / "copy.db") as copy:
        assert contents(copy) == contents(store)


def test_a_backup_is_whole_and_never_overwrites(store, steps, tmp_path):
    steps.record(store, steps.propose(store))
    target = tmp_path / "backup.db"
    with store.writing("slow") as writing:
        with open_store(store.path) as other:
            backup(other, target)
        writing.insert("source", "name, event", [("CHO-S", writing.event)])
    with open_store(target) as copy:
        assert check_store(copy) == []
        assert read_rounds(copy) == read_rounds(store)
        assert last_event(copy) == last_event(store) - 1
    before = target.read_bytes()
    with pytest.raises(RefusedError) as caught:
        backup(store, target)
    assert str(caught.value) == f'"{target}" exists already; it was left as it is'
    assert target.read_bytes() == before
    assert files(tmp_path) == ["backup.db", "campaign.db"]


def test_check_names_a_row_that_refers_to_nothing(store):
    store.connection.execute("PRAGMA foreign_keys = OFF")
    store.connection.execute("INSERT INTO source VALUES (1, 'CHO-S', 77)")
    assert check_store(store) == [
        "row 1 of table source refers to a row of event that is not there"
    ]


def test_reading_a_store_does_not_import_slow_libraries(store):
    code = (
        "import sys\nfrom labloop.store import open_store, read_counts\n"
        f"read_counts(open_store({str(store.path)!r}))\n"
        "print({'pandas', 'numpy', 'torch', 'sqlite_utils'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
