"""Bytes onto the disk, whole files or none."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labloop.errors import RefusedError

_PART = re.compile(r"-\d+-of-\d+(?=\.)")


def check_writable(file: Path) -> None:
    """Refuse a file that could not be written, before the long work whose results go there.

    Its folder is made where it is missing. Raises RefusedError as `write_files` does.
    """
    _check_name(file.name)
    with _told(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        _beside(file, b"").unlink()


def write_files(folder: str | Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, which is made where it is missing, and return their paths.

    Each file is written beside its target, flushed to the disk and renamed, and nothing is renamed
    before all are written: whatever interrupts this leaves old files or complete new ones.

    Raises RefusedError for a name that is not a plain file name, and where the disk refuses.
    """
    folder = Path(folder)
    for name in files:
        _check_name(name)
    written: list[tuple[Path, Path]] = []
    try:
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                written.append((_beside(folder / name, content), folder / name))
            for beside, target in written:
                beside.replace(target)
    finally:
        for beside, _ in written:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    return [target for _, target in written]


def other_parts(paths: Sequence[Path]) -> list[Path]:
    """Return the parts (`…-1-of-3.py`) that an earlier writing in fewer or more parts left behind.

    `paths` is what was written now.
    """
    wholes = {_PART.sub("", path.name) for path in paths}
    folders = {path.parent for path in paths}
    beside = {path for folder in folders for path in folder.iterdir()} - set(paths)
    return sorted(path for path in beside if _PART.sub("", path.name) in wholes)


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or any(mark in name for mark in "/\\:"):
        raise RefusedError(f'"{name}" is not a plain file name; give one without / \\ and :.')


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a sentence."""
    try:
        yield
    except OSError as problem:
        raise RefusedError(
            f'Cannot write to "{folder}": {problem.strerror or problem}; choose another folder or '
            "make room there."
        ) from problem


def _beside(target: Path, content: bytes) -> Path:
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside
