"""The transferred surrogate: arrays in, a BoTorch model out.

`pretrain` learns an ensemble of deep nets from every source of the history; `fit` transfers it to
the campaign's own rows and returns a `Surrogate`; `cross_validate` says how well the nets predict.
This room knows arrays and frames only: no campaign, no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labloop.surrogate.model import Surrogate
    from labloop.surrogate.posterior import MixturePosterior
    from labloop.surrogate.pretraining import Pretrained, pretrain
    from labloop.surrogate.streaming import Predictions
    from labloop.surrogate.transfer import fit
    from labloop.surrogate.validation import Validation, cross_validate

__all__ = [
    "MixturePosterior",
    "Predictions",
    "Pretrained",
    "Surrogate",
    "Validation",
    "cross_validate",
    "fit",
    "pretrain",
]

_HOMES = {
    "MixturePosterior": "posterior",
    "Predictions": "streaming",
    "Pretrained": "pretraining",
    "Surrogate": "model",
    "Validation": "validation",
    "cross_validate": "validation",
    "fit": "transfer",
    "pretrain": "pretraining",
}


def __getattr__(name: str) -> object:
    """Import on first use, so that naming the room does not cost torch's start-up."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"labloop.surrogate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'labloop.surrogate' has no attribute {name!r}")
