"""What the command line shows: tables on standard output, progress and prose on standard error."""

from __future__ import annotations

import io
import json
import math
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labloop.plain import plain

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int], None]


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
    return "".join("\N{REPLACEMENT CHARACTER}" if c != "\n" and _is_hidden(c) else c for c in text)


def _is_hidden(character: str) -> bool:
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


def show_json(value: object) -> None:
    """Write JSON to standard output; NaN and infinity become null."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2)
    # JSON itself escapes only the first 32 of them
    click.echo(re.sub(r"[^\n -~]", _as_json, text))


def _as_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if _is_hidden(match[0]) else match[0]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if _is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dicts, a named index among the columns."""
    import pandas as pd

    if frame.index.name is not None:
        frame = frame.reset_index()
    rows = frame.astype(object).where(pd.notna(frame), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def show_frame(frame: pd.DataFrame) -> None:
    """Write a frame to standard output as an aligned table, numbers as `plain` writes them."""
    if frame.index.name is not None:
        frame = frame.reset_index()
    columns = [_column(name, frame[name]) for name in frame.columns]
    for cells in zip(*columns, strict=True):
        show("  ".join(cells).rstrip())


def _column(name: str, values: pd.Series) -> list[str]:
    """Return a column's cells with its heading, padded to one width; numbers to the right."""
    import pandas as pd

    heading = _one_line(str(name))
    texts = [_text(value) for value in values]
    width = max(map(len, [heading, *texts]))
    pad = str.rjust if pd.api.types.is_numeric_dtype(values) else str.ljust
    return [pad(text, width) for text in (heading, *texts)]


def _text(value: Any) -> str:
    if _is_missing(value):
        return "–"
    return plain(value) if isinstance(value, float) else _one_line(str(value))


def _one_line(text: str) -> str:
    return visible(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def _is_missing(value: Any) -> bool:
    # pandas' NA, which cannot be compared, is told by its name: pandas itself loads slowly
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Give a function that shows the progress of stages on standard error.

    On a terminal it is a bar for each stage; elsewhere a line when a stage is done.
    """
    if sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=False) as bars:

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks or (bars.tasks[tasks[stage]].finished and done < total):
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield progress


def _lines() -> Progress:
    started: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        began = started.setdefault(stage, time.monotonic())
        if done >= total:
            say(f"{stage}: {time.monotonic() - began:.1f} s")
            del started[stage]

    return progress
