"""The wheel works alone: definitions, templates and types are in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ["labloop", "campaigns", "pyproject.toml", "README.md", "LICENSE"]

BUILD = "from hatchling.build import build_wheel; print(build_wheel(r'{}'))"
USE = """
import labloop
from pathlib import Path
from labloop.campaign.folders import ready_made, start
home = Path(labloop.__file__).parent
assert all(home in path.parents for path in ready_made().values()), ready_made()
print(*ready_made())
start(Path("made"), "template")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout, built from a copy so that nothing is left in it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(part, source / name)
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(folder)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.mark.slow
def test_the_wheel_has_everything_that_is_not_code(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert "labloop/py.typed" in names
    for place, patterns in (("labloop", "**/*.py"), ("campaigns", "*.toml")):
        for path in (ROOT / place).glob(patterns):
            relative = path.relative_to(ROOT).as_posix()
            inside = relative if place == "labloop" else f"labloop/{relative}"
            assert inside in names, inside
    others = [p for p in (ROOT / "labloop").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    for path in others:
        assert path.relative_to(ROOT).as_posix() in names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "campaigns/"))]


@pytest.mark.slow
def test_a_campaign_can_be_made_from_the_wheel_alone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "unpacked")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "unpacked"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(p.stem for p in (ROOT / "campaigns").glob("*.toml"))
    assert (work / "made" / "campaign.toml").is_file()
