"""`labloop simulate`: tables to standard output, sentences to standard error, a page on request."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from labloop.cli import main

QUICK = ["--strategy", "mixing", "--strategy", "random", "--rounds", 2, "--seeds", 2, "--jobs", 1]


@pytest.fixture
def simulate(campaign_of):
    folder = campaign_of(a=40, b=25).folder

    def run(*arguments, code=0):
        given = [str(each) for each in ("simulate", folder, *arguments)]
        result = CliRunner().invoke(main, given)
        assert result.exit_code == code, result.stderr
        return result.stdout, result.stderr

    return run


def test_tables_and_sentences_and_a_page(simulate, tmp_path):
    page = tmp_path / "page.html"
    out, err = simulate("--lab", "replay", *QUICK, "--out", page)
    lines = out.splitlines()
    assert lines[0] == "share of the best 5 % found"
    assert lines[1].split() == ["strategy", "round", "1", "round", "2"]
    assert [line.split("  ")[0] for line in lines[2:4]] == ["mixing", "random"]
    assert lines[5] == "best titre (g/L)"
    assert "Replay: strategies choose among the 40 measured formulas of the source A." in err
    assert "With 2 seeds chance cannot be ruled out; run 3 or more." in err
    assert err.endswith(f"Written: {page}\n")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json(simulate):
    out, _ = simulate("--lab", "replay", "--source", "B", *QUICK, "--json")
    told = json.loads(out)
    assert told["lab"] == "replay"
    assert len(told["rounds"]) == 8
    assert set(told["summary"][0]) >= {"strategy", "round", "best", "best_sem", "found_5"}
    assert "source B" in told["notes"][0]


def test_refusals_are_sentences(simulate):
    _, err = simulate("--lab", "replay", "--source", "C", code=1)
    assert err == 'labloop: There is no source "C" in the history (there is: A, B).\n'
    _, err = simulate("--lab", "dream", code=2)
    assert "'dream' is not one of 'replay', 'emulator'" in err


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_run(simulate, tmp_path):
    file = tmp_path / "file"
    file.touch()
    out, err = simulate("--lab", "replay", "--out", file / "page.html", code=1)
    assert out == ""
    assert err.startswith(f'labloop: Cannot write to "{file}": ')
    _, err = simulate("--lab", "replay", "--out", tmp_path, code=2)
    assert f"'{tmp_path}' is a directory." in err


def test_an_empty_address_is_one_that_was_given(simulate):
    _, err = simulate("--lab", "replay", "--cluster", "", code=1)
    assert err == 'labloop: "" is no address of a cluster; write it like tcp://192.168.0.10:8786.\n'


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from labloop.cli import main\n"
        "try: main(['simulate', '--help'])\n"
        "except SystemExit: print({'torch', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.endswith("set()\n")
