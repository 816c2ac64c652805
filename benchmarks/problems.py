"""Every problem of the benchmark by name, built when it is asked for.

`LABLOOP_EXTRA_TABLES` may name a folder of further problems, one `.npz` file each with arrays named
as the fields of `Problem`: those without a default have to be there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.auxotrophs import SHARED_RULES, yes_no_media
from benchmarks.problem import Problem
from benchmarks.tables import REAL, AbsentTableError
from benchmarks.virtual import Likeness, lab, two_sources

__all__ = ["AbsentTableError", "Problem", "build", "catalogue", "problems", "read", "write"]


def catalogue() -> dict[str, Callable[[int], Problem]]:
    """Return name → how to build the problem of a seed, nothing built yet."""
    found: dict[str, Callable[[int], Problem]] = dict(REAL)
    for likeness in SHARED_RULES:
        found[f"yesno-{likeness}"] = partial(yes_no_media, likeness)
    for components in (10, 20, 50):
        for like in get_args(Likeness):
            found[f"lab-{components}-{like}"] = partial(lab, components, like)
    found["lab-two-sources"] = two_sources
    if folder := os.environ.get("LABLOOP_EXTRA_TABLES"):
        for path in sorted(Path(folder).glob("*.npz")):
            found[path.stem] = partial(_extra, path)
    return found


def build(name: str, seed: int) -> Problem:
    """Return one problem; raises KeyError for a name that is none, AbsentTableError."""
    return catalogue()[name](seed)


def problems(seed: int, names: Sequence[str] | None = None) -> Iterator[Problem]:
    """Build problems one after the other; those whose table is absent are left out."""
    for name in catalogue() if names is None else names:
        try:
            yield build(name, seed)
        except AbsentTableError:
            continue


def write(problem: Problem, path: Path) -> None:
    """Write a problem as `.npz`, without pickles."""
    every = {field.name: getattr(problem, field.name) for field in fields(problem)}
    arrays = {name: np.asarray(value) for name, value in every.items() if value is not None}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def read(path: Path) -> Problem:
    """Read what `write` wrote; name and family may be missing and are then the file's name."""
    values: dict[str, Any] = {"name": path.stem, "family": path.stem}
    with np.load(path, allow_pickle=False) as file:
        for field in fields(Problem):
            if field.name in file:
                value = file[field.name]
                values[field.name] = value if value.ndim else value.item()
    return Problem(**values)


def _extra(path: Path, seed: int) -> Problem:
    del seed
    return read(path)
