"""Every campaign of the benchmark by name, built for a seed when it is asked for.

    python -m benchmarks.trials

lists them, with how alike history and campaign are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from benchmarks.case import Case
from benchmarks.free_labs import free_mixture, lab, two_goals
from benchmarks.problems import AbsentTableError, build, catalogue
from benchmarks.replays import blends, replay, rna_against_protein
from benchmarks.virtual import Likeness

BLENDS = (("PCE10", "WF3"), ("WF3", "PCE10"))


def trials() -> dict[str, Callable[[int], Case]]:
    """Return name → how to build the case of a seed, nothing built yet."""
    found: dict[str, Callable[[int], Case]] = {}
    for components in (10, 20, 50):
        for likeness in get_args(Likeness):
            found[f"lab-{components}-{likeness}"] = partial(lab, components, likeness)
    for name in catalogue():
        # Blends are mixtures below; the virtual labs need no pool.
        if not name.startswith(("lab-", "blends-")):
            found[f"replay-{name}"] = partial(_replay, name)
    for first, second in BLENDS:
        found[f"mixture-{first}-{second}".lower()] = partial(_blends, first, second)
    found["mixture-free"] = free_mixture
    found["goals-cftx"] = _rna
    for likeness in get_args(Likeness):
        found[f"goals-10-{likeness}"] = partial(two_goals, 10, likeness)
    return found


def case(name: str, seed: int) -> Case:
    """Return one case; raises KeyError for a name that is none, AbsentTableError."""
    return trials()[name](seed)


def _replay(name: str, seed: int) -> Case:
    return replay(build(name, seed))


def _blends(first: str, second: str, seed: int) -> Case:
    del seed
    return blends(first, second)


def _rna(seed: int) -> Case:
    del seed
    return rna_against_protein()


def main(names: Sequence[str] | None = None) -> None:
    """Print every case of seed 0."""
    for name in names or trials():
        try:
            each = case(name, 0)
        except AbsentTableError as absent:
            print(f"{name} left out: {absent}", file=sys.stderr)
            continue
        pool = "free" if each.trial.pool is None else f"{len(each.trial.pool)} to choose from"
        print(
            f"{name}: {each.kind}, {len(each.trial.space.tables)} components, {pool}, "
            f"{len(each.trial.X_history)} of history, {each.rounds} plates of {each.formulas}, "
            f"{each.likeness} (similarity {each.similarity:.2f})"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
