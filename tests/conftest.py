"""Fixtures that more than one room uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of labloop.
settings.register_profile("labloop", deadline=None)
settings.load_profile("labloop")

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_tables() -> Path:
    """The folder of real tables; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("LABLOOP_REAL_TABLES", _BESIDE_THE_CHECKOUT))
    if not folder.is_dir():
        pytest.skip(f"the real tables are not in {folder}; set LABLOOP_REAL_TABLES to their folder")
    return folder
