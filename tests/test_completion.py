"""What a shell completes, through the environment that it asks with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from labloop.cli import main
from tests.campaign.conftest import _fresh, _pretrained, _proposed, fresh, lab, proposed  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]


def completed(monkeypatch, line: str) -> list[str]:
    """Return what bash would offer behind a line."""
    monkeypatch.setenv("_LABLOOP_COMPLETE", "bash_complete")
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    result = CliRunner().invoke(main, prog_name="labloop")
    assert result.stderr == ""
    return [found.partition(",")[2] for found in result.stdout.split()]


@pytest.fixture
def here(proposed, tmp_path, monkeypatch):  # noqa: F811
    """A folder with a campaign that has a round, below campaigns/."""
    proposed.close()
    folder = tmp_path / "work" / "campaigns"
    folder.mkdir(parents=True)
    proposed.folder.rename(folder / "small")
    monkeypatch.chdir(folder.parent)
    return folder.parent


def test_commands_are_completed(monkeypatch):
    assert sorted(completed(monkeypatch, "labloop pre")) == ["predict", "pretrain"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("labloop status s", ["small"]),
        ("labloop export small --to ech", ["echo525", "echo550"]),
        ("labloop abandon small --round ", ["1"]),
        ("labloop exclude small --source ", ["CHO-S"]),
        ("labloop exclude small --response ti", ["titre"]),
        ("labloop plate small --show ", ["titre", "viability", "origin", "formula", "status"]),
        ("labloop init new --like cho", ["cho-basal"]),
        ("labloop simulate small --lab re", ["replay", "related"]),
        ("labloop abandon nothing --round ", []),
        ("labloop completion z", ["zsh"]),
    ],
)
def test_names_are_completed(here, monkeypatch, line, offered):
    assert completed(monkeypatch, line) == offered


def test_a_damaged_campaign_completes_nothing_and_says_nothing(here, monkeypatch):
    (here / "campaigns" / "small" / "campaign.db").write_bytes(b"no database")
    assert completed(monkeypatch, "labloop abandon small --round ") == []
    (here / "campaigns" / "small" / "campaign.toml").write_text("[", encoding="utf-8")
    assert completed(monkeypatch, "labloop abandon small --round ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_the_line_to_add_is_said(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_LABLOOP_COMPLETE" in result.stdout
    assert result.stderr.startswith("To have it always, put this line: ")


def test_completing_imports_neither_torch_nor_pandas(here):
    environment = os.environ | {
        "_LABLOOP_COMPLETE": "bash_complete", "COMP_CWORD": "4",
        "COMP_WORDS": "labloop abandon small --round ", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    code = (
        "import sys\n"
        "from labloop.cli import main\n"
        "try:\n    main(prog_name='labloop')\n"
        "except SystemExit:\n    print(*{'torch', 'pandas'} & set(sys.modules), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "plain,1\n"
    assert run.stderr.strip() == ""
