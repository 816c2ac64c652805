"""Two programs at once, and the same file twice."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from labloop import Campaign

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

GIVEN_UP = (
    "labloop: Another program wrote to the campaign while this round was being chosen, so it was "
    "given up; propose again to take the news into account.\n"
)


def test_two_proposes_at_once_make_one_round_and_the_loser_exits_4(learned, run, monkeypatch):
    told = []

    def lines():
        def progress(stage, done, total):
            if not told:
                told.append(None)
                told.append(run("propose", learned, "--seed", 2, "--formulas", 1))

        return progress

    monkeypatch.setattr("labloop.terminal.progress._lines", lines)
    code, out, error = run("propose", learned, "--seed", 1, "--formulas", 1)
    assert (code, out, error) == (4, "", GIVEN_UP)
    assert told[1][0] == 0
    assert [row[0] for row in learned.rows()["round"]] == [1]
    assert learned.is_sound()


@pytest.mark.slow
def test_two_programs_that_propose_at_once(learned, environment):
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "labloop", "propose", str(learned), "--seed", seed],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in "12"
    ]
    said = [program.communicate(timeout=300)[1] for program in programs]
    codes = [program.returncode for program in programs]
    assert sorted(codes) in ([0, 4], [0, 0])
    for code, text in zip(codes, said, strict=True):
        assert code == 0 or text.endswith(GIVEN_UP)
    found = learned.rows()
    assert [row[0] for row in found["round"]] == list(range(1, codes.count(0) + 1))
    assert learned.is_sound()


def test_record_while_another_program_reads(waiting, results, run):
    stop, read, failed = threading.Event(), [], []

    def reader():
        try:
            while not stop.is_set():
                with Campaign.open(waiting.path) as campaign:
                    read.append(campaign.status().counts.own_measurements)
        except Exception as error:  # noqa: BLE001  whatever it is, the test is to say so
            failed.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        while not read and thread.is_alive():
            stop.wait(0.01)
        code = run("record", waiting, results)[0]
    finally:
        stop.set()
        thread.join()
    assert (code, failed) == (0, [])
    with Campaign.open(waiting.path) as campaign:
        assert set(read) <= {0, campaign.status().counts.own_measurements}
    assert waiting.is_sound()


def test_the_same_file_recorded_twice_is_recognised(waiting, results, run, tmp_path):
    assert run("record", waiting, results)[0] == 0
    old = waiting.rows()
    renamed = tmp_path / "copy of results.csv"
    renamed.write_bytes(results.read_bytes())
    for file in (results, renamed):
        code, out, error = run("record", waiting, file, "--round", 1)
        assert (code, out) == (1, "")
        assert error.startswith(
            f'labloop: "{file.name}" was recorded before, as "results.csv" (event '
        )
    assert waiting.rows() == old


def test_the_same_file_of_history_twice_is_recognised(new, run, tmp_path, lab):
    file = tmp_path / "earlier.csv"
    lab.history(5).to_csv(file, index=False)
    assert run("history", new, file, "--source", "HEK")[0] == 0
    old = new.rows()
    code, out, error = run("history", new, file, "--source", "CHO")
    assert (code, out) == (1, "")
    assert error.startswith('labloop: "earlier.csv" was recorded before, as "earlier.csv" (event ')
    assert new.rows() == old
