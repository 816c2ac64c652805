"""campaign.db as a file: made, opened, written to in transactions, copied.

Rollback journal, `BEGIN IMMEDIATE`, foreign keys on. A database is made beside its place and then
put there whole; one that is not ours, not whole or too new is refused before anything touches it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

from labloop.errors import BusyError, LabloopError, RefusedError
from labloop.store import schema
from labloop.store.events import append_event, verify_events

_MAGIC = b"SQLite format 3\x00"
_HEADER_LENGTH = 100  # https://www.sqlite.org/fileformat.html#the_database_header
_WAL = 2

_SENTENCES = {
    sqlite3.SQLITE_FULL: (
        'the disk is full, so nothing was written to "{path}"; make room and try again'
    ),
    sqlite3.SQLITE_READONLY: (
        '"{path}" is read-only, so nothing was changed; allow writing to the file and to its folder'
    ),
    sqlite3.SQLITE_CANTOPEN: (
        '"{path}" or the journal beside it cannot be opened, so nothing was changed; '
        "check that its folder is there and allows writing"
    ),
    sqlite3.SQLITE_PERM: '"{path}" may not be opened; check its permissions',
    sqlite3.SQLITE_IOERR: (
        'the disk failed while "{path}" was in use ({error}); check the disk or the network'
    ),
    sqlite3.SQLITE_CORRUPT: '"{path}" is damaged or cut short ({error}); put a backup in its place',
    sqlite3.SQLITE_NOTADB: '"{path}" is damaged or cut short ({error}); put a backup in its place',
}


@dataclass(frozen=True)
class Store:
    """An open campaign.db; close it, or use it in a `with`. Not shared between threads."""

    path: Path
    connection: sqlite3.Connection

    def rows(
        self, sql: str, parameters: Sequence[object] | dict[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """Return every row of a query; raises BusyError, or RefusedError for a damaged file."""
        with _sentences(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    @contextmanager
    def writing(self, action: str, *, keep: bool = True, **detail: object) -> Iterator[Writing]:
        """Open a write transaction that leaves one event; all of it is kept, or none.

        With `keep=False` nothing is: a rehearsal, in which everything is checked as usual.

        `detail` becomes the event's; what the functions that write add to it (a round's number,
        how many formulas) joins it. Raises BusyError where another program holds the database for
        longer than the timeout, RefusedError where the disk or the permissions forbid writing.
        """
        with _sentences(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                last = self.rows("SELECT coalesce(max(sequence), 0) FROM event")[0][0]
                writing = Writing(self, last + 1, dict(detail))
                yield writing
                append_event(self, writing.event, action, writing.detail)
                self.connection.execute("COMMIT" if keep else "ROLLBACK")
            except BaseException:
                # some errors, a full disk among them, have ended the transaction already
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Writing:
    """A write transaction that is open; `event` is the sequence of the event it will leave."""

    store: Store
    event: int
    detail: dict[str, Any] = field(default_factory=dict)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows of plain values; `columns` is their names, with commas."""
        marks = ", ".join("?" * len(columns.split(",")))
        self.store.connection.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",
            rows,
        )

    def insert_numbered(
        self, table: str, columns: str, rows: Sequence[Sequence[object]]
    ) -> list[int]:
        """Insert rows without their first column, `id`, and return the ids that they were given."""
        first = 1 + int(self.store.rows(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0])
        ids = list(range(first, first + len(rows)))
        self.insert(table, f"id, {columns}", ((i, *row) for i, row in zip(ids, rows, strict=True)))
        return ids

    def count(self, what: str, number: int) -> None:
        """Add to a count in the event's detail."""
        if number:
            self.detail[what] = self.detail.get(what, 0) + number


