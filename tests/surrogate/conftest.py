"""Small histories and campaigns for the tests of the surrogate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit while it is imported, which new torch deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import botorch  # noqa: F401

import torch

from labloop.surrogate.model import Surrogate
from labloop.surrogate.pretraining import Pretrained, pretrain
from labloop.surrogate.training import PLAIN, Recipe
from labloop.surrogate.transfer import fit

QUICK = Recipe(epochs=6)


@dataclass(frozen=True)
class Lines:
    """A history X, Y, source and a campaign's own rows of a line that is like it."""

    X: np.ndarray
    Y: np.ndarray
    source: np.ndarray
    own_x: np.ndarray
    own_y: np.ndarray


def responses(X: np.ndarray) -> np.ndarray:
    saturating = X[:, 0] / (X[:, 0] + 0.3) + X[:, 1] * (1.0 - X[:, 1])
    return np.column_stack([saturating, np.sin(3.0 * X[:, 2]) + 0.5 * X[:, 0]])


@pytest.fixture(scope="session")
def lines() -> Lines:
    random = np.random.default_rng(5)
    X, own = random.random((150, 6)), random.random((30, 6))
    X[:, 5] = own[:, 5] = 0.4  # a component that never varies
    Y = responses(X) + 0.03 * random.normal(size=(150, 2))
    Y[::7, 1] = np.nan
    source = np.repeat([0, 1], [100, 50])
    Y[source == 1] = 10.0 * Y[source == 1] + 3.0
    own_y = 4.0 * responses(own) - 2.0 + 0.1 * random.normal(size=(30, 2))
    return Lines(X, Y, source, own, own_y)


@pytest.fixture(scope="session")
def pretrained(lines: Lines) -> Pretrained:
    torch.set_num_threads(1)
    return pretrain(
        lines.X, lines.Y, lines.source, layers=5, members=3, feature_share=1.0, recipe=QUICK
    )


@pytest.fixture(scope="session")
def plain(lines: Lines) -> Pretrained:
    return pretrain(
        lines.X, lines.Y, lines.source, layers=5, members=3,
        recipe=Recipe(kind=PLAIN.kind, epochs=6, rate=PLAIN.rate, weight_decay=PLAIN.weight_decay),
    )  # fmt: skip


@pytest.fixture(scope="module")
def surrogate(pretrained: Pretrained, lines: Lines) -> Surrogate:
    return fit(pretrained, lines.own_x, lines.own_y)


@pytest.fixture(scope="session")
def candidates() -> np.ndarray:
    return np.random.default_rng(9).random((50, 6))
