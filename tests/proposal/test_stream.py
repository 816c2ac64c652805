import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from labloop.parallel import workers
from labloop.proposal.grid import permuted_grid
from labloop.proposal.pool import best_of
from labloop.proposal.stream import (
    LARGEST_PART,
    SMALLEST_PART,
    GridSource,
    ListSource,
    best_of_parts,
    parts_of,
)

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

TOTAL = 12_000
KEEP = 50


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=60,
    ) as local:
        yield local.scheduler_address


def silent(stage, done, total):
    pass


def bumpy(levels):
    """Return scores with many ties, whose order merging must keep."""
    return np.round(np.sin(levels.astype(float)).sum(axis=1), 1)


def best(space, score=bumpy, progress=silent, seed=3, keep=KEEP):
    source = GridSource(space, 12, TOTAL, seed)
    return best_of_parts(source, TOTAL, "grid", score, keep, progress)


def same(one, other):
    return np.array_equal(one.levels, other.levels) and np.array_equal(one.score, other.score)


@pytest.mark.parametrize("total", [0, 1, SMALLEST_PART, 70_001, 1_000_000, 10_000_001])
def test_parts_cover_all_candidates_once(total):
    parts = parts_of(total)

    assert sum(map(len, parts)) == total
    assert [part.start for part in parts] == [0, *[part.stop for part in parts]][: len(parts)]
    assert all(0 < len(part) <= LARGEST_PART for part in parts)


def test_a_billion_candidates_are_parts_that_are_not_made_yet():
    assert len(parts_of(10**9)) == -(-(10**9) // LARGEST_PART)


def test_the_best_of_parts_are_the_best_of_all(free):
    source = GridSource(free, 12, TOTAL, 3)
    chunks = [chunk for part in parts_of(TOTAL) for chunk in source(part)]

    assert same(best(free), best_of(chunks, "grid", bumpy, KEEP))


def test_parts_of_a_small_grid_are_the_whole_grid(free):
    count = 5**4
    source = GridSource(free, 5, 10_000, 3)
    rows = np.concatenate([*source(range(300)), *source(range(300, count))])

    whole = np.concatenate(list(permuted_grid(free, 5, 10_000, np.random.default_rng(0))))
    assert np.array_equal(rows, whole)


def test_a_part_is_the_same_whenever_it_is_made_and_unlike_its_neighbours(free):
    source = GridSource(free, 12, TOTAL, 3)
    first, again, second = (
        np.concatenate(list(source(part))) for part in (range(2000), range(2000), range(2000, 4000))
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_another_seed_is_another_grid(free):
    assert not np.array_equal(best(free).levels, best(free, seed=4).levels)


def test_processes_find_the_same(free):
    with workers(jobs=2):
        there = best(free)

    assert same(there, best(free))


def test_a_cluster_finds_the_same(free, cluster):
    shift = 0.5

    def nested(levels):  # scores are functions within functions
        return bumpy(levels) + shift

    with workers(cluster):
        there = best(free, nested)

    assert same(there, best(free, nested))


@dataclass(frozen=True)
class Deadly:
    """A score that kills its worker once."""

    marker: Path

    def __call__(self, levels):
        time.sleep(0.1)
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return bumpy(levels)


@pytest.mark.slow
def test_a_cluster_finds_the_same_when_a_worker_is_killed(free, cluster, tmp_path):
    marker = tmp_path / "killed"
    with workers(cluster):
        there = best(free, Deadly(marker))

    assert marker.exists()
    assert same(there, best(free))


def test_a_list_is_streamed_too(free):
    levels = free.sample(10_000, np.random.default_rng(0))

    found = best_of_parts(ListSource(levels), len(levels), "list", bumpy, KEEP, silent)

    assert np.array_equal(found.score, np.sort(bumpy(levels))[: -KEEP - 1 : -1])
    assert np.array_equal(found.score, bumpy(found.levels))
    assert {row.tobytes() for row in found.levels} <= {row.tobytes() for row in levels}


def test_none_of_no_candidates_is_best(free):
    assert len(best_of_parts(ListSource(np.empty((0, 4))), 0, "list", bumpy, KEEP, silent)) == 0


def test_progress_reaches_the_total_and_can_end_the_work(free):
    told = []
    best(free, progress=lambda stage, done, total: told.append((stage, done, total)))

    assert told[0] == ("scoring candidates", 0, TOTAL)
    assert told[-1] == ("scoring candidates", TOTAL, TOTAL)
    assert told == sorted(told)

    def interrupted(stage, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        best(free, progress=interrupted)
