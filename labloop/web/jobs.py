"""Work that takes longer than a page: begun, watched and cancelled."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labloop.errors import RefusedError

_PATIENCE = 8.0  # seconds that cancelled work has to end by itself
_KEPT = 30  # finished jobs that are remembered


@dataclass(eq=False)
class Job:
    """A piece of work.

    Attributes:
        key: What it is called in the app's addresses.
        folder: The campaign's.
        title: What is being done, as a sentence begins.
        back: Where to go when it is cancelled or failed.
        onward: From its outcome to where to go when it is done.
        state: running, done, failed or cancelled.
        stages: Stage → what is done and the total.
        headline, problems: Why it failed.
    """

    key: str
    folder: Path
    title: str
    back: str
    onward: Callable[[dict[str, Any]], str]
    began: float = field(default_factory=time.monotonic)
    state: str = "running"
    stages: dict[str, tuple[int, int]] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    headline: str = ""
    problems: tuple[str, ...] = ()
    cancelling: bool = False

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self.began


class Jobs:
    """The work under way, at most one a campaign."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def begin(
        self,
        folder: Path,
        title: str,
        order: dict[str, Any],
        back: str,
        onward: Callable[[dict[str, Any]], str],
    ) -> Job:
        """Begin some work; raises RefusedError while other work of the campaign is under way."""
        job = Job(secrets.token_urlsafe(12), folder, title, back, onward)
        with self._lock:
            busy = self._of(folder)
            if busy is not None:
                raise RefusedError(
                    f"{busy.title} is under way for this campaign; wait for it, or cancel it."
                )
            ended = [key for key, each in self._jobs.items() if each.state != "running"]
            for key in ended[: max(0, len(ended) - _KEPT)]:
                del self._jobs[key]
            self._jobs[job.key] = job
            child = subprocess.Popen(
                [sys.executable, "-m", "labloop.web.work"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._running[job.key] = child
        line = json.dumps(order | {"folder": str(folder)}).encode("utf-8") + b"\n"
        if child.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended already; the watch says so
                child.stdin.write(line)
                child.stdin.flush()
        threading.Thread(target=self._watch, args=(job, child), daemon=True).start()
        return job

    def get(self, key: str) -> Job | None:
        """Return a job by its key."""
        return self._jobs.get(key)

    def of(self, folder: Path) -> Job | None:
        """Return what is under way for a campaign."""
        with self._lock:
            return self._of(folder)

    def _of(self, folder: Path) -> Job | None:
        running = [j for j in self._jobs.values() if j.state == "running" and j.folder == folder]
        return running[0] if running else None

    def cancel(self, job: Job) -> None:
        """Ask work to end, and end it where it does not; the campaign stays as it was."""
        with self._lock:
            child = self._running.get(job.key)
            if child is None or job.cancelling:
                return
            job.cancelling = True
        if child.stdin is not None:
            child.stdin.close()
        stop = threading.Timer(_PATIENCE, child.terminate)
        stop.daemon = True
        stop.start()

    def close(self) -> None:
        """End all work."""
        with self._lock:
            running = list(self._running.values())
        for child in running:
            child.terminate()
        for child in running:
            child.wait()

    def _watch(self, job: Job, child: subprocess.Popen[bytes]) -> None:
        last: dict[str, Any] = {}
        for line in child.stdout or ():
            message = json.loads(line)
            if "stage" in message:
                job.stages[message["stage"]] = (message["done"], message["total"])
            else:
                last = message
        code = child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent is of no use any more
                    pipe.close()
        job.outcome = last.get("outcome", {})
        job.headline, job.problems = last.get("headline", ""), tuple(last.get("problems", ()))
        with self._lock:
            del self._running[job.key]
            job.state = last.get("state", "cancelled" if job.cancelling else "failed")
        if job.state == "failed" and not job.headline:
            job.headline = (
                f"It stopped unexpectedly (exit code {code}); the campaign is as it was. The "
                "terminal in which `labloop serve` runs says more."
            )
