"""How far long work is, on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labloop.terminal.text import say

Progress = Callable[[str, int, int], None]


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Give a function that shows the progress of stages on standard error.

    On a terminal it is a bar for each stage; elsewhere a line when a stage is done.
    """
    if _watched():
        with _bars() as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that something is being done which cannot say how far it is."""
    if not _watched():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bars.add_task(what, total=None)
        yield


def _watched() -> bool:
    """Return whether somebody sees standard error and what is written over on it."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    ended: dict[str, bool] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=False) as bars:
        # what loads first has no stages of its own
        beginning: list[TaskID] = [bars.add_task("beginning", total=None)]

        def progress(stage: str, done: int, total: int) -> None:
            while beginning:
                bars.remove_task(beginning.pop())
            if stage not in tasks or (ended[stage] and done < total):
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)
            ended[stage] = done >= total

        yield progress


def _lines() -> Progress:
    started: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        began = started.setdefault(stage, time.monotonic())
        if done >= total:
            say(f"{stage}: {time.monotonic() - began:.1f} s")
            del started[stage]

    return progress
