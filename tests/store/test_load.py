"""Programs that do everything at once on one file: nothing is lost, or the loser is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from labloop.store import (
    campaign_measurements,
    check_store,
    history_measurements,
    open_store,
    pending_wells,
    read_counts,
    read_events,
    read_layout,
    read_rounds,
)
from tests.campaign.conftest import (  # noqa: F401  fixtures are found by their names
    _fresh,
    _pretrained,
    _proposed,
    _recorded,
    lab,
    recorded,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

WRITER = """
import json, random, sys, time
from labloop.errors import BusyError
from labloop.store import *
from labloop.store.database import Store
from tests.store.conftest import COMPONENTS, RESPONSES, TEXT, UNITS

path, me, seconds, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
rng = random.Random(me)
rounds = []  # of this program, with the ids of what was measured
done, busy, worst = [], 0, 0.0


def propose(store):
    with store.writing("propose") as writing:
        definition = use_definition(writing, TEXT, UNITS, RESPONSES)
        ids = add_formulas(writing, COMPONENTS, [[float(k), "soy"] for k in range(16)])
        number = add_round(
            writing, seed=me, settings={}, definition=definition, known_event=writing.event - 1,
            model=None, proposals=[Proposal(i, "mixing") for i in ids],
            predictions=[Prediction(i, "titre", 0.5, 0.1) for i in ids],
            wells=[Well(1, "ABCDEFGH"[k // 2] + str(1 + k % 2), "formula", i, 1)
                   for k, i in enumerate(ids)],
            dispenses=[Dispense(1, "A1", "water", None, 1, "A1", 10, 0.5)],
        )
    rounds.append([number, "proposed", []])
    return writing.event, {"round": number}


def export(store):
    mine = next(r for r in rounds if r[1] == "proposed")
    with store.writing("export", kind="manual") as writing:
        mark_exported(writing, mine[0])
    mine[1] = "exported"
    return writing.event, {"round": mine[0]}


def record(store):
    mine = next(r for r in rounds if r[1] != "recorded")
    wells = read_layout(store, mine[0])
    values = [round(rng.random(), 6) for _ in wells]
    with store.writing("record") as writing:
        file = add_file(writing, f"{me:032x}{mine[0]:032x}", f"{mine[0]}.csv", "results")
        mark_recorded(writing, mine[0])
        results = [Result("titre", v, well=w.id) for v, w in zip(values, wells)]
        ids = add_measurements(writing, results, file=file)
    mine[1:] = ["recorded", [list(each) for each in zip(ids, values)]]
    return writing.event, {"rows": mine[2]}


def exclude(store):
    mine = rng.choice([r for r in rounds if r[2]])
    pair = rng.choice(mine[2])
    with store.writing("exclude") as writing:
        (new,) = add_corrections(writing, [Correction(pair[0], pair[1], "excluded", "spilt")])
    pair[0] = new
    return writing.event, {"rows": [[new, pair[1]]]}


def count_up(store):
    # all programs at the same measurement: an update that is lost would show in its value
    with store.writing("correct") as writing:
        (now,) = [m for m in history_measurements(store, source="CHO-S") if m.formula == 2]
        (new,) = add_corrections(writing, [Correction(now.id, now.value + 1)])
    return writing.event, {"count": now.value + 1}


def history(store):
    with store.writing("history", source="HEK") as writing:
        ids = add_formulas(writing, COMPONENTS, [[float(me), "soy"]] * 8, source="HEK")
        found = add_measurements(writing, [Result("titre", float(i), formula=i) for i in ids])
    return writing.event, {"rows": [[m, float(i)] for m, i in zip(found, ids)]}


def possible():
    yield from (propose, count_up, history)
    if any(r[1] == "proposed" for r in rounds):
        yield export
    if any(r[1] != "recorded" for r in rounds):
        yield from (record, record)
    if any(r[2] for r in rounds):
        yield exclude


sys.stdin.readline()  # all start together
end = time.monotonic() + seconds
while time.monotonic() < end:
    step = rng.choice(list(possible()))
    start = time.monotonic()
    try:
        with open_store(path, timeout=timeout) as store:
            event, what = step(store)
        done.append([event, step.__name__, what])
    except BusyError as error:
        assert error.exit_code == 4
        busy += 1
    worst = max(worst, time.monotonic() - start)
print(json.dumps({"done": done, "busy": busy, "worst": worst}))
"""

READER = """
import json, sys, time
from labloop.errors import BusyError
from labloop.store import *

path, seconds = sys.argv[1], float(sys.argv[2])
sys.stdin.readline()
end = time.monotonic() + seconds
last, reads, worst = 0, 0, 0.0
while time.monotonic() < end:
    start = time.monotonic()
    with open_store(path) as store:
        now = last_event(store)
        assert now >= last
        events = [e for e in read_events(store) if e.sequence <= now]
        rounds = read_rounds(store, up_to=now)
        assert len(rounds) == sum(e.action == "propose" for e in events)
        full = sum(r.state == "recorded" for r in rounds)
        # a round is recorded with all its wells, or not at all
        own = [m for m in campaign_measurements(store, up_to=now) if m.round is not None]
        assert len(own) == 16 * full
        read_counts(store), pending_wells(store)
        assert verify_events(store) == []
    last, reads, worst = now, reads + 1, max(worst, time.monotonic() - start)
print(json.dumps({"reads": reads, "worst": worst}))
"""

ACTIONS = {"count_up": "correct"}


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(programs):
    """What each program prints as JSON at its end; all must end well."""
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    ends = [program.communicate(timeout=180) for program in programs]
    assert [error for _, error in ends] == [""] * len(programs)
    return [json.loads(out) for out, _ in ends]


@pytest.mark.parametrize(
    ("seconds", "timeouts"),
    [
        (2, (30.0, 30.0, 30.0, 0.0)),
        pytest.param(60, (30.0, 30.0, 30.0, 0.0), marks=pytest.mark.slow),
    ],
)
def test_programs_that_do_everything_at_once_lose_nothing(store, steps, seconds, timeouts):
    steps.history(store)
    before = len(read_events(store))
    store.close()
    writers = [
        start(WRITER, store.path, me, seconds, timeout)
        for me, timeout in enumerate(timeouts, start=1)
    ]
    *wrote, read = told([*writers, start(READER, store.path, seconds)])
    done = [each for writer in wrote for each in writer["done"]]
    print(
        f"{len(done)} writes {dict(Counter(name for _, name, _ in done))}, "
        f"busy {[w['busy'] for w in wrote]}, worst {[round(w['worst'], 2) for w in wrote]} s; "
        f"{read['reads']} reads, worst {read['worst']:.2f} s"
    )
    assert all(writer["done"] for writer in wrote[:3])
    assert read["reads"] > 0
    with open_store(store.path) as after:
        assert check_store(after) == []
        events = {event.sequence: event for event in read_events(after)}
        # what was told to be done is there, and whoever gave up wrote nothing
        assert sorted(events)[before:] == sorted(event for event, _, _ in done)
        values = dict(after.rows("SELECT id, value FROM measurement"))
        for event, name, what in done:
            assert events[event].action == ACTIONS.get(name, name)
            assert [values[row] for row, _ in what.get("rows", [])] == [
                value for _, value in what.get("rows", [])
            ]
        counts = sorted(what["count"] for _, _, what in done if "count" in what)
        assert counts == [1.5 + k for k in range(len(counts))]
        names = Counter(name for _, name, _ in done)
        rounds = read_rounds(after)
        assert [r.number for r in rounds] == list(range(1, names["propose"] + 1))
        assert sum(r.state == "recorded" for r in rounds) == names["record"]
        assert pending_wells(after) == {
            r.number: (16, {"density": 16}) for r in rounds if r.state == "recorded"
        }
        assert all(len(read_layout(after, r.number)) == 16 for r in rounds)
        assert read_counts(after).own_measurements == len(campaign_measurements(after))
        assert read_counts(after).sources["HEK"] == (8 * names["history"], 8 * names["history"])
        assert len(history_measurements(after)) == 2 + 8 * names["history"]


@pytest.mark.slow
def test_whole_commands_at_once_are_all_done(recorded, lab, tmp_path):  # noqa: F811
    recorded.close()
    own, earlier = tmp_path / "own.csv", tmp_path / "earlier.csv"
    lab.history(4, seed=6).to_csv(own, index=False)
    lab.history(6, seed=7).to_csv(earlier, index=False)
    with open_store(recorded.store.path) as before:
        events = len(read_events(before))
        wells = [w.well for w in read_layout(before, 1) if w.role == "formula"][:2]
        measured, history = len(campaign_measurements(before)), len(history_measurements(before))
    commands = [
        ["record", recorded.folder, own],
        ["history", recorded.folder, earlier, "--source", "HEK"],
        *(["exclude", recorded.folder, "--well", w, "--reason", "spilt"] for w in wells),
        ["status", recorded.folder],
        ["status", recorded.folder, "--json"],
    ]
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "labloop", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    ends = [program.communicate(timeout=120) for program in programs]
    assert [program.returncode for program in programs] == [0] * len(commands), ends
    with open_store(recorded.store.path) as after:
        assert check_store(after) == []
        assert len(read_events(after)) == events + 4
        left_out = {m.well for m in campaign_measurements(after) if m.status == "excluded"}
        assert left_out == set(wells)
        assert len(campaign_measurements(after)) > measured
        assert len(history_measurements(after)) > history
