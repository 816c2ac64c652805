"""The schema of campaign.db as SQL text: one entry of `STEPS` a version, oldest first.

A step that has been released is never edited: a change is a new step. All tables are STRICT; what
the lab handed in or was told (every table but `model`) is append-only by trigger; `event` columns
name the write transaction that made the row, and are deferred because the event row, which tells
what the transaction did, is written last. Order is by sequence, never by clock. The key's columns
come first in every WITHOUT ROWID table: SQLite 3.40's integrity_check reports faults that are not
there where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import complete_statement

APPLICATION_ID = 0x6C61626C  # "labl" in ASCII
OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
STATES = ("proposed", "exported", "recorded", "abandoned")
STATUSES = ("ok", "below_range", "above_range", "missing", "excluded")
ROLES = ("formula", "control", "empty")

_EVENT = "event INTEGER NOT NULL REFERENCES event (sequence) DEFERRABLE INITIALLY DEFERRED"

_TABLES = f"""
CREATE TABLE event (
    sequence INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail)),
    previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
    hash TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;

CREATE TABLE definition (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text TEXT NOT NULL,
    {_EVENT}
) STRICT;

CREATE TABLE component (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    unit TEXT NOT NULL,
    {_EVENT}
) STRICT;

CREATE TABLE response (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    unit TEXT NOT NULL,
    {_EVENT}
) STRICT;

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    {_EVENT}
) STRICT;

-- source is NULL for the campaign's own formulas
CREATE TABLE formula (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    source INTEGER REFERENCES source (id),
    name TEXT,
    {_EVENT}
) STRICT;
CREATE INDEX formula_of_source ON formula (source);

-- concentration in the component's unit; choice for a component that is one of several names
CREATE TABLE amount (
    formula INTEGER NOT NULL REFERENCES formula (id),
    component INTEGER NOT NULL REFERENCES component (id),
    concentration REAL CHECK (abs(concentration) < 9e999),
    choice TEXT,
    PRIMARY KEY (formula, component),
    CHECK ((concentration IS NULL) <> (choice IS NULL))
) STRICT, WITHOUT ROWID;

-- trained on everything up to known_event
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    weights BLOB NOT NULL,
    metadata TEXT NOT NULL CHECK (json_valid(metadata)),
    known_event INTEGER NOT NULL REFERENCES event (sequence),
    {_EVENT}
) STRICT;

-- proposed from everything up to known_event
CREATE TABLE round (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    definition INTEGER NOT NULL REFERENCES definition (id),
    model INTEGER REFERENCES model (id),
    known_event INTEGER NOT NULL REFERENCES event (sequence),
    {_EVENT}
) STRICT;

CREATE TABLE round_state (
    round INTEGER NOT NULL REFERENCES round (number),
    {_EVENT},
    state TEXT NOT NULL CHECK (state IN {STATES}),
    PRIMARY KEY (round, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE proposal (
    round INTEGER NOT NULL REFERENCES round (number),
    formula INTEGER NOT NULL REFERENCES formula (id),
    rank INTEGER NOT NULL,
    origin TEXT NOT NULL,
    acquisition REAL CHECK (abs(acquisition) < 9e999),
    candidate TEXT,
    PRIMARY KEY (round, formula)
) STRICT, WITHOUT ROWID;

CREATE TABLE prediction (
    round INTEGER NOT NULL REFERENCES round (number),
    formula INTEGER NOT NULL REFERENCES formula (id),
    response INTEGER NOT NULL REFERENCES response (id),
    mean REAL NOT NULL CHECK (abs(mean) < 9e999),
    sd REAL NOT NULL CHECK (sd >= 0 AND sd < 9e999),
    PRIMARY KEY (round, formula, response)
) STRICT, WITHOUT ROWID;

-- ids are in the order of the layout
CREATE TABLE well (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL REFERENCES round (number),
    plate INTEGER NOT NULL CHECK (plate > 0),
    well TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN {ROLES}),
    formula INTEGER REFERENCES formula (id),
    replicate INTEGER,
    UNIQUE (round, plate, well),
    CHECK ((role = 'empty') = (formula IS NULL))
) STRICT;
CREATE INDEX well_of_formula ON well (formula);

-- position is the order in which the robot works; volume in µL is ticks * increment_ul;
-- stock_concentration is NULL for the diluent
CREATE TABLE dispense (
    round INTEGER NOT NULL,
    position INTEGER NOT NULL,
    plate INTEGER NOT NULL,
    well TEXT NOT NULL,
    stock TEXT NOT NULL,
    stock_concentration REAL CHECK (abs(stock_concentration) < 9e999),
    source_plate INTEGER,
    source_well TEXT,
    ticks INTEGER NOT NULL CHECK (ticks > 0),
    increment_ul REAL NOT NULL CHECK (increment_ul > 0 AND increment_ul < 9e999),
    PRIMARY KEY (round, position),
    FOREIGN KEY (round, plate, well) REFERENCES well (round, plate, well)
) STRICT, WITHOUT ROWID;

CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    {_EVENT}
) STRICT;

