"""What is shown: aligned tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from labloop.terminal import (
    progress_shown,
    records,
    say,
    show,
    show_frame,
    show_json,
    show_path,
    speak_utf8,
    visible,
)


def test_a_frame_is_an_aligned_table_with_numbers_to_the_right(capsys):
    frame = pd.DataFrame(
        {
            "name": ["glucose", "Zn"],
            "level": [12.3456789, 0.000123456],
            "wells": pd.array([3, None], dtype="Int64"),
            "origin": ["mixing", None],
        },
        index=pd.Index([7, 12], name="formula"),
    )
    show_frame(frame)
    assert capsys.readouterr().out == (
        "formula  name         level  wells  origin\n"
        "      7  glucose      12.35      3  mixing\n"
        "     12  Zn       0.0001235      –  –\n"
    )


def test_json_is_strict_and_keeps_every_language(capsys):
    numbers = [np.float64(1.5), np.int64(2), float("nan"), float("inf"), -np.inf, None, True]
    show_json({"名": numbers, 3: ("a", pd.NA)})
    out = capsys.readouterr().out
    assert "名" in out
    assert json.loads(out) == {"名": [1.5, 2, None, None, None, None, True], "3": ["a", None]}


def test_records_have_the_index_where_it_has_a_name():
    frame = pd.DataFrame({"x": [1.0, np.nan]}, index=pd.Index(["a", "b"], name="formula"))
    assert records(frame) == [{"formula": "a", "x": 1.0}, {"formula": "b", "x": None}]
    assert records(frame.rename_axis(None)) == [{"x": 1.0}, {"x": None}]


def test_prose_goes_to_standard_error(capsys):
    say("done")
    assert capsys.readouterr() == ("", "done\n")


def test_progress_without_a_terminal_is_a_line_a_stage(capsys):
    with progress_shown() as progress:
        for done in range(4):
            progress("training", done, 3)
        progress("scoring", 0, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("training: ")
    assert err.endswith(" s\n")
    assert err.count("\n") == 1


def test_progress_on_a_terminal_is_a_bar_a_stage(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_shown() as progress:
        for done in range(4):
            progress("training", done, 3)
        progress("training", 0, 5)
        progress("training", 5, 5)
        progress("scoring", 1, 1)
    assert screen.getvalue().count("scoring") >= 1
    assert "training" in screen.getvalue()


def test_names_of_any_language_reach_a_pipe(monkeypatch):
    pipe = io.BytesIO()
    stream = io.TextIOWrapper(pipe, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    speak_utf8()
    print("培地 –")
    stream.flush()
    assert pipe.getvalue().decode("utf-8").split() == ["培地", "–"]


def test_an_old_terminal_gets_replacements(monkeypatch):
    class Screen(io.BytesIO):
        def isatty(self):
            return True

    screen = Screen()
    stream = io.TextIOWrapper(screen, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    speak_utf8()
    print("培地")
    stream.flush()
    assert screen.getvalue().split() == [b"??"]


# What a terminal obeys (a title, colours, a C1 control), and what turns the text around it.
COMMANDS = "\x1b]0;title\x07\x1b[31m\x9b2J\x08\r\u202eevil\u2066"
SHOWN = "�]0;title��[31m�2J���evil�"


@given(st.text())
def test_what_is_shown_holds_nothing_that_a_terminal_obeys(text):
    shown = visible(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(c) for c in shown if c != "\n"} & {"Cc", "Cf", "Zl", "Zp"}
    assert all(a in (b, "�") for a, b in zip(shown, text, strict=True))


def test_names_in_any_language_are_shown_as_they_are(capsys):
    for text in ("培地 1", "全角\u3000空白", "5\u00a0µM", "Füllung\nzwei Zeilen", "נוזל"):
        assert visible(text) == text


def test_what_a_file_says_is_never_a_command_to_the_terminal(capsys):
    say(f"read {COMMANDS}")
    show(f"read {COMMANDS}")
    show_frame(pd.DataFrame({COMMANDS: [f"{COMMANDS}\nx", "y"]}))
    out, err = capsys.readouterr()
    assert err == f"read {SHOWN}\n"
    assert out == f"read {SHOWN}\n{SHOWN}\n{SHOWN}�x\ny\n"
    show_json({COMMANDS: [COMMANDS, "培地\n"]})
    out = capsys.readouterr().out
    assert visible(out) == out
    assert json.loads(out) == {COMMANDS: [COMMANDS, "培地\n"]}


def test_a_path_goes_into_a_pipe_as_it_is(monkeypatch, capsys):
    path = Path(f"out/{COMMANDS}.csv")
    show_path(path)
    assert capsys.readouterr().out == f"{path}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_path(path)
    assert capsys.readouterr().out == f"{Path('out', SHOWN)}.csv\n"
