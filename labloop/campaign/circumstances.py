"""With which programs, and on what computer, a round was proposed: kept with it for its replay."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

# what the numbers behind a plate are made with
_PROGRAMS = ("labloop", "torch", "botorch", "gpytorch", "linear_operator", "numpy", "scipy",
             "scikit-learn", "pandas")  # fmt: skip
_UNKNOWN = "of no version"


def circumstances() -> dict[str, Any]:
    """Return the versions of the programs, and the processor, in plain values for JSON.

    `programs` is name → version; `computer` names the system, the kind of processor and its
    widest instructions, by which the order of sums differs.
    """
    import torch

    programs = {"Python": platform.python_version()}
    for name in _PROGRAMS:
        try:
            programs[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            programs[name] = _UNKNOWN
    computer = {
        "system": platform.system(),
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    return {"programs": programs, "computer": computer, "threads": torch.get_num_threads()}


def differences(then: Mapping[str, Any] | None) -> list[str]:
    """Return a sentence for each way in which programs or computer are not what they were.

    Args:
        then: What `circumstances` returned, None where nothing was noted.
    """
    if then is None:
        return [
            "It was proposed by a labloop that did not yet note its programs and computer, "
            "perhaps by others than these."
        ]
    now = circumstances()
    said = []
    was, here = then["programs"], now["programs"]
    others = [
        f"{name} {was[name]} (here {here.get(name, _UNKNOWN)})"
        for name in was
        if was[name] != here.get(name, _UNKNOWN)
    ]
    if others:
        said.append(f"It was proposed with {', '.join(others)}.")
    if then["computer"] != now["computer"]:
        said.append(
            f"It was proposed on {_computer(then)}; this is {_computer(now)}. Processors add up "
            "in different orders, so that the last digits differ."
        )
    return said


@contextmanager
def threads_of(then: Mapping[str, Any] | None) -> Iterator[None]:
    """Run the block on as many threads of torch as then, where that was noted.

    Sums that are shared out among threads differ in their last digits with the number of these.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before if then is None else int(then["threads"]))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _computer(found: Mapping[str, Any]) -> str:
    computer = found["computer"]
    return f"{computer['system']} on {computer['processor']} ({computer['instructions']})"