-- formula is NULL for a blank (an empty well); the value of below_range and above_range is the
-- limit, where it is known; a correction is a new row that supersedes the old one
CREATE TABLE measurement (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    formula INTEGER REFERENCES formula (id),
    well INTEGER REFERENCES well (id),
    response INTEGER NOT NULL REFERENCES response (id),
    value REAL CHECK (abs(value) < 9e999),
    status TEXT NOT NULL CHECK (status IN {STATUSES}),
    reason TEXT,
    file INTEGER REFERENCES file (id),
    supersedes INTEGER UNIQUE REFERENCES measurement (id),
    {_EVENT},
    CHECK (formula IS NOT NULL OR well IS NOT NULL),
    CHECK (status NOT IN ('ok', 'excluded') OR value IS NOT NULL),
    CHECK (status <> 'missing' OR value IS NULL)
) STRICT;
CREATE INDEX measurement_of_formula ON measurement (formula);
CREATE INDEX measurement_of_well ON measurement (well, response) WHERE well IS NOT NULL;
CREATE UNIQUE INDEX measurement_once_a_well ON measurement (well, response)
    WHERE well IS NOT NULL AND supersedes IS NULL;
"""

# INSERT OR REPLACE deletes without firing a DELETE trigger (unless the connection asks for it), so
# the rows that matter most refuse the insertion itself.
_RULES = """
CREATE TRIGGER event_follows BEFORE INSERT ON event
WHEN NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM event), 0)
    OR NEW.previous_hash <> coalesce(
        (SELECT hash FROM event ORDER BY sequence DESC LIMIT 1), printf('%064d', 0))
BEGIN
    SELECT RAISE(ABORT, 'an event must follow the last one');
END;

CREATE TRIGGER measurement_is_new BEFORE INSERT ON measurement
WHEN EXISTS (SELECT 1 FROM measurement WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM measurement WHERE supersedes = NEW.supersedes)
    OR NEW.supersedes IS NULL AND EXISTS (
        SELECT 1 FROM measurement
        WHERE well = NEW.well AND response = NEW.response AND supersedes IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'a measurement is never replaced');
END;

CREATE TRIGGER measurement_of_its_well BEFORE INSERT ON measurement
WHEN NEW.well IS NOT NULL AND NEW.formula IS NOT (SELECT formula FROM well WHERE id = NEW.well)
BEGIN
    SELECT RAISE(ABORT, 'the well holds another formula');
END;

CREATE TRIGGER measurement_supersedes_its_like BEFORE INSERT ON measurement
WHEN NEW.supersedes IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM measurement
    WHERE id = NEW.supersedes AND formula IS NEW.formula AND well IS NEW.well
        AND response = NEW.response)
BEGIN
    SELECT RAISE(ABORT, 'a correction is of the same formula, well and response');
END;

