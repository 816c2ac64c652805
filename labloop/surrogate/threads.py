"""How many threads torch may use: small matrices lose more to waiting than they gain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
