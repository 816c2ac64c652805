"""The examples run on real tables, from start to end, and print what they promise."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NO_OLYMP = "the package olymp is not installed; pip install labloop[blends]"


def run(example: str, *options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an example as its README says, from another folder."""
    return run_file(f"{example}/run.py", *options, cwd=cwd)


def run_file(file: str, *options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a file of the examples, from another folder."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / file), *options],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_flaviolin_runs_from_the_labs_files_to_the_biomek(
    real_tables: Path, tmp_path: Path
) -> None:
    if not (real_tables / "flaviolin" / "raw").is_dir():
        pytest.skip(f"{real_tables} has no folder flaviolin/raw")
    done = run(
        "flaviolin", "--quick", "--tables", str(real_tables), "--out", "campaign", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "17 components, 12 of them varied." in done.stdout
    assert "Rounds 1 and 2 of C2: 92 wells of 32 media." in done.stdout
    for way in ("random choice", "labloop, no history", "labloop, history C1"):
        assert done.stdout.count(way) == 2  # once in each of the two tables
    worklist = tmp_path / "campaign" / "round" / "flaviolin-C2-round-1-biomek.csv"
    lines = worklist.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Source Position,Source Well,Destination Position")
    volumes = [float(line.split(",")[4]) for line in lines[1:]]
    assert sum(volumes) == pytest.approx(48 * (1500.0 - 15.0))
    assert min(volumes) >= 5.0


@pytest.mark.slow
def test_flaviolin_says_where_its_tables_are_to_be_had(tmp_path: Path) -> None:
    done = run("flaviolin", "--tables", "nowhere", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "The lab's tables are not in nowhere: clone "
        "https://github.com/JBEI/Flaviolin_media_opt_C1 and "
        "https://github.com/JBEI/Flaviolin_media_opt_C2 into one folder and name it with "
        "--tables.\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("olympus") is None, reason=NO_OLYMP)
def test_blends_learns_one_polymer_and_chooses_plates_of_the_other(tmp_path: Path) -> None:
    done = run("blends", "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "History PCE10, 1040 measurements. Plates of 12 with WF3,\namong 900 blends" in done.stdout
    )
    for way in ("random choice", "best of the history", "labloop", "SingleTaskGP, qLogEI"):
        assert sum(line.startswith(way) for line in done.stdout.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cell_free_reads_the_workbooks_of_a_plate_reader(real_tables: Path, tmp_path: Path) -> None:
    if not (real_tables / "cftx" / "raw").is_dir():
        pytest.skip(f"{real_tables} has no folder cftx/raw")
    options = ("--plates", "2", "--folds", "2", "--tables", str(real_tables), "--out", "campaigns")
    done = run("cell_free", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("plate 0: 618 readings, 103 new buffers") == 2
    assert done.stdout.count("plate 1: 360 readings, 50 new buffers") == 2
    assert done.stdout.count("mRNA") == 2


@pytest.mark.slow
def test_cell_free_says_where_its_files_are_to_be_had(tmp_path: Path) -> None:
    done = run("cell_free", "--tables", "nowhere", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "The lab's files are not in nowhere: clone https://github.com/LwSyBER/CFTX there, or say "
        "--tables.\n"
    )


@pytest.mark.slow
def test_the_tour_of_python_goes_through_two_rounds(tmp_path: Path) -> None:
    done = run_file("python_api.py", "--out", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'frame, index 3, column "titre": "2.23*" is not a number' in done.stdout
    assert "300 measurements of 150 new formulas" in done.stdout
    assert "would record 56 measurements" in done.stdout
    assert "round 2 is recorded new batch of iron stock" in done.stdout
    assert "Round 2 comes out the same: 12 formulas" in done.stdout
    assert "The database is sound:" in done.stdout
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"tour", "plate-1", "report.html", "copy.db"}
