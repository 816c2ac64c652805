"""Files on their way: what was dropped into the app, and what it offers to save.

They lie in a temporary folder, each in one of its own so that it keeps its name, until the app ends
or many newer ones came.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from labloop.errors import RefusedError

_MOST = 40  # folders that are kept
_LONGEST = 120  # characters of a name
_FORBIDDEN = frozenset('<>:"/\\|?*')


@dataclass(frozen=True)
class Uploads:
    """A folder of folders, one for each thing on its way."""

    folder: Path

    def new(self) -> tuple[str, Path]:
        """Return the key and the path of a new folder; the oldest goes where there are many."""
        held = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in held[: max(0, len(held) - _MOST + 1)]:
            shutil.rmtree(old, ignore_errors=True)
        key = secrets.token_urlsafe(16)
        path = self.folder / key
        path.mkdir()
        return key, path

    def keep(self, name: str, content: BinaryIO) -> str:
        """Keep a file and return its key."""
        key, path = self.new()
        with (path / safe_name(name)).open("wb") as target:
            shutil.copyfileobj(content, target)
        return key

    def files(self, key: str) -> list[Path]:
        """Return the files of a key, by name.

        Raises:
            RefusedError: They are no longer there.
        """
        # looked up among what is there: a key is anything that an address may hold
        path = next((path for path in self.folder.iterdir() if path.name == key), None)
        found = [] if path is None else sorted(path.iterdir())
        if not found:
            raise RefusedError("This file is no longer at hand; hand it in once more.")
        return found

    def name_of(self, key: str) -> str:
        """Return the name of the one file of a key, empty where it is no longer there."""
        try:
            return self.file(key).name
        except RefusedError:
            return ""

    def file(self, key: str) -> Path:
        """Return the one file of a key; raises as `files`."""
        return self.files(key)[0]


def safe_name(name: str) -> str:
    """Return a file's name without folders and what some system forbids; never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c if c.isprintable() and c not in _FORBIDDEN else "_" for c in last)
    kept = kept.strip(" .")
    if len(kept) > _LONGEST:
        stem, dot, ending = kept.rpartition(".")
        kept = stem[: _LONGEST - len(dot + ending)] + dot + ending if stem else kept[:_LONGEST]
    return kept[-_LONGEST:] or "file"
