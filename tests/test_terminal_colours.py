"""What a terminal shows: colours and lines for people, nothing that names could command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.terminal import pretty, show_frame, show_words
from labloop.terminal.plate_map import PlateMap, Spot, show_plate
from labloop.terminal.tables import Column, blocks

ROOT = Path(__file__).resolve().parents[1]
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is a terminal of so many columns."""

    def wide(columns=80, **environment):
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(columns))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    wide()
    return wide


def test_origins_and_states_have_colours(terminal, capsys):
    show_frame(pd.DataFrame({"origin": ["mixing", "unheard_of"], "value": [1.5, 2.0]}))
    out = capsys.readouterr().out
    assert "\x1b[33mmixing" in out
    assert "unheard_of" in out
    show_words(("round 1 ", ""), ("recorded", "green"))
    assert capsys.readouterr().out == "round 1 \x1b[32mrecorded\x1b[0m\n"


def test_without_colours_the_words_stay(terminal, capsys):
    terminal(NO_COLOR="1")
    show_frame(pd.DataFrame({"origin": ["mixing"]}))
    show_words(("recorded", "green"))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "mixing" in out
    assert "recorded" in out


def test_an_empty_no_color_says_nothing(terminal, capsys):
    terminal(NO_COLOR="")
    show_words(("recorded", "green"))
    assert "\x1b[32m" in capsys.readouterr().out


def test_into_a_file_a_table_is_plain(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert not pretty()
    show_frame(pd.DataFrame({"origin": ["mixing"], "value": [1.5]}))
    assert capsys.readouterr().out == "origin  value\nmixing    1.5\n"


def test_force_color_0_switches_off(terminal):
    terminal(FORCE_COLOR="0")
    assert not pretty()


@given(name=st.text(max_size=30))
def test_names_are_shown_and_not_obeyed(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORCE_COLOR", "1")
        patch.setenv("COLUMNS", "200")
        patch.delenv("NO_COLOR", raising=False)
        import io

        out = io.StringIO()
        patch.setattr(sys, "stdout", out)
        show_frame(pd.DataFrame({"origin": [name, "[bold]x[/] :smile:"]}))
        show_words((name.replace("\n", " "), "bold"))
    text = _STYLE.sub("", out.getvalue())
    assert "\x1b" not in text
    assert "[bold]x[/] :smile:" in text


@given(widths=st.lists(st.integers(1, 60), min_size=1, max_size=40), room=st.integers(20, 200))
def test_blocks_hold_every_column_once_and_fit_where_they_can(widths, room):
    columns = [Column("x" * width, (str(k),), True) for k, width in enumerate(widths)]
    found = blocks(columns, room)
    assert all(block[0] is columns[0] for block in found)
    assert [c for block in found for c in block[1:]] == columns[1:]
    for block in found:
        wide = sum(column.width for column in block) + 3 * (len(block) - 1)
        assert wide <= room or len(block) <= 2


@pytest.mark.parametrize(("wells", "columns"), [(24, 80), (96, 80), (384, 80), (1536, 120)])
def test_a_plate_fits_its_terminal_and_every_column_is_there(terminal, capsys, wells, columns):
    terminal(columns)
    spots = {"A1": Spot("0.123", 0.123), "B2": Spot("7.98", 7.98), "C3": Spot("LH", word="mixing")}
    show_plate(PlateMap("a plate", wells, spots, ("· empty",)))
    lines = _STYLE.sub("", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0] == "a plate"
    assert lines[-1] == "· empty"
    headings = [
        int(word) for line in lines if re.fullmatch(r" +[\d ]+", line) for word in line.split()
    ]
    assert headings == list(range(1, {24: 6, 96: 12, 384: 24, 1536: 48}[wells] + 1))
    assert sum("0.123" in line for line in lines) == 1


def test_a_plate_in_a_file_is_one_block(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    show_plate(PlateMap("a plate", 24, {"B2": Spot("7.98", 7.98)}, ()))
    assert capsys.readouterr().out == (
        "a plate\n"
        "     1    2    3    4    5    6\n"
        "A    ·    ·    ·    ·    ·    ·\n"
        "B    · 7.98    ·    ·    ·    ·\n"
        "C    ·    ·    ·    ·    ·    ·\n"
        "D    ·    ·    ·    ·    ·    ·\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False),
                                                    ({"TERM": "dumb"}, False)])  # fmt: skip
def test_a_real_terminal_gets_colours_unless_it_wants_none(tmp_path, settings, coloured):
    import pty

    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | settings
    run = [sys.executable, "-m", "labloop", "init", str(tmp_path / "new")]
    subprocess.run(run, env=environment, check=True, capture_output=True)
    outer, inner = pty.openpty()
    shown = subprocess.Popen(
        [sys.executable, "-m", "labloop", "status", str(tmp_path / "new")],
        env=environment, stdout=inner, stderr=inner, stdin=inner,
    )  # fmt: skip
    os.close(inner)
    text = b""
    while True:
        try:
            part = os.read(outer, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        text += part
    os.close(outer)
    assert shown.wait() == 0
    assert b"labloop history" in text
    assert (b"\x1b[" in text) == coloured


def test_a_long_table_is_plain_text_on_a_terminal_too(terminal, capsys):
    frame = pd.DataFrame({"origin": ["mixing"] * 1001, "value": range(1001)})
    show_frame(frame)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["origin  value", "mixing      0"]
    assert len(lines) == 1002
    show_frame(frame[:1000])
    assert "\x1b[33mmixing" in capsys.readouterr().out
