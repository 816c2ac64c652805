"""What is held out together: near-copies in cross-validation, whole sources beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labloop.surrogate.scaling import Array

Ints = NDArray[np.int64]

NEAR = 0.02  # formulas that differ by less than this share of every component's range are the same

NEAREST = 32  # near-copies that are looked up for a row, so that clouds of them cost no square
WHOLE = 8  # rows of a group that is never cut: replicates, however short the table


def near_groups(X: Array, most: int) -> Ints:
    """Return a group number for each row (n,): rows that are nearly the same share one.

    `X` (n, D) in units of the campaign's range. Two rows are nearly the same where they differ by
    less than `NEAR` in every column; so are rows with a chain of such rows between them, for
    otherwise a near-copy could be on either side. On a fine grid a chain can reach across the
    whole table: a group of more than `most` rows is cut at the median of its widest column, and
    the halves again, so that only rows beside a cut have a near-copy in another group. Identical
    rows are never parted. In a cloud of near-copies each row is linked to its 32 nearest, every
    eighth to its 32 nearest of these, and so on.
    """
    distinct, row, copies = np.unique(X.round(9), axis=0, return_inverse=True, return_counts=True)
    group = np.full(len(distinct), -1, dtype=np.int64)
    count = 0
    waiting = _chains(distinct)
    while waiting:
        members = waiting.pop()
        halves = _halves(distinct[members]) if copies[members].sum() > most else None
        if halves is None:
            group[members] = count
            count += 1
        else:
            waiting += [members[halves], members[~halves]]
    return group[np.reshape(row, -1)]


def _chains(X: Array) -> list[Ints]:
    """Return the row numbers of each set of distinct rows that near-copies join."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    rows, ends = np.arange(len(X)), []
    while len(rows):
        distance, place = cKDTree(X[rows]).query(
            X[rows], k=NEAREST, p=np.inf, distance_upper_bound=NEAR * (1 - 1e-9)
        )
        near = np.isfinite(distance)
        one, _ = np.nonzero(near)
        ends.append(np.stack([rows[one], rows[np.asarray(place)[near]]]))
        # Where all the nearest are near there may be more: a sparser sample looks further.
        rows = rows[near[:, -1]][:: NEAREST // 4]
    one, other = np.concatenate(ends, axis=1)
    links = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(len(X), len(X)))
    count, label = connected_components(links, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])


def _halves(X: Array) -> NDArray[np.bool_] | None:
    """Return (n,) which rows lie below the median of the widest column, None for a single row."""
    if len(X) < 2:
        return None
    values = X[:, np.argmax(np.ptp(X, axis=0))]
    below = values < np.median(values)
    # Where most of the rows have the least value, nothing lies below the median.
    return below if below.any() else values <= values.min()


def grouped_folds(X: Array, folds: int, seed: int) -> Ints:
    """Return each row's fold (n,): nearly the same rows share one, folds are about equal in size.

    There are as many folds as groups of rows where those are fewer. See `near_groups` for what is
    nearly the same; eight rows or half a fold, whichever is more, are the most of one group.
    """
    group = near_groups(X, most=max(WHOLE, -(-len(X) // (2 * folds))))
    return dealt(np.bincount(group), folds, seed)[group]


def dealt(sizes: Ints, parts: int, seed: int) -> Ints:
    """Deal groups of the given sizes (g,) to at most `parts` about equal parts: (g,) numbers."""
    parts = min(parts, len(sizes))
    order = np.random.default_rng(seed).permutation(len(sizes))
    # The largest groups first, each into the emptiest part; ties go by the shuffled order.
    order = order[np.argsort(-sizes[order], kind="stable")]
    part = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros(max(parts, 1), dtype=np.int64)
    for number in order:
        emptiest = int(np.argmin(filled))
        part[number] = emptiest
        filled[emptiest] += sizes[number]
    return part
