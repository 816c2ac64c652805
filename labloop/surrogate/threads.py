"""How many threads torch may use: small matrices lose more to waiting than they gain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def one_thread(*, when: bool = True) -> Iterator[None]:
    """Run the block on one thread of torch, if `when`, and restore the number after it.

    On a busy computer a second thread made many small products a hundred times slower, because
    each of them waits for the thread that the system has put aside.
    """
    before = torch.get_num_threads()
    if when:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    """Yield function(task) of every task in order, each on one of `workers` threads by itself.

    No digit of a result depends on the number of threads.
    """
    with one_thread(), ThreadPoolExecutor(workers) as pool:
        yield from pool.map(function, tasks)
