"""A file to be read, and what its user said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labloop.tables.numbers import NumberStyle

if TYPE_CHECKING:
    from labloop.definition.models import Instrument


@dataclass(frozen=True)
class Asked:
    """A file by its name, and the options of `reading.read_table`; `content` are its bytes."""

    source: str
    content: bytes
    style: NumberStyle
    names: Sequence[str] | None
    sheet: str | None
    instrument: Instrument | None
    plate: str | None

    def digest(self, places: Iterable[str] = ()) -> str:
        """Return the SHA-256 of the content, with the sheets or cells read: each is its own table.

        What instruments read from other cells of one sheet is so told apart.
        """
        whole = hashlib.sha256(self.content)
        whole.update("\0".join(places).encode())
        return whole.hexdigest()
