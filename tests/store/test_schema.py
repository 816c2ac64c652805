from __future__ import annotations

import sqlite3

import pytest

from labloop.errors import RefusedError
from labloop.store import (
    check_store,
    create_store,
    open_store,
    read_counts,
    read_events,
    read_rounds,
    round_measurements,
    schema,
    use_definition,
)

NOW = schema.newest_version()
BROKEN_STEP = (
    "broken",
    "DROP TRIGGER source_no_delete;\nDELETE FROM source;\n",
)


@pytest.mark.parametrize("table", schema._APPEND_ONLY)
def test_rows_are_never_changed_deleted_or_replaced(store, steps, table):
    steps.history(store)
    number = steps.propose(store, steps.model(store))
    steps.record(store, number)
    outsider = sqlite3.connect(store.path)  # a plain connection: no foreign keys, no recursion
    before = outsider.execute(f"SELECT * FROM {table}").fetchall()
    column = outsider.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
            outsider.execute(statement)
    if table in ("event", "measurement"):
        with pytest.raises(sqlite3.IntegrityError, match=r"must follow|never replaced"):
            outsider.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    assert outsider.execute(f"SELECT * FROM {table}").fetchall() == before != []
    outsider.close()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("NULL", "ok"),
        ("NULL", "excluded"),
        ("1.0", "missing"),
        ("9e999", "ok"),
        ("-9e999", "below_range"),
        ("1.0", "fine"),
        ("x'00'", "ok"),
        ("'many'", "ok"),
    ],
)
def test_the_table_itself_refuses_what_is_no_measurement(store, value, status):
    with pytest.raises(sqlite3.IntegrityError):
        store.connection.execute(
            "INSERT INTO measurement (formula, response, value, status, event) "
            f"VALUES (1, 1, {value}, '{status}', 1)"
        )


@pytest.mark.parametrize("columns", [(1.0, "soy"), (None, None), (float("inf"), None)])
def test_an_amount_is_a_finite_concentration_or_a_choice(store, columns):
    store.connection.execute("DROP TRIGGER amount_no_delete")
    store.connection.execute("DELETE FROM amount")
    with pytest.raises(sqlite3.IntegrityError):
        store.connection.execute("INSERT INTO amount VALUES (1, 1, ?, ?)", columns)


def test_every_round_is_one_wide_table(store, steps):
    steps.record(store, steps.propose(store, concentration=7.5))
    cursor = store.connection.execute("SELECT * FROM round_wells")
    assert [column[0] for column in cursor.description] == [
        "round", "state", "plate", "well", "role", "formula", "name", "origin", "replicate",
        "glucose", "protein", "titre", "density",
    ]  # fmt: skip
    assert cursor.fetchall() == [
        (1, "recorded", 1, "B2", "formula", 3, None, "mixing", 1, 7.5, "wheat", 1.0, None),
        (1, "recorded", 1, "A1", "control", 1, "commercial", None, 1, 25.0, "soy", 2.0, None),
        (1, "recorded", 1, "A2", "formula", 2, None, "list", 1, 7.5, "soy", 3.0, None),
        (1, "recorded", 1, "H12", "empty", None, None, None, None, None, None, None, None),
    ]


def test_the_wide_table_takes_any_names_and_many_of_them(tmp_path):
    names = ['5" tube', "it's", "Zucker-Lösung", "葡萄糖", "round", "x;--"]
    names += [f"component {i}" for i in range(100)]

    def first(writing):
        use_definition(writing, "", [(name, "mM") for name in names], [("titre", "")])

    with create_store(tmp_path / "campaign.db", first) as store:
        cursor = store.connection.execute("SELECT * FROM round_wells")
        columns = [column[0] for column in cursor.description]
        assert columns[9:13] == names[:4]
        assert len(columns) == 9 + len(names) + 1


def test_statements_keep_triggers_whole():
    sql = (
        "CREATE TABLE a (b); -- a table\n"
        "CREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n  SELECT 1;\nEND;\n"
    )
    assert [s.splitlines()[0] for s in schema.statements(sql)] == [
        "CREATE TABLE a (b); -- a table",
        "CREATE TRIGGER t AFTER INSERT ON a",
    ]


@pytest.fixture
def old_store(store, steps):
    """The path of a campaign of the schema before `next_step`, with some of everything in it."""
    steps.history(store)
    steps.record(store, steps.propose(store, steps.model(store)))
    store.close()
    return store.path


def test_an_older_database_is_upgraded_after_a_backup(old_store, next_step, monkeypatch):
    with open_store(old_store) as old:
        measured, number = round_measurements(old, 1), len(read_events(old))
    before = old_store.read_bytes()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, next_step))
    with open_store(old_store) as store:
        assert store.rows("PRAGMA user_version") == [(NOW + 1,)]
        assert store.rows("PRAGMA foreign_keys") == [(1,)]
        assert store.rows("SELECT name, lab FROM source") == [("CHO-S", None)]
        assert round_measurements(store, 1) == measured
        assert len(store.rows("SELECT * FROM round_wells")) == 4
        assert check_store(store) == []
        last = read_events(store)[-1]
        assert (last.sequence, last.action) == (number + 1, "upgrade")
        assert last.detail == {"schema_from": NOW, "schema_to": NOW + 1}
    with open_store(old_store) as again:
        assert len(read_events(again)) == number + 1
    copy = old_store.with_name(f"campaign.schema-{NOW}.db")
    assert sorted(old_store.parent.iterdir()) == [old_store, copy]
    monkeypatch.setattr(schema, "STEPS", schema.STEPS[:NOW])
    with open_store(copy) as unchanged:
        assert len(read_rounds(unchanged)) == 1
    assert copy.read_bytes()[100:] == before[100:]


def test_an_upgrade_never_overwrites_an_earlier_backup(old_store, next_step, monkeypatch):
    earlier = old_store.with_name(f"campaign.schema-{NOW}.db")
    earlier.write_bytes(b"precious")
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, next_step))
    open_store(old_store).close()
    assert earlier.read_bytes() == b"precious"
    assert old_store.with_name(f"campaign.schema-{NOW}-2.db").exists()


def test_an_upgrade_that_would_lose_rows_is_undone(old_store, monkeypatch):
    before = old_store.read_bytes()
    steps = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", (*steps, BROKEN_STEP))
    with pytest.raises(RefusedError) as caught:
        open_store(old_store)
    assert str(caught.value) == (
        f'"{old_store}" could not be upgraded: rows refer to rows that are not there; '
        "nothing was changed"
    )
    assert old_store.read_bytes() == before
    monkeypatch.setattr(schema, "STEPS", steps)
    with open_store(old_store) as store:
        assert read_counts(store).sources == {"CHO-S": (2, 2)}
