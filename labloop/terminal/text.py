"""Lines of text: results on standard output, prose on standard error."""

from __future__ import annotations

import io
import sys
import unicodedata
from pathlib import Path
from typing import Any

import click

from labloop.plain import plain


def speak_utf8() -> None:
    """Let every name be printed: UTF-8 into files and pipes, replacements on an older terminal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")


# Control characters, among them what begins a terminal's commands (ECMA-48: C0 and C1), characters
# that turn the text around them (Unicode TR36, bidirectional overrides), and ends of lines.
_HIDDEN = ("Cc", "Cf", "Zl", "Zp")


def visible(text: str) -> str:
    """Return a text that a terminal shows and never obeys: hidden characters become `�`.

    Names of files and cells of tables may hold anything; only ends of lines are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if c != "\n" and is_hidden(c) else c for c in text)


def is_hidden(character: str) -> bool:
    """Return whether a terminal might obey a character, or show nothing of it."""
    return unicodedata.category(character) in _HIDDEN


def say(text: str) -> None:
    """Write prose to standard error."""
    click.echo(visible(text), err=True)


def show(text: str) -> None:
    """Write a line, or several, to standard output."""
    click.echo(visible(text))


def show_path(path: Path) -> None:
    """Write a path to standard output: as it is into a pipe, as `visible` has it on a terminal."""
    click.echo(visible(str(path)) if sys.stdout.isatty() else path, color=True)


def one_line(text: str) -> str:
    """Return a text as `visible` has it, ends of lines hidden too."""
    return visible(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def cell(value: Any) -> str:
    """Return a value as a table's cell, numbers as `plain` writes them."""
    if is_missing(value):
        return "–"
    return plain(value) if isinstance(value, float) else one_line(str(value))


def is_missing(value: Any) -> bool:
    """Return whether a value is none: None, NaN, pandas' NA or NaT."""
    # pandas' NA, which cannot be compared, is told by its name: pandas itself loads slowly
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
