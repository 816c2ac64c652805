"""labloop: an active-learning lab assistant with a Bayesian loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labloop.campaign import Campaign
    from labloop.definition import Definition

__all__ = ["Campaign", "Definition"]

_HOMES = {"Campaign": "labloop.campaign", "Definition": "labloop.definition"}


def __getattr__(name: str) -> object:
    """Import the public classes on first use, so that `import labloop` stays cheap."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'labloop' has no attribute {name!r}")
