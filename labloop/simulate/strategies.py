"""Strategies by name: labloop's loop, each of its parts alone, and the patent's plate."""

from __future__ import annotations

from labloop.simulate.alone import by_chance, grid, latin_hypercube, mixing, patent
from labloop.simulate.loop import forgetful, known, labloop, without_history
from labloop.simulate.trial import Strategy

__all__ = [
    "STRATEGIES",
    "Strategy",
    "by_chance",
    "forgetful",
    "grid",
    "known",
    "labloop",
    "latin_hypercube",
    "mixing",
    "patent",
    "without_history",
]

STRATEGIES: dict[str, Strategy] = {
    "labloop": labloop,
    "without history": without_history,
    "latin hypercube": latin_hypercube,
    "mixing": mixing,
    "permuted grid": grid,
    "patent": patent,
    "random": by_chance,
}
