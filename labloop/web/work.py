"""Long work in a program of its own: an order in, progress and the outcome out, as lines of JSON.

`python -m labloop.web.work` reads one order from standard input. Whoever gave it cancels it by
closing that input, which the system does, too, when the app is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labloop.errors import LabloopError

Order = Mapping[str, Any]
Progress = Callable[[str, int, int], None]


class Cancelled(BaseException):
    """Whoever ordered the work wants it no longer."""


def propose(order: Order, progress: Progress) -> dict[str, Any]:
    """Choose the next round; returns its number."""
    from labloop.campaign import Campaign

    with Campaign.open(order["folder"]) as campaign:
        candidates = order["candidates"]
        proposed = campaign.propose(
            order["formulas"],
            order["seed"],
            None if candidates is None else Path(candidates),
            progress=progress,
        )
    return {"round": proposed.number}


def pretrain(order: Order, progress: Progress) -> dict[str, Any]:
    """Learn from the history; returns nothing, for the store has it."""
    from labloop.campaign import Campaign

    with Campaign.open(order["folder"]) as campaign:
        campaign.pretrain(order["folds"], progress=progress)
    return {}


def report(order: Order, progress: Progress) -> dict[str, Any]:
    """Write a round's report; returns its path."""
    from labloop.campaign import Campaign

    progress("writing the report", 0, 1)
    with Campaign.open(order["folder"]) as campaign:
        path = campaign.report(Path(order["out"]), order["round"])
    progress("writing the report", 1, 1)
    return {"path": str(path)}


def effects(order: Order, progress: Progress) -> dict[str, Any]:
    """Say what the model makes of the components, as the pictures of the app's page."""
    from labloop.campaign import Campaign
    from labloop.web.learned import pictures_of

    with Campaign.open(order["folder"]) as campaign:
        return pictures_of(campaign, progress)


_WORK = {"propose": propose, "pretrain": pretrain, "report": report, "effects": effects}


def main() -> None:
    """Do one order."""
    # the terminal's Ctrl-C reaches every program in it; this one ends when its input does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr  # what a library prints is not part of the answer
    order = json.loads(sys.stdin.buffer.readline())
    unwanted = threading.Event()
    threading.Thread(target=_wait_for_end, args=(unwanted,), daemon=True).start()

    def tell(**message: Any) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except OSError:
            unwanted.set()

    def progress(stage: str, done: int, total: int) -> None:
        if unwanted.is_set():
            raise Cancelled
        tell(stage=stage, done=int(done), total=int(total))

    try:
        tell(state="done", outcome=_WORK[order["action"]](order, progress))
    except Cancelled:
        tell(state="cancelled")
    except LabloopError as error:
        problems = list(getattr(error, "problems", ()))
        tell(state="failed", headline=getattr(error, "headline", str(error)), problems=problems)
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for the end of the input may hold its lock


def _wait_for_end(unwanted: threading.Event) -> None:
    sys.stdin.buffer.read()
    unwanted.set()


if __name__ == "__main__":
    main()
