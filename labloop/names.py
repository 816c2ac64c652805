"""Names in files and in the campaign: which spellings are one name, which are labloop's own."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

KEYS: Final = ("well", "plate", "formula", "replicate")
"""Columns that say what a row of a table is of."""


def fold(name: str) -> str:
    """Return a name without regard to capitals, spaces and underscores.

    Between two digits they count: 1_2 is not 12.
    """
    text = re.sub(r"[\s_]+", "_", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"(?<![0-9])_|_(?![0-9])", "", text)
