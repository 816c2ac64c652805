"""The history's best formulas, each source counted on its own scale."""

from __future__ import annotations

import numpy as np

from labloop.campaign.knowledge import Observed
from labloop.campaign.ranking import performers, ranks
from labloop.definition import parse

DEFINITION = parse(
    {
        "name": "x",
        "component": [{"name": "a", "unit": "mM", "high": 9.0}],
        "response": [{"name": "titre"}],
    }
)


def observed(values, source, concentrations=None):
    n = len(values)
    means = np.array(values, dtype=float)[:, None]
    return Observed(
        ids=np.arange(n),
        source=np.array(source),
        source_names=("one", "two"),
        concentrations=np.arange(n, dtype=float)[:, None] if concentrations is None
        else np.array(concentrations, dtype=float)[:, None],
        means=means,
        censored=np.zeros((n, 1), dtype=np.int8),
        standard_errors=np.full((n, 1), np.nan),
        wells=np.ones((n, 1), dtype=np.int64),
    )  # fmt: skip


def test_a_source_of_small_values_ranks_as_high_as_one_of_large_ones():
    known = observed([1.0, 3.0, 2.0, 100.0, 300.0], [0, 0, 0, 1, 1])
    rank = ranks(DEFINITION, known, known.source)
    assert rank.tolist() == [0.0, 1.0, 0.5, 0.0, 1.0]
    assert performers(known.concentrations, rank)[:, 0].tolist() == [1.0, 4.0, 2.0, 0.0, 3.0]


def test_what_is_not_known_or_cannot_be_made_is_no_performer():
    known = observed([1.0, np.nan, 2.0], [0, 0, 0], [5.0, 6.0, -1.0])
    rank = ranks(DEFINITION, known, known.source)
    assert np.isfinite(rank).tolist() == [True, False, False]
    assert performers(known.concentrations, rank).tolist() == [[5.0]]


def test_at_most_24_performers_are_kept():
    known = observed(np.arange(40.0), np.zeros(40, dtype=int))
    assert len(performers(known.concentrations, ranks(DEFINITION, known, known.source))) == 24
