"""Files of results: handed in, looked at as they would be recorded, then recorded or not.

The file waits in the app meanwhile, so what is recorded is what was looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labloop.errors import RefusedError
from labloop.web.visit import Visit

NO_FILES = {"file_key": "", "file_name": "", "map_key": "", "map_name": ""}
_TEXTS = ("decimal", "encoding", "sheet", "instrument", "plate", "reason")


def reading_of(visit: Visit) -> dict[str, Any]:
    """Return how the form wants the file read, as keywords of Campaign's methods.

    Raises RefusedError for a column that is not written as `file's name = name`.
    """
    reading: dict[str, Any] = {name: visit.text(name) or None for name in _TEXTS}
    reading["header"] = not visit.text("no_header")
    pairs = [line.partition("=") for line in visit.text("columns").splitlines() if line.strip()]
    for file_name, sign, name in pairs:
        if not (file_name.strip() and sign and name.strip()):
            raise RefusedError(f'Write a column as "name in the file = name" (got "{file_name}").')
    reading["columns"] = {left.strip(): right.strip() for left, _, right in pairs}
    reading["ignore"] = tuple(n.strip() for n in visit.text("ignore").splitlines() if n.strip())
    reading["correct"] = bool(visit.text("correct"))
    return reading


def kept_files(visit: Visit) -> dict[str, str]:
    """Return the files that were handed in now or before, by `file_key`, `file_name` and so on.

    What was not handed in, or is no longer there, is empty.
    """
    kept: dict[str, str] = {}
    for field in ("file", "map"):
        upload = visit.upload(field)
        key = visit.text(f"{field}_key")
        if upload is not None:
            key = visit.house.uploads.keep(upload.filename or "file", upload.file)
        name = visit.house.uploads.name_of(key)
        kept |= {f"{field}_key": key if name else "", f"{field}_name": name}
    return kept


def files_of(visit: Visit, kept: dict[str, str]) -> tuple[Path, Path | None]:
    """Return the file that was handed in, and the map of its wells where there is one.

    Raises:
        RefusedError: None was chosen, or it is no longer there.
    """
    if not kept["file_key"]:
        if visit.text("file_key"):
            raise RefusedError("This file is no longer at hand; hand it in once more.")
        raise RefusedError("Choose a file first, or drop it onto the field.")
    uploads = visit.house.uploads
    mapped = uploads.file(kept["map_key"]) if kept["map_key"] else None
    return uploads.file(kept["file_key"]), mapped


def kept_fields(visit: Visit) -> dict[str, str]:
    """Return the form's own answers, to be sent once more with the second step."""
    names = (*_TEXTS, "no_header", "columns", "ignore", "correct", "source")
    return {name: visit.text(name) for name in names if visit.text(name)}
