"""How formulas of different sources compare, each source counted on its own scale."""

from __future__ import annotations

import numpy as np

from labloop.campaign.knowledge import Floats, Ints, Observed
from labloop.campaign.learning import merits
from labloop.definition import Definition

_PERFORMERS = 24


def ranks(definition: Definition, known: Observed, of: Ints) -> Floats:
    """Return (n,) the place from 0 to 1 of each formula within its source, -inf where unknown.

    Args:
        definition: What is wanted of the responses.
        known: The measured formulas.
        of: (n,) numbers of their sources.
    """
    rank = np.full(len(known), -np.inf)
    for number in np.unique(of):
        rows = np.flatnonzero(of == number)
        merit = merits(definition, known.take(rows))
        place = np.argsort(np.argsort(merit, kind="stable")) / max(len(rows) - 1, 1)
        rank[rows] = np.where(np.isfinite(merit), place, -np.inf)
    rank[(known.concentrations < 0).any(axis=1)] = -np.inf
    return rank


def performers(concentrations: Floats, rank: Floats) -> Floats:
    """Return the best of (n, components) formulas by their (n,) ranks, best first."""
    order = np.argsort(-rank, kind="stable")
    best = order[np.isfinite(rank[order])][:_PERFORMERS]
    return np.asarray(concentrations[best])
