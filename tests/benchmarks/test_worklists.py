"""The round whose files are timed is one that every robot can have."""

from __future__ import annotations

import pytest

from benchmarks.worklists import measured
from labloop.worklists import WORKLISTS


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORKLISTS)
def test_every_robot_can_have_the_round(kind: str) -> None:
    dispenses, _, kilobytes = measured(kind)
    assert dispenses > 3000
    assert float(kilobytes) > 100, kilobytes
