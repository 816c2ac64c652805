"""How a campaign of many rounds is to live with: file size, and seconds a command takes.

    python -m benchmarks.store

makes 200 rounds of 384 wells, 50 components and 4 responses through the store's own functions, all
but the last recorded, and times whole commands on it, from the start of the interpreter to its end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.publish import PAGE, put_between_marks
from labloop import Campaign, store
from labloop.definition import Definition, parse
from labloop.plate.planning import Planned, planned

ROUNDS, WELLS, COMPONENTS, RESPONSES, CONTROLS = 200, 384, 50, 4, 8
FORMULAS = (WELLS - CONTROLS) // 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each command, and publish them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="make the campaign here, and leave it")
    parser.add_argument("--publish", action="store_true", help="write the benchmarks page")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "large"
        if not folder.exists():
            make(folder, options.rounds)
        lines = measured(folder)
    print("\n".join(lines))
    if options.publish:
        put_between_marks(PAGE, "store", "\n".join(lines))


def measured(folder: Path) -> list[str]:
    """Return the table of what was measured on a campaign."""
    plate = folder / "plate.csv"
    size = (folder / "campaign.db").stat().st_size
    lines = ["| what | |", "|---|---|", f"| file | {size / 1e6:.0f} MB |"]
    with Campaign.open(folder) as campaign:
        last = campaign.rounds()[-1].number
        results(campaign, last).to_csv(plate, index=False)
    copy = folder / "copy.db"
    commands = {
        "status": ["status", folder],
        "record of a plate, rehearsed": ["record", folder, plate, "--dry-run", "--json"],
        "record of a plate": ["record", folder, plate, "--json"],
        "log of the last 20 events": ["log", folder, "--last", "20"],
        "best": ["best", folder],
        "wells of a round": ["wells", folder, "--round", str(last)],
        "check": ["check", folder],
        "backup": ["backup", folder, copy],
    }
    for name, words in commands.items():
        lines.append(f"| `{name}` | {seconds(words):.2f} s |")
        copy.unlink(missing_ok=True)
    return lines


def seconds(words: Sequence[object]) -> float:
    """Return how long a command takes as a whole program; it must succeed."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "labloop", *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def results(campaign: Campaign, number: int) -> pd.DataFrame:
    """Return what a reader reads of the filled wells of a round."""
    layout = campaign.round(number).layout
    frame = layout.loc[layout["role"] != "empty", ["plate", "well"]].reset_index(drop=True)
    values = np.random.default_rng(number).lognormal(0.0, 0.3, (len(frame), RESPONSES))
    for k in range(RESPONSES):
        frame[f"response {k}"] = values[:, k].round(4)
    return frame


def make(folder: Path, rounds: int) -> None:
    """Make a campaign of so many rounds, all but the last recorded."""
    definition = large()
    with Campaign.create(folder, definition) as campaign:
        space = campaign.space
        rng = np.random.default_rng(0)
        made = planned(definition, space, space.sample(FORMULAS, rng), seed=0)
        for number in range(1, rounds + 1):
            concentrations = space.concentrations(space.sample(FORMULAS, rng))
            with campaign.store.writing("propose") as writing:
                used = campaign._use_definition(writing)
                _add_round(writing, made, concentrations, used, definition)
            if number < rounds:
                _record(campaign, number, rng)


def _add_round(
    writing: store.Writing,
    made: Planned,
    concentrations: npt.NDArray[np.float64],
    used: int,
    definition: Definition,
) -> None:
    names = definition.component_names
    ids = store.add_formulas(writing, names, concentrations)
    known = store.named_formulas(writing.store)
    if "standard" not in known:
        amounts = [[definition.formulas["standard"].get(name, 0.0) for name in names]]
        store.add_formulas(writing, names, amounts, names=["standard"])
        known = store.named_formulas(writing.store)
    store.add_round(
        writing,
        seed=0,
        settings={"formulas": FORMULAS, "notes": []},
        definition=used,
        known_event=writing.event - 1,
        model=None,
        proposals=[store.Proposal(formula, "mixing", 0.5) for formula in ids],
        predictions=[
            store.Prediction(formula, name, 1.0, 0.25)
            for formula in ids
            for name in definition.response_names
        ],
        wells=[
            store.Well(
                row.plate,
                row.well,
                row.role,
                _formula_in(row.role, row.formula, ids, known),
                None if row.role == "empty" else row.replicate,
            )
            for row in _rows(made.layout)
        ],
        dispenses=[
            store.Dispense(
                row.plate, row.well, row.stock,
                None if np.isnan(row.stock_concentration) else row.stock_concentration,
                row.source_plate, row.source_well, row.ticks, definition.robot.increment_ul,
            )
            for row in _rows(made.dispenses)
        ],
    )  # fmt: skip


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    return frame.itertuples(index=False)


def _formula_in(
    role: str, formula: object, ids: Sequence[int], known: dict[str, int]
) -> int | None:
    if role == "empty":
        return None
    return known[str(formula)] if role == "control" else ids[int(str(formula))]


def _record(campaign: Campaign, number: int, rng: np.random.Generator) -> None:
    """Store a result of each filled well, as `record` does."""
    wells = [w for w in store.read_layout(campaign.store, number) if w.role != "empty"]
    values = rng.lognormal(0.0, 0.3, (len(wells), RESPONSES)).round(4)
    with campaign.store.writing("record") as writing:
        file = store.add_file(writing, f"{number:064x}", f"plate-{number}.csv", "results")
        store.add_measurements(
            writing,
            [
                store.Result(f"response {k}", float(values[row, k]), well=well.id)
                for row, well in enumerate(wells)
                for k in range(RESPONSES)
            ],
            file=file,
        )
        store.mark_recorded(writing, number)


def large() -> Definition:
    """Return the campaign's definition."""
    return parse(
        {
            "name": "large",
            "plate": {
                "wells": WELLS,
                "well_volume_ul": 100.0,
                "inoculum_ul": 10.0,
                "replicates": 2,
                "controls": {"standard": CONTROLS},
            },
            "robot": {"kind": "mantis"},
            "component": [
                {"name": f"component {k}", "unit": "mM", "high": 10.0, "stocks": [1000.0, 100.0]}
                for k in range(COMPONENTS)
            ],
            "response": [{"name": f"response {k}"} for k in range(RESPONSES)],
            "formulas": {"standard": {"component 0": 5.0, "component 1": 5.0}},
        }
    )


if __name__ == "__main__":
    main()
