"""Make the small campaign of this folder with the labloop that wrote an older schema.

`schema-1.db` was made by commit 2857d04, the last one of schema 1:

    git worktree add ../labloop-schema-1 2857d04
    cd ../labloop-schema-1
    PYTHONPATH=. python ../labloop/tests/store/old/make.py schema-1.db

It holds history, a network of a few bytes, a round in every state, results with statuses, a
correction and an exclusion. The tests know by heart what is in it, so it is never made anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from labloop.store import (
    Correction,
    Dispense,
    Prediction,
    Proposal,
    Result,
    Store,
    Well,
    Writing,
    abandon_round,
    add_corrections,
    add_file,
    add_formulas,
    add_measurements,
    add_model,
    add_round,
    create_store,
    last_event,
    mark_exported,
    mark_recorded,
    read_layout,
    use_definition,
)

COMPONENTS = ("glucose", "protein")
UNITS = (("glucose", "mM"), ("protein", ""))
RESPONSES = (("titre", "g/L"), ("density", ""))
TEXT = 'name = "old"\n'


def first(writing: Writing) -> None:
    """Write the definition and a control."""
    use_definition(writing, TEXT, UNITS, RESPONSES)
    add_formulas(writing, COMPONENTS, [[25.0, "soy"]], names=["commercial"])


def history(store: Store) -> None:
    """Add two formulas of another cell line."""
    with store.writing("history", source="CHO-S") as writing:
        file = add_file(writing, "a" * 64, "früher.csv", "history")
        ids = add_formulas(writing, COMPONENTS, [[1.0, "soy"], [2.5, "wheat"]], source="CHO-S")
        add_measurements(writing, [Result("titre", 0.5, formula=i) for i in ids], file=file)


def propose(store: Store, concentration: float, model: int | None) -> int:
    """Propose a round of two formulas, a control and an empty well."""
    known = last_event(store)
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
            predictions=[Prediction(one, "titre", 0.4, 0.1)],
            wells=[
                Well(1, "B2", "formula", two, 1),
                Well(1, "A1", "control", 1, 1),
                Well(1, "A2", "formula", one, 1),
                Well(1, "H12", "empty"),
            ],
            dispenses=[Dispense(1, "B2", "glucose", 1000.0, 1, "B1", 15, 0.5)],
        )


def record(store: Store, number: int) -> Sequence[int]:
    """Record a round with statuses, and a formula of the lab's own."""
    wells = [well.id for well in read_layout(store, number) if well.formula is not None]
    with store.writing("record") as writing:
        file = add_file(writing, "b" * 64, "results.csv", "results")
        mark_recorded(writing, number)
        adopted = add_formulas(writing, COMPONENTS, [[60.0, "soy"]])
        results = [
            Result("titre", 1.5, well=wells[0]),
            Result("titre", None, "missing", "spilt", well=wells[1]),
            Result("titre", 4.0, "above_range", well=wells[2]),
            Result("density", 0.25, well=wells[0]),
            *(Result("titre", 9.0, formula=i) for i in adopted),
        ]
        return add_measurements(writing, results, file=file)


def make(path: Path) -> None:
    """Make the campaign."""
    with create_store(path, first) as store:
        history(store)
        known = last_event(store)
        with store.writing("pretrain") as writing:
            model = add_model(writing, "pretrained", b"\x00weights", {"r2": 0.5}, known_event=known)
        proposed = [propose(store, 5.0 + i, model) for i in range(4)]
        for number in proposed[1:3]:
            with store.writing("export", kind="manual") as writing:
                mark_exported(writing, number)
        ids = record(store, proposed[2])
        with store.writing("correct") as writing:
            corrections = [Correction(ids[0], 1.25), Correction(ids[3], 0.25, "excluded", "bubble")]
            add_corrections(writing, corrections)
        with store.writing("abandon") as writing:
            abandon_round(writing, proposed[3])


if __name__ == "__main__":
    make(Path(sys.argv[1]))
