"""What the numbers on a plate and a space advise."""

from __future__ import annotations

import math

import pytest

from labloop.proposal.advice import Prospects


def numbers(**changes):
    usual = {
        "measure": "ratio", "unit": math.nan, "gain": 0.04, "gain_low": 0.0, "gain_high": 0.1,
        "chance": 0.7, "chance_of_step": 0.4, "better": 0.8, "potential": 0.2, "met": 1.0,
        "noise": (0.06,), "noise_of": ("ratio",),
    }  # fmt: skip
    return Prospects(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "go on"),
        ({"better": 0.19, "potential": 0.01}, "stop"),
        ({"better": 0.2, "potential": 0.08}, "noise"),
        ({"potential": 0.09}, "go on"),  # √2 · 0.06 = 0.085
        ({"chance_of_step": 0.09}, "patience"),
        ({"chance_of_step": 0.1}, "go on"),
        ({"noise": (0.5, 0.5), "noise_of": ("best", "best"), "measure": "hypervolume"}, "go on"),
        ({"noise": (math.nan,)}, "go on"),
        ({"potential": math.nan}, "go on"),
    ],
)
def test_advice_follows_its_thresholds(changes, advice):
    assert numbers(**changes).advice == advice
