"""What one JSON value lacks to be another, so that figures that are nearly alike are told once.

`figures.js` has the counterpart of `changed`.
"""

from __future__ import annotations

from typing import Any

Change = tuple[list[str | int], Any]
"""Where something is, as keys and places from the outside in, and what is there afterwards."""


def changes(before: Any, after: Any) -> list[Change]:
    """Return the changes that make a JSON value `before` into `after`.

    A key that `after` lacks becomes None. Lists of different lengths are exchanged whole.
    """
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [(key, before.get(key), after.get(key)) for key in {**before, **after}]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(place, *both) for place, both in enumerate(zip(before, after, strict=True))]
    else:
        return [([], after)]
    found: list[Change] = []
    for key, old, new in pairs:
        found += [([key, *path], value) for path, value in changes(old, new)]
    return found


def changed(before: Any, made: list[Change]) -> Any:
    """Return a JSON value after changes; `before` stays as it is."""
    after = before
    for path, value in made:
        after = _with(after, path, value)
    return after


def _with(whole: Any, path: list[str | int], value: Any) -> Any:
    if not path:
        return value
    key, *rest = path
    if isinstance(whole, dict):
        return {**whole, key: _with(whole.get(key), rest, value)}
    copy = list(whole)
    copy[int(key)] = _with(copy[int(key)], rest, value)
    return copy