CREATE TRIGGER round_state_follows BEFORE INSERT ON round_state
WHEN coalesce(
        (SELECT state FROM round_state WHERE round = NEW.round ORDER BY event DESC LIMIT 1), ''
    ) || '>' || NEW.state NOT IN (
        '>proposed', 'proposed>exported', 'proposed>recorded', 'exported>recorded',
        'proposed>abandoned', 'exported>abandoned')
BEGIN
    SELECT RAISE(ABORT, 'a round cannot change its state so');
END;
"""

_VIEWS = """
CREATE VIEW current_measurement AS
    SELECT * FROM measurement AS old
    WHERE NOT EXISTS (SELECT 1 FROM measurement AS new WHERE new.supersedes = old.id);

CREATE VIEW current_round AS
    SELECT number,
        (SELECT state FROM round_state WHERE round = number ORDER BY event DESC LIMIT 1) AS state,
        seed, settings, definition, model, known_event, event
    FROM round;
"""

# Where a measurement was taken that is of no well of a round, as its file names plate and well; and
# the few that wait for a value, for `status` asks for them.
_PLACES = """
ALTER TABLE measurement ADD COLUMN plate_label TEXT CHECK (plate_label <> '');
ALTER TABLE measurement ADD COLUMN well_label TEXT CHECK (well_label <> '');
CREATE INDEX measurement_missing ON measurement (well) WHERE status = 'missing';
"""

_APPEND_ONLY = (
    "event", "definition", "component", "response", "source", "formula", "amount", "round",
    "round_state", "proposal", "prediction", "well", "dispense", "file", "measurement",
)  # fmt: skip


def _append_only(table: str) -> str:
    return "".join(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}\n"
        f"BEGIN\n    SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted');\nEND;\n"
        for verb in ("UPDATE", "DELETE")
    )


STEPS: tuple[tuple[str, str], ...] = (
    (
        "first_schema",
        _TABLES + _RULES + "".join(map(_append_only, _APPEND_ONLY)) + _VIEWS,
    ),
    ("places_of_measurements", _PLACES),
)


def newest_version() -> int:
    """Return the `user_version` that this labloop writes: the number of steps."""
    return len(STEPS)


def statements(sql: str) -> Iterator[str]:
    """Yield the statements of an SQL text one by one, triggers whole; each must end its line.

    `sqlite3`'s own `executescript` would commit the transaction that a step runs in.
    """
    gathered = ""
    for line in sql.splitlines(keepends=True):
        gathered += line
        if complete_statement(gathered):
            yield gathered.strip()
            gathered = ""


def quoted(name: str) -> str:
    """Return a name as an SQL identifier, or as the text of an alias."""
    return '"' + name.replace('"', '""') + '"'


def round_wells(components: Sequence[tuple[int, str]], responses: Sequence[tuple[int, str]]) -> str:
    """Return the SELECT of the view `round_wells`: every well of every round, one wide row each.

    `components` and `responses` are (id, name). Concentrations, or the choice, stand in a column a
    component; the mean of what was measured with status ok in a column a response. The columns are
    scalar subqueries because a join of 50 tables is slow and one of 65 is refused by SQLite.
    """
    columns = [
        "w.round", "r.state", "w.plate", "w.well", "w.role", "w.formula", "f.name", "p.origin",
        "w.replicate",
    ]  # fmt: skip
    columns += [
        f"(SELECT coalesce(concentration, choice) FROM amount"
        f" WHERE formula = w.formula AND component = {number}) AS {quoted(name)}"
        for number, name in components
    ]
    columns += [
        f"(SELECT avg(value) FROM current_measurement"
        f" WHERE well = w.id AND response = {number} AND status = 'ok') AS {quoted(name)}"
        for number, name in responses
    ]
    return (
        "SELECT " + ",\n    ".join(columns) + "\nFROM well AS w\n"
        "JOIN current_round AS r ON r.number = w.round\n"
        "LEFT JOIN formula AS f ON f.id = w.formula\n"
        "LEFT JOIN proposal AS p ON p.round = w.round AND p.formula = w.formula\n"
        "ORDER BY w.id"
    )