def create_store(
    path: str | Path, first: Callable[[Writing], object] | None = None, *, timeout: float = 30.0
) -> Store:
    """Make a new database, whole or not at all, and open it.

    `first` writes into it (the definition, the control formulas) in the transaction that makes it.
    Raises RefusedError where `path` exists or its folder cannot be written to.
    """
    path = Path(path)
    _refuse_existing(path)
    with _beside(path) as temporary:
        with _sentences(path), Store(path, _connect(temporary, timeout)) as store:
            _fill(store, first)
        _publish(temporary, path)
    return open_store(path, timeout=timeout)


def _fill(store: Store, first: Callable[[Writing], object] | None) -> None:
    from labloop.store.migrations import migrate

    # The schema is a transaction of its own: the file has no name yet, so nobody can see half.
    store.connection.execute("BEGIN IMMEDIATE")
    migrate(store.connection)
    store.connection.execute("COMMIT")
    with store.writing("create", schema=schema.newest_version()) as writing:
        if first is not None:
            first(writing)


def open_store(path: str | Path, *, timeout: float = 30.0) -> Store:
    """Open a database; one of an older schema is upgraded, after a backup beside it.

    `timeout` is how many seconds to wait for another program that is writing. Raises RefusedError,
    the file untouched, where it is missing, cut short, of another program or of a newer labloop.
    """
    path = Path(path)
    header = _checked_header(path)
    with _sentences(path):
        store = Store(path, _connect(path, timeout))
    try:
        if header[18] == _WAL:  # another program switched it; see the module's first lines
            store.rows("PRAGMA journal_mode = DELETE")
        _refuse_cut_short(store)
        if _version(store) < schema.newest_version():
            _upgrade(store)
    except BaseException:
        store.close()
        raise
    return store


def backup(store: Store, target: str | Path) -> None:
    """Write a whole copy of the database to a new file, while others may read and write.

    Raises RefusedError where the file exists already or cannot be written, and where the copy is
    not sound.
    """
    target = Path(target)
    refuse_target(store, target)
    with _beside(target) as temporary:
        with _sentences(target), Store(target, _connect(temporary, 0.0)) as copy:
            store.connection.backup(copy.connection)
            faults = [text for (text,) in copy.rows("PRAGMA integrity_check") if text != "ok"]
        if faults:
            raise RefusedError(
                f'the copy would have the faults of "{store.path}" ({faults[0]}), so it was not '
                f"kept; put an earlier backup in its place"
            )
        _publish(temporary, target)


def refuse_target(store: Store, target: str | Path) -> None:
    """Raise RefusedError where no backup can be written: a file or folder, or no folder for it."""
    target = Path(target)
    if target.is_dir():
        raise RefusedError(
            f'"{target}" is a folder; give the name of a file, such as "{target / "backup.db"}"'
        )
    _refuse_existing(target)
    if not target.parent.is_dir():
        raise RefusedError(f'there is no folder "{target.parent}"; make it, or give another one')
    if not os.access(target.parent, os.W_OK):
        raise RefusedError(f'"{target.parent}" does not allow writing; give another folder')
    beside = [store.path.name + ending for ending in ("-journal", "-wal", "-shm")]
    if target.name in beside and target.parent.resolve() == store.path.parent.resolve():
        raise RefusedError(f'"{target}" is a name that SQLite keeps for itself; give another one')


