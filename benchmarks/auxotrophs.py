"""Yes/no media: strains that need some components, choose among others and are harmed by some.

What labs measure when they leave components out of a medium is stepwise: a strain that cannot make
a component does not grow without it (A), grows with either of two (B or C), or is harmed by one
unless another is there (D unless E). Growth is the product of these rules and saturates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.problem import Array, Problem, Rows

COMPONENTS = 20
PRESENT = 0.7  # share of the media that hold a component
NOISE = 0.03
BACKGROUND = 0.005  # what the reader adds where nothing grows, standard deviation
SHARED_RULES = {"related": 0.85, "moderate": 0.5, "unrelated": 0.0}
_KINDS = np.repeat([0, 1, 2, 3], [4, 3, 3, 4])  # needed, either of two, harmful unless, helpful
_WIDTH = np.array([1, 2, 2, 1])[_KINDS]


@dataclass(frozen=True, eq=False)
class Strain:
    """A strain: `components` (R, 2) of each rule (the second only of some), `strength` (R,)."""

    components: Rows
    strength: Array

    def growth(self, X: Array) -> Array:
        """Return the growth (n,) on media `X` (n, 20) of zeros and ones, between 0 and 1."""
        first = X[:, self.components[:, 0]] > 0
        second = X[:, self.components[:, 1]] > 0
        met = np.choose(_KINDS, [first, first | second, ~first | second, first])
        # What helps adds on top; a rule that is not met leaves little.
        factor = np.where(_KINDS == 3, 1.0 + self.strength * met, np.where(met, 1, self.strength))
        product = factor.prod(axis=1)
        return np.asarray(product / (0.7 + product))


def strain(rng: np.random.Generator) -> Strain:
    """Return a strain with rules of its own."""
    return _with_rules(rng, rng.permutation(COMPONENTS), np.arange(len(_KINDS)), None)


def relative(parent: Strain, share: float, rng: np.random.Generator) -> Strain:
    """Return a strain that has this share of the parent's rules, the other rules redrawn."""
    rules = rng.permutation(len(_KINDS))[round(share * len(_KINDS)) :]
    kept = np.setdiff1d(np.arange(len(_KINDS)), rules)
    taken = np.concatenate([parent.components[r, : _WIDTH[r]] for r in kept] or [np.zeros(0, int)])
    free = rng.permutation(np.setdiff1d(np.arange(COMPONENTS), taken))
    return _with_rules(rng, free, np.sort(rules), parent)


def _with_rules(rng: np.random.Generator, free: Rows, rules: Rows, parent: Strain | None) -> Strain:
    """Give `rules` the `free` components, in order; the others stay the parent's."""
    components = np.zeros((len(_KINDS), 2), int) if parent is None else parent.components.copy()
    strength = np.zeros(len(_KINDS)) if parent is None else parent.strength.copy()
    low = np.array([0.05, 0.05, 0.3, 0.1])[_KINDS]
    high = np.array([0.4, 0.4, 0.7, 0.8])[_KINDS]
    drawn = rng.uniform(low, high)
    at = 0
    for rule in rules:
        width = _WIDTH[rule]
        components[rule] = free[at], free[at + width - 1]
        strength[rule] = drawn[rule]
        at += width
    return Strain(components, strength)


def media(rows: int, rng: np.random.Generator) -> Array:
    """Return distinct random media (rows, 20) of zeros and ones."""
    X = (rng.random((2 * rows, COMPONENTS)) < PRESENT).astype(np.float64)
    first = np.unique(X, axis=0, return_index=True)[1]
    return X[np.sort(first)[:rows]]


def yes_no_media(likeness: str, seed: int, *, history: int = 600, pool: int = 900) -> Problem:
    """Return the problem of two strains that share part of their rules; noise is 3 %."""
    rng = np.random.default_rng([seed, 20, sorted(SHARED_RULES).index(likeness)])
    first = strain(rng)
    second = relative(first, SHARED_RULES[likeness], rng)
    X = media(history + pool, rng)
    truth = second.growth(X[history:])
    earlier = first.growth(X[:history])
    growth = np.concatenate([earlier, truth])
    measured = growth * (1 + NOISE * rng.standard_normal(len(growth)))
    measured += BACKGROUND * rng.standard_normal(len(growth))
    return Problem(
        name=f"yesno-{likeness}",
        family="yes/no media",
        X_history=X[:history],
        Y_history=measured[:history, None],
        source=np.zeros(history, dtype=np.int64),
        X_pool=X[history:],
        Y_pool=measured[history:, None],
        Y_truth=truth[:, None],
    )
