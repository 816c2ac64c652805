"""The fuzzer's targets take what they start from; `make fuzz` goes on from there."""

from __future__ import annotations

import pytest

from fuzz import __main__ as command
from fuzz import targets


def test_every_target_is_run():
    assert set(command.NAMES) == set(targets.TARGETS)


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_takes_its_seeds_and_parts_of_them(name):
    target = targets.TARGETS[name]
    seeds = target.seeds()
    assert len(set(seeds)) == len(seeds) > 0
    for seed in seeds:
        target.run(seed)
        target.run(seed[: len(seed) // 2])
    target.run(b"")


def test_a_broken_promise_fails_a_target(monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(targets.tables, "read_bytes", broken)
    with pytest.raises(ZeroDivisionError):
        targets.TARGETS["csv"].run(b"\0well,OD600\nA1,1\n")
