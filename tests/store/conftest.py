"""A small campaign, and the steps of its life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labloop.store import (
    Dispense,
    Prediction,
    Proposal,
    Result,
    Store,
    Well,
    Writing,
    abandon_round,
    add_file,
    add_formulas,
    add_measurements,
    add_model,
    add_round,
    create_store,
    last_event,
    mark_exported,
    mark_recorded,
    named_formulas,
    read_layout,
    use_definition,
)

COMPONENTS = ("glucose", "protein")
UNITS = (("glucose", "mM"), ("protein", ""))
RESPONSES = (("titre", "g/L"), ("density", ""))
TEXT = 'name = "small"\n'


class Steps:
    """What a campaign does, each in one write transaction."""

    components = COMPONENTS
    text = TEXT
    units = UNITS
    responses = RESPONSES

    @staticmethod
    def first(writing: Writing) -> None:
        use_definition(writing, TEXT, UNITS, RESPONSES)
        add_formulas(writing, COMPONENTS, [[25.0, "soy"]], names=["commercial"])

    @staticmethod
    def history(store: Store, source: str = "CHO-S") -> list[int]:
        with store.writing("history", source=source) as writing:
            file = add_file(writing, source.encode().hex().zfill(64), f"{source}.csv", "history")
            ids = add_formulas(writing, COMPONENTS, [[1.0, "soy"], [2.5, "wheat"]], source=source)
            results = [Result("titre", 0.5, formula=i) for i in ids]
            add_measurements(writing, results, file=file)
        return ids

    @staticmethod
    def model(store: Store) -> int:
        known = last_event(store)
        with store.writing("pretrain") as writing:
            return add_model(writing, "pretrained", b"\x00weights", {"r2": 0.5}, known_event=known)

    @staticmethod
    def propose(store: Store, model: int | None = None, concentration: float = 7.5) -> int:
        known = last_event(store)
        control = named_formulas(store)["commercial"]
        with store.writing("propose") as writing:
            definition = use_definition(writing, TEXT, UNITS, RESPONSES)
            one, two = add_formulas(
                writing, COMPONENTS, [[concentration, "soy"], [concentration, "wheat"]]
            )
            return add_round(
                writing,
                seed=1,
                settings={"formulas": 2},
                definition=definition,
                known_event=known,
                model=model,
                proposals=[Proposal(two, "mixing", 0.25), Proposal(one, "list", None, "row 7")],
                predictions=[
                    Prediction(one, "titre", 0.4, 0.1),
                    Prediction(two, "titre", 0.6, 0.2),
                ],
                wells=[
                    Well(1, "B2", "formula", two, 1),
                    Well(1, "A1", "control", control, 1),
                    Well(1, "A2", "formula", one, 1),
                    Well(1, "H12", "empty"),
                ],
                dispenses=[
                    Dispense(1, "B2", "water", None, 1, "A1", 180, 0.5),
                    Dispense(1, "B2", "glucose", 1000.0, 1, "B1", 15, 0.5),
                ],
            )

    @staticmethod
    def export(store: Store, number: int) -> None:
        with store.writing("export", kind="manual") as writing:
            mark_exported(writing, number)

    @staticmethod
    def record(store: Store, number: int, name: str = "results.csv") -> list[int]:
        wells = [well for well in read_layout(store, number) if well.formula is not None]
        with store.writing("record") as writing:
            file = add_file(writing, f"{number}{name}".encode().hex().zfill(64), name, "results")
            mark_recorded(writing, number)
            adopted = add_formulas(writing, COMPONENTS, [[60.0, "soy"]])
            results = [Result("titre", 1.0 + i, well=well.id) for i, well in enumerate(wells)]
            results += [Result("titre", 9.0, formula=i) for i in adopted]
            return add_measurements(writing, results, file=file)

    @staticmethod
    def abandon(store: Store, number: int) -> None:
        with store.writing("abandon") as writing:
            abandon_round(writing, number)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Make campaigns that are closed at the end of the test."""
    made: list[Store] = []

    def make(name: str = "campaign.db") -> Store:
        made.append(create_store(tmp_path / name, Steps.first, timeout=0.05))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store()


_NEXT_STEP = (
    "aliases",
    """
    CREATE TABLE alias (
        name TEXT NOT NULL PRIMARY KEY,
        component INTEGER NOT NULL REFERENCES component (id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE new_source (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        lab TEXT,
        event INTEGER NOT NULL REFERENCES event (sequence) DEFERRABLE INITIALLY DEFERRED
    ) STRICT;
    INSERT INTO new_source SELECT id, name, NULL, event FROM source;
    DROP TRIGGER source_no_delete;
    DROP TABLE source;
    ALTER TABLE new_source RENAME TO source;
    """,
)


@pytest.fixture
def next_step() -> tuple[str, str]:
    """A step of a schema to come: a new table, and one that others refer to made anew."""
    return _NEXT_STEP
