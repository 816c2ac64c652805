"""Files of results: handed in, looked at as they would be recorded, then recorded or not.

The file waits in the app meanwhile, so what is recorded is what was looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labloop.errors import RefusedError
from labloop.web.visit import Visit

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


def received(visit: Visit, name: str) -> str:
    """Return the key of a file that was handed in now or before, empty for none."""
    upload = visit.upload(name)
    if upload is None:
        return visit.text(f"{name}_key")
    return visit.house.uploads.keep(upload.filename or "file", upload.file)


def file_of(visit: Visit, key: str) -> Path:
    """Return the file that a form means.

    Raises:
        RefusedError: None was chosen, or it is no longer there.
    """
    if not key:
        raise RefusedError("Choose a file first, or drop it onto the field.")
    return visit.house.uploads.file(key)


def kept_fields(visit: Visit) -> dict[str, str]:
    """Return the form's own answers, to be sent once more with the second step."""
    names = (*_TEXTS, "no_header", "columns", "ignore", "correct", "source")
    return {name: visit.text(name) for name in names if visit.text(name)}
