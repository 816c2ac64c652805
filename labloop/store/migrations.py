"""Bringing a database to the newest schema, through sqlite-utils.

Kept apart from `database` because sqlite-utils imports pandas where it finds it, and reading a
campaign should not wait for that.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from labloop.store import schema


def _migrations() -> Migrations:
    migrations = Migrations("labloop")
    for version, (name, sql) in enumerate(schema.STEPS, start=1):

        def step(database: Database, sql: str = sql, version: int = version) -> None:
            for statement in schema.statements(sql):
                database.execute(statement)
            # PRAGMA takes no parameters; both numbers are our own
            database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {version}")

        migrations(name=name)(step)
    return migrations


def migrate(connection: sqlite3.Connection) -> None:
    """Run every pending step and rebuild the wide view, within the caller's transaction."""
    database = Database(connection)
    # a view over a table that a step rebuilds would make the step fail
    database.execute("DROP VIEW IF EXISTS round_wells")
    _migrations().apply(database)
    rebuild_views(connection)


def rebuild_views(connection: sqlite3.Connection) -> None:
    """Write the view `round_wells` anew for the components and responses that are known now."""
    database = Database(connection)
    components = database.execute("SELECT id, name FROM component ORDER BY id").fetchall()
    responses = database.execute("SELECT id, name FROM response ORDER BY id").fetchall()
    database.create_view("round_wells", schema.round_wells(components, responses), replace=True)
