"""What this process and those that it started have used: processor time and memory.

Processor time is what a proposal would take on a processor of its own, whatever else runs.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_PROC = Path("/proc/self")


def processor_seconds() -> float:
    """Return the processor time so far, in seconds; of this process alone where not on Linux."""
    processes = _with_children()
    if not processes:
        return time.process_time()
    ticks = 0
    for process in processes:
        # The name in parentheses may hold anything; user and system time are fields 14 and 15.
        fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def reset_peak() -> None:
    """Forget the peak so far, where the system can."""
    for process in _with_children():
        if (process / "clear_refs").is_file():
            (process / "clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> float:
    """Return the peak of the largest of the processes in MB, NaN where not on Linux."""
    found = [
        float(line.split()[1]) / 1024
        for process in _with_children()
        for line in (process / "status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM:")
    ]
    return max(found, default=float("nan"))


def _with_children() -> list[Path]:
    """Return the folders of this process and of its children, none where not on Linux."""
    if not (_PROC / "status").is_file():
        return []
    lists = [task / "children" for task in (_PROC / "task").iterdir()]
    numbers = {n for each in lists if each.is_file() for n in each.read_text("ascii").split()}
    return [_PROC, *(Path("/proc") / number for number in sorted(numbers))]