def check_store(store: Store) -> list[str]:
    """Return a sentence for each fault of the file or of the event log; [] for a sound one."""
    problems = [
        f"SQLite finds a fault: {text}"
        for (text,) in store.rows("PRAGMA integrity_check")
        if text != "ok"
    ]
    problems += [
        f"{'a row' if row is None else f'row {row}'} of table {table} refers to a row of {parent} "
        f"that is not there"
        for table, row, parent, _ in store.rows("PRAGMA foreign_key_check")
    ]
    return problems + verify_events(store)


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < schema.OLDEST_SQLITE:
        raise RefusedError(
            f"this Python comes with SQLite {sqlite3.sqlite_version}, but campaigns need "
            f"{'.'.join(map(str, schema.OLDEST_SQLITE))} or newer; use a newer Python"
        )
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _checked_header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_LENGTH)
    except FileNotFoundError:
        raise RefusedError(
            f'there is no "{path}"; check the name, or make a new campaign with `labloop init`'
        ) from None
    except OSError as error:
        raise RefusedError(f'"{path}" cannot be read ({error.strerror})') from error
    if len(header) < _HEADER_LENGTH and _MAGIC.startswith(header[: len(_MAGIC)]):
        raise RefusedError(f'"{path}" is damaged or cut short; put a backup in its place')
    application = int.from_bytes(header[68:72], "big")
    if not header.startswith(_MAGIC) or application != schema.APPLICATION_ID:
        raise RefusedError(f'"{path}" is not a campaign of labloop; it was left as it is')
    version = int.from_bytes(header[60:64], "big")
    if version > schema.newest_version():
        raise RefusedError(
            f'"{path}" was written by a newer labloop (schema {version}; this one knows schema '
            f"{schema.newest_version()}); upgrade labloop to open it"
        )
    return header


def _refuse_cut_short(store: Store) -> None:
    # SQLite itself overlooks a last page that is not whole. The read transaction keeps writers from
    # changing the file meanwhile, and has rolled back what a killed one left.
    store.rows("BEGIN")
    pages, page_size = (store.rows(f"PRAGMA {what}")[0][0] for what in ("page_count", "page_size"))
    length = store.path.stat().st_size
    store.rows("COMMIT")
    if length < pages * page_size:
        raise RefusedError(
            f'"{store.path}" is damaged or cut short ({length} of {pages * page_size} bytes); '
            f"put a backup in its place"
        )


def _version(store: Store) -> int:
    return int(store.rows("PRAGMA user_version")[0][0])


def _upgrade(store: Store) -> None:
    from labloop.store.migrations import migrate

    # Foreign keys must be off while a step rebuilds a table that others refer to, and the switch
    # works only outside a transaction.
    store.connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with store.writing("upgrade") as writing:
            version = _version(store)
            if version < schema.newest_version():  # else another program was faster
                copy = _free_name(store.path, version)
                with Store(store.path, _connect(store.path, 0.0)) as unchanged:
                    backup(unchanged, copy)
                migrate(store.connection)
                if store.rows("PRAGMA foreign_key_check"):
                    raise RefusedError(
                        f'"{store.path}" could not be upgraded: rows refer to rows that are not '
                        f"there; nothing was changed"
                    )
            writing.detail.update(schema_from=version, schema_to=schema.newest_version())
    finally:
        store.connection.execute("PRAGMA foreign_keys = ON")


def _free_name(path: Path, version: int) -> Path:
    name = f"{path.stem}.schema-{version}"
    number = 1
    while True:
        candidate = path.with_name(f"{name}{'' if number == 1 else f'-{number}'}{path.suffix}")
        if not candidate.exists():
            return candidate
        number += 1


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise RefusedError(f'"{path}" exists already; it was left as it is')


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give an unused name in the folder of `path`, and leave no file under it."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        yield temporary
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + "-journal")):
            leftover.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> None:
    """Give a complete file its name, unless the name was taken meanwhile."""
    try:
        # unlike a rename, a link never replaces a file on any system
        os.link(temporary, path)
    except FileExistsError:
        _refuse_existing(path)
    except OSError:  # a file system without links
        _refuse_existing(path)
        try:
            temporary.rename(path)
        except OSError as error:
            raise RefusedError(f'"{path}" cannot be written ({error.strerror})') from error


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn SQLite's errors that are no fault of the program into labloop's."""
    try:
        yield
    except LabloopError:
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BusyError(
                f'another program is writing to "{path}"; try again when it has finished'
            ) from error
        if code in _SENTENCES:
            raise RefusedError(_SENTENCES[code].format(path=path, error=error)) from error
        raise
