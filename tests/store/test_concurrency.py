"""Several programs on one campaign: everything is kept, or the loser is told."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain
from pathlib import Path

from labloop.store import (
    campaign_measurements,
    check_store,
    open_store,
    read_events,
    read_layout,
    read_rounds,
)

PROPOSE = """
import sys
from labloop.store import *
sys.stdin.readline()  # all start together
done = 0
while done < 5:
    with open_store(sys.argv[1], timeout=30) as store:
        known = last_event(store)
        with store.writing("propose") as writing:
            (formula,) = add_formulas(writing, ["glucose"], [[float(done)]])
            number = add_round(
                writing, seed=1, settings={}, definition=1, known_event=known, model=None,
                proposals=[Proposal(formula, "mixing")], predictions=[],
                wells=[Well(1, "A1", "formula", formula, 1)], dispenses=[],
            )
        (well,) = read_layout(store, number)
        with store.writing("record") as writing:
            mark_recorded(writing, number)
            add_measurements(writing, [Result("titre", float(number), well=well.id)])
        assert len(campaign_measurements(store)) > done
    done += 1
    print(number)
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(processes):
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    numbers = [[int(word) for word in process.communicate()[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return numbers


def test_programs_that_propose_and_record_at_once_lose_nothing(store):
    numbers = finish([start(PROPOSE, store.path) for _ in range(3)])
    assert sorted(chain(*numbers)) == list(range(1, 16))
    assert [r.number for r in read_rounds(store)] == list(range(1, 16))
    assert {r.state for r in read_rounds(store)} == {"recorded"}
    for measurement in campaign_measurements(store):
        assert measurement.value == measurement.round
        assert read_layout(store, measurement.round)[0].formula == measurement.formula
    assert len(read_events(store)) == 1 + 30
    assert check_store(store) == []


CREATE = """
import sys
from labloop.errors import RefusedError
from labloop.store import create_store, use_definition
import labloop.store.migrations
sys.stdin.readline()
try:
    create_store(sys.argv[1], lambda writing: use_definition(writing, sys.argv[2], [], [])).close()
    print(1)
except RefusedError:
    print(0)
"""


def test_programs_that_create_at_once_make_one_campaign(tmp_path):
    path = tmp_path / "campaign.db"
    numbers = finish([start(CREATE, path, text) for text in ("one", "two", "three")])
    assert sum(chain(*numbers)) == 1
    with open_store(path) as store:
        assert check_store(store) == []
    assert [p.name for p in Path(tmp_path).iterdir()] == ["campaign.db"]
